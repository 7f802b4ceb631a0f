"""When one request goes on as another: which one it comes from, and what is said of the one that ends.

Knows how a request that was taken over is told from others. Must not store or judge.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain import decision_reasons as no
from bot.domain.change import Change, State
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import Commit, Move, Store
from bot.workflow.messages import notice, redraw
from bot.workflow.parts import event

# What an operator asks for by hand. An undo, an onboarding and a row of a file belong to whoever began them.
TAKEABLE = frozenset({Action.SET, Action.REMOVE, Action.SWAP, Action.SMS})


async def taken_from(store: Store, change: Change) -> Change | Refusal | None:
    """The request that this preview would go on from; why that is no longer possible; None = from none."""
    if not change.parent_id or change.action not in TAKEABLE:
        return None
    earlier = await store.change(change.parent_id)
    if earlier is None or earlier.state is not State.PENDING:
        return not_waiting(earlier or change)
    return earlier


def not_waiting(change: Change) -> Refusal:
    """Why a request cannot be taken over any more."""
    return no.NOT_WAITING.refuse(id=change.printed_id, state=change.state.value)


def taken_over(earlier: Change, new: Change) -> Refusal:
    """How the earlier request ends."""
    return no.TAKEN_OVER.refuse(id=earlier.printed_id, name=new.requester.name, new=new.printed_id)


def handing_over(commit: Commit, earlier: Change, gone: Change, new: Change) -> Commit:
    """A submit in whose commit the earlier request ends: the phone has one open request all the time."""
    told = event(earlier, "taken-over", new.requester.oid, by=new.requester.name, new=new.printed_id)
    news = (redraw(earlier), notice(earlier, "ended", earlier.requester.oid))
    return replace(
        commit,
        moves=(*commit.moves, Move(earlier, gone)),
        events=(*commit.events, told),
        messages=(*commit.messages, *news),
    )
