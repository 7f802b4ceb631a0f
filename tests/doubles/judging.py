"""A directory that judges each write at the moment it is made, and reads that lag behind writes for a while.

Knows what must be true of the world when a write arrives: it looks at the fake directory's plain data and at
the store itself, never at the workflow's own answers. Must not stop a write: it only notes what was wrong.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.domain.change import Change, Operation, OpState, State, Verdict, content_hash, number_key
from bot.domain.people import Phones, ProtectionRules
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action
from bot.ports import Clock, Receipt, Store
from bot.store.keyring import KeyRing
from tests.doubles.directory import FakeDirectory
from tests.doubles.house import APPROVERS, AUDITORS, OPERATORS, SECURITY, group_id

ADMINS = group_id(5)
OURS = frozenset({OPERATORS, APPROVERS, SECURITY, AUDITORS, ADMINS})

# The key of the house of doubles.
_KEY = KeyRing([("k1", b"k" * 32)]).derive_oldest("numbers")


class JudgingDirectory:
    """The fake directory behind a judge. wrong: what must never have happened. writes: (change, attempt)."""

    def __init__(self, inner: FakeDirectory, store: Store, clock: Clock) -> None:
        self._inner, self._store, self._clock = inner, store, clock
        self.wrong: list[str] = []
        self.writes: list[tuple[str, int]] = []
        self.effects: dict[str, int] = {}
        self.lag = timedelta()
        self._read_only = False
        self._sent: dict[tuple[str, int], datetime] = {}
        self._old: dict[str, tuple[datetime, dict[Slot, PhoneNumber]]] = {}
        self._flying: set[tuple[str, Slot]] = set()

    def over(self, store: Store, *, read_only: bool = False) -> None:
        """The store of the next life over the same file. read_only: that life may write nothing."""
        self._store = store
        self._read_only = read_only
        self._flying.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def phones(self, oid: str) -> Phones:
        now = await self._inner.phones(oid)
        until, shown = self._old.get(oid, (self._clock.now(), {}))
        return Phones(dict(shown)) if self._clock.now() < until else now

    async def write(
        self,
        target_oid: str,
        op: Operation,
        number: PhoneNumber | None,
        call_id: str,
        *,
        present: bool | None = None,
    ) -> Receipt:
        change = await self._judge(target_oid, op, number)
        key = (target_oid, op.slot)
        self._check(key not in self._flying, f"two writes at once for {key}")
        self._flying.add(key)
        before = dict(self._inner.phones_of.get(target_oid, {}))
        try:
            return await self._inner.write(target_oid, op, number, call_id, present=present)
        finally:
            self._flying.discard(key)
            after = self._inner.phones_of.get(target_oid, {})
            # Of this slot: while a write hangs, another change may have written to another one.
            if after.get(op.slot) != before.get(op.slot):
                self.effects[change] = self.effects.get(change, 0) + 1
                self._old[target_oid] = (self._clock.now() + self.lag, before)

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)

    async def _judge(self, target: str, op: Operation, number: PhoneNumber | None) -> str:
        open_now = [c for c in await self._store.open_for(target) if op.slot in c.slots]
        if not open_now:
            self.wrong.append("a write for which no change holds the slot")
            return ""
        self._check(not self._read_only, "written by a bot that only reads")
        change = open_now[0]
        mine = change.operations[0]
        self._check(change.state in (State.APPLYING, State.UNCONFIRMED), f"written in {change.state}")
        self._check(mine.state is OpState.SENDING, "no intent on disk before the write")
        self._check(mine.attempt == op.attempt, "the intent on disk is of another attempt")
        await self._judge_again(change, op, number)
        self._check(content_hash(change) == change.content_hash, "not what was approved")
        self._check(number_key(_KEY, number) == mine.after_key, "not the number that was approved")
        await self._judge_people(change, op)
        closed = [name for name, held in (await self._store.switches()).items() if held.closed]
        self._check(not closed, f"written while the switch {closed} was closed")
        await self._judge_intent(change, op)
        self.writes.append((change.id, op.attempt))
        return change.id

    async def _judge_again(self, change: Change, op: Operation, number: PhoneNumber | None) -> None:
        """A second send only once, late enough, and never of what can be read there already."""
        now, key = self._clock.now(), (change.id, op.attempt)
        self._check(op.attempt <= 2, "sent a third time")
        earlier = self._sent.get((change.id, op.attempt - 1))
        if earlier is not None:  # the first may have died between its intent and its call
            self._check(now - earlier >= timedelta(seconds=65), f"sent again after {now - earlier}")
        self._sent[key] = now
        held = (await self.phones(change.target.oid)).get(op.slot)
        self._check(held != number, "written although it stands there already")

    async def _judge_people(self, change: Change, op: Operation) -> None:
        """Approved by a person who stands as an approver now; nobody protected, nobody without rights."""
        world, target, requester = self._inner, change.target.oid, change.requester.oid
        frozen = await self._store.freeze_of(target)
        votes = [v for v in change.votes if v.verdict is Verdict.APPROVE]
        self._check(bool(votes), "written without an approval: time-out is never a yes")
        for step in change.steps:
            yes = {v.person.oid for v in votes if v.step == step.n}
            self._check(len(yes) >= step.need, f"step {step.n} wanted {step.need} and had {len(yes)}")
        for vote in votes:
            voter = vote.person.oid
            self._check(voter not in (target, requester), "the requester or target counted as an approver")
            self._check(voter not in change.excluded, "somebody excluded counted as an approver")
            self._check(vote.content_hash == change.content_hash, "a vote on another content")
            standing = {
                "manager-of-target": world.managers.get(target) == voter,
                "role:approver": voter in world.groups[APPROVERS].members,
                "role:security": voter in world.groups[SECURITY].members,
            }
            self._check(standing.get(vote.via, False), f"the voter is no approver by {vote.via}")
            self._check(world.people[voter].enabled, "the voter is disabled")
        self._check(len({v.person.oid for v in votes}) == len(votes), "one person counted twice")
        asking = OPERATORS if frozen is None else SECURITY
        rights = {OPERATORS, SECURITY} if change.action is Action.UNDO else {asking}
        held = any(requester in world.groups[group].members for group in rights)
        self._check(held, "the requester has no right to ask now")
        if frozen is not None and op.attempt == 1:
            self._check(requester not in frozen.barred, "somebody barred asked for a frozen person")
            self._check(len(votes) >= 2, "a frozen person, and not two who agreed")
        facts = list(world._facts(target, ProtectionRules(), OURS))
        self._check(not facts, f"protected at the write: {facts}")
        self._check(target != requester, "somebody changed their own number")

    async def _judge_intent(self, change: Change, op: Operation) -> None:
        records, _ = await self._store.history(change.target.oid, 1000)
        attempts = [
            r.event.facts["attempt"]
            for r in records
            if r.event.change_id == change.id and r.event.name.endswith(":attempted")
        ]
        self._check(str(op.attempt) in attempts, "no audited intent before the write")
        if op.attempt == 1 and op.n == 1 and change.start_by is not None and op.sent_at is not None:
            # Counted from the end of cooling.
            self._check(op.sent_at < change.start_by, "started after its deadline")
