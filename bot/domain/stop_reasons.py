"""The "no" of what stops changes: freezes, switches, undo and reviews.

Constructing a reason registers it; they are used by their names here. Knows no card.
"""

from __future__ import annotations

from bot.domain.reason import Reason

FROZEN = Reason(
    "policy.frozen",
    "{name} is frozen",
    "{how} ({since}): nothing about this person's phones goes forward here. Their sign-in is untouched.",
    "Two of security lift it with `unfreeze {who}`. Until then only security may ask for a change, with at least two "
    "people deciding.",
    audience="security",
)
FREEZES_TODAY = Reason(
    "policy.freezes-today",
    "You have frozen enough for one day",
    "Nobody sets more than {limit} freezes of this kind in 24 hours, so that freezing is no way to stop the helpdesk.",
    "Tell IT security: they freeze anybody at once, with `freeze WHO because TEXT`.",
    audience="actor",
)
LIFT_BARRED = Reason(
    "access.lift-barred",
    "You cannot lift this freeze",
    "It is lifted by two of security who have no part in it: not the frozen person, not who froze, and not the requester "
    "of what is disputed.",
    "Ask two other people of security to type `unfreeze {who}`.",
    audience="security",
)
