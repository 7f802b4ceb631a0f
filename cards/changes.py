"""Cards of one change on its way: preview, waiting, working, done, failed, not certain.

Knows: what each audience has to read to act rightly. Must not know: rights (the view says what may be
pressed) nor numbers in clear, except the preview's own number for reading back.
"""

from __future__ import annotations

from bot.domain.change import NUDGES, Change, State
from bot.domain.outcome import (
    Applied,
    Audience,
    AwaitingApproval,
    Effect,
    Failed,
    Preview,
    Unconfirmed,
    View,
    Working,
)
from bot.domain.reason import Refusal

from . import phrases, verbs
from .aftercare import afterwards, emergency
from .decisions import approve, not_you, press, reject
from .passes import pass_terms, waiting_pass
from .proofs import proof_line
from .refusals import code_line, reason_lines, run
from .sentences import sentences_of
from .sheet import Drawn, Sheet
from .signals import signals
from .stops import paused
from .subject import (
    about,
    deciders,
    goes_on,
    not_asked,
    op_facts,
    reference,
    rows,
    subject,
    votes,
    waiting,
    why,
)
from .verdicts import uses_line
from .words import Words, msg


def preview(outcome: Preview, _: Words, said: Refusal | None = None) -> Drawn:
    """The requester's card before anything is sent. said: why they see it again."""
    view, change = outcome.view, outcome.view.change
    sheet = Sheet(_)
    _say_first(sheet, _, said)
    sheet.status(*phrases.STATES[State.PREVIEWED])
    subject(sheet, _, change)
    goes_on(sheet, change)
    if outcome.in_full is not None:
        sheet.secret(
            msg("Only you see this. Read it back to the caller:"),
            outcome.in_full,
            msg("It disappears when you submit, at the latest after ten minutes."),
        )
    effects = outcome.effects or tuple(Effect(note, (("name", change.target.name),)) for note in change.notes)
    for effect in effects:
        _effect(sheet, effect)
    if not any(effect.key.startswith("target-") for effect in effects):
        _effect(sheet, Effect("target-told", (("name", change.target.name),)))
    signals(sheet, _, change)
    uses_line(sheet, _, outcome.verdicts)
    deciders(sheet, _, change)
    _asked_why(sheet, _, change)
    title = msg("Submit for approval") if change.steps else msg("Submit")
    buttons = [press(_, view, title, verbs.SUBMIT, "positive")] if view.may_submit else []
    if view.may_cancel:
        buttons.append(press(_, view, msg("Cancel"), verbs.CANCEL))
    _paused(sheet, _, view)
    sheet.buttons(*buttons)
    _typed_cancel(sheet, view)
    if change.expires_at:
        sheet.quiet(msg("Lapses {when} if you do nothing."), "None", when=_.when(change.expires_at))
    return sheet.done()


def awaiting(outcome: AwaitingApproval, _: Words) -> Drawn:
    """Waiting for a decision, as four audiences need it."""
    view, change = outcome.view, outcome.view.change
    sheet = Sheet(_)
    _say_first(sheet, _, outcome.said)
    if view.audience is Audience.APPROVER and view.may_vote:
        sheet.status("◔", msg("Your decision is needed"), "warning")
    else:
        sheet.status(*phrases.STATES[change.state])
    match view.audience:
        case Audience.APPROVER:
            _for_approver(sheet, _, view)
        case Audience.TARGET:
            _for_target(sheet, _, view)
        case Audience.REQUESTER | Audience.ONLOOKER:
            subject(sheet, _, change)
            emergency(sheet, _, change)
            if not change.break_glass:
                waiting(sheet, _, change)
            _asked_why(sheet, _, change, asker=view.audience is Audience.ONLOOKER)
    _paused(sheet, _, view)
    _buttons(sheet, _, view)
    return sheet.done(None if view.audience is Audience.TARGET else view.card)


def working(outcome: Working, _: Words) -> Drawn:
    """Under way, or still reading the directory."""
    sheet = Sheet(_)
    if outcome.view is None:
        sheet.status("◔", msg("One moment"), "accent")
        sheet.title(msg("I am still reading the directory"))
        sheet.say(msg("The answer comes here by itself. Nothing is changed by reading."))
        return sheet.done()
    view, change = outcome.view, outcome.view.change
    if view.paused is not None and change.state is not State.APPLYING:
        sheet.status("‖", msg("Approved, and paused"), "accent")
    elif change.is_pass and change.state is not State.APPLYING:
        sheet.status("◑", msg("Approved: the pass can be made"), "accent")
    else:
        sheet.status(*phrases.STATES[change.state])
    subject(sheet, _, change, mine=view.audience is Audience.TARGET)
    emergency(sheet, _, change)
    votes(sheet, _, change)
    if change.state is State.COOLING and change.due_at and not view.may_show_pass:
        sheet.say(msg("It starts {when}; until then it can be cancelled."), when=_.when(change.due_at))
    elif view.paused is None and not change.is_pass:
        sheet.say(msg("This card changes by itself when the result is certain."))
    waiting_pass(sheet, _, view)
    _paused(sheet, _, view)
    not_you(sheet, _, view)
    _buttons(sheet, _, view)
    return sheet.done(None if view.audience is Audience.TARGET else view.card)


def applied(outcome: Applied, _: Words) -> Drawn:
    """Written and read back."""
    view, change = outcome.view, outcome.view.change
    mine = view.audience is Audience.TARGET
    sheet = Sheet(_)
    sheet.status(*phrases.STATES[State.APPLIED])
    op = change.operations[0]
    said = sentences_of(change)
    sheet.title(said.done_to_you if mine else said.done, **op_facts(_, change, op))
    rows(sheet, _, change)
    not_you(sheet, _, view)
    for note in change.notes:
        if not mine and (note in phrases.AFTERWARDS or note not in phrases.EFFECTS):
            sheet.point(phrases.AFTERWARDS.get(note, "{note}"), "⚠", note=note, name=change.target.name)
    if not mine:
        sheet.pair(msg("Person"), "{upn}", upn=change.target.upn)
    sheet.pair(msg("Asked by"), "{name}", name=change.requester.name)
    votes(sheet, _, change)
    if change.ended_at:
        sheet.pair(msg("Finished"), "{when}", when=_.when(change.ended_at))
    emergency(sheet, _, change)
    if not mine:
        why(sheet, _, change)
    afterwards(sheet, _, view)
    reference(sheet, view)
    return sheet.done()


def failed(outcome: Failed, _: Words) -> Drawn:
    """The directory said no, or holds a value that a person must look at."""
    view = outcome.view
    sheet = Sheet(_)
    state = view.change.state if view.change.state in (State.FAILED, State.CONFLICT) else State.FAILED
    sheet.status(*phrases.STATES[state])
    sheet.title(outcome.refusal.reason.title, **phrases.facts_of(outcome.refusal, _))
    reason_lines(sheet, _, outcome.refusal)
    about(sheet, _, view)
    afterwards(sheet, _, view)
    not_you(sheet, _, view)
    code_line(sheet, outcome.refusal.code)
    return sheet.done()


def unconfirmed(outcome: Unconfirmed, _: Words) -> Drawn:
    """Sent, no certain answer yet."""
    view, change = outcome.view, outcome.view.change
    sheet = Sheet(_)
    sheet.status(*phrases.STATES[State.UNCONFIRMED])
    sheet.title(msg("We do not know yet"))
    sheet.say(msg("The change was sent, but the directory gave no certain answer. It may be done already."))
    if change.is_pass:
        sheet.say(msg("Nobody has seen a pass. If one was made, the next one makes it void."))
    elif change.due_at:
        sheet.say(msg("I look again {when} and then say here how it stands."), when=_.when(change.due_at))
    else:
        sheet.say(msg("I keep looking and then say here how it stands."))
    if change.is_pass:
        waiting_pass(sheet, _, view)
    elif view.audience is not Audience.TARGET:
        sheet.box("⚠", "warning", msg("Please do not repeat it elsewhere in the meantime."))
    about(sheet, _, view)
    not_you(sheet, _, view)
    return sheet.done(None if view.audience is Audience.TARGET else view.card)


def _for_approver(sheet: Sheet, _: Words, view: View) -> None:
    change = view.change
    op = change.operations[0]
    said = sentences_of(change)
    sheet.title(said.question, **op_facts(_, change, op))
    sheet.say(said.asked, **op_facts(_, change, op))
    for note in change.notes:
        if note in phrases.BEFORE_DECIDING or note not in phrases.EFFECTS:
            glyph = phrases.GLYPHS.get(note, "⚠")
            sheet.point(phrases.EFFECTS.get(note, "{note}"), glyph, note=note, name=change.target.name)
    signals(sheet, _, change)
    pass_terms(sheet, _, change)
    sheet.pair(msg("Reason"), "{reason}", reason=change.reason or _(msg("none given")))
    if change.ticket:
        sheet.pair(msg("Ticket"), "{ticket}", ticket=change.ticket)
    proof_line(sheet, _, change)
    sheet.pair(msg("Person"), "{upn}", upn=change.target.upn)
    if change.submitted_at:
        sheet.pair(
            msg("Asked by"), "{upn}, {when}", upn=change.requester.upn, when=_.when(change.submitted_at)
        )
    goes_on(sheet, change)
    sheet.pair(msg("Rule"), "{rule}", rule=change.rule)
    if not view.may_vote:
        waiting(sheet, _, change)
        return
    votes(sheet, _, change)
    if change.expires_at:
        sheet.pair(msg("Decide until"), "{when}", when=_.when(change.expires_at))
    not_asked(sheet, _, change, until=change.step)
    unsure = msg("Not sure? Ask {name} in person or by a way you already know, never by the new number.")
    unsure_pass = msg("Not sure? Ask {name} in person or by a way you already know.")
    sheet.quiet(unsure_pass if change.is_pass else unsure, "Medium", name=change.target.name)


def _for_target(sheet: Sheet, _: Words, view: View) -> None:
    change = view.change
    asked = msg("Somebody asked for a pass to sign in as you")
    sheet.title(asked if change.is_pass else msg("Somebody asked to change your phone"))
    for op in change.operations:
        sheet.say(sentences_of(change).asked_of_you, **op_facts(_, change, op))
    emergency(sheet, _, change)
    if not change.break_glass:
        sheet.say(msg("Nothing is changed before it is approved. You need not do anything if it is right."))
    not_you(sheet, _, view)


def _buttons(sheet: Sheet, _: Words, view: View) -> None:
    if view.may_vote:
        sheet.buttons(approve(_, view), reject(_, view))
        sheet.quiet(
            msg("Or type `approve {id} in person` or `reject {id} because …`"), id=view.change.printed_id
        )
    elif view.may_withdraw:
        sheet.buttons(press(_, view, msg("Take my approval back"), verbs.WITHDRAW))
        sheet.quiet(msg("Or type `withdraw {id}`"), id=view.change.printed_id)
    elif view.may_cancel:
        cancel = press(_, view, msg("Cancel the request"), verbs.CANCEL)
        if view.change.state is State.PENDING and view.change.nudges < NUDGES:
            sheet.buttons(cancel, run(_(msg("Remind them")), f"nudge {view.change.printed_id}"))
            sheet.quiet(
                msg("{id} · or type `cancel {id}`, or `nudge {id}` to remind them"),
                id=view.change.printed_id,
            )
        else:
            sheet.buttons(cancel)
            _typed_cancel(sheet, view)
    elif view.audience is not Audience.TARGET:
        reference(sheet, view)


def _typed_cancel(sheet: Sheet, view: View) -> None:
    if view.may_submit:
        sheet.quiet(msg("{id} · or type `submit {id}` or `cancel {id}`"), id=view.change.printed_id)
    elif view.may_cancel:
        sheet.quiet(msg("{id} · to cancel you can also type `cancel {id}`"), id=view.change.printed_id)
    else:
        reference(sheet, view)


def _paused(sheet: Sheet, _: Words, view: View) -> None:
    if view.paused is not None and view.audience is not Audience.TARGET:
        paused(sheet, _, view.paused)


def _effect(sheet: Sheet, effect: Effect) -> None:
    facts = {"name": "", **dict(effect.facts), "key": effect.key}
    sheet.point(phrases.EFFECTS.get(effect.key, "{key}"), **facts)


def _say_first(sheet: Sheet, _: Words, said: Refusal | None) -> None:
    if said is not None:
        facts = phrases.facts_of(said, _)
        title, why_not = _(said.reason.title, **facts), _(said.reason.why, **facts)
        sheet.box("⚠", "warning", msg("{title}. {why}"), title=title, why=why_not)
        code_line(sheet, said.code)


def _asked_why(sheet: Sheet, _: Words, change: Change, asker: bool = False) -> None:
    if asker:
        sheet.pair(msg("Asked by"), "{name}", name=change.requester.name)
    why(sheet, _, change)
