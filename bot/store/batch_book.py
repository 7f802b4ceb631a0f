"""The part of the store about batches: one method per transaction. See `bot.ports.BatchBook`.

Knows which module does what. Must not know SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from bot.domain.bulk import Batch, PlanRow, Tally
from bot.domain.change import Change
from bot.ports import Waiting
from bot.store import batches, freezes
from bot.store.engine import Database
from bot.store.keyring import KeyRing


class SqlBatchBook:
    """Inherited by the store; alone it is nothing."""

    _database: Database
    _keys: KeyRing
    _tenant: str

    async def keep_rows(self, sheet_id: str, given: Sequence[PlanRow], at: datetime) -> None:
        await self._database.write(lambda c: batches.keep_rows(c, self._keys, sheet_id, given, at))

    async def batch(self, batch_id: str) -> Batch | None:
        return await self._database.read(lambda c: batches.load(c, batch_id))

    async def batch_rows(self, sheet_id: str, after_line: int, limit: int) -> tuple[PlanRow, ...]:
        return await self._database.read(lambda c: batches.page(c, sheet_id, after_line, limit))

    async def risky_rows(self, sheet_id: str, limit: int) -> tuple[PlanRow, ...]:
        return await self._database.read(lambda c: batches.risky(c, sheet_id, limit))

    async def batch_results(
        self, sheet_id: str, after_line: int, limit: int
    ) -> tuple[tuple[PlanRow, Change | None], ...]:
        return await self._database.read(lambda c: batches.results(c, sheet_id, after_line, limit))

    async def batch_tally(self, batch: Batch) -> Tally:
        return await self._database.read(lambda c: batches.tally(c, batch))

    async def batch_turn(self, batch: Batch, limit: int) -> tuple[Waiting, ...]:
        return await self._database.read(lambda c: batches.turn(c, self._keys, batch, limit))

    async def batch_last(self, batch_id: str, limit: int) -> tuple[Change, ...]:
        return await self._database.read(lambda c: batches.last(c, batch_id, limit))

    async def batch_targets(self, batch_id: str, oids: Collection[str]) -> frozenset[str]:
        return await self._database.read(lambda c: batches.targets(c, batch_id, oids))

    async def at_daily_limit(self, oids: Collection[str], since: datetime, most: int) -> frozenset[str]:
        return await self._database.read(lambda c: batches.at_daily_limit(c, oids, since, most))

    async def locked(self, oids: Collection[str]) -> Mapping[str, tuple[Change, ...]]:
        return await self._database.read(lambda c: batches.locked(c, oids))

    async def frozen_among(self, oids: Collection[str]) -> frozenset[str]:
        return await self._database.read(lambda c: frozenset(freezes.frozen(c, set(oids))))

    async def known_holders(self, keys: Collection[str]) -> Mapping[str, frozenset[tuple[str, str]]]:
        return await self._database.read(lambda c: batches.known_holders(c, self._tenant, keys))

    async def forget_orphans(self, before: datetime, limit: int) -> int:
        return await self._database.write(lambda c: batches.forget_orphans(c, before, limit))
