"""A Temporary Access Pass as a request describes it: for how long, and who reads it.

Knows how that stands in the plan, so that an approval binds to it. Must not know the pass itself: nobody
keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.change import Change, State
from bot.domain.onboarding import Stage

#: Somebody new without a number: on the way, silent, or on another way by their own choice.
PASS_STAGES = frozenset(
    {
        Stage.WAITING,
        Stage.INVITED,
        Stage.UNREACHABLE,
        Stage.NO_PHONE,
        Stage.PREFERS_NOT,
        Stage.SILENT,
    }
)


#: A lost answer may be tried again so often, the first time included.
MOST_ATTEMPTS = 3
_SHOWABLE = (State.APPROVED, State.COOLING, State.UNCONFIRMED)


@dataclass(frozen=True, slots=True)
class PassTerms:
    """minutes: it is good for so long. reader: object id of the only person it is shown to."""

    minutes: int
    reader: str

    @property
    def key(self) -> str:
        """As `Operation.after_key`, and so in the hash that is approved."""
        return f"pass:{self.minutes}:{self.reader}"


def may_be_shown(change: Change, now: datetime) -> bool:
    """Agreed and cooled, or made and unseen; in time, and not tried too often."""
    if change.start_by is None or change.cooled_at is None:
        return False
    in_time = change.cooled_at <= now < change.start_by
    return change.state in _SHOWABLE and in_time and change.operations[0].attempt < MOST_ATTEMPTS


def terms_of(change: Change) -> PassTerms:
    """Of a request for a pass. Raises ValueError for any other."""
    _, minutes, reader = change.operations[0].after_key.split(":")
    return PassTerms(int(minutes), reader)
