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
UNDO_NOT_YOURS = Reason(
    "access.undo-not-yours",
    "You cannot undo this request",
    "Whoever asked for a change may undo it while they are an operator, and security may undo any; {id} was asked for by {name}.",
    "Ask {name}, or IT security, to type `undo {id}`.",
    audience="actor",
)
UNDO_NOT_DONE = Reason(
    "conflict.undo-not-done",
    "{id} has changed nothing that could be undone",
    "Only a change that was carried out can be undone; this one is: {state}.",
    "`status {id}` shows how it stands; while it waits it can be cancelled.",
)
UNDO_NOT_KEPT = Reason(
    "policy.undo-not-kept",
    "What {id} replaced is no longer kept",
    "The earlier number is kept sealed for 72 hours after a change so that it can be undone; then it is destroyed.",
    "Make a new request with the number that the person names: `repeat {id}`",
)
UNDO_ALREADY = Reason(
    "conflict.undo-already",
    "{id} is already being undone, or undone",
    "{name} asked for it with {other}: {state}.",
    "`status {other}` shows how it stands.",
)
UNDO_MOVED = Reason(
    "conflict.undo-moved",
    "The {slot} changed after that",
    "The change left {after}; now it is {now}. Undoing it would overwrite what came later.",
    "Look at it with `show {who}` and make a new request if it is wrong.",
)
UNSEALABLE = Reason(
    "internal.cannot-unseal",
    "The stored number of {id} cannot be read",
    "It was sealed when the request was made and does not open any more: a data key is gone, or the row was changed. Nothing more is sent.",
    "Tell the operators of this bot at once: they check DATA_KEYS and the database. Then look at the phones and make a new request.",
    audience="security",
)
NOTHING_TO_REVIEW = Reason(
    "conflict.nothing-to-review",
    "{id} waits for no review",
    "Only a change that was made by a break-glass rule is reviewed, and only once.",
    "`status {id}` shows by which rule it was made, and who reviewed it.",
)
REVIEW_TOO_EARLY = Reason(
    "conflict.review-too-early",
    "{id} is still under way",
    "A review is about what was done, and that is not certain yet.",
    "Look again in a minute: `status {id}`",
    retryable=True,
)
REVIEW_OWN = Reason(
    "access.review-own",
    "You cannot review this change",
    "A break-glass change is reviewed by somebody of security who did not ask for it and whose phone it is not.",
    "Ask a colleague of security to type `review {id}`.",
    audience="security",
)
