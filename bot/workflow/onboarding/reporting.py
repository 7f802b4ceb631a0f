"""How the onboardings stand: a report whose numbers add up, and the first phones that wait for one decider.

Knows stages and lists. Must not decide or change anything.
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.change import State
from bot.domain.onboarding import OPEN, Stage
from bot.domain.outcome import NewPeopleList, OnboardingReport
from bot.domain.policy import Action
from bot.ports import Listing
from bot.workflow.parts import Parts
from bot.workflow.views import view_of

#: So far a report goes back; what is older is in the history.
SPAN = timedelta(days=90)
ROWS = 20
#: Somebody must look at these: the card reached nobody, was not for them, or was answered with a no.
TO_LOOK_AT = (Stage.UNREACHABLE, Stage.REFUSED, Stage.NO_PHONE, Stage.PREFERS_NOT, Stage.SILENT)
_WRITTEN = (Stage.REGISTERED, Stage.SETTLED)
LISTED = 15
_READ = 200


class Reporting:
    """Reads, for coordinators and deciders."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def report(self, starter: str = "") -> OnboardingReport:
        """Everybody's, or those that one person began."""
        since = self._parts.now() - SPAN
        counts = await self._parts.store.onboarding_counts(since, starter=starter)
        rows, more = await self._parts.store.onboardings(since, TO_LOOK_AT, ROWS, starter=starter)
        unsure = await self._parts.store.onboarding_counts(since, starter=starter, unconfirmed=True)
        known = tuple((stage, counts[stage]) for stage in Stage if stage in counts)
        unconfirmed = sum(number for stage, number in unsure.items() if stage in _WRITTEN)
        return OnboardingReport(counts=known, rows=rows, more=more, unconfirmed=unconfirmed)

    async def has_open(self, starter: str) -> bool:
        counts = await self._parts.store.onboarding_counts(self._parts.now() - SPAN, starter=starter)
        return any(stage in OPEN for stage in counts)

    async def waiting_for(self, oid: str) -> NewPeopleList:
        """The first phones that this person is asked about, each with their own card."""
        changes, _ = await self._parts.store.list_changes(Listing.TO_DECIDE, oid, _READ)
        new = [each for each in changes if each.action is Action.ONBOARD and each.state is State.PENDING]
        views = tuple(view_of(self._parts, change, oid) for change in new[:LISTED])
        return NewPeopleList(views, max(len(new) - LISTED, 0))
