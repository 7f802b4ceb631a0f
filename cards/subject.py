"""The parts that cards of a change share: whose phone, before -> after, who decides, who voted, the id.

Knows: how a `Change` reads in plain words. Must not know: outcomes, buttons, rights.
"""

from __future__ import annotations

from typing import Final

from bot.domain.change import (
    NUDGES,
    TERMINAL,
    Asked,
    Asking,
    Change,
    Operation,
    OpState,
    ResolvedStep,
    State,
    Verdict,
)
from bot.domain.outcome import Audience, View

from . import phrases
from .aftercare import emergency
from .passes import pass_terms
from .proofs import proof_line
from .sentences import sentences_of, shown
from .sheet import Sheet
from .words import Words, msg

_HEADINGS: Final = {
    State.APPLIED: (msg("Before"), msg("Now")),
    **dict.fromkeys(TERMINAL - {State.APPLIED}, (msg("Before"), msg("Asked for"))),
}

_VOTED: Final = {
    Verdict.APPROVE: msg("Approved by"),
    Verdict.REJECT: msg("Rejected by"),
    Verdict.WITHDRAWN: msg("Approval taken back by"),
}


def subject(sheet: Sheet, _: Words, change: Change, mine: bool = False) -> None:
    """Whose phone, which one, and before -> after: the head of most cards."""
    op = change.operations[0]
    said = sentences_of(change)
    sheet.title(said.yours if mine else said.preview, **op_facts(_, change, op))
    if not mine:
        sheet.quiet("{upn}", "None", upn=change.target.upn)
    rows(sheet, _, change)
    pass_terms(sheet, _, change)


def about(sheet: Sheet, _: Words, view: View) -> None:
    """What the card is about, when its head says something else."""
    change = view.change
    mine = view.audience is Audience.TARGET
    facts = {"slot": _.slot(change.slot), "name": change.target.name, "upn": change.target.upn}
    if change.is_pass:
        said = sentences_of(change)
        sheet.heading(said.yours if mine else said.preview, **facts)
    else:
        sheet.heading(msg("Your {slot}") if mine else msg("The {slot} of {name}"), **facts)
    if not mine:
        sheet.quiet("{upn}", "None", upn=change.target.upn)
    rows(sheet, _, change)
    if view.audience is not Audience.REQUESTER:
        sheet.pair(msg("Asked by"), "{name}", name=change.requester.name)
    emergency(sheet, _, change)
    if change.state is not State.REJECTED:  # then the refusal itself says by whom and why
        votes(sheet, _, change)
    reference(sheet, view)


def waiting(sheet: Sheet, _: Words, change: Change) -> None:
    """Whom it waits for in which step, since when, until when."""
    step = change.step
    if step is not None:
        asked = list(change.awaited)
        _step_line(sheet, _, msg("Waiting for"), step, asked, step.need - len(change.approved_in(step.n)))
        for after in change.steps[change.steps.index(step) + 1 :]:
            people = [a for a in after.asked if a.state is Asking.ASKED]
            _step_line(sheet, _, msg("Then"), after, people, after.need)
    if change.submitted_at:
        sheet.pair(msg("Since"), "{when}", when=_.when(change.submitted_at))
    if change.expires_at:
        sheet.pair(msg("Expires"), "{when}", when=_.when(change.expires_at))
    if change.reminded_at:
        sheet.pair(msg("Reminded"), "{when}", when=_.when(change.reminded_at))
    if change.nudges:
        sheet.pair(msg("Nudged"), msg("{n} of {most} times"), n=str(change.nudges), most=str(NUDGES))
    votes(sheet, _, change)
    not_asked(sheet, _, change, until=step)


def deciders(sheet: Sheet, _: Words, change: Change) -> None:
    """Who will be asked when it is submitted, and who cannot be."""
    if change.break_glass:
        emergency(sheet, _, change)
        sheet.say(msg("Security is alarmed when you submit, and reviews it within a day."))
        return
    if not change.steps:
        sheet.say(msg("Nobody: the rule “{rule}” asks for no approval."), rule=change.rule)
        return
    for n, step in enumerate(change.steps):
        asked = [a for a in step.asked if a.state is Asking.ASKED]
        _step_line(sheet, _, msg("Then") if n else msg("Must approve"), step, asked, step.need)
    if change.cooling_minutes:
        hours, minutes = divmod(change.cooling_minutes, 60)
        message = msg("it waits {n} minutes") if minutes else msg("it waits {n} hours")
        sheet.pair(msg("After that"), message, n=str(change.cooling_minutes if minutes else hours))
    sheet.pair(msg("Rule"), "{rule}", rule=change.rule)
    not_asked(sheet, _, change)


def votes(sheet: Sheet, _: Words, change: Change) -> None:
    """What was decided so far, by whom and when."""
    for vote in change.votes:
        label = _VOTED[vote.verdict]
        facts = {"name": vote.person.name, "when": _.when(vote.at), "because": vote.because}
        message = msg("{name}, {when}: {because}") if vote.because else "{name}, {when}"
        if vote.how is not None and vote.verdict is Verdict.APPROVE:
            message = msg("{name}, {how}, {when}: {because}") if vote.because else "{name}, {how}, {when}"
            facts["how"] = _(phrases.HOWS[vote.how][1])
        sheet.pair(label, message, **facts)


def goes_on(sheet: Sheet, change: Change) -> None:
    """That a request was taken over, and what that means."""
    if change.parent_id and change.excluded:
        sheet.say(
            msg("Taken over from R-{id}: its votes do not count, and whoever asked first cannot approve it."),
            id=change.parent_id,
        )


def why(sheet: Sheet, _: Words, change: Change) -> None:
    """The reason, the ticket and how the caller was verified, as the requester wrote them."""
    if change.reason:
        sheet.pair(msg("Reason"), "{reason}", reason=change.reason)
    if change.ticket:
        sheet.pair(msg("Ticket"), "{ticket}", ticket=change.ticket)
    proof_line(sheet, _, change)


def reference(sheet: Sheet, view: View) -> None:
    """The request id, and how to ask for it."""
    if view.audience is Audience.TARGET:
        sheet.quiet(msg("Reference: {id}"), id=view.change.printed_id)
    elif view.change.state in TERMINAL:
        sheet.quiet("{id}", id=view.change.printed_id)
    else:
        sheet.quiet(msg("{id} · to see how it stands type `status {id}`"), id=view.change.printed_id)


def rows(sheet: Sheet, _: Words, change: Change) -> None:
    """Before -> after of every operation of the plan."""
    operations = shown(change)
    if not operations:
        return
    several = len(operations) > 1
    none = _(msg("no number"))
    was, to = _HEADINGS.get(change.state, (msg("Now"), msg("New")))
    sheet.before_after(
        [
            (_.slot(op.slot) if several else "", _worded(_, op.before, none), _worded(_, op.after, none))
            for op in operations
        ],
        was,
        to,
    )
    if several and change.state is State.FAILED:
        for op in operations:
            line = msg("{slot}: done") if op.state is OpState.DONE else msg("{slot}: not done")
            sheet.point(line, "✓" if op.state is OpState.DONE else "✕", slot=_.slot(op.slot))


def _worded(_: Words, value: str, none: str) -> str:
    """A masked number, `on` or `off`, or that there is none."""
    words = {"on": msg("on"), "off": msg("off")}
    return _(words[value]) if value in words else _("{n}", n=value) or none


def op_facts(_: Words, change: Change, op: Operation) -> dict[str, str]:
    """The facts that sentences about one operation name."""
    return {
        "requester": change.requester.name,
        "name": change.target.name,
        "slot": _.slot(op.slot),
        "before": op.before,
        "after": op.after,
    }


def _step_line(
    sheet: Sheet, _: Words, label: str, step: ResolvedStep, asked: list[Asked], count: int
) -> None:
    """Who is asked in one step, and how many of them it takes."""
    everybody = step.everybody and count == len(asked)
    message = msg("all of {names}") if everybody else msg("{count} of {names}")
    names = _.all_of([_named(_, step, each) for each in asked]) if everybody else _names(_, step, asked)
    sheet.pair(label, message if count > 1 else "{names}", names=names, count=str(count))


def not_asked(sheet: Sheet, _: Words, change: Change, until: ResolvedStep | None = None) -> None:
    """Who could not be asked and who is asked instead; until: the last step that is of interest."""
    for step in change.steps:
        if until is not None and step.n > until.n:
            break
        for missing in step.missing:
            sheet.point(msg("{missing}."), "⚠", missing=missing)
        for lost in (a for a in step.asked if a.state is Asking.UNREACHABLE):
            if not any(lost.person.name in missing for missing in step.missing):
                why_not = _(phrases.CAUSES.get(lost.why, "{why}"), why=lost.why)
                sheet.point(
                    msg("{name} cannot be asked: {why}."), "⚠", name=_named(_, step, lost), why=why_not
                )
        others = [a for a in step.asked if a.state is Asking.ASKED and a.fallback]
        if others:
            sheet.pair(msg("Asked instead"), "{names}", names=_names(_, step, others))


def _names(_: Words, step: ResolvedStep, asked: list[Asked]) -> str:
    return _.listed([_named(_, step, each) for each in asked])


def _named(_: Words, step: ResolvedStep, asked: Asked) -> str:
    absent = next((each.person.name for each in step.asked if each.person.oid == asked.stands_for), "")
    if absent:
        return _(msg("{name} (stands in for {absent})"), name=asked.person.name, absent=absent)
    role = _(phrases.via_of(asked.via), via=asked.via)
    return _(msg("{name} ({role})"), name=asked.person.name, role=role) if role else asked.person.name
