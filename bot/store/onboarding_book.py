"""The part of the Store port that reads onboardings: one method per transaction.

Knows which rows to ask. Must not know SQL. See `bot.ports.onboardings` for what each method promises.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from bot.domain.onboarding import Onboarding, Stage
from bot.store import onboardings as rows
from bot.store.engine import Database


class SqlOnboardings:
    """Inherited by the store; alone it is nothing."""

    _database: Database

    async def onboarding(self, onboarding_id: str) -> Onboarding | None:
        return await self._database.read(lambda c: rows.by_id(c, onboarding_id))

    async def onboarding_of(self, oid: str) -> Onboarding | None:
        found = await self._database.read(lambda c: rows.of_people(c, (oid,)))
        return found.get(oid)

    async def onboardings_of(self, oids: Collection[str]) -> Mapping[str, Onboarding]:
        return await self._database.read(lambda c: rows.of_people(c, oids))

    async def onboardings(
        self, since: datetime, stages: Collection[Stage], limit: int, *, starter: str = ""
    ) -> tuple[tuple[Onboarding, ...], int]:
        return await self._database.read(lambda c: rows.listed(c, since, stages, limit, starter))

    async def onboarding_counts(
        self, since: datetime, *, starter: str = "", unconfirmed: bool = False
    ) -> Mapping[Stage, int]:
        return await self._database.read(lambda c: rows.counts(c, since, starter, unconfirmed))
