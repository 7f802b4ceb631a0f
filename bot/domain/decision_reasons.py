"""Every "no" about deciding a request: who may, how they know, and what was decided already. Part of the
catalogue in `bot.domain.reasons`.

Knows words only. Must not know who counts as an approver: the workflow judges that.
"""

from __future__ import annotations

from bot.domain.reason import Reason

# --- usage: what was said decides nothing -----------------------------------------------------------------
REASON_MISSING = Reason(
    "usage.reason-missing",
    "A refusal needs a reason",
    "The requester has to know what to do differently, and the audit why it was refused.",
    "Write why, for example: `reject {id} because the caller could not be verified`",
)
HOW_MISSING = Reason(
    "usage.how-missing",
    "Say how you know",
    "An approval says how you know that {name} wants this: whoever plays a trick on the helpdesk counts on "
    "nobody asking the person concerned.",
    "Choose it on the card, or type `approve {id} in person`, `approve {id} known number` or "
    "`approve {id} did not`",
)

# --- access: whose decision it is -------------------------------------------------------------------------
OWN_REQUEST = Reason(
    "access.own-request",
    "You cannot decide your own request",
    "Every change needs a second person. That holds for everybody, administrators included.",
    "Wait for {approvers}, or cancel the request with `cancel {id}`.",
    audience="actor",
)
OWN_PHONE_DECISION = Reason(
    "access.own-phone-decision",
    "You cannot decide about your own phone",
    "The person whose phone changes never counts as an approver.",
    "The request waits for {approvers}.",
    audience="actor",
)
NOT_AN_APPROVER = Reason(
    "access.not-approver",
    "This request is not yours to decide",
    "Only the approvers that the policy names may decide, judged at the moment of the click.",
    "It waits for {approvers}.",
    audience="actor",
)

# --- policy: an approval that the rules do not count ------------------------------------------------------
MUST_KNOW = Reason(
    "policy.approver-must-know",
    "An approval needs a word with {name}",
    "You say that you did not speak to {name}, and the policy counts an approval only from somebody who did: "
    "the request itself may be the trick. {id} still waits.",
    "Speak to {name} in person or on a number you already know, never on the new one; then decide.",
    audience="actor",
)

# --- conflict: it is decided already ----------------------------------------------------------------------
ALREADY_DECIDED = Reason(
    "conflict.already-decided",
    "{id} is already decided",
    "{name} was first: {state}.",
    "Nothing more to do; `status {id}` shows the outcome.",
)
REJECTED = Reason(
    "conflict.rejected",
    "{id} was rejected",
    "{name} rejected it: {because}",
    "Talk to {name}; a corrected request is a new one: `repeat {id}`",
)
