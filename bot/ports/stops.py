"""What goes into a commit about freezes and switches.

Knows guarded steps. Must not know SQL, nor who may take a step.
"""

from __future__ import annotations

from dataclasses import dataclass

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
