"""Onboardings as rows and back: guarded steps, and what the end of a request does to them.

Knows both shapes. Must not know why a step is taken. A person has at most one open row: the index says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.domain.change import TERMINAL, Change
from bot.domain.onboarding import Bridge, Onboarding, OnboardingStep, Stage, after_change
from bot.domain.people import PersonRef
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.store import tables as t

_o = t.onboardings.c
_PLAIN = (
    *("id", "tenant_id", "cohort", "stage", "row_version", "created_at", "until", "round", "reminders"),
    *("invited_at", "ended_at", "change_id", "confirmed_at", "bridge", "installed"),
)
_PEOPLE_AT_A_TIME = 500


def write(connection: Connection, steps: Iterable[OnboardingStep]) -> bool:
    """All steps; False when one finds its row changed. What would be somebody's second is left out."""
    for step in steps:
        if step.before is None:
            t.insert_new(connection, t.onboardings, _values(step.after))
        elif not _move(connection, step.before, step.after):
            return False
    return True


def follow(connection: Connection, steps: Iterable[tuple[Change | None, Change]], at: datetime) -> None:
    """The end of a request moves the onboarding that waits for it, in the same transaction."""
    for before, change in steps:
        if change.action is not Action.ONBOARD or change.state not in TERMINAL:
            continue
        if before is not None and before.state in TERMINAL:
            continue
        row = connection.execute(sa.select(t.onboardings).where(_o.change_id == change.id)).first()
        if row is not None and row.stage == Stage.SUBMITTED:
            found = _onboarding(row)
            _move(connection, found, after_change(found, change, at))


def by_id(connection: Connection, onboarding_id: str) -> Onboarding | None:
    row = connection.execute(sa.select(t.onboardings).where(_o.id == onboarding_id)).first()
    return _onboarding(row) if row else None


def of_people(connection: Connection, oids: Collection[str]) -> dict[str, Onboarding]:
    """The open one of each, else the last."""
    found: dict[str, Onboarding] = {}
    wanted = sorted(set(oids))
    for at in range(0, len(wanted), _PEOPLE_AT_A_TIME):
        query = (
            sa.select(t.onboardings)
            .where(_o.person_oid.in_(wanted[at : at + _PEOPLE_AT_A_TIME]))
            .order_by(_o.created_at, _o.id)
        )
        for row in connection.execute(query):
            before = found.get(row.person_oid)
            if before is None or not before.open:
                found[row.person_oid] = _onboarding(row)
    return found


def listed(
    connection: Connection, since: datetime, stages: Collection[Stage], limit: int, starter: str
) -> tuple[tuple[Onboarding, ...], int]:
    where = sa.and_(_since(since, starter), _o.stage.in_([stage.value for stage in stages]))
    query = sa.select(t.onboardings).where(where).order_by(_o.created_at.desc(), _o.id).limit(limit)
    rows = connection.execute(query).all()
    total = connection.execute(sa.select(sa.func.count()).select_from(t.onboardings).where(where)).scalar()
    return tuple(map(_onboarding, rows)), max(int(total or 0) - len(rows), 0)


def counts(connection: Connection, since: datetime, starter: str, unconfirmed: bool) -> dict[Stage, int]:
    query = sa.select(_o.stage, sa.func.count()).where(_since(since, starter)).group_by(_o.stage)
    if unconfirmed:
        query = query.where(_o.entered_by.is_not(None), _o.confirmed_at.is_(None))
    return {Stage(stage): int(number) for stage, number in connection.execute(query)}


def _since(since: datetime, starter: str) -> sa.ColumnElement[bool]:
    begun = _o.created_at >= since
    return sa.and_(begun, _o.starter_oid == starter) if starter else begun


def _move(connection: Connection, before: Onboarding, after: Onboarding) -> bool:
    guard = sa.and_(_o.id == before.id, _o.row_version == before.row_version, _o.stage == before.stage)
    values = _values(after) | {"row_version": before.row_version + 1}
    done = connection.execute(sa.update(t.onboardings).where(guard).values(values))
    return done.rowcount > 0


def _values(onboarding: Onboarding) -> dict[str, Any]:
    values = {name: getattr(onboarding, name) for name in _PLAIN}
    for role, person in (("person", onboarding.person), ("starter", onboarding.starter)):
        values |= {f"{role}_oid": person.oid, f"{role}_name": person.name, f"{role}_upn": person.upn}
    other, why = onboarding.entered_by, onboarding.why
    values["entered_by"] = asdict(other) if other else None
    values["why"] = {"code": why.code, "facts": dict(why.facts)} if why else None
    values["open"] = onboarding.open
    return values


def _onboarding(row: Row[Any]) -> Onboarding:
    values = {name: getattr(row, name) for name in _PLAIN}
    values["stage"], values["bridge"] = Stage(row.stage), Bridge(row.bridge)
    return Onboarding(
        **values,
        person=PersonRef(row.person_oid, row.person_name, row.person_upn),
        starter=PersonRef(row.starter_oid, row.starter_name, row.starter_upn),
        entered_by=PersonRef(**row.entered_by) if row.entered_by else None,
        why=Refusal(row.why["code"], row.why["facts"]) if row.why else None,
    )
