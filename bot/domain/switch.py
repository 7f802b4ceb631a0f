"""Switches that stop every write: the pause that an admin sets, and the breaker that closes by itself.

Knows what a switch is. Must not know how it is stored or shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.freeze import Lift
from bot.domain.people import PersonRef

# Ringfence itself, where a switch was closed by nobody in particular.
NOBODY = PersonRef("", "", "")


class SwitchName(StrEnum):
    """pause: closed and opened by an admin. breaker: closes when too much is written, two admins open it."""

    PAUSE = "pause"
    BREAKER = "breaker"

    @property
    def lifts_needed(self) -> int:
        return 2 if self is SwitchName.BREAKER else 1


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch as it stands. closed: nothing is written. at / by: of its last closing or opening."""

    name: SwitchName
    closed: bool
    by: PersonRef
    at: datetime
    why: str = ""
    lifts: tuple[Lift, ...] = ()


def first_closed(switches: Mapping[SwitchName, Switch]) -> Switch | None:
    """The switch that people should hear of, if any is closed."""
    return next((switches[name] for name in SwitchName if name in switches and switches[name].closed), None)
