"""The stored steps of a change on its way: guarded moves with their audit events and messages.

Knows how a step is written down. Must not know why it is taken, nor call the directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from bot.domain.audit import AuditEvent
from bot.domain.change import Change, Operation, State
from bot.domain.people import PersonRef
from bot.domain.phone import PhoneNumber
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.domain.switch import Switch
from bot.ports import Ceiling, Commit, Lost, Message, MessageKind, Move
from bot.workflow.messages import notice, redraw, registered
from bot.workflow.parts import Parts, event

WORKER = "ringfence"
# Steps of milliseconds that would show "being carried out" in another way: redrawing every copy costs more
# than the write itself.
_NOT_REDRAWN = frozenset({"operation-applied"})


class Progress:
    """Every method is one commit; None or False = somebody else was first."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def step(
        self,
        before: Change,
        after: Change,
        what: str,
        facts: Mapping[str, str] = MappingProxyType({}),
        *,
        told: tuple[Message, ...] = (),
    ) -> Change | None:
        """One guarded move with its audit event."""
        return await self._commit(
            Commit(
                at=self._parts.now(),
                moves=(Move(before, after),),
                events=(event(after, what, WORKER, **facts),),
                messages=(*told, *(() if what in _NOT_REDRAWN else (redraw(before),))),
            )
        )

    async def intend(
        self,
        before: Change,
        after: Change,
        facts: Mapping[str, str],
        *,
        unexpired: bool,
        despite_freeze: bool,
        ceiling: Ceiling | None,
        earlier: Mapping[int, PhoneNumber],
    ) -> Change | None:
        """The audited intent of one write, with every guard that the store keeps.

        earlier: what the plan replaces, kept for undo.
        """
        now = self._parts.now()
        return await self._commit(
            Commit(
                at=now,
                moves=(Move(before, after, now if unexpired else None, despite_freeze),),
                events=(event(after, "attempted", WORKER, **facts),),
                ceiling=ceiling,
                earlier={after.id: earlier},
            )
        )

    async def _commit(self, commit: Commit) -> Change | None:
        done = await self._parts.store.commit(commit)
        return None if isinstance(done, Lost) else done.changes[0]

    async def end(
        self,
        before: Change,
        after: Change,
        what: str,
        operation: Operation,
        *,
        why: Refusal | None = None,
        quiet: bool = False,
        also: tuple[Message, ...] = (),
    ) -> None:
        """The last step: requester and target are told. also: further messages."""
        facts = {
            **result_facts(operation),
            "code": why.code if why else "",
        }
        people: tuple[PersonRef, ...] = () if quiet else (after.requester, after.target)
        if after.in_batch:
            # Its requester reads of it on the card of the batch.
            people = people[1:]
        told = tuple(notice(before, "ended", person.oid) for person in people)
        if after.action is Action.ONBOARD and after.state is State.APPLIED:
            also = (*also, registered(after))
        if await self.step(before, after, what, facts, told=(*told, *also)) is not None:
            self._parts.metrics.count("changes", after.state.value)

    async def paused(self, change: Change, due_at: datetime, switch: Switch) -> None:
        """Put off by a switch: the cards say so, once for each time that it closed."""
        after = replace(change, due_at=due_at, lease_owner="", lease_until=None)
        key = f"{change.id}:redraw:{switch.name}:{switch.at:%Y%m%dT%H%M%S.%f}"
        told = Message(key, MessageKind.REDRAW, change.id)
        await self._commit(Commit(at=self._parts.now(), moves=(Move(change, after),), messages=(told,)))

    async def keep(
        self,
        before: Change,
        after: Change,
        events: tuple[AuditEvent, ...],
        messages: tuple[Message, ...],
    ) -> None:
        """One guarded move as others have judged it; the lease is given back."""
        free = replace(after, lease_owner="", lease_until=None)
        done = await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                moves=(Move(before, free),),
                events=events,
                messages=(*messages, redraw(before)),
            )
        )
        if not isinstance(done, Lost) and before.state is not after.state:
            self._parts.metrics.count("changes", after.state.value)

    async def later(self, change: Change, due_at: datetime, operation: Operation | None = None) -> None:
        """Look again then; nothing else is said."""
        noted = change if operation is None else change.having(operation)
        after = replace(noted, due_at=due_at, lease_owner="", lease_until=None)
        await self._parts.store.commit(Commit(at=self._parts.now(), moves=(Move(change, after),)))


def result_facts(operation: Operation) -> dict[str, str]:
    """What the audit keeps of one operation: masked, with Graph's request id."""
    return {
        "kind": operation.kind.value,
        "before": operation.before or "empty",
        "after": operation.after or "empty",
        "graph_request_id": operation.graph_request_id,
        "attempt": str(operation.attempt),
    }
