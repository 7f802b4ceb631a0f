"""Limits that are kept inside a commit: what is counted, for whom, and what is said when there is no room.

Knows values only. Must not know which limits there are, nor how the store counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Counted(StrEnum):
    """What a quota counts. requester: submitted by a person, without rows of a batch. target: submitted for a
    person, without what was outside the limits. number: people who would get a number by open requests.
    open: of a requester, not at their end. waiting: for a person's decision.
    """

    REQUESTER = "requester"
    TARGET = "target"
    NUMBER = "number"
    OPEN = "open"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Quota:
    """So many are there already at most, or the commit loses. Counted within the commit, one commit after the
    other for one key, so that two cannot both be the last.

    key: object id, or keyed hash of a number. window: submitted within it, of requester and target.
    besides: somebody who does not count (`number` only).
    """

    counted: Counted
    key: str
    most: int
    window: timedelta = timedelta()
    besides: str = ""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """So many writes since then, those of batches apart, and no more are sent; 0 = no limit."""

    since: datetime
    most: int


@dataclass(frozen=True, slots=True)
class Full:
    """A quota without room. free_at: when there will be room again, None = that is not a matter of time."""

    quota: Quota
    free_at: datetime | None
