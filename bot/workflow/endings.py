"""How a change looks when it is over.

Knows the columns that must be empty then. Must not know why it ended.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain.change import Change, State
from bot.domain.people import PersonRef
from bot.domain.reason import Refusal
from bot.workflow.parts import Parts


def ended(
    change: Change, state: State, parts: Parts, ending: Refusal | None, by: PersonRef | None = None
) -> Change:
    """The change in a terminal state: nothing is due but its review, nobody holds it."""
    return replace(
        change,
        state=state,
        ending=ending,
        ended_by=by,
        ended_at=parts.now(),
        expires_at=None,
        due_at=change.review_until,
        lease_owner="",
        lease_until=None,
    )
