"""Onboardings in the system of record: the part of the Store that only they need.

Knows values of the domain. Must not know SQL. They are written with everything else, by `Commit.onboardings`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from bot.domain.onboarding import Onboarding, Stage


class OnboardingBook(Protocol):
    """Reading onboardings. Each method is one transaction."""

    async def onboarding(self, onboarding_id: str) -> Onboarding | None: ...

    async def onboarding_of(self, oid: str) -> Onboarding | None:
        """The open one of this person, else their last."""
        ...

    async def onboardings_of(self, oids: Collection[str]) -> Mapping[str, Onboarding]:
        """The same for many, by object id; who has none is left out."""
        ...

    async def onboardings(
        self, since: datetime, stages: Collection[Stage], limit: int, *, starter: str = ""
    ) -> tuple[tuple[Onboarding, ...], int]:
        """Begun since then and in one of these stages, newest first, and how many more there are.

        starter: only those that this person began, "" = anybody's.
        """
        ...

    async def onboarding_counts(
        self, since: datetime, *, starter: str = "", unconfirmed: bool = False
    ) -> Mapping[Stage, int]:
        """How many begun since then are in which stage now: together all of them.

        unconfirmed: only those whose number somebody else typed, and who have not said that it is theirs.
        """
        ...
