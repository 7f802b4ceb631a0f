"""Undo: a new change that restores what an applied one replaced, while that is still kept.

Knows what is kept and whether the directory still holds what was written. Must not decide, send or write: the
new change is previewed, approved and carried out like any other.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain import reasons
from bot.domain import stop_reasons as stops
from bot.domain.change import LOCKING, UNDO_WINDOW, Change, Operation, OpKind, OpState, State
from bot.domain.people import Actor, Person, Phones, Role
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable
from bot.workflow.effects import SMS_OFF, SMS_ON
from bot.workflow.parts import Parts
from bot.workflow.planning import Case, Restores


class Undoing:
    """From a change to the case of its undo, or why there is none."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def case(self, change: Change, actor: Actor) -> Case | Refusal:
        """An operator undoes what they asked for, security anything."""
        own = actor.oid == change.requester.oid and Role.OPERATOR in actor.roles
        if not own and Role.SECURITY not in actor.roles:
            return stops.UNDO_NOT_YOURS.refuse(id=change.printed_id, name=change.requester.name)
        if change.state is not State.APPLIED or change.is_pass:
            state = "a pass, which ends by itself" if change.is_pass else change.state.value
            return stops.UNDO_NOT_DONE.refuse(id=change.printed_id, state=state)
        already = await self._already(change)
        if already is not None:
            return already
        earlier = await self._parts.store.earlier(change.id, self._parts.now())
        if earlier is None:
            return stops.UNDO_NOT_KEPT.refuse(id=change.printed_id)
        try:
            target = await self._parts.directory.person(change.target.oid)
            phones = await self._parts.directory.phones(change.target.oid)
        except DirectoryUnavailable as error:
            return reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what)
        if target is None:
            return reasons.PERSON_UNKNOWN.refuse(who=change.target.upn)
        return self._moved(change, phones) or _case(change, earlier, target, actor)

    async def _already(self, change: Change) -> Refusal | None:
        for child in await self._parts.store.children(change.id):
            if child.action is Action.UNDO and (child.state in LOCKING or child.state is State.APPLIED):
                facts = {"name": child.requester.name, "state": child.state.value}
                return stops.UNDO_ALREADY.refuse(id=change.printed_id, other=child.printed_id, **facts)
        return None

    def _moved(self, change: Change, phones: Phones) -> Refusal | None:
        """The directory must still hold what the change wrote: nothing newer is ever overwritten."""
        for operation in _written(change):
            held = phones.get(operation.slot)
            now = held.masked if held else "empty"
            key = self._parts.number_key(held)
            if operation.kind not in (OpKind.SET, OpKind.REMOVE):
                on = phones.sms_sign_in == "ready"
                now, key = ("on", SMS_ON) if on else ("off", SMS_OFF)
            if key != operation.after_key:
                after, who = operation.after or "empty", change.target.upn
                return stops.UNDO_MOVED.refuse(slot=operation.slot.word, after=after, now=now, who=who)
        return None


def may_still_be_undone(change: Change, now: datetime) -> bool:
    """By its time alone, for a button; what is kept is asked when it is pressed."""
    return (
        change.state is State.APPLIED and change.ended_at is not None and now < change.ended_at + UNDO_WINDOW
    )


def _written(change: Change) -> tuple[Operation, ...]:
    return tuple(op for op in change.operations if not op.kind.conditional and op.state is OpState.DONE)


def _case(change: Change, earlier: dict[int, PhoneNumber], target: Person, actor: Actor) -> Case:
    restores = restored(tuple((op.slot, earlier.get(op.n)) for op in _written(change) if not _is_sms(op)))
    slot, number = restores[0] if restores else (change.slot, None)
    return Case(
        actor.oid,
        target,
        Action.UNDO,
        slot,
        number,
        enable=change.operations[0].kind is OpKind.SMS_OFF,
        roles=actor.roles,
        restores=restores,
        deciders=deciders_of(change),
        parent_id=change.id,
    )


def restored(wanted: Restores) -> Restores:
    """In the only order the directory allows: the mobile before the alternate, but gone after it."""
    order = list(Slot)
    sets = sorted((each for each in wanted if each[1] is not None), key=lambda each: order.index(each[0]))
    gone = sorted((each for each in wanted if each[1] is None), key=lambda each: -order.index(each[0]))
    return (*sets, *gone)


def deciders_of(change: Change) -> int:
    """How many people the change needed."""
    return sum(step.need for step in change.steps)


def _is_sms(operation: Operation) -> bool:
    return operation.kind not in (OpKind.SET, OpKind.REMOVE)
