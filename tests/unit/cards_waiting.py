"""Outcomes that show rules with several people, people who are away, and time, for the tests of cards.

Knows the examples they build on. Must not draw anything.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import cards_examples as examples

from bot.domain import outcome as o
from bot.domain.absence import Absence
from bot.domain.change import Asking, Change, State


def _in_steps() -> Change:
    """The manager is out and somebody stands in; afterwards all of security; it has waited for long."""
    megan = examples.asked(examples.MEGAN, "manager", state=Asking.OUT, why="until 3 Dec")
    stand_in = examples.asked(examples.RAJ, "manager", stands_for=examples.MEGAN.oid)
    first = examples.step(megan, stand_in, missing=("Megan Bowen (manager) is out until 3 Dec",))
    second = examples.step(
        examples.asked(examples.ALICE_2, "the role security"),
        examples.asked(examples.AUDRA, "the role security"),
        n=2,
        need=2,
        everybody=True,
    )
    return examples.change(
        steps=(first, second), nudges=1, reminded_at=examples.NOW + timedelta(hours=1), cooling_minutes=60
    )


def outcomes() -> dict[str, o.Outcome]:
    """By name, to be drawn with the other examples."""
    steps = _in_steps()
    shown = examples.change(
        steps=steps.steps, state=State.PREVIEWED, submitted_at=None, notes=("replaces",), cooling_minutes=60
    )
    away = Absence(examples.MEGAN.oid, datetime(2026, 12, 3, tzinfo=UTC), date(2026, 12, 3))
    rows = (o.Row(change=examples.change()),)
    return {
        "waiting-requester-steps": o.AwaitingApproval(examples.view(o.Audience.REQUESTER, change=steps)),
        "preview-steps": o.Preview(examples.view(change=shown, may_submit=True)),
        "page-absence": o.Page(o.PageKind.ABSENCE, absence=away, more=2),
        "page-back": o.Page(o.PageKind.ABSENCE),
        "page-digest": o.Page(o.PageKind.DIGEST, more=7),
        "page-digest-empty": o.Page(o.PageKind.DIGEST),
        "page-flooded": o.Page(o.PageKind.FLOODED, rows, person=examples.MEGAN, more=9),
        "page-many-open": o.Page(o.PageKind.MANY_OPEN, rows, person=examples.OLIVIA, more=9),
    }
