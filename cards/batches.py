"""Cards of a batch: its plan, the question to its approvers, how far a run is, and its result.

Knows: what has to be read of thousands of rows to act rightly: how many of which kind, the few that are
risky, how long it will take. Must not know: rights (the view says what may be pressed), files, or numbers in
clear.
"""

from __future__ import annotations

from typing import Final

import microsoft_teams.cards as ac

from bot.domain.bulk import BatchView, Bucket, Mode, PlanRow
from bot.domain.change import Change, State
from bot.domain.command import BatchWord
from bot.domain.outcome import Audience, AwaitingApproval, Failed, Outcome, Page, Preview, Refused, View
from bot.domain.policy import Risk
from bot.domain.reason import Refusal

from . import phrases, verbs
from .decisions import press, reject
from .refusals import code_line, reason_lines, run
from .sheet import Button, Drawn, Sheet
from .subject import deciders, votes, waiting
from .words import Words, msg

BUCKETS: Final[dict[Bucket, str]] = {
    Bucket.NEW: msg("New number"),
    Bucket.DOWNGRADE: msg("First phone beside a stronger method"),
    Bucket.OVERWRITE: msg("Another number is there"),
    Bucket.SAME: msg("Already so"),
    Bucket.PROTECTED: msg("Protected people"),
    Bucket.INVALID: msg("Not usable as written"),
    Bucket.NOT_FOUND: msg("Nobody found"),
    Bucket.AMBIGUOUS: msg("More than one person fits"),
    Bucket.DUPLICATE_PERSON: msg("Person stands there twice"),
    Bucket.DUPLICATE_NUMBER: msg("Number used too often"),
    Bucket.OUT_OF_SCOPE: msg("Not allowed here"),
}
MODES: Final[dict[Mode, str]] = {
    Mode.SKIP: msg("Phones that hold another number are left alone."),
    Mode.OVERWRITE: msg("Phones that hold another number are overwritten; the earlier number can be undone."),
    Mode.ALTERNATE: msg(
        "Where another mobile is there, the number becomes the alternate mobile, if that is free."
    ),
}
CHOICES: Final = (
    (Mode.SKIP, BatchWord.SKIP, msg("Leave them alone")),
    (Mode.OVERWRITE, BatchWord.OVERWRITE, msg("Overwrite them")),
    (Mode.ALTERNATE, BatchWord.ALTERNATE, msg("Use the alternate")),
)
RISKS: Final[dict[Risk, str]] = {
    Risk.VIP: msg("VIP"),
    Risk.FIRST_PHONE: msg("has a stronger method"),
    Risk.COUNTRY: msg("another country than before"),
    Risk.SHARED: msg("somebody else has the number"),
}
_FEW_SECONDS = 10
_MINUTE, _HOUR = 60, 3_600
_BLOCKS = 20


def drawn(outcome: Outcome, view: View, batch: BatchView, _: Words) -> Drawn:
    """The card of a batch as one reader may see it now."""
    sheet, state = Sheet(_), view.change.state
    if state is State.PREVIEWED and isinstance(outcome, Preview | Refused):
        _plan(sheet, _, view, batch)
    elif isinstance(outcome, AwaitingApproval):
        _asked(sheet, _, view, batch, outcome.said)
    elif state in (State.APPROVED, State.COOLING, State.APPLYING):
        _running(sheet, _, view, batch)
    else:
        said = outcome.refusal if isinstance(outcome, Failed) else view.change.ending
        _ended(sheet, _, view, batch, said)
    return sheet.done(view.card)


def template_page(outcome: Page, _: Words) -> Drawn:
    """What to do with the template."""
    sheet = Sheet(_)
    sheet.title(msg("Many changes from one file"))
    sheet.say(msg("Fill in the template and send it to me here: one row for each person, with the columns "
                  "user, slot and number; reason and ticket if you like."))  # fmt: skip
    sheet.point(msg("Write numbers with + and the country code. What Excel spoilt is found, never guessed."))
    sheet.point(msg("You see a plan first. Nothing is asked for or changed by sending a file."))
    sheet.point(msg("The file stays in your OneDrive with its numbers: delete it when you are done."))
    if outcome.document is None:
        sheet.quiet(msg("Or type `bulk`."))
    return sheet.done()


def file_page(outcome: Page, _: Words) -> Drawn:
    """The file of a batch is offered below."""
    sheet = Sheet(_)
    name = outcome.document.name if outcome.document else ""
    sheet.title(msg("{count} rows as a file"), count=_number(outcome.more))
    sheet.say(msg("It shows how things stand now. All numbers in it are masked."))
    for row in outcome.rows:
        people, before, after = (_number(int(each)) for each in row.cells)
        sheet.pair(
            msg("Without a phone there"),
            msg("{before} of {people} before, {after} now"),
            people=people,
            before=before,
            after=after,
        )
    sheet.quiet("{what}", what=name)
    return sheet.done()


# --- the plan ---------------------------------------------------------------------------------------------
def _plan(sheet: Sheet, _: Words, view: View, batch: BatchView) -> None:
    change, kept = view.change, batch.batch
    sheet.status("◌", msg("Plan, nothing is asked for yet"))
    title = (
        msg("Undo {runs} rows of a batch")
        if kept.undoes
        else msg("{runs} of {total} rows would change a phone")
    )
    sheet.title(title, runs=_number(kept.runs), total=_number(kept.total))
    sheet.pair(msg("File"), "{what}", what=kept.name)
    _buckets(sheet, _, batch)
    if not kept.undoes:
        sheet.say(MODES[kept.mode])
    _risky(sheet, _, batch)
    deciders(sheet, _, change)
    _duration(sheet, _, batch)
    buttons = (
        [press(_, view, msg("Submit for approval"), verbs.SUBMIT, "positive")] if view.may_submit else []
    )
    if view.may_cancel:
        buttons.append(press(_, view, msg("Cancel"), verbs.CANCEL))
    sheet.buttons(*buttons, _as_file(_, change))
    if batch.may_choose and kept.buckets.get(Bucket.OVERWRITE):
        sheet.heading(msg("Phones that hold another number"))
        others = [choice for choice in CHOICES if choice[0] is not kept.mode]
        sheet.buttons(*(_word(_, view, title, word) for _mode, word, title in others))
    sheet.quiet(
        msg("{id} · or type `submit {id}`, `cancel {id}` or `bulk overwrite {id}`"), id=change.printed_id
    )
    if change.expires_at:
        sheet.quiet(msg("Lapses {when} if you do nothing."), "None", when=_.when(change.expires_at))


def _buckets(sheet: Sheet, _: Words, batch: BatchView) -> None:
    """A chart where the client can draw one; the same as lines elsewhere."""
    counted = [(_(BUCKETS[bucket]), count) for bucket, count in batch.batch.buckets.items()]
    lines: list[ac.CardElement] = [
        ac.TextBlock(
            text=_(msg("{count} · {what}"), count=_number(count), what=name), wrap=True, spacing="None"
        )
        for name, count in counted
    ]
    chart = ac.HorizontalBarChart(
        title=_(msg("Rows of the file")),
        data=[ac.HorizontalBarChartDataValue(x=name, y=count) for name, count in counted],
        display_mode="AbsoluteWithAxis",
        fallback=ac.Container(items=lines, spacing="Medium"),
        spacing="Medium",
    )
    sheet.raw(chart, "\n".join(f"{_number(count)} · {name}" for name, count in counted))


def _risky(sheet: Sheet, _: Words, batch: BatchView) -> None:
    if not batch.risky:
        return
    sheet.heading(msg("Look at these"))
    for row in batch.risky:
        sheet.point(msg("{name}: {what}"), "⚠", name=_name(row), what=_risks(row, _))


def _risks(row: PlanRow, _: Words) -> str:
    return ", ".join(_(RISKS.get(risk, msg("{risk}")), risk=risk.value) for risk in row.risks)


def _name(row: PlanRow) -> str:
    return row.target.name if row.target else row.who


def _duration(sheet: Sheet, _: Words, batch: BatchView) -> None:
    if batch.seconds_left is None:
        return
    sheet.quiet(
        msg("Time at the pace that Microsoft documents: {time}; less where the directory allows more."),
        time=_time(batch.seconds_left, _),
    )


# --- the question -----------------------------------------------------------------------------------------
def _asked(sheet: Sheet, _: Words, view: View, batch: BatchView, said: Refusal | None) -> None:
    change, kept = view.change, batch.batch
    if said is not None:
        facts = phrases.facts_of(said, _)
        title, why = _(said.reason.title, **facts), _(said.reason.why, **facts)
        sheet.box("⚠", "warning", msg("{title}. {why}"), title=title, why=why)
        code_line(sheet, said.code)
    if view.audience is Audience.APPROVER and view.may_vote:
        sheet.status("◔", msg("Your decision is needed"), "warning")
    else:
        sheet.status(*phrases.STATES[change.state])
    question = (
        msg("Undo {runs} of {total} rows?") if kept.undoes else msg("Carry out {runs} of {total} rows?")
    )
    sheet.title(question, runs=_number(kept.runs), total=_number(kept.total))
    sheet.pair(msg("File"), "{what}", what=kept.name)
    sheet.pair(msg("Asked by"), "{upn}", upn=change.requester.upn)
    sheet.pair(msg("Rule"), "{rule}", rule=change.rule)
    _buckets(sheet, _, batch)
    if not kept.undoes:
        sheet.say(MODES[kept.mode])
    _risky(sheet, _, batch)
    sheet.say(msg("You approve exactly this plan: another file, or one row more, is another request. Each "
                  "row is checked again before it is written, and protected people never are."))  # fmt: skip
    _duration(sheet, _, batch)
    if view.may_vote:
        votes(sheet, _, change)
        approve = _approve(_, view)
        sheet.buttons(approve, reject(_, view), _as_file(_, change))
        sheet.quiet(
            msg("Or type `file {id}`, `approve {id}` or `reject {id} because …`"), id=change.printed_id
        )
        return
    waiting(sheet, _, change)
    if view.may_withdraw:
        sheet.buttons(press(_, view, msg("Take my approval back"), verbs.WITHDRAW))
    elif view.may_cancel:
        cancel = press(_, view, msg("Cancel the request"), verbs.CANCEL)
        sheet.buttons(cancel, run(_(msg("Remind them")), f"nudge {change.printed_id}"))
    sheet.quiet(msg("{id} · to cancel you can also type `cancel {id}`"), id=change.printed_id)


# --- the run ----------------------------------------------------------------------------------------------
def _running(sheet: Sheet, _: Words, view: View, batch: BatchView) -> None:
    change, kept, tally = view.change, batch.batch, batch.tally
    if change.state is not State.APPLYING:
        sheet.status(*phrases.STATES[change.state])
        facts = {"runs": _number(kept.runs), "total": _number(kept.total)}
        sheet.title(msg("{runs} of {total} rows begin soon"), **facts)
        votes(sheet, _, change)
        if view.may_cancel:
            sheet.buttons(press(_, view, msg("Cancel the request"), verbs.CANCEL))
        return
    held = kept.held
    if held is not None:
        sheet.status("‖", msg("Waiting for somebody"), "warning")
    else:
        sheet.status("◔", msg("Being carried out"), "accent")
    facts = {"done": _number(tally.applied), "runs": _number(tally.runs)}
    sheet.title(msg("{done} of {runs} changes are done"), **facts)
    _bar(sheet, tally.settled, tally.runs)
    sheet.pair(msg("File"), "{what}", what=kept.name)
    _counts(sheet, _, batch)
    if held is None:
        if kept.rate:
            sheet.pair(
                msg("Pace"), "{count}", count=_(msg("{n} rows a minute"), n=_number(round(kept.rate * 60)))
            )
        if batch.seconds_left is not None:
            sheet.pair(msg("Time left"), "{time}", time=_time(batch.seconds_left, _))
    else:
        sheet.box("‖", "warning", held.reason.title, **phrases.facts_of(held, _))
        reason_lines(sheet, _, held)
    buttons = [_word(_, view, msg("Pause"), BatchWord.HOLD)] if batch.may_hold else []
    buttons += [_word(_, view, msg("Go on"), BatchWord.GO_ON)] if batch.may_go_on else []
    buttons += [_word(_, view, msg("Try the failed rows again"), BatchWord.RETRY)] if batch.may_retry else []
    if batch.may_stop:
        buttons.append(press(_, view, msg("End it here"), verbs.CANCEL))
    sheet.buttons(*buttons, _as_file(_, change))
    sheet.quiet(
        msg("{id} · or type `pause {id}`, `resume {id}`, `retry {id}` or `cancel {id}`"), id=change.printed_id
    )


def _bar(sheet: Sheet, done: int, of: int) -> None:
    """A bar of letters: every client draws it, and it is read out as nothing worse than blocks."""
    full = round(_BLOCKS * done / of) if of else _BLOCKS
    share = f"{100 * done // of if of else 100} %"
    bar = f"{'█' * full}{'░' * (_BLOCKS - full)}  {share}"
    sheet.raw(ac.TextBlock(text=bar, font_type="Monospace", spacing="Small", wrap=True), share)


def _counts(sheet: Sheet, _: Words, batch: BatchView) -> None:
    tally = batch.tally
    sheet.pair(msg("Done"), "{count}", count=_number(tally.applied))
    if tally.failed:
        sheet.pair(msg("Refused by the directory"), "{count}", count=_number(tally.failed))
    if tally.blocked:
        sheet.pair(
            msg("Not written, because something changed since the plan"),
            "{count}",
            count=_number(tally.blocked),
        )
    if tally.open:
        sheet.pair(msg("Under way or not yet certain"), "{count}", count=_number(tally.open))
    if tally.untouched:
        sheet.pair(msg("Not begun"), "{count}", count=_number(tally.untouched))


# --- the result -------------------------------------------------------------------------------------------
def _ended(sheet: Sheet, _: Words, view: View, batch: BatchView, said: Refusal | None) -> None:
    change, kept, tally = view.change, batch.batch, batch.tally
    sheet.status(*phrases.STATES[change.state])
    if change.state is State.APPLIED:
        one = kept.runs == 1
        title = msg("The one change is done") if one else msg("All {runs} changes are done")
        sheet.title(title, runs=_number(kept.runs))
    elif tally.begun:
        facts = {"done": _number(tally.applied), "runs": _number(kept.runs)}
        sheet.title(msg("{done} of {runs} changes were carried out"), **facts)
    else:
        sheet.title(msg("None of the {runs} changes was carried out"), runs=_number(kept.runs))
    sheet.pair(msg("File"), "{what}", what=kept.name)
    if tally.begun:
        _counts(sheet, _, batch)
    if kept.started_at and change.ended_at:
        took = int((change.ended_at - kept.started_at).total_seconds())
        sheet.pair(msg("Took"), "{time}", time=_time(took, _))
    if said is not None:
        sheet.box("⚠", "warning", said.reason.title, **phrases.facts_of(said, _))
        reason_lines(sheet, _, said)
        code_line(sheet, said.code)
    votes(sheet, _, change)
    if view.may_undo and tally.applied:
        undo = run(_(msg("Undo the whole batch")), f"undo {change.printed_id}")
        sheet.buttons(_as_file(_, change), undo)
        sheet.quiet(msg("{id} · within 72 hours `undo {id}` plans the way back"), id=change.printed_id)
        return
    sheet.buttons(_as_file(_, change))
    sheet.quiet(msg("{id} · or type `file {id}`"), id=change.printed_id)


def _as_file(_: Words, change: Change) -> Button:
    return run(_(msg("Row by row, as a file")), f"file {change.printed_id}")


def _approve(_: Words, view: View) -> Button:
    """Without a question how they know: nobody speaks to thousands of people."""
    data = verbs.request_data(view.card)
    return Button(_(msg("Approve")), verbs.APPROVE, data, style="positive", inputs=True)


def _word(_: Words, view: View, title: str, word: BatchWord) -> Button:
    return Button(_(title), verbs.BATCH, verbs.batch_data(view.card, word.value))


def _number(count: int) -> str:
    """12,345 as 12 345: no language reads the space as a decimal point."""
    return f"{count:,}".replace(",", "\u202f")


def _time(seconds: int, _: Words) -> str:
    """`a few seconds`, `40 seconds`, `7 minutes`, `2 h 05 min`."""
    if seconds < _FEW_SECONDS:
        return _(msg("a few seconds"))
    if seconds < 90:
        return _(msg("{n} seconds"), n=str(seconds))
    if seconds < 2 * _HOUR:
        return _(msg("{n} minutes"), n=str(round(seconds / _MINUTE)))
    hours, rest = divmod(seconds, _HOUR)
    return _(msg("{hours} h {minutes} min"), hours=str(hours), minutes=f"{rest // _MINUTE:02d}")


def view_of(outcome: Outcome) -> tuple[View, BatchView] | None:
    """The view of a batch, if the outcome is about one."""
    view = getattr(outcome, "view", None)
    return (view, view.batch) if isinstance(view, View) and view.batch is not None else None


def is_shown_whole(outcome: Outcome, change: Change) -> bool:
    """A refused click on a live batch is said alone: its card stays where it is."""
    if not isinstance(outcome, Refused):
        return True
    return change.ending is not None and outcome.refusals == (change.ending,)
