"""Who is out until when. Knows one absence. Must not know how it is asked for or kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

LONGEST_DAYS = 90


@dataclass(frozen=True, slots=True)
class Absence:
    """A person is out before `until`: the begin of `day` where they live."""

    oid: str
    until: datetime
    day: date

    @property
    def words(self) -> str:
        """`until 3 Dec`, for sentences."""
        return f"until {self.day.day} {self.day:%b}"
