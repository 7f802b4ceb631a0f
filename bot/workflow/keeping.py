"""Housekeeping by the clock: what was kept for undo is destroyed at its time, rows without use are taken out.

Knows how long things are kept, and why. Must not know tables.
"""

from __future__ import annotations

from datetime import timedelta

from bot.ports import Outlived
from bot.workflow.parts import Parts

EVERY = timedelta(seconds=60)
AT_A_TIME = 500
# A token that could bring the same activity again lives for hours; Teams itself sends again within minutes.
INBOX_KEPT = timedelta(days=7)
# The same message is never enqueued twice within the life of any request; the audit keeps the rest.
OUTBOX_KEPT = timedelta(days=30)
# Whoever wrote this long ago and not since is reached anew by object id, as somebody never seen.
CONVERSATIONS_KEPT = timedelta(days=400)
# The caps count a day, alerts show an ended freeze for as long as anybody may look at them.
FREEZES_KEPT = timedelta(days=90)


# A plan whose making was cut off has rows and no head; nobody plans for that long.
PLANS_MADE = timedelta(hours=24)


class Keeping:
    """One step does a bounded part of what is due."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def step(self) -> timedelta:
        """How long to wait for the next: nothing, while there is more to do."""
        now = self._parts.now()
        outlived = Outlived(
            inbox=now - INBOX_KEPT,
            outbox=now - OUTBOX_KEPT,
            conversations=now - CONVERSATIONS_KEPT,
            freezes=now - FREEZES_KEPT,
        )
        destroyed = await self._parts.store.destroy_earlier(now, AT_A_TIME)
        pruned = await self._parts.store.prune(outlived, AT_A_TIME)
        await self._parts.store.forget_orphans(now - PLANS_MADE, AT_A_TIME)
        return timedelta() if max(destroyed, pruned) >= AT_A_TIME else EVERY
