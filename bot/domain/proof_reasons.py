"""The "no" about how the caller was verified. Part of the catalogue in `bot.domain.reasons`.

Knows words only. What people can look up about somebody is no proof and is offered nowhere.
"""

from __future__ import annotations

from bot.domain.reason import Reason

_WHY = (
    "The policy wants it on record how you know that it is really the person who asks: attackers ring "
    "helpdesks in other people's names. Birthdays, employee numbers and the like are known to attackers and "
    "prove nothing."
)
PROOF_MISSING = Reason(
    "policy.proof-missing",
    "Say how you verified the caller",
    _WHY,
    "Choose one in the form, or type for example `verified call-back HR file`. Possible here: {methods}.",
)
PROOF_METHOD = Reason(
    "policy.proof-method",
    "This way of verifying the caller is not accepted here",
    "The policy lists the ways that count ([verification] methods); {method} is not one of them.",
    "Verify the caller in one of these ways, and say so: {methods}.",
)
PROOF_EVIDENCE = Reason(
    "policy.proof-evidence",
    "Say what you relied on when you verified the caller",
    "Somebody who looks at this later must be able to follow it: where the number came from that you called "
    "back, who vouched, what you saw, or the ticket in which it stands.",
    "Fill in what you relied on, or the ticket; typed: `verified call-back HR file`.",
)
