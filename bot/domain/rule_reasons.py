"""The "no" of a rule that the policy's owner wrote so that something is refused.

Constructing a reason registers it; they are used by their names here. Knows no card.
"""

from __future__ import annotations

from bot.domain.reason import Reason

RULE_REFUSES = Reason(
    "policy.rule-refuses",
    "The rule “{rule}” refuses this",
    "The policy file has a rule of this name that refuses {action} for a target of kind {kind}{signals}.",
    "Ask the owner of the policy file, or IT security, how this is done instead.",
)
