"""What one reader may see of a batch, and what they could say to it now.

Knows plans and tallies. Must not decide anything; the flags it sets only choose buttons.
"""

from __future__ import annotations

from bot.domain.bulk import Batch, BatchView, Tally, seconds_for
from bot.domain.change import Change, State
from bot.workflow.parts import Parts

SHOWN_RISKY = 5


async def batch_view(parts: Parts, head: Change, oid: str) -> BatchView | None:
    """The plan and how far it is; None when the head is the head of nothing."""
    batch = await parts.store.batch(head.id)
    if batch is None:
        return None
    mine, running = head.requester.oid == oid, head.state is State.APPLYING and batch.ended is None
    tally = await parts.store.batch_tally(batch)
    undecided = head.state in (State.PREVIEWED, State.PENDING)
    risky = await parts.store.risky_rows(batch.sheet_id, SHOWN_RISKY) if undecided else ()
    return BatchView(
        batch=batch,
        tally=tally,
        risky=risky,
        seconds_left=_left(batch, tally, head),
        may_hold=mine and running and batch.held is None,
        may_go_on=mine and running and batch.held is not None and tally.untouched > 0,
        may_retry=mine and running and batch.held is not None and tally.failed + tally.blocked > 0,
        may_choose=mine and head.state is State.PREVIEWED and not batch.undoes,
        may_stop=mine and running,
    )


def _left(batch: Batch, tally: Tally, head: Change) -> int | None:
    """Until all rows are through: by the rate of the last seconds, before the run by what Graph documents."""
    if head.state is not State.APPLYING:
        return seconds_for(batch.runs) if head.state not in (State.APPLIED, State.FAILED) else None
    if batch.held is not None:
        return None
    return seconds_for(tally.untouched, batch.rate) if batch.rate > 0 else seconds_for(tally.untouched)
