"""The "no" of the limits on how much may be asked for. Part of the catalogue in `bot.domain.reasons`.

Knows words only: which limit, why there is one, from when on it is possible again.
"""

from __future__ import annotations

from bot.domain.reason import Reason

OPERATOR_LIMIT = Reason(
    "policy.operator-limit",
    "You have asked for as many changes as one person may in an hour",
    "The policy allows {most} requests per person and hour (changes_per_operator_per_hour): many changes in "
    "a short time are what somebody with a stolen helpdesk account would make. IT security was told.",
    "It is possible again at {until}. If this is planned work, a colleague can ask, or the owner of the "
    "policy raises the limit.",
    retryable=True,
)
TARGET_LIMIT = Reason(
    "policy.target-limit",
    "The phones of {name} were the subject of enough requests for one day",
    "The policy allows {most} requests per person and 24 hours (changes_per_target_per_day): a number that "
    "comes, is used and goes again is how an account is taken over.",
    "It is possible again at {until}. If the account may be in wrong hands, IT security freezes it "
    "(`freeze {who}`); what they ask for then is outside this limit, and so is `undo`.",
    retryable=True,
)
NUMBER_ASKED = Reason(
    "policy.number-asked",
    "Another open request would give this number to somebody else",
    "As far as I know other people have this number already: {held}; others would get it by open requests. "
    "The policy allows {most} per mobile number, because one phone that answers for several accounts is "
    "what an attacker would set up.",
    "Ask the person for a number of their own, or wait until the other request is decided. If you know of no "
    "reason for it, tell IT security.",
)
