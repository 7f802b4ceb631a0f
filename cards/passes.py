"""A Temporary Access Pass: the button that has it made, and the dialog in which it is shown once.

Knows: what its reader has to know before and after. Must not know: rights, nor where a dialog is kept (it is
not: that is why it is one). Source: Teams docs "Dialogs for bots" (task/fetch, Action.Submit).
"""

from __future__ import annotations

from bot.domain.change import Change
from bot.domain.outcome import Audience, PassShown, View
from bot.domain.passes import terms_of

from . import verbs
from .sheet import Button, Drawn, Sheet
from .words import Words, msg


def waiting_pass(sheet: Sheet, _: Words, view: View) -> None:
    """What is still to be done about an approved pass, and by whom."""
    change = view.change
    if not change.is_pass:
        return
    if view.may_show_pass:
        mine = view.audience is Audience.TARGET
        sheet.say(msg("The pass is made when you press the button. You see it once, and it is kept nowhere."))
        if not mine:
            sheet.say(
                msg("Press when {name} is beside you, or on a line that you knew before."),
                name=change.target.name,
            )
        sheet.buttons(
            Button(
                _(msg("Make the pass and show it")),
                verbs.SHOW_PASS,
                verbs.request_data(view.card),
                style="positive",
                dialog=True,
            )
        )
        sheet.quiet(msg("The button comes again when you type `status {id}`"), id=change.printed_id)
    else:
        sheet.say(msg("It is made when {reader} asks for it."), reader=change.operations[0].after)
    if change.start_by:
        sheet.pair(msg("Can be made until"), "{when}", when=_.when(change.start_by))


def pass_terms(sheet: Sheet, _: Words, change: Change) -> None:
    """Who sees it and how long it is good for; nothing where it is not about a pass."""
    if change.is_pass:
        sheet.pair(msg("Shown once, to"), "{reader}", reader=change.operations[0].after)
        sheet.pair(msg("Good for"), msg("{n} minutes, one sign-in"), n=str(terms_of(change).minutes))


def shown_pass(outcome: PassShown, _: Words) -> Drawn:
    """The pass itself. The twin does not hold it: only the dialog does."""
    sheet = Sheet(_)
    sheet.status("✓", msg("Shown only now"), "warning")
    sheet.title(
        msg("Your Temporary Access Pass") if outcome.own else msg("Temporary Access Pass for {name}"),
        name=outcome.target.name,
    )
    sheet.secret(
        msg("Nobody else sees this, and it cannot be shown again:"),
        outcome.secret,
        msg("Good for {n} minutes, and for one sign-in."),
        n=str(outcome.minutes),
    )
    sheet.say(
        msg(
            "Sign in at aka.ms/mysecurityinfo with it instead of the password, and register a passkey or a "
            "security key there."
        )
        if outcome.own
        else msg(
            "Give it to {name} in person or on a line that you knew before. They sign in with it at "
            "aka.ms/mysecurityinfo and register a passkey or a security key there."
        ),
        name=outcome.target.name,
    )
    whom = msg("Whoever has it can sign in as you. Do not forward or photograph it.")
    other = msg("Whoever has it can sign in as this person. Do not forward or photograph it.")
    sheet.box("⚠", "warning", whom if outcome.own else other)
    sheet.quiet(msg("Closed it too early? Ask for a new one with a new request: it makes this one void."))
    return sheet.done()
