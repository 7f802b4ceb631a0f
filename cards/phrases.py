"""Tables of plain words: states, roles, effects, notes, causes. Message ids, translated when used.

Knows: what the workflow's short keys mean to a person. Must not know: cards. A key that is in no table
is shown as it is, so that nothing is lost.
"""

from __future__ import annotations

from typing import Final

from bot.domain.change import How, NoKind, State
from bot.domain.people import Role
from bot.domain.phone import Slot
from bot.domain.reason import Refusal

from .foreign import plain
from .sheet import Tone
from .words import Words, msg

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
    "manager": msg("manager"),
    "manager's manager": msg("the manager's manager"),
    "approver": msg("approver"),
    "security": msg("security"),
    "operator": msg("operator"),
    "admin": msg("admin"),
    "group": msg("group member"),
}
# How an approver knows: as a choice on the card, and in the line of votes.
HOWS: Final[dict[How, tuple[str, str]]] = {
    How.IN_PERSON: (msg("I spoke to {name} in person"), msg("spoke in person")),
    How.KNOWN_NUMBER: (msg("I called {name} on a number I already knew"), msg("spoke on a known number")),
    How.DID_NOT: (msg("I did not speak to {name}"), msg("did not speak to them")),
}
# What a rejection means, as a choice on the card.
KINDS: Final[dict[NoKind, str]] = {
    NoKind.NOT_NOW: msg("Not now"),
    NoKind.WRONG_PERSON: msg("I am the wrong person to ask: it goes to somebody else"),
    NoKind.LEFT: msg("{name} has left the company"),
    NoKind.FRAUD: msg("It looks like fraud: {name} is frozen here, and IT security is told"),
}
CAUSES: Final[dict[str, str]] = {
    "": msg("not reachable in Teams"),
    "not-installed": msg("has not installed this app in Teams"),
    "disabled": msg("the account is disabled"),
    "excluded": msg("may not decide this request"),
    "guest": msg("is a guest"),
    "unreachable": msg("not reachable in Teams"),
}
# What the plan of a change means, by the short keys in `Change.notes` and `Effect.key`. The only fact: name.
EFFECTS: Final[dict[str, str]] = {
    "replaces": msg("The old number stops working for sign-in as soon as the new one is saved."),
    "adds": msg("{name} can use this number for sign-in codes as soon as it is saved."),
    "removes": msg("{name} can no longer use this number to sign in or to reset the password."),
    "last-phone": msg("It is the only phone of {name}; without another method they are locked out."),
    "undoes": msg("The directory must still hold what that change wrote; nothing newer is overwritten."),
    "swaps": msg("The present mobile stops working for sign-in; afterwards there is no alternate mobile."),
    "system-preferred": msg(
        "Microsoft Entra asks for the strongest method by itself: this phone does not become the first prompt."
    ),
    "sms-on": msg("Whoever holds the phone can sign in without a password."),
    "sms-off": msg("The number can no longer be used in the place of the user name."),
    "no-password": msg("{name} has no password: without text messages there may be no way to sign in."),
    "sms-kept-off": msg(
        "If Microsoft Entra makes the number a sign-in name by itself, I switch that off again."
    ),
    "default-kept": msg(
        "The default sign-in method stays as it is: if it moves to a weaker one, I restore it."
    ),
    "sms-sign-in": msg("Microsoft Entra may also make this number a sign-in name (SMS sign-in)."),
    "default-unreadable": msg(
        "I cannot read which sign-in method is the default, so I cannot watch over it."
    ),
    "entered-by-them": msg(
        "{name} entered it in their own chat with me. Speak to them: whoever has the account can fill in the card."
    ),
    "entered-for-them": msg("Somebody else entered it for {name}, who confirms it on day one."),
    "pass": msg(
        "When its reader asks for it a pass is made that works once; nobody else sees it, nothing keeps it."
    ),
    "last-four-typed-twice": msg("The last four digits were typed twice, and they fit."),
    "target-told": msg("{name} is told in Teams, now and at the end."),
    "target-not-told": msg("{name} cannot be told in Teams: tell them by another way."),
    "weak-groups": msg("The groups behind our roles are not specially protected (accept_weak_groups)."),
}
# Those of them that an approver has to know before deciding, and those that still matter afterwards.
BEFORE_DECIDING: Final = (
    "entered-by-them",
    "entered-for-them",
    "last-four-typed-twice",
    "last-phone",
    "sms-on",
    "no-password",
    "sms-sign-in",
    "default-unreadable",
    "target-not-told",
    "weak-groups",
)
# What speaks for a request, among what an approver has to know.
GLYPHS: Final[dict[str, str]] = {"last-four-typed-twice": "✓"}
AFTERWARDS: Final[dict[str, str]] = {
    "default-restored": msg("The default sign-in method had moved to a weaker one; I restored it."),
    "sms-switched-off": msg("Microsoft Entra had made the number a sign-in name; I switched that off again."),
    "guard-failed": msg(
        "A side effect could not be undone: look at `show`, the default or SMS sign-in moved."
    ),
    "guard-unchecked": msg("Afterwards I could not read the default or SMS sign-in: look at `show` later."),
    "sms-not-unique": msg("Saved. For SMS sign-in the number belongs to another account, not to this one."),
    "target-not-told": msg("{name} could not be told in Teams: tell them by another way."),
    "not-me": msg("{name} says that this was not them. IT security has been told."),
}
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
UNTOLD_TIME: Final = msg("an unknown time")
EVENTS: Final[dict[str, str]] = {
    "previewed": msg("prepared"),
    "submitted": msg("submitted"),
    "attempted": msg("sent to the directory"),
    "approver-unreachable": msg("an approver could not be asked"),
    "approved-in-haste": msg("approved faster than one can read, several times in a row"),
    "refused": msg("refused"),
    "withdrawn": msg("an approval was taken back"),
    "passed-on": msg("passed on to somebody else"),
    "disputed": msg("the person said that it was not them"),
    "taken-over": msg("taken over by a colleague"),
}


def via_of(token: str) -> str:
    """Why somebody is an approver, in a word: the token of the policy, bare or spelt out."""
    word = token.removeprefix("the ").replace(":", " ")
    if word.startswith("role "):
        word = word.removeprefix("role ")
    elif word.startswith("group"):
        word = "group"
    return VIA.get(word, "{via}")


def facts_of(refusal: Refusal, _: Words) -> dict[str, str]:
    """The facts of a refusal, with a state said in plain words."""
    facts = dict(refusal.facts)
    if facts.get("state") in set(State):
        facts["state"] = _(SHORT_STATES[State(facts["state"])])
    return facts


def event_of(name: str, _: Words) -> str:
    """`change:mobile:applied` as `mobile: done` and `pass:applied` as `pass: done`, with the state's glyph."""
    family, _sep, rest = name.partition(":")
    slot, _sep, what = rest.partition(":")
    if not what:
        slot, what = family, slot
    if not what:
        return plain(name)
    glyph = ""
    if what in set(State):
        glyph, word = STATES[State(what)][0] + " ", SHORT_STATES[State(what)]
    else:
        word = EVENTS.get(what, "{what}")
    said = _(word, what=what.replace("-", " "))
    place = _.slot(Slot(slot)) if slot in set(Slot) else slot
    return f"{glyph}{_(msg('{slot}: {what}'), slot=place, what=said)}"
