"""`file ID`: the plan of a batch row by row, and when it runs what became of each row, as a masked file.

Knows rows and changes. Must not know file formats. Whoever may see the batch may have the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bot.domain import bulk_reasons as no
from bot.domain import reasons
from bot.domain.bulk import Batch, Bucket, Mode, PlanRow
from bot.domain.change import TERMINAL, Change, State
from bot.domain.command import BatchFile
from bot.domain.outcome import Document, Outcome, Page, PageKind, Refused, Row
from bot.domain.people import Actor
from bot.domain.phone import hide_numbers
from bot.domain.reason import Refusal
from bot.domain.sheets import FileKind, FileTable
from bot.workflow.parts import Parts

_CHUNK = 1_000
COLUMNS = (
    *("line", "user", "name", "account", "slot", "before", "after", "plan", "changes", "look at", "result"),
    *("why", "what to do", "code", "reason", "ticket", "request"),
)


class BatchFiles:
    """Files about a batch."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def answer(self, command: BatchFile, head: Change, actor: Actor) -> Outcome:
        """A page with the file beside it. The caller has judged that the actor may see the batch."""
        batch = await self._parts.store.batch(head.id)
        if batch is None or not head.is_batch:
            return Refused((no.NOT_A_BATCH.refuse(id=head.printed_id),))
        if self._parts.sheets is None:
            return Refused((reasons.NO_ROLE.refuse(),))
        rows = await self._rows(batch)
        people, before, after = _without(rows)
        begun = batch.started_at is not None
        ending = command.kind.value
        name = f"{'result' if begun else 'plan'}-{head.printed_id}.{ending}"
        table = FileTable(f"{'Result' if begun else 'Plan'} {head.printed_id}", COLUMNS, rows)
        content = await self._parts.sheets.write(table, command.kind)
        words = f"file {head.printed_id}" + ("" if command.kind is FileKind.XLSX else f" {ending}")
        document = Document(name, content, words)
        counts = Row((str(people), str(before), str(after)))
        return Page(PageKind.BATCH_FILE, (counts,), roles=actor.roles, document=document, more=len(rows))

    async def _rows(self, batch: Batch) -> tuple[tuple[str, ...], ...]:
        found: list[tuple[str, ...]] = []
        line = -1
        while page := await self._parts.store.batch_results(batch.sheet_id, line, _CHUNK):
            line = page[-1][0].line
            found += [_row(row, change, batch.mode) for row, change in page]
        return tuple(found)


def _without(rows: Sequence[tuple[str, ...]]) -> tuple[int, int, int]:
    """Rows whose phone the directory was read for, how many had none there then, and have none now."""
    at, found, result = (COLUMNS.index(each) for each in ("after", "before", "result"))
    known = [row for row in rows if row[at]]
    empty = [row for row in known if not row[found]]
    return len(known), len(empty), sum(row[result] != State.APPLIED.value for row in empty)


def plan_table(name: str, rows: Sequence[PlanRow]) -> FileTable:
    """A plan that nobody has asked for, in the mode that leaves other numbers alone."""
    return FileTable(f"Plan {name}", COLUMNS, tuple(_row(row, None, Mode.SKIP) for row in rows))


def in_words(rows: Sequence[PlanRow]) -> tuple[str, ...]:
    """How many rows of which kind, for the command line."""
    counted = Counter(row.bucket for row in rows)
    runs = sum(row.runs(Mode.SKIP) for row in rows)
    lines = [f"{runs} of {len(rows)} rows would change a phone; nothing was asked for"]
    return (*lines, *(f"{counted[bucket]} {bucket.value}" for bucket in Bucket if counted[bucket]))


def _row(row: PlanRow, change: Change | None, mode: Mode) -> tuple[str, ...]:
    runs = row.runs(mode)
    operations = row.in_mode(mode) if runs else row.operations
    first = operations[0] if operations else None
    slot = first.slot.word if first else (row.slot.word if row.slot else "")
    no_further = change.ending if change is not None else row.why
    return (
        str(row.line),
        hide_numbers(row.who),
        row.target.name if row.target else "",
        row.target.upn if row.target else "",
        slot,
        first.before if first else "",
        first.after if first else "",
        row.bucket.value,
        "yes" if runs else "no",
        ", ".join(risk.value for risk in row.risks),
        _result(change, runs),
        *_why(no_further),
        hide_numbers(row.reason),
        hide_numbers(row.ticket),
        change.printed_id if change is not None else "",
    )


def _result(change: Change | None, runs: bool) -> str:
    if change is None:
        return "not begun" if runs else ""
    return change.state.value if change.state in TERMINAL else f"{change.state.value}, not settled yet"


def _why(refusal: Refusal | None) -> tuple[str, str, str]:
    """Title, next step and code of a refusal, without the marks of what can be typed."""
    if refusal is None:
        return "", "", ""
    reason, facts = refusal.reason, refusal.facts
    title, step = (text.format(**facts).replace("`", "") for text in (reason.title, reason.next_step))
    return hide_numbers(title), step, refusal.code
