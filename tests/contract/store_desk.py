"""A database to test on, a clock set by hand, and changes, votes and events for the store's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from bot.domain.audit import AuditEvent
from bot.domain.change import (
    Asked,
    Asking,
    Change,
    Operation,
    OpKind,
    OpState,
    Proof,
    ResolvedStep,
    State,
    Verdict,
    Vote,
)
from bot.domain.people import PersonRef, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Risk
from bot.domain.reason import Refusal
from bot.domain.signals import Signal
from bot.ports import Commit, Message, MessageKind, Move, Won
from bot.store import KeyRing, SqlStore, open_store

START = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TENANT = "11111111-1111-1111-1111-111111111111"
RING = KeyRing([("new", b"\x02" * 32), ("old", b"\x01" * 32)])
NUMBER = PhoneNumber("1", "2065550147")
AGENT = PersonRef("a0000000-0000-0000-0000-000000000001", "Agnes Agent", "agnes@contoso.example")
TARGET = PersonRef("a0000000-0000-0000-0000-000000000002", "Alice O'Brien", "alice@contoso.example")
MANAGER = PersonRef("a0000000-0000-0000-0000-000000000003", "Mona Manager", "mona@contoso.example")
SECOND = PersonRef("a0000000-0000-0000-0000-000000000004", "Sam Second", "sam@contoso.example")


class HandClock:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class Place:
    """One migrated, empty database. file: of SQLite, else None. sql: behind the store's back."""

    url: str
    file: Path | None
    back: sa.Engine

    @property
    def is_sqlite(self) -> bool:
        return self.file is not None

    def sql(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with self.back.begin() as connection:
            found = connection.execute(sa.text(statement), values or {})
            return [tuple(row) for row in found] if found.returns_rows else []

    @asynccontextmanager
    async def opened(self, keys: KeyRing = RING, **options: Any) -> AsyncIterator[SqlStore]:
        store = await open_store(self.url, keys, HandClock(), **options)
        try:
            yield store
        finally:
            await store.close()


def operation(slot: Slot = Slot.MOBILE, n: int = 1) -> Operation:
    return Operation(n, OpKind.SET, slot, "", NUMBER.masked, "", "ab" * 32)


def step(n: int = 1, *asked: Asked, need: int = 1) -> ResolvedStep:
    people = asked or (Asked(MANAGER, "manager-of-target"),)
    return ResolvedStep(
        n, need, ("manager-of-target",), ("role:approver",), False, people, ("Bo has no app",)
    )


def change(key: str, state: State = State.PREVIEWED, **given: Any) -> Change:
    """A change with every field filled; given overrides."""
    values: dict[str, Any] = {
        **{"id": key, "tenant_id": TENANT, "origin": "chat", "action": Action.SET, "requester": AGENT},
        **{"target": TARGET, "target_kind": TargetKind.ORDINARY, "operations": (operation(),)},
        **{"reason": "lost phone", "ticket": "INC1234", "rule": "ordinary", "policy_hash": "cd" * 32},
        **{"content_hash": "v1:" + "ef" * 32, "correlation_id": "bcdfghjkmnpq", "state": state},
        **{"row_version": 1, "created_at": START, "expire_minutes": 1440, "execute_minutes": 240},
        **{"steps": (step(),), "notes": ("registers SMS sign-in",), "expires_at": START + 10 * MINUTE},
    }
    return Change(**values | given)


def full_change(key: str) -> Change:
    """Every optional part present, so that a round trip proves each column."""
    asked = (
        Asked(MANAGER, "manager-of-target", False, Asking.UNREACHABLE, "has not installed the app"),
        Asked(SECOND, "role:approver", True, stands_for=MANAGER.oid),
    )
    ops = (
        replace(operation(), state=OpState.SENDING, attempt=1, sent_at=START + MINUTE, acked=True, reads=3),
        replace(
            operation(Slot.ALTERNATE, 2), kind=OpKind.REMOVE, after="", after_key="", before_key="99" * 32
        ),
    )
    cast = vote(SECOND, verdict=Verdict.APPROVE, because="spoke to her", step_n=1)
    return change(
        key,
        State.BLOCKED,
        operations=ops,
        steps=(step(1, *asked), step(2)),
        votes=(cast, vote(MANAGER, verdict=Verdict.REJECT, step_n=2)),
        submitted_at=START + MINUTE,
        decided_at=START + 2 * MINUTE,
        ended_at=START + 3 * MINUTE,
        due_at=START + 4 * MINUTE,
        ending=Refusal("policy.read-only", MappingProxyType({"who": "Ünal", "n": "1"})),
        ended_by=SECOND,
        lease_owner="w1",
        lease_until=START + 5 * MINUTE,
        batch_id="b1",
        parent_id="p1",
        risks=(Signal(Risk.VIP), Signal(Risk.COUNTRY, "location", (("new", "+370"), ("location", "US")))),
        proof=Proof("call-back", "HR file"),
        row_version=7,
    )


def vote(
    person: PersonRef = MANAGER, verdict: Verdict = Verdict.APPROVE, because: str = "", step_n: int = 1
) -> Vote:
    return Vote(step_n, person, verdict, START + MINUTE, "v1:" + "ef" * 32, "manager-of-target", because)


def event(name: str = "change:mobile:previewed", change_id: str = "AAAAA1", **given: Any) -> AuditEvent:
    values = {"actor": AGENT.oid, "subject": TARGET.oid, "correlation_id": "bcdfghjkmnpq"} | given
    return AuditEvent(name=name, change_id=change_id, **{"facts": {"after": NUMBER.masked}} | values)


def message(key: str, **given: Any) -> Message:
    return Message(key, MessageKind.ASK, "AAAAA1", MANAGER.oid, **given)


async def created(store: SqlStore, key: str, state: State = State.PREVIEWED, **given: Any) -> Change:
    """Stored, with its number sealed."""
    made = change(key, state, **given)
    numbers = {(key, op.n): NUMBER for op in made.operations if op.kind is OpKind.SET}
    won = await store.commit(Commit(at=START, create=made, numbers=numbers, events=(event(change_id=key),)))
    assert isinstance(won, Won), won
    return won.changes[0]


async def moved(store: SqlStore, before: Change, state: State, **given: Any) -> Change:
    after = replace(before, state=state, **given)
    won = await store.commit(Commit(at=START + MINUTE, moves=(Move(before, after),)))
    assert isinstance(won, Won), won
    return won.changes[0]


async def recorded(store: SqlStore) -> int:
    """How many audit records there are, all of them good, without the one that opened further streams."""
    report = await store.verify_audit()
    assert report.bad == ()
    return report.records - (report.streams > 1)
