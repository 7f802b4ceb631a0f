"""The parts of a card with which people decide: approve, reject, take back, and "this was not me".

Knows: what each press needs to be filled in. Must not know: who may press (the view says so).
"""

from __future__ import annotations

from typing import Final

import microsoft_teams.cards as ac

from bot.domain.change import NoKind, State
from bot.domain.decision_reasons import REJECTED_NOT_ME
from bot.domain.outcome import Audience, View

from . import phrases, verbs
from .sheet import Button, Sheet, Style
from .words import Words, msg

NOT_YOU: Final = msg(
    "If you did not ask for this, say so now: it is stopped, your phones are frozen here, and IT security "
    "is told."
)
NOT_YOU_LATE: Final = msg(
    "If you did not ask for this, say so now: your phones are frozen here, and IT security is told. That "
    "undoes nothing by itself."
)
SAID_NOT_YOU: Final = msg(
    "You said that this was not you. IT security has been told, and no request about your phones goes "
    "forward here. If somebody may be in your account, call IT security now."
)
SAID_NOT_THEM: Final = msg("{name} says that this was not them. IT security has been told.")
_UNSTARTED: Final = frozenset({State.PENDING, State.APPROVED, State.COOLING})


def press(_: Words, view: View, title: str, verb: str, style: Style = "default") -> Button:
    """A button about this request that sends no field."""
    return Button(_(title), verb, verbs.request_data(view.card), style=style)


def approve(_: Words, view: View) -> ac.ShowCardAction:
    """Opens the choice that an approval needs, on a card of its own: a client checks the fields of all cards
    around a button, so that a required choice on the main card would stand in the way of Reject.
    """
    name = view.change.target.name
    field = ac.ChoiceSetInput(
        id=verbs.HOW,
        label=_(msg("How do you know that {name} wants this?"), name=name),
        style="expanded",
        wrap=True,
        is_required=True,
        error_message=_(msg("Please say how you know.")),
        choices=[
            ac.Choice(title=_(said, name=name), value=how) for how, (said, _short) in phrases.HOWS.items()
        ],
    )
    button = _sending(_, view, msg("Approve"), verbs.APPROVE, "positive")
    fields: list[ac.CardElement] = [field, line_field(_, name)] if view.wants_line else [field]
    return _opening(_(msg("Approve …")), fields, button)


def line_field(_: Words, name: str) -> ac.TextInput:
    """Where the approver called, in their own words; never the number that is to be approved."""
    return ac.TextInput(
        id=verbs.LINE,
        label=_(msg("On which line that you knew before did you speak to {name}?"), name=name),
        is_required=True,
        error_message=_(msg("Please say on which line.")),
        max_length=verbs.LINE_LENGTH,
        placeholder=_(msg("For example: desk extension, or a video call I started")),
    )


def reject(_: Words, view: View) -> ac.ShowCardAction:
    """Opens the fields for why and what it means: Reject is never pressed by accident nor without a why."""
    kind = ac.ChoiceSetInput(
        id=verbs.KIND,
        label=_(msg("What is it?")),
        style="expanded",
        wrap=True,
        is_required=True,
        error_message=_(msg("Please say what it is.")),
        value=NoKind.NOT_NOW.value,
        choices=[
            ac.Choice(title=_(said, name=view.change.target.name), value=each)
            for each, said in phrases.KINDS.items()
        ],
    )
    because = ac.TextInput(
        id=verbs.BECAUSE,
        label=_(msg("Why? {name} reads this."), name=view.change.requester.name),
        is_required=True,
        error_message=_(msg("Please say why.")),
        is_multiline=True,
        max_length=verbs.REASON_LENGTH,
        placeholder=_(msg("For example: the caller could not be verified")),
    )
    button = _sending(_, view, msg("Reject"), verbs.REJECT, "destructive")
    return _opening(_(msg("Reject …")), [kind, because], button)


def not_you(sheet: Sheet, _: Words, view: View) -> None:
    """For the person concerned the way to say that it was not them; for all others that they said so."""
    change = view.change
    if view.audience is not Audience.TARGET:
        ended_by_it = change.ending is not None and change.ending.code == REJECTED_NOT_ME.code
        if change.disputed and not ended_by_it:
            sheet.box("⚠", "attention", SAID_NOT_THEM, name=change.target.name)
        return
    if change.disputed:
        sheet.box("⚠", "attention", SAID_NOT_YOU)
    elif view.may_dispute:
        sheet.box("⚠", "attention", NOT_YOU if change.state in _UNSTARTED else NOT_YOU_LATE)
        sheet.buttons(press(_, view, msg("This was not me"), verbs.NOT_ME, "destructive"))
        sheet.quiet(msg("Or type `not me {id}`"), id=change.printed_id)


def _sending(_: Words, view: View, title: str, verb: str, style: Style) -> Button:
    return Button(_(title), verb, verbs.request_data(view.card), style=style, inputs=True)


def _opening(title: str, fields: list[ac.CardElement], button: Button) -> ac.ShowCardAction:
    inner = ac.AdaptiveCard(version="1.5", body=[*fields, ac.ActionSet(actions=[button.action()])])
    return ac.ShowCardAction(title=title, card=inner)
