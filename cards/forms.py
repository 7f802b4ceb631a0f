"""The forms for a change, and the choice between several people.

Knows: the fields and how an error stands beside its field. Must not know: who may be chosen, or how a
number is judged. The form's number field shows what the requester typed; the twin of the card does not.

Sources: "People picker in Adaptive Cards" (choices.data, value = object id), Adaptive Cards 1.5 inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import microsoft_teams.cards as ac

from bot.domain.command import (
    Check,
    Freeze,
    History,
    IssuePass,
    Order,
    RemovePhone,
    SetPhone,
    Show,
    SmsSignIn,
    Swap,
    Unfreeze,
    WhoKind,
)
from bot.domain.onboarding_commands import Onboard
from bot.domain.outcome import Choice, Form
from bot.domain.people import Person
from bot.domain.phone import EXAMPLES, Slot
from bot.domain.policy import Method
from bot.domain.reason import Refusal

from . import verbs
from .foreign import SHORT, free, plain
from .proofs import evidence_field, method_field
from .refusals import run
from .sheet import Button, Drawn, Sheet
from .words import Words, msg

PEOPLE: Final = "graph.microsoft.com/users"
MOST_BUTTONS: Final = 6
MOST_CHOICES: Final = 25
BUTTON_NAME: Final = 24
_TAIL = 4


def draw(outcome: Form | Choice, _: Words) -> Drawn:
    """Either of them."""
    return form(outcome, _) if isinstance(outcome, Form) else choice(outcome, _)


def form(outcome: Form, _: Words) -> Drawn:
    """The form of an order, with what was said filled in and what was wrong beside its field."""
    sheet = _head(outcome.filled, _, bool(outcome.errors))
    for field, refusal in outcome.errors:
        if field not in verbs.INPUTS:
            sheet.error(refusal)
            sheet.quiet(refusal.reason.why, "None", **refusal.facts)
    errors = {field: refusal for field, refusal in outcome.errors if field in verbs.INPUTS}
    sheet.raw(_picker(_, outcome))
    if outcome.target is not None:
        facts = {"name": outcome.target.name, "details": _details(_, outcome.target)}
        sheet.quiet(msg("Found: {name} · {details}"), "None", **facts)
    _error(sheet, errors.pop(verbs.WHO, None))
    _rest(sheet, _, outcome.filled, errors, outcome.methods)
    return sheet.done()


def choice(outcome: Choice, _: Words) -> Drawn:
    """Several people match: buttons for a look, the form for a change. Nobody is preselected."""
    then = outcome.then
    if isinstance(then, Order):
        people = outcome.people[:MOST_CHOICES]
        sheet = _head(then, _, False)
        sheet.say(msg("{count} people match. I never pick one myself."), count=str(len(outcome.people)))
        radio = ac.ChoiceSetInput(
            id=verbs.WHO,
            label=_(msg("Whose phone?")),
            style="expanded",
            wrap=True,
            is_required=True,
            error_message=_(msg("Please choose the person.")),
            choices=[ac.Choice(title=_title(_, person), value=person.oid) for person in people],
        )
        sheet.raw(radio, "\n".join(f"- {_title(_, person)}" for person in people))
        _rest(sheet, _, then, {}, outcome.methods)
        return sheet.done()
    if isinstance(then, Check):
        return _which(outcome.people, _)
    return _look(outcome.people, _LOOKS[type(then)], _)


def _which(people: tuple[Person, ...], _: Words) -> Drawn:
    """A check holds a number, which no button may carry: it is typed again with the full user name."""
    sheet = Sheet(_)
    sheet.status("?", msg("Which one?"), "accent")
    sheet.title(msg("{count} people match"), count=str(len(people)))
    for person in people[:MOST_CHOICES]:
        sheet.say("{name}", "Medium", name=person.name)
        sheet.quiet("{details}", "None", details=_details(_, person))
    sheet.quiet(msg("Type it again with the user name: `check NAME@COMPANY SLOT NUMBER`"), "Medium")
    return sheet.done()


@dataclass(frozen=True, slots=True)
class _Look:
    """A command that needs only the person. by_choice: with button data of its own, not a command."""

    verb: str
    title: str
    usage: str
    by_choice: bool = False


_LOOKS: Final[dict[type[object], _Look]] = {
    Show: _Look("show", msg("Show {name} {tail}"), msg("Or type `show NAME@COMPANY`"), True),
    History: _Look("history", msg("History of {name} {tail}"), msg("Or type `history NAME@COMPANY`"), True),
    Freeze: _Look("freeze", msg("Freeze {name} {tail}"), msg("Or type `freeze NAME@COMPANY because WHY`")),
    Onboard: _Look("onboard", msg("Onboard {name} {tail}"), msg("Or type `onboard NAME@COMPANY`")),
    Unfreeze: _Look("unfreeze", msg("Unfreeze {name} {tail}"), msg("Or type `unfreeze NAME@COMPANY`")),
}


def _look(people: tuple[Person, ...], look: _Look, _: Words) -> Drawn:
    sheet = Sheet(_)
    sheet.status("?", msg("Which one?"), "accent")
    sheet.title(msg("{count} people match"), count=str(len(people)))
    for person in people[:MOST_BUTTONS]:
        name = plain(person.name)
        title = _(look.title, name=plain(name, BUTTON_NAME), tail=_tail(person))
        button = Button(title, verbs.CHOOSE, verbs.choose_data(look.verb, person.oid))
        if not look.by_choice:
            button = run(title, f"{look.verb} {person.oid}")
        sheet.say("{name}", "Medium", name=name)
        sheet.quiet("{details}", "None", details=_details(_, person))
        sheet.buttons(button)
    if len(people) > MOST_BUTTONS:
        sheet.quiet(msg("{count} more match; please be more precise."), count=str(len(people) - MOST_BUTTONS))
    sheet.quiet(look.usage, "Medium")
    return sheet.done()


def _head(filled: Order, _: Words, wrong: bool) -> Sheet:
    sheet = Sheet(_)
    if wrong:
        sheet.status("⚠", msg("Please correct what is marked"), "attention")
    else:
        sheet.status("◔", msg("Nothing is sent yet"), "accent")
    sheet.title(_kind(filled)[1])
    if isinstance(filled, Swap):
        sheet.say(msg("The number of the alternate mobile becomes the mobile. The old mobile is gone."))
    return sheet


def _kind(filled: Order) -> tuple[str, str, str]:
    """The verb of the form's button, its title, and how the same is typed."""
    match filled:
        case SetPhone():
            usage = msg("Or type `set SLOT for WHO to NUMBER because WHY`. What you type stays in this chat; "
                        "the form does not.")  # fmt: skip
            return verbs.FORM_SET, msg("Change a phone"), usage
        case RemovePhone():
            usage = msg("Or type `remove SLOT for WHO because WHY`.")
            return verbs.FORM_REMOVE, msg("Remove a phone"), usage
        case Swap():
            return verbs.FORM_SWAP, msg("Swap the mobiles"), msg("Or type `swap WHO because WHY`.")
        case SmsSignIn(enable=True):
            usage = msg("Or type `enable sms sign-in for WHO because WHY`.")
            return verbs.FORM_SMS_ON, msg("Switch SMS sign-in on"), usage
        case IssuePass():
            usage = msg("Or type `issue pass for WHO because WHY`.")
            return verbs.FORM_PASS, msg("Ask for a Temporary Access Pass"), usage
        case SmsSignIn():
            usage = msg("Or type `disable sms sign-in for WHO because WHY`.")
            return verbs.FORM_SMS_OFF, msg("Switch SMS sign-in off"), usage


def _picker(_: Words, outcome: Form) -> ac.ChoiceSetInput:
    target, who = outcome.target, outcome.filled.who
    preset = target.oid if target else who.value if who and who.kind is WhoKind.OID else None
    typed = who.value if who and not preset and who.kind is not WhoKind.ME else ""
    hint = _(msg("Search by name (you wrote {typed})"), typed=typed) if typed else _(msg("Search by name"))
    return ac.ChoiceSetInput(
        id=verbs.WHO,
        label=_(msg("Who is it for?") if isinstance(outcome.filled, IssuePass) else msg("Whose phone?")),
        style="filtered",
        wrap=True,
        is_required=True,
        error_message=_(msg("Please choose the person.")),
        placeholder=hint,
        choices=[ac.Choice(title=_title(_, target), value=target.oid)] if target else [],
        choices_data=ac.QueryData(dataset=PEOPLE),
        value=preset,
    )


def _rest(
    sheet: Sheet, _: Words, filled: Order, errors: dict[str, Refusal], methods: tuple[Method, ...]
) -> None:
    if isinstance(filled, SetPhone | RemovePhone):
        sheet.raw(_slot(_, filled.slot))
        _error(sheet, errors.pop(verbs.SLOT, None))
    if isinstance(filled, SetPhone):
        sheet.raw(_number(_, filled))
        _error(sheet, errors.pop(verbs.NUMBER, None))
    if methods:
        sheet.raw(method_field(_, methods, filled.proof))
        _error(sheet, errors.pop(verbs.PROOF, None))
        sheet.raw(evidence_field(_, filled.proof))
        _error(sheet, errors.pop(verbs.EVIDENCE, None))
    sheet.raw(_text(verbs.REASON, _(msg("Reason (the approver reads it)")), free(filled.reason)))
    _error(sheet, errors.pop(verbs.REASON, None))
    sheet.raw(_text(verbs.TICKET, _(msg("Ticket")), plain(filled.ticket, SHORT)))
    _error(sheet, errors.pop(verbs.TICKET, None))
    for refusal in errors.values():  # about a field that this form does not have
        sheet.error(refusal)
    verb, _title_of_it, usage = _kind(filled)
    sheet.buttons(Button(_(msg("Show the preview")), verb, verbs.form_data(), style="positive", inputs=True))
    sheet.quiet(msg("Nothing is sent before you submit the preview."))
    sheet.quiet(usage, "None")


def _slot(_: Words, slot: Slot | None) -> ac.ChoiceSetInput:
    return ac.ChoiceSetInput(
        id=verbs.SLOT,
        label=_(msg("Which phone?")),
        style="compact",
        wrap=True,
        is_required=True,
        error_message=_(msg("Please choose which phone.")),
        choices=[ac.Choice(title=_.slot(each), value=each.value) for each in Slot],
        value=slot.value if slot else Slot.MOBILE.value,
    )


def _number(_: Words, filled: SetPhone) -> ac.TextInput:
    example = EXAMPLES[filled.slot or Slot.MOBILE]
    return ac.TextInput(
        id=verbs.NUMBER,
        label=_(msg("New number, with + and country code")),
        style="Tel",
        is_required=True,
        error_message=_(msg("Please type the number, for example {example}."), example=example),
        max_length=verbs.NUMBER_LENGTH,
        placeholder=example,
        value=plain(filled.number, verbs.NUMBER_LENGTH, mask=False) if filled.number else None,
    )


def _text(name: str, label: str, value: str) -> ac.TextInput:
    length = verbs.REASON_LENGTH if name == verbs.REASON else verbs.TICKET_LENGTH
    return ac.TextInput(
        id=name,
        label=label,
        max_length=length,
        is_multiline=True if name == verbs.REASON else None,
        value=value or None,
    )


def _error(sheet: Sheet, refusal: Refusal | None) -> None:
    if refusal is not None:
        sheet.error(refusal)


def _details(_: Words, person: Person) -> str:
    parts = [plain(person.upn), plain(person.department or ""), _tail(person)]
    return " · ".join(part for part in parts if part)


def _tail(person: Person) -> str:
    """The end of the object id tells two people of one name apart."""
    return f"…{person.oid[-_TAIL:]}"


def _title(_: Words, person: Person) -> str:
    return f"{plain(person.name)} · {_details(_, person)}"
