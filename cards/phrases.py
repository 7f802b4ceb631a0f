"""Tables of plain words: states, roles, effects, notes, causes. Message ids, translated when used.

Knows: what the workflow's short keys mean to a person. Must not know: cards. A key that is not in its
table is a mistake of ours and raises for effects; notes and causes may also be given in words.
"""

from __future__ import annotations

from typing import Final

from bot.domain.change import State
from bot.domain.people import Role

from .sheet import Tone
from .words import msg

STATES: Final[dict[State, tuple[str, str, Tone]]] = {
    State.PREVIEWED: ("◔", msg("Preview: nothing is sent yet"), "accent"),
    State.PENDING: ("◔", msg("Waiting for approval"), "accent"),
    State.APPROVED: ("◑", msg("Approved, starts in a moment"), "accent"),
    State.COOLING: ("◑", msg("Approved, in the waiting period"), "accent"),
    State.APPLYING: ("◕", msg("Being carried out"), "accent"),
    State.UNCONFIRMED: ("?", msg("Not certain yet"), "warning"),
    State.APPLIED: ("✓", msg("Done"), "good"),
    State.FAILED: ("✕", msg("Failed"), "attention"),
    State.CONFLICT: ("⚠", msg("A person must look at this"), "warning"),
    State.CANCELLED: ("–", msg("Cancelled: nothing was changed"), "emphasis"),
    State.EXPIRED: ("–", msg("Expired: nothing was changed"), "emphasis"),
    State.REJECTED: ("✕", msg("Rejected: nothing was changed"), "attention"),
    State.BLOCKED: ("✕", msg("Stopped by a check: nothing was changed"), "attention"),
}
# The same in a list, where the line says the rest.
SHORT_STATES: Final[dict[State, str]] = {
    State.PREVIEWED: msg("not sent yet"),
    State.PENDING: msg("waiting for approval"),
    State.APPROVED: msg("approved"),
    State.COOLING: msg("approved, waiting"),
    State.APPLYING: msg("being carried out"),
    State.UNCONFIRMED: msg("not certain yet"),
    State.APPLIED: msg("done"),
    State.FAILED: msg("failed"),
    State.CONFLICT: msg("needs a look"),
    State.CANCELLED: msg("cancelled"),
    State.EXPIRED: msg("expired"),
    State.REJECTED: msg("rejected"),
    State.BLOCKED: msg("stopped"),
}
FAMILIES: Final[dict[str, str]] = {
    "usage": msg("Not done: please check"),
    "access": msg("Not allowed: nothing was done"),
    "policy": msg("Refused: nothing was done"),
    "conflict": msg("Not done"),
    "directory": msg("The directory said no"),
    "internal": msg("Not finished"),
}
ROLES: Final[dict[Role, str]] = {
    Role.OPERATOR: msg("operator: looks up and requests changes"),
    Role.APPROVER: msg("approver: decides what is addressed to you"),
    Role.BULK: msg("bulk: many changes from one file"),
    Role.COORDINATOR: msg("coordinator: welcomes new people"),
    Role.AUDITOR: msg("auditor: reads history and status"),
    Role.SECURITY: msg("security: guards protected people"),
    Role.ADMIN: msg("admin: keeps this bot running"),
}
VIA: Final[dict[str, str]] = {
    "manager-of-target": msg("manager"),
    "role:approver": msg("approver"),
    "role:security": msg("security"),
    "role:operator": msg("operator"),
    "role:admin": msg("admin"),
}
CAUSES: Final[dict[str, str]] = {
    "": msg("not reachable in Teams"),
    "not-installed": msg("has not installed this app in Teams"),
    "disabled": msg("the account is disabled"),
    "excluded": msg("may not decide this request"),
    "guest": msg("is a guest"),
    "unreachable": msg("not reachable in Teams"),
}
EFFECTS: Final[dict[str, str]] = {
    "replaces": msg("The old number stops working for sign-in as soon as the new one is saved."),
    "adds": msg("{name} can use this number for sign-in codes as soon as it is saved."),
    "removes": msg("{name} can no longer use this number to sign in or to reset the password."),
    "last-phone": msg("It is the only phone of {name}; without another method they are locked out."),
    "mobile": msg("A mobile gets text messages and calls, and can reset the password."),
    "alternate": msg("An alternate mobile gets calls only, and cannot reset the password."),
    "office": msg("An office phone gets calls only."),
    "sms-sign-in": msg("Microsoft Entra may also make this number a sign-in name (SMS sign-in)."),
    "default-stays": msg("The default sign-in method stays as it is: {method}."),
    "default-here": msg("This phone is the default sign-in method of {name}."),
    "default-unreadable": msg(
        "I cannot read which sign-in method is the default, so I cannot watch over it."
    ),
    "target-told": msg("{name} is told in Teams, now and at the end."),
    "target-not-told": msg("{name} cannot be told in Teams ({why}): tell them by another way."),
    "no-approval": msg("The rule “{rule}” asks nobody: it starts as soon as you submit."),
    "weak-groups": msg("The groups behind our roles are not specially protected (accept_weak_groups)."),
    "new-number-unseen": msg("The new number is checked for its form only; I cannot see who holds it."),
}
NOTES: Final[dict[str, str]] = {
    "sms-not-unique": msg("Saved. For SMS sign-in the number belongs to another account, not to this one."),
    "sms-ready": msg("Microsoft Entra made this number a sign-in name as well (SMS sign-in)."),
    "default-moved": msg("The default sign-in method moved; check it with the person."),
    "default-unreadable": msg("I cannot read which sign-in method is the default."),
    "target-told": msg("The person was told in Teams."),
    "target-not-told": msg("The person could not be told in Teams: tell them by another way."),
    "attempt-2": msg("It took a second attempt; the first one had left no trace."),
    "weak-groups": msg("The groups behind our roles are not specially protected (accept_weak_groups)."),
}  # fmt: skip
SHOW_KEYS: Final[dict[str, str]] = {
    "default": msg("Default sign-in method"),
    "sms": msg("SMS sign-in"),
    "protected": msg("Protected"),
    "open": msg("Open request"),
    "manager": msg("Manager"),
    "methods": msg("Other methods"),
    "department": msg("Department"),
    "job-title": msg("Job title"),
}
