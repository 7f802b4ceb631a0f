"""Batches as the workflow keeps them: their rows, how far they are, and what one commit does to them.

Knows values of the domain. Must not know SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.bulk import Batch, Mode, PlanRow, Tally
from bot.domain.change import Change


@dataclass(frozen=True, slots=True)
class BatchWork:
    """What a commit does to one batch, together with a guarded move of its head.

    batch: as it is from now on. taken: rows that became changes, line -> change id; a row taken meanwhile by
    somebody else loses the commit. done: lines whose number is not needed any more. choose: rows wait as the
    mode says. again: rows whose change failed wait once more. dropped: lines that cannot be read: they wait
    no more, and say so.
    """

    batch: Batch
    taken: Mapping[int, str] = field(default_factory=dict)
    done: tuple[int, ...] = ()
    choose: Mode | None = None
    again: bool = False
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row whose turn has come, with its number opened. change: begun before and provably not sent.

    broken: what is stored about the row makes no sense, or its number does not open; then the row is a mere
    shell with its line.
    """

    row: PlanRow
    change: Change | None = None
    broken: bool = False


class BatchBook(Protocol):
    """Where batches are kept. Each method is one transaction."""

    async def keep_rows(self, sheet_id: str, rows: Sequence[PlanRow], at: datetime) -> None:
        """Rows of a new plan, their numbers sealed. They belong to nobody until a head is stored."""
        ...

    async def batch(self, batch_id: str) -> Batch | None: ...

    async def batch_rows(self, sheet_id: str, after_line: int, limit: int) -> tuple[PlanRow, ...]:
        """Rows in the order of the file, those behind a line; without numbers."""
        ...

    async def risky_rows(self, sheet_id: str, limit: int) -> tuple[PlanRow, ...]:
        """Rows that wait and that an approver should look at."""
        ...

    async def batch_results(
        self, sheet_id: str, after_line: int, limit: int
    ) -> tuple[tuple[PlanRow, Change | None], ...]:
        """Rows in the order of the file, each with what became of it."""
        ...

    async def batch_tally(self, batch: Batch) -> Tally: ...

    async def batch_turn(self, batch: Batch, limit: int) -> tuple[Waiting, ...]:
        """The next rows: those begun and not sent first, then those that wait, in the order of the file."""
        ...

    async def batch_last(self, batch_id: str, limit: int) -> tuple[Change, ...]:
        """The changes of the batch that ended last, newest first."""
        ...

    async def batch_targets(self, batch_id: str, oids: Collection[str]) -> frozenset[str]:
        """Those of these people whom a row of the batch that runs is about."""
        ...

    async def at_daily_limit(self, oids: Collection[str], since: datetime, most: int) -> frozenset[str]:
        """Those of these people for whom so many changes were submitted since then."""
        ...

    async def locked(self, oids: Collection[str]) -> Mapping[str, tuple[Change, ...]]:
        """Changes that hold a slot of these people, by object id."""
        ...

    async def frozen_among(self, oids: Collection[str]) -> frozenset[str]:
        """Those of these people who are frozen now."""
        ...

    async def known_holders(self, keys: Collection[str]) -> Mapping[str, frozenset[tuple[str, str]]]:
        """(object id, slot) of those who are known to hold a number, by the index's keyed hash."""
        ...

    async def forget_orphans(self, before: datetime, limit: int) -> int:
        """Rows of plans that were never finished, made before that time; how many went."""
        ...
