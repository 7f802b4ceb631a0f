"""A whole house for tests: the real workflow, a real SQLite store, and named doubles for the outside.

Knows how the parts fit. Must not hold rules of its own.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.domain.people import Person, Role, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Policy, Rule, Step, Token, TokenKind
from bot.jobs import Jobs
from bot.ports import Delivered, Delivery, Message, Reach, Store, WorkflowKeys
from bot.store.keyring import KeyRing
from bot.store.numbers import KEY_PURPOSE
from bot.store.store import open_store
from bot.telemetry import COUNTERS
from bot.workflow.desk import Desk
from bot.workflow.numbering import IndexedDirectory, NumberIndex
from bot.workflow.parts import Envelope, Parts
from tests.doubles.directory import FakeDirectory, Group
from tests.doubles.limits import NO_LIMITS

TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def oid(n: int) -> str:
    return f"bbbbbbbb-0000-4000-8000-{n:012d}"


def group_id(n: int) -> str:
    return f"cccccccc-0000-4000-8000-{n:012d}"


class HandClock:
    """Time set by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def pass_by(self, **delta: float) -> None:
        self.time += timedelta(**delta)


class CountedIds:
    """Ids in order, so that a failing test reads the same each time."""

    def __init__(self) -> None:
        self._n = itertools.count(1)

    def request_key(self) -> str:
        n = next(self._n)
        return "A" + "".join(_CROCKFORD[(n >> shift) & 31] for shift in (20, 15, 10, 5, 0))

    def correlation(self) -> str:
        return f"cid-{next(self._n)}"


class Tally:
    """Counts in a dictionary, only what the product has a counter for."""

    def __init__(self) -> None:
        self.counted: dict[tuple[str, str], int] = {}

    def count(self, name: str, label: str = "") -> None:
        assert name in COUNTERS, f"there is no counter {name}"
        self.counted[(name, label)] = self.counted.get((name, label), 0) + 1


@dataclass
class NotingMessenger:
    """Delivers to a list. unreachable: oids that Teams refuses, noticed at once. lost: only at delivery."""

    unreachable: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    later: int = 0
    delivered: list[Message] = field(default_factory=list)

    async def reach(self, oid: str) -> Reach:
        return Reach(oid not in self.unreachable, self.unreachable.get(oid, ""))

    async def deliver(self, message: Message) -> Delivered:
        if self.later > 0:
            self.later -= 1
            return Delivered(Delivery.LATER, "throttled", timedelta(seconds=1))
        if message.to_oid in self.lost:
            return Delivered(Delivery.UNREACHABLE, self.lost[message.to_oid])
        self.delivered.append(message)
        return Delivered(Delivery.DONE)

    def told(self, oid: str) -> list[str]:
        """Keys of what was delivered to one person."""
        return [m.key for m in self.delivered if m.to_oid == oid]


OLIVIA, ALICE, MARTA, ADA, SAM, GLENN, NED, AMIR = (oid(n) for n in range(1, 9))
OPERATORS, APPROVERS, SECURITY, AUDITORS = (group_id(n) for n in range(1, 5))
HELD = PhoneNumber("1", "2065550112")


def people() -> list[Person]:
    """Olivia operates, Alice is the target, Marta her manager, Ada approves, Sam is security, Glenn a guest,
    Ned nobody special, Amir an auditor."""
    names = ("Olivia Ode", "Alice Anders", "Marta Mink", "Ada Ames", "Sam Sander", "Glenn Gast", "Ned Noone")
    made = [
        Person(oid(n), name, f"{name.split()[0].lower()}@contoso.example", guest=name.startswith("Glenn"))
        for n, name in enumerate(names, start=1)
    ]
    return [*made, Person(AMIR, "Amir Audit", "amir@contoso.example")]


def policy(**changed: object) -> Policy:
    """The example policy: the manager approves, the approver role stands in; staff by security."""
    manager = Token(TokenKind.MANAGER)
    values: dict[str, object] = {
        "roles": {
            Role.OPERATOR: frozenset({OPERATORS}),
            Role.APPROVER: frozenset({APPROVERS}),
            Role.SECURITY: frozenset({SECURITY}),
            Role.AUDITOR: frozenset({AUDITORS}),
        },
        "rules": (
            Rule(
                "ordinary change",
                frozenset({Action.SET, Action.REMOVE}),
                frozenset({TargetKind.ORDINARY}),
                (Step((manager,), 1, (Token(TokenKind.ROLE, "approver"),)),),
            ),
            Rule(
                "our own staff",
                frozenset({Action.SET, Action.REMOVE}),
                frozenset({TargetKind.OPERATOR}),
                (Step((Token(TokenKind.ROLE, "security"),)),),
            ),
        ),
        "limits": NO_LIMITS,
        "digest": "d" * 64,
    }
    return Policy(**{**values, **changed})  # type: ignore[arg-type]  # values of the fields above


@dataclass
class House:
    """Everything a test needs to act as somebody and to look at what happened."""

    parts: Parts
    desk: Desk
    jobs: Jobs
    store: Store
    directory: FakeDirectory
    messenger: NotingMessenger
    clock: HandClock
    tally: Tally
    path: Path
    _activities: itertools.count = field(default_factory=lambda: itertools.count(1))  # type: ignore[type-arg]

    def envelope(self, who: str, activity: str | None = None) -> Envelope:
        """A fresh activity of one person, or a given one again."""
        return Envelope(who, f"conv-{who}", activity or f"act-{next(self._activities)}", "hash", "cid")


def directory() -> FakeDirectory:
    found = FakeDirectory(*people())
    found.managers[ALICE] = MARTA
    found.phones_of[ALICE] = {Slot.MOBILE: HELD}
    for group, member, name in (
        (OPERATORS, OLIVIA, "Operators"),
        (APPROVERS, ADA, "Approvers"),
        (SECURITY, SAM, "Security"),
        (AUDITORS, AMIR, "Auditors"),
    ):
        found.groups[group] = Group(group, name, members={member}, role_assignable=True)
    return found


@contextlib.asynccontextmanager
async def house(
    path: Path,
    *,
    rules: Policy | None = None,
    outside: FakeDirectory | None = None,
    messenger: NotingMessenger | None = None,
    clock: HandClock | None = None,
    read_only: bool = False,
    url: str | None = None,
    worker: str = "worker-1",
) -> AsyncIterator[House]:
    """Open a house over a database; several may be opened over one PostgreSQL database."""
    time = clock or HandClock()
    ring = KeyRing([("k1", b"k" * 32)])
    store = await open_store(url or f"sqlite:///{path / 'ringfence.db'}", ring, time, tenant_id=TENANT)
    tally, notes, found = Tally(), messenger or NotingMessenger(), outside or directory()
    index = NumberIndex(store, ring.derive_oldest(KEY_PURPOSE), time, tally, found)
    try:
        parts = Parts(
            directory=IndexedDirectory(found, index),
            store=store,
            messenger=notes,
            metrics=tally,
            clock=time,
            ids=CountedIds(),
            policy=rules or policy(),
            keys=WorkflowKeys(ring.derive_all("cards"), ring.derive_oldest("numbers")),
            tenant_id=TENANT,
            index=index,
            read_only=read_only,
        )
        desk = Desk(parts)
        jobs = Jobs(desk, store, notes, time, tally, worker, check_skew=False)
        yield House(parts, desk, jobs, store, found, notes, time, tally, path)
    finally:
        await index.settle()
        await store.close()
