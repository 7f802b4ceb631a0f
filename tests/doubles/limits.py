"""Policies without limits, for tests that make hundreds of requests; one about limits writes them itself.

Knows the names of the limits. Must not change anything else of a policy.
"""

from __future__ import annotations

import dataclasses

from bot.domain.policy import Limits

_NAMES = [field.name for field in dataclasses.fields(Limits)]
NO_LIMITS = Limits(**dict.fromkeys(_NAMES, 0))


def without_limits(policy: str) -> str:
    """The text of a policy file with all limits off, unless it says something about them."""
    if "[limits]" in policy:
        return policy
    return f"{policy}\n[limits]\n" + "".join(f"{name} = 0\n" for name in _NAMES)
