"""The "no" about a number that too many people use already. Part of the catalogue in `bot.domain.reasons`.

Knows words only. It names nobody: who else has a number is for `who has`, which asks for a reason and is
audited.
"""

from __future__ import annotations

from bot.domain.reason import Reason

NUMBER_SHARED = Reason(
    "policy.number-shared",
    "Too many people would use this number",
    "As far as I know this number is already a phone of other people: {count}. The policy allows {most} per "
    "mobile number, because one phone that answers for several accounts is what an attacker would set up.",
    "Ask the person for a number of their own. Somebody with the auditor or security role sees who has it: "
    "`who has NUMBER because TEXT`. For shared phones the owner of the policy raises shared_number_max.",
)
