"""Every registered "no" about who may decide a request, and how many may wait for one person.

Knows codes, rules and next steps. Must not know who looked or how a card is drawn.
"""

from __future__ import annotations

from bot.domain.reason import Reason

SAME_PERSON = Reason(
    "access.same-person",
    "You count as the same person as {name}",
    "Your two accounts have the same employee id, and nobody decides twice or about a request of their own.",
    "Somebody else has to decide: the request waits for {approvers}.",
    audience="actor",
)
EXCLUDED = Reason(
    "access.excluded",
    "You had a part in this request",
    "Whoever asked for it at first does not decide it after somebody else has taken it over.",
    "It waits for {approvers}.",
    audience="actor",
)
COUNTED_BEFORE = Reason(
    "conflict.counted-before",
    "Your approval of {id} counts already",
    "The rule asks several people in turn, and one person counts once in a request.",
    "It waits for {approvers} now.",
    audience="actor",
)
APPROVERS_FULL = Reason(
    "policy.approvers-full",
    "Too many requests wait for {names}",
    "Whoever is flooded with requests reads none of them well. The limit is {most} open requests for one "
    "approver; security has been told.",
    "Submit again when some of them are decided. Nothing was sent.",
    retryable=True,
)
REQUESTER_FULL = Reason(
    "policy.requester-full",
    "You have {most} open requests",
    "A flood of requests is what an attacker with your account would send. The limit is {most} open requests "
    "for one person; security has been told.",
    "Wait until some are decided, or cancel what is not needed: `my requests`",
    retryable=True,
)
NUDGED_ENOUGH = Reason(
    "policy.nudged-enough",
    "{id} was nudged {most} times already",
    "More reminders would only be noise to the approvers.",
    "Call {approvers}, or cancel the request: `cancel {id}`",
)
NOTHING_TO_NUDGE = Reason(
    "conflict.nothing-to-nudge",
    "Nobody is waited for in {id}",
    "Only a request that waits for a decision can be nudged; this one is {state}.",
    "Type `status {id}` to see how it stands.",
)
DATE_UNCLEAR = Reason(
    "usage.date-unclear",
    "I do not understand until when you are out",
    "{problem}",
    "For example: `out until friday`, `out until 24 dec`, `out until 2026-12-24`, `back`",
)
