"""Cards of onboarding: where a new person enters their first phone, what comes after it, the report, and the
list of new people for whoever decides.

Knows: what a person has to read before they give a number away, and the two honest ways out. Must not know:
who may answer, how a number is judged. A number stands on it only while its own reader is typing it.

Sources: Adaptive Cards 1.5 (`rtl`, inputs with labels), "Design Adaptive Cards" (narrow first).
"""

from __future__ import annotations

from typing import Final

import microsoft_teams.cards as ac

from bot.domain.onboarding import Bridge, Onboarding, Stage
from bot.domain.onboarding_commands import Register
from bot.domain.outcome import Asks, Invitation, NewPeopleList, OnboardingReport, PassShown, View
from bot.domain.phone import EXAMPLES, Slot
from bot.domain.reason import Refusal

from . import phrases, verbs
from .countries import choices
from .decisions import line_field
from .foreign import plain
from .onboarding_words import DONE, MISSING, STAGES, TITLES
from .passes import shown_pass
from .refusals import code_line, run
from .sheet import Button, Drawn, Sheet
from .words import Words, msg

FOUR: Final = 4
MOST_CHOSEN: Final = 15


def draw(outcome: Invitation | OnboardingReport | NewPeopleList | PassShown, _: Words) -> Drawn:
    """Any of them."""
    if isinstance(outcome, PassShown):
        return shown_pass(outcome, _)
    if isinstance(outcome, OnboardingReport):
        return _report(outcome, _)
    if isinstance(outcome, NewPeopleList):
        return _new_people(outcome, _)
    match outcome.asks:
        case Asks.NUMBER:
            return _ask(outcome, _)
        case Asks.CONFIRM:
            return _confirm(outcome, _)
        case Asks.BRIDGE:
            return _bridge(outcome, _)
        case Asks.STATE:
            return _state(outcome, _)


# --- the number -------------------------------------------------------------------------------------------
def _ask(outcome: Invitation, _: Words) -> Drawn:
    onboarding = outcome.onboarding
    sheet = Sheet(_)
    if outcome.errors:
        sheet.status("⚠", msg("Please correct what is marked"), "attention")
    else:
        sheet.status("◔", msg("Your answer is needed"), "accent")
    facts = {"name": onboarding.person.name, "starter": onboarding.starter.name}
    if outcome.own:
        _explain(sheet, facts)
    else:
        _explain_behalf(sheet, facts, onboarding.person.upn)
    for field, refusal in outcome.errors:
        if field not in verbs.INPUTS:
            sheet.error(refusal)
            sheet.quiet(refusal.reason.why, "None", **refusal.facts)
            code_line(sheet, refusal.code)
    _fields(sheet, _, outcome)
    data = verbs.request_data(outcome.card)
    send = msg("Send to my manager") if outcome.own else msg("Send for approval")
    sheet.buttons(Button(_(send), verbs.ONBOARDING, data, style="positive", inputs=True))
    if outcome.own:
        sheet.heading(msg("Or choose another way"))
        sheet.buttons(
            Button(_(msg("I have no phone")), verbs.NO_PHONE, data),
            Button(_(msg("I prefer not to use mine")), verbs.PREFERS_NOT, data),
        )
        sheet.quiet(msg("Both are fine: you are not asked again, and a security key or a pass is arranged."))
        sheet.quiet(
            msg("Until {when}. Or type `no phone` or `prefer not`; `onboarding` shows this card again."),
            when=_.when(onboarding.until),
        )
    return sheet.done()


def _explain(sheet: Sheet, facts: dict[str, str]) -> None:
    """Why, what for, and what is agreed to, before any field."""
    sheet.title(msg("Welcome, {name}: register your first sign-in phone"), **facts)
    sheet.say(
        msg(
            "Your account asks for a second proof when you sign in. A phone is the quickest first one. "
            "{starter} has begun this for you."
        ),
        **facts,
    )
    sheet.point(msg("Used for: codes and calls when you sign in, and to reset your password."))
    sheet.point(msg("Not used for: calls from colleagues. It does not appear in the address book."))
    sheet.point(msg("Your manager decides, and sees the country and the last two digits only."))
    sheet.say(
        msg("By sending it you agree that your number is used for this, and for nothing else."), "Medium"
    )


def _explain_behalf(sheet: Sheet, facts: dict[str, str], upn: str) -> None:
    sheet.title(msg("Enter the first phone of {name}"), **facts)
    sheet.quiet("{upn}", "None", upn=upn)
    sheet.say(
        msg(
            "Only for somebody who cannot be reached here. You are the one who asks, so that somebody else "
            "decides. On day one {name} confirms that the number is theirs; until then it is unconfirmed."
        ),
        **facts,
    )
    sheet.say(
        msg("Ask {name} for the number on a line you already know, and say what it is used for."), **facts
    )


def _fields(sheet: Sheet, _: Words, outcome: Invitation) -> None:
    errors = {field: refusal for field, refusal in outcome.errors if field in verbs.INPUTS}
    filled = outcome.filled
    slot = (filled.slot if filled else None) or Slot.MOBILE
    kinds = ac.ChoiceSetInput(
        id=verbs.SLOT,
        label=_(msg("Which phone?")),
        style="expanded",
        wrap=True,
        is_required=True,
        error_message=_(msg("Please choose which phone.")),
        choices=[ac.Choice(title=_.slot(each), value=each.value) for each in (Slot.MOBILE, Slot.OFFICE)],
        value=slot.value,
    )
    sheet.raw(kinds)
    _error(sheet, errors.get(verbs.SLOT))
    countries = choices(outcome.regions, outcome.region, _)
    known = {code for title, code in countries}
    country = ac.ChoiceSetInput(
        id=verbs.REGION,
        label=_(msg("Country of the number")),
        style="filtered",
        wrap=True,
        choices=[ac.Choice(title=title, value=code) for title, code in countries],
        value=outcome.region if outcome.region in known else None,
    )
    sheet.raw(country)
    _error(sheet, errors.get(verbs.REGION))
    sheet.raw(_number_field(_, slot, filled))
    _error(sheet, errors.get(verbs.NUMBER))
    if outcome.last_four:
        sheet.raw(_four(_, msg("Its last four digits, once more")))
        _error(sheet, errors.get(verbs.LAST_FOUR))


def _number_field(_: Words, slot: Slot, filled: Register | None) -> ac.TextInput:
    return ac.TextInput(
        id=verbs.NUMBER,
        label=_(msg("Number, as you dial it or with + and the country code")),
        style="Tel",
        is_required=True,
        error_message=_(msg("Please type the number, for example {example}."), example=EXAMPLES[slot]),
        max_length=verbs.NUMBER_LENGTH,
        value=plain(filled.number, verbs.NUMBER_LENGTH, mask=False) if filled and filled.number else None,
    )


def _four(_: Words, label: str) -> ac.TextInput:
    return ac.TextInput(
        id=verbs.LAST_FOUR,
        label=_(label),
        is_required=True,
        error_message=_(msg("Please type four digits.")),
        max_length=FOUR,
        regex="^[0-9]{4}$",
    )


def _error(sheet: Sheet, refusal: Refusal | None) -> None:
    if refusal is not None:
        sheet.error(refusal)


# --- afterwards -------------------------------------------------------------------------------------------
def _confirm(outcome: Invitation, _: Words) -> Drawn:
    onboarding = outcome.onboarding
    other = onboarding.entered_by.name if onboarding.entered_by else ""
    sheet = Sheet(_)
    sheet.status("◔", msg("Your answer is needed"), "accent")
    sheet.title(msg("Is this your phone?"))
    sheet.say(
        msg(
            "{other} entered a first sign-in phone for you before you were here. Until you confirm it, it "
            "counts as unconfirmed."
        ),
        other=other,
    )
    sheet.say(msg("I do not show the number: type its last four digits from your own phone."))
    sheet.raw(_four(_, msg("Last four digits of your number")))
    _error(sheet, dict(outcome.errors).get(verbs.LAST_FOUR))
    data = verbs.request_data(outcome.card)
    sheet.buttons(
        Button(_(msg("That is my number")), verbs.CONFIRM, data, style="positive", inputs=True),
        Button(_(msg("That is not my number")), verbs.NOT_MINE, data, style="destructive"),
    )
    sheet.quiet(msg("Or type `confirm` with the four digits, or `not my number`."))
    return sheet.done()


def _bridge(outcome: Invitation, _: Words) -> Drawn:
    sheet = Sheet(_)
    sheet.status("✓", msg("You have something stronger now"), "good")
    sheet.title(msg("What is to become of your phone?"))
    sheet.say(
        msg(
            "Your phone was the bridge to a stronger way of signing in, and that is there now. A text "
            "message is the easiest to steal."
        )
    )
    data = verbs.request_data(outcome.card)
    sheet.buttons(
        Button(_(msg("Keep it for password reset")), verbs.KEEP, data, style="positive"),
        Button(_(msg("Keep it, not as my default")), verbs.DEMOTE, data),
        Button(_(msg("Remove it")), verbs.REMOVE, data),
    )
    sheet.quiet(msg("Nothing changes by itself: for the last two the coordinator is told, who asks for it."))
    sheet.quiet(msg("Or type `bridge keep`, `bridge demote` or `bridge remove`."))
    return sheet.done()


def _state(outcome: Invitation, _: Words) -> Drawn:
    onboarding = outcome.onboarding
    sheet = Sheet(_)
    glyph, word, tone = STAGES[onboarding.stage]
    sheet.status(glyph, word, tone)
    mine, theirs = TITLES[onboarding.stage]
    facts = {"name": onboarding.person.name, "starter": onboarding.starter.name}
    sheet.title(mine if outcome.own else theirs, **facts)
    if not outcome.own:
        sheet.quiet("{upn}", "None", upn=onboarding.person.upn)
    _what_now(sheet, _, outcome, facts)
    for effect in outcome.missing:
        sheet.point(MISSING.get(effect.key, "{key}"), "•", key=effect.key, **dict(effect.facts))
    sheet.quiet("{id}", id=onboarding.printed_id)
    return sheet.done()


def _what_now(sheet: Sheet, _: Words, outcome: Invitation, facts: dict[str, str]) -> None:
    onboarding = outcome.onboarding
    if onboarding.why is not None:
        why = phrases.facts_of(onboarding.why, _)
        sheet.say(onboarding.why.reason.title, **why)
        sheet.quiet(onboarding.why.reason.why, "None", **why)
        sheet.quiet(onboarding.why.reason.next_step, "None", **why)
    chosen = DONE.get(onboarding.bridge) if onboarding.stage is Stage.SETTLED else None
    if chosen is not None:
        sheet.say(chosen[0] if outcome.own else chosen[1], **facts)
        if not outcome.own and onboarding.bridge is Bridge.REMOVE:
            sheet.quiet(msg("`remove mobile for {upn}`"), upn=onboarding.person.upn)
    if onboarding.unconfirmed:
        sheet.say(msg("Not confirmed yet by {name}."), **facts)
    if outcome.own:
        if onboarding.stage in (Stage.NO_PHONE, Stage.PREFERS_NOT):
            sheet.say(msg("{starter} is told and arranges a security key or a temporary pass."), **facts)
            sheet.quiet(msg("Changed your mind? Type `onboarding`."))
        return
    if onboarding.stage is Stage.INVITED:
        sheet.say(msg("The card is in their chat. I remind them and tell you what comes of it."))
        sheet.quiet(
            msg(
                "Somebody without any method often cannot open Teams yet, where conditional access asks for "
                "one. Then a Temporary Access Pass helps, or `onboard {upn} on behalf`."
            ),
            upn=onboarding.person.upn,
        )
    elif onboarding.stage in (Stage.NO_PHONE, Stage.PREFERS_NOT):
        sheet.say(
            msg("Please arrange a FIDO2 security key, or a Temporary Access Pass to register a passkey with.")
        )


# --- many -------------------------------------------------------------------------------------------------
def _report(outcome: OnboardingReport, _: Words) -> Drawn:
    sheet = Sheet(_)
    if outcome.begun is not None:
        sheet.status("✓", msg("Begun"), "good")
        sheet.title(msg("{n} people are invited, one after the other"), n=str(outcome.begun))
        sheet.say(msg("Each is looked at in turn; who cannot be invited stands in `onboarding report`."))
        for refusal in outcome.refused:
            sheet.point(refusal.reason.title, "–", **phrases.facts_of(refusal, _))
        if outcome.more_refused:
            sheet.quiet(msg("{n} more are left out."), n=str(outcome.more_refused))
        sheet.buttons(run(_(msg("Report")), "onboarding report"))
        sheet.quiet(msg("Or type `onboarding report`"))
        return sheet.done()
    total = sum(number for stage, number in outcome.counts)
    sheet.title(msg("Onboarding: {n} people in 90 days"), n=str(total))
    sheet.slots([(_(STAGES[stage][1]), str(number), number > 0) for stage, number in outcome.counts])
    if outcome.unconfirmed:
        said = msg("{n} of those that are written were entered by somebody else and are not confirmed yet.")
        sheet.say(said, n=str(outcome.unconfirmed))
    if outcome.rows:
        sheet.heading(msg("To look at"))
    for row in outcome.rows:
        _row(sheet, _, row)
    if outcome.more:
        sheet.quiet(msg("{n} more."), n=str(outcome.more))
    return sheet.done()


def _row(sheet: Sheet, _: Words, row: Onboarding) -> None:
    word = _(STAGES[row.stage][1])
    why = _(row.why.reason.title, **phrases.facts_of(row.why, _)) if row.why else ""
    sheet.say("{name}: {word}", name=row.person.name, word=word)
    sheet.quiet(msg("{upn} · {why}") if why else "{upn}", "None", upn=row.person.upn, why=why)


def _new_people(outcome: NewPeopleList, _: Words) -> Drawn:
    sheet = Sheet(_)
    if outcome.approved:
        sheet.status("✓", msg("Approved"), "good")
        sheet.say(msg("{n} first phones are approved."), n=str(outcome.approved))
    for refusal in outcome.refusals[:5]:
        sheet.point(refusal.reason.title, "⚠", **phrases.facts_of(refusal, _))
        code_line(sheet, refusal.code)
    if not outcome.views:
        sheet.title(msg("No new people wait for you"))
        return sheet.done()
    sheet.title(msg("New people: {n} first phones wait for you"), n=str(len(outcome.views) + outcome.more))
    sheet.say(msg("Each entered the number in their own chat. Speak to everybody you approve."))
    for view in outcome.views:
        op = view.change.operations[0]
        sheet.say("{name}", name=view.change.target.name)
        facts = {"after": op.after, "slot": _.slot(op.slot), "upn": view.change.target.upn}
        sheet.quiet(msg("{slot} {after} · {upn} · {id}"), "None", id=view.change.printed_id, **facts)
    sheet.raw(_but(_, outcome.views))
    sheet.raw(_how(_))
    if any(view.wants_line for view in outcome.views):
        sheet.raw(line_field(_, _(msg("each of them"))))
    data = verbs.all_but_data([view.card for view in outcome.views])
    title = _(msg("Approve all but those chosen"))
    sheet.buttons(Button(title, verbs.ALL_BUT, data, style="positive", inputs=True))
    if outcome.more:
        sheet.quiet(msg("{n} more come after these."), n=str(outcome.more))
    sheet.quiet(msg("One by one: type `approvals`, or `approve` with the ID and how you know."))
    return sheet.done()


def _but(_: Words, views: tuple[View, ...]) -> ac.ChoiceSetInput:
    targets = [(view.change.target, view.change.id) for view in views[:MOST_CHOSEN]]
    people = [(f"{plain(each.name)} · {plain(each.upn)}", change_id) for each, change_id in targets]
    return ac.ChoiceSetInput(
        id=verbs.BUT,
        label=_(msg("Not these")),
        style="expanded",
        wrap=True,
        is_multi_select=True,
        choices=[ac.Choice(title=name, value=change_id) for name, change_id in people],
    )


def _how(_: Words) -> ac.ChoiceSetInput:
    them = _(msg("each of them"))
    return ac.ChoiceSetInput(
        id=verbs.HOW,
        label=_(msg("How do you know that they want this?")),
        style="expanded",
        wrap=True,
        is_required=True,
        error_message=_(msg("Please say how you know.")),
        choices=[
            ac.Choice(title=_(said, name=them), value=how) for how, (said, _short) in phrases.HOWS.items()
        ],
    )
