"""What goes into a commit about freezes and switches, and what has outlived its use.

Knows guarded steps and ages. Must not know SQL, nor who may take a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.freeze import Freeze
from bot.domain.switch import Switch


@dataclass(frozen=True, slots=True)
class Thaw:
    """A guarded step of one freeze: a lift more, or its end. Lost when it ended or grew in between."""

    before: Freeze
    after: Freeze


@dataclass(frozen=True, slots=True)
class Switching:
    """A guarded step of one switch. before: None = it was never touched."""

    before: Switch | None
    after: Switch


@dataclass(frozen=True, slots=True)
class Outlived:
    """Rows from before these times are of no use any more. outbox: of what was delivered or given up."""

    inbox: datetime
    outbox: datetime
    conversations: datetime
    freezes: datetime
