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

NO_APPROVAL = Reason(
    "usage.no-approval",
    "You have no approval in {id} to take back",
    "Only whoever approved can take the approval back, and only while it counts.",
    "`status {id}` shows who decided what.",
)
TAKEN_ALREADY = Reason(
    "usage.yours-already",
    "{id} is your own request",
    "Taking over is for the request of a colleague.",
    "`status {id}` shows how it stands; `cancel {id}` ends it.",
)

NOT_TAKEABLE = Reason(
    "usage.not-takeable",
    "{id} is not one to take over",
    "An undo, an onboarding and a row of a file belong to whoever began them.",
    "Ask {name} to cancel it, and begin it yourself.",
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

PASSED_ON = Reason(
    "access.passed-on",
    "You passed this request on",
    "Whoever says that somebody else should decide does not decide it afterwards.",
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
REJECTED_LEFT = Reason(
    "conflict.rejected-left",
    "{id} was rejected: {target} has left",
    "{name} says that {target} has left the company: {because}",
    "Have the account checked before anything else is changed. If {target} is still there, talk to {name}; a "
    "corrected request is a new one: `repeat {id}`",
)
REJECTED_FRAUD = Reason(
    "conflict.rejected-fraud",
    "{id} was rejected as a fraud",
    "{name} takes it for fraud: {because}. IT security has been alerted and decides how it goes on.",
    "Do not repeat it. Tell IT security who asked you for it, and how; quote {id}.",
)
REJECTED_NOT_ME = Reason(
    "conflict.rejected-not-me",
    "{target} says that {id} is not theirs",
    "The person concerned refused it. IT security has been alerted, and no request about these phones goes "
    "forward.",
    "Do not repeat it. Tell IT security who asked you for it, and how; quote {id}.",
)
NOBODY_LEFT = Reason(
    "conflict.nobody-left",
    "{id} was rejected: nobody is left to decide it",
    "{name} says that somebody else should decide ({because}), and the rule names nobody else to ask.",
    "Find out who should decide, or ask the owner of the policy for a fallback; then make a new request: "
    "`repeat {id}`",
)
TOO_LATE_TO_WITHDRAW = Reason(
    "conflict.too-late-to-withdraw",
    "It is too late to take your approval back",
    "The change has started or is over: {state}.",
    "If it should not have happened, tell IT security at once and quote {id}.",
)
TAKEN_OVER = Reason(
    "conflict.taken-over",
    "{id} was taken over by {name}",
    "{name} goes on with it as {new}. Votes do not move with it: it is decided anew.",
    "Nothing to do; `status {new}` shows how it stands.",
)
NOT_WAITING = Reason(
    "conflict.not-waiting",
    "{id} can no longer be taken over",
    "Only a request that still waits for a decision can be taken over: {state}.",
    "`status {id}` shows how it stands.",
)
