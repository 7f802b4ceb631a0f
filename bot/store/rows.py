"""A Change as rows and back.

Knows both shapes. Must not know when or why a change is written. Reading gives every child in the order in
which it was written; what cannot be read raises RowUnreadable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.domain.change import (
    Asked,
    Asking,
    Change,
    How,
    NoKind,
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
from bot.domain.phone import Slot
from bot.domain.policy import Action, Risk
from bot.domain.reason import Refusal
from bot.domain.signals import Signal
from bot.ports import RowUnreadable
from bot.store import tables as t

Values = dict[str, Any]
T = TypeVar("T")

_PLAIN = (
    *("id", "tenant_id", "origin", "action", "state", "row_version", "target_kind"),
    *("reason", "ticket", "rule", "policy_hash", "content_hash", "correlation_id", "batch_id"),
    *("parent_id", "created_at", "submitted_at", "decided_at", "ended_at", "expires_at", "due_at"),
    *("expire_minutes", "execute_minutes", "lease_owner", "lease_until"),
    *("cooling_minutes", "remind_minutes", "escalate_minutes", "nudges", "break_glass", "deciders"),
    *("asked_at", "reminded_at", "review_until", "judged_hash", "outside_limits"),
)
# What a person approved and who is concerned: written once.
FIXED = frozenset(
    {
        *("id", "tenant_id", "origin", "action", "created_at", "content_hash", "reason", "ticket"),
        *("requester_oid", "requester_name", "requester_upn", "target_oid", "target_name", "target_upn"),
        *("batch_id", "parent_id", "proof"),
    }
)
_ids: sa.BindParameter[list[str]] = sa.bindparam("ids", expanding=True)
_CHANGES = sa.select(t.changes).where(t.changes.c.id.in_(_ids))
_OPERATIONS = sa.select(t.operations).where(t.operations.c.change_id.in_(_ids)).order_by(t.operations.c.n)
_STEPS = sa.select(t.steps).where(t.steps.c.change_id.in_(_ids)).order_by(t.steps.c.n)
_ASKED = sa.select(t.asked).where(t.asked.c.change_id.in_(_ids)).order_by(t.asked.c.place)
_VOTES = sa.select(t.votes).where(t.votes.c.change_id.in_(_ids)).order_by(t.votes.c.place)


def change_values(change: Change) -> Values:
    """The columns of `changes`, children apart. Enumerations are text to both databases."""
    values = {name: getattr(change, name) for name in _PLAIN}
    for role, person in (("requester", change.requester), ("target", change.target)):
        values |= {f"{role}_oid": person.oid, f"{role}_name": person.name, f"{role}_upn": person.upn}
    step = change.step
    values["open_step"] = step.n if step else None
    values["notes"] = list(change.notes)
    values["ending"] = refusal_values(change.ending)
    for name in ("ended_by", "reviewed_by", "proof"):
        value = getattr(change, name)
        values[name] = asdict(value) if value else None
    values["excluded"] = list(change.excluded)
    values["risks"] = [
        {"risk": signal.risk.value, "variant": signal.variant, "facts": dict(signal.facts)}
        for signal in change.risks
    ]
    return values


def refusal_values(refusal: Refusal | None) -> Values | None:
    """A refusal as JSON."""
    return {"code": refusal.code, "facts": dict(refusal.facts)} if refusal else None


def read_refusal(stored: Mapping[str, Any] | None) -> Refusal | None:
    """What `refusal_values` gave."""
    return Refusal(stored["code"], MappingProxyType(stored["facts"])) if stored else None


def operation_values(change_id: str, op: Operation) -> Values:
    # By name, not by asdict: thousands are written for one batch.
    return {"change_id": change_id} | {name: getattr(op, name) for name in _OP_FIELDS}


_OP_FIELDS = tuple(Operation.__dataclass_fields__)


def step_values(change_id: str, step: ResolvedStep) -> Values:
    return {
        "change_id": change_id,
        "n": step.n,
        "need": step.need,
        "approvers": list(step.approvers),
        "fallback": list(step.fallback),
        "fallback_on": step.fallback_on,
        "missing": list(step.missing),
        "everybody": step.everybody,
    }


def asked_values(change_id: str, step: ResolvedStep) -> list[Values]:
    return [
        {
            "change_id": change_id,
            "step": step.n,
            "place": place,
            **asdict(asked.person),
            "via": asked.via,
            "fallback": asked.fallback,
            "state": asked.state,
            "why": asked.why,
            "stands_for": asked.stands_for,
        }
        for place, asked in enumerate(step.asked)
    ]


def vote_values(change_id: str, place: int, vote: Vote) -> Values:
    return {
        "change_id": change_id,
        "step": vote.step,
        "place": place,
        **asdict(vote.person),
        "verdict": vote.verdict,
        "at": vote.at,
        "content_hash": vote.content_hash,
        "via": vote.via,
        "because": vote.because,
        "how": vote.how or "",
        "kind": vote.kind or "",
        "shown_at": vote.shown_at,
    }


def load(
    connection: Connection, ids: Sequence[str], unreadable: Callable[[str], None] | None = None
) -> tuple[Change, ...]:
    """The changes in the order of ids; ids that do not exist are left out.

    unreadable: told the id of a change whose rows make no sense, which is then left out; None = raise
    RowUnreadable.
    """
    try:
        return _load(connection, ids)
    except (ValueError, KeyError, TypeError) as error:
        if len(ids) > 1:
            # One bad row must not hide the others, wherever in the reading it showed.
            return tuple(change for key in ids for change in load(connection, [key], unreadable))
        if unreadable is None:
            raise RowUnreadable(ids[0]) from error
        unreadable(ids[0])
        return ()


def _load(connection: Connection, ids: Sequence[str]) -> tuple[Change, ...]:
    if not ids:
        return ()
    given = {"ids": list(ids)}
    rows = {row.id: row for row in connection.execute(_CHANGES, given)}
    operations = _by_change(connection.execute(_OPERATIONS, given))
    steps = _by_change(connection.execute(_STEPS, given))
    asked = _by_change(connection.execute(_ASKED, given)) if steps else {}
    votes = _by_change(connection.execute(_VOTES, given)) if steps else {}
    return tuple(
        _change(rows[key], operations[key], steps.get(key, []), asked.get(key, []), votes.get(key, []))
        for key in ids
        if key in rows
    )


def load_one(connection: Connection, change_id: str) -> Change | None:
    return next(iter(load(connection, [change_id])), None)


def votes_of(connection: Connection, oid: str, limit: int) -> tuple[Vote, ...]:
    """A person's last votes, the latest first."""
    latest = t.votes.c.at.desc(), t.votes.c.change_id
    found = sa.select(t.votes).where(t.votes.c.oid == oid).order_by(*latest).limit(limit)
    return tuple(map(_vote, connection.execute(found)))


def _by_change(rows: Iterable[Row[Any]]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.change_id].append(row)
    return found


def _change(
    row: Row[Any],
    operations: list[Row[Any]],
    steps: list[Row[Any]],
    asked: list[Row[Any]],
    votes: list[Row[Any]],
) -> Change:
    columns = row._mapping
    plain = {name: columns[name] for name in _PLAIN}
    plain |= {
        "action": Action(row.action),
        "state": State(row.state),
        "target_kind": TargetKind(row.target_kind),
        "requester": PersonRef(row.requester_oid, row.requester_name, row.requester_upn),
        "target": PersonRef(row.target_oid, row.target_name, row.target_upn),
        "notes": tuple(row.notes),
        "ending": read_refusal(row.ending),
        "ended_by": PersonRef(**row.ended_by) if row.ended_by else None,
        "reviewed_by": PersonRef(**row.reviewed_by) if row.reviewed_by else None,
        "proof": Proof(**row.proof) if row.proof else None,
        "risks": tuple(_signal(found) for found in row.risks),
        "excluded": tuple(row.excluded),
    }
    return Change(
        **plain,
        operations=tuple(map(_operation, operations)),
        steps=tuple(_step(step, asked) for step in steps),
        votes=tuple(map(_vote, votes)),
    )


def _signal(found: Mapping[str, Any]) -> Signal:
    return Signal(Risk(found["risk"]), found["variant"], tuple(found["facts"].items()))


def _operation(row: Row[Any]) -> Operation:
    values = dict(row._mapping)
    del values["change_id"]
    values |= {"kind": OpKind(row.kind), "slot": Slot(row.slot), "state": OpState(row.state)}
    return Operation(**values)


def _step(row: Row[Any], asked: list[Row[Any]]) -> ResolvedStep:
    return ResolvedStep(
        n=row.n,
        need=row.need,
        approvers=tuple(row.approvers),
        fallback=tuple(row.fallback),
        fallback_on=row.fallback_on,
        asked=tuple(
            Asked(PersonRef(a.oid, a.name, a.upn), a.via, a.fallback, Asking(a.state), a.why, a.stands_for)
            for a in asked
            if a.step == row.n
        ),
        missing=tuple(row.missing),
        everybody=row.everybody,
    )


def _vote(row: Row[Any]) -> Vote:
    return Vote(
        step=row.step,
        person=PersonRef(row.oid, row.name, row.upn),
        verdict=Verdict(row.verdict),
        at=row.at,
        content_hash=row.content_hash,
        via=row.via,
        because=row.because,
        how=How(row.how) if row.how else None,
        kind=NoKind(row.kind) if row.kind else None,
        shown_at=row.shown_at,
    )
