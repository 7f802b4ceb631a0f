"""Tables of words for onboarding: stages, titles, what is still missing. Message ids, translated when used.

Knows: what the workflow's short keys mean to a person. Must not know: cards.
"""

from __future__ import annotations

from typing import Final

from bot.domain.onboarding import Bridge, Stage

from .sheet import Tone
from .words import msg

STAGES: Final[dict[Stage, tuple[str, str, Tone]]] = {
    Stage.WAITING: ("◔", msg("Not looked at yet"), "accent"),
    Stage.INVITED: ("◔", msg("Invited"), "accent"),
    Stage.UNREACHABLE: ("⚠", msg("Not reached"), "warning"),
    Stage.SUBMITTED: ("◑", msg("Waiting for approval"), "accent"),
    Stage.REGISTERED: ("✓", msg("Registered"), "good"),
    Stage.SETTLED: ("✓", msg("Registered, no longer watched"), "good"),
    Stage.NO_PHONE: ("–", msg("Has no phone"), "emphasis"),
    Stage.PREFERS_NOT: ("–", msg("Prefers another way"), "emphasis"),
    Stage.SILENT: ("–", msg("Did not answer"), "emphasis"),
    Stage.REFUSED: ("✕", msg("Not onboarded"), "attention"),
}
# For the person, and for everybody else.
TITLES: Final[dict[Stage, tuple[str, str]]] = {
    Stage.WAITING: (msg("Your card is on its way"), msg("{name} is invited in a moment")),
    Stage.INVITED: (msg("Your card is on its way"), msg("{name} is invited")),
    Stage.UNREACHABLE: (msg("Your card could not be sent"), msg("{name} cannot be reached")),
    Stage.SUBMITTED: (msg("Your number waits for approval"), msg("The number of {name} waits for approval")),
    Stage.REGISTERED: (msg("Your first phone is registered"), msg("The first phone of {name} is registered")),
    Stage.SETTLED: (msg("Your first phone is registered"), msg("The first phone of {name} is registered")),
    Stage.NO_PHONE: (msg("You have no phone: that is fine"), msg("{name} has no phone")),
    Stage.PREFERS_NOT: (
        msg("You prefer not to use yours: that is fine"),
        msg("{name} prefers not to use their own phone"),
    ),
    Stage.SILENT: (msg("This card has run out"), msg("{name} did not answer")),
    Stage.REFUSED: (msg("This onboarding is over"), msg("{name} is not onboarded")),
}
MISSING: Final[dict[str, str]] = {
    "sspr-short": msg("Password reset: {have} of {needed} methods. Register one more to reset it yourself."),
    "sspr-enough": msg("Password reset: {have} of {needed} methods. That is enough."),
    "no-passkey": msg(
        "No phishing-resistant method yet: register a passkey or Authenticator at aka.ms/mysecurityinfo."
    ),
    "missing-methods-unread": msg(
        "I cannot read your other methods. A passkey is safer than a phone: see aka.ms/mysecurityinfo."
    ),
    "missing-unknown": msg("The directory does not tell just now what is still missing."),
    "bridge": msg("The phone is a bridge: once you have something stronger I ask what is to become of it."),
}
# What was chosen for the bridge: to the person, to the starter.
DONE: Final[dict[Bridge, tuple[str, str]]] = {
    Bridge.KEEP: (msg("It stays for password reset."), msg("It stays for password reset.")),
    Bridge.DEMOTE: (
        msg("It stays, and shall not be the default: {starter} is told."),
        msg("{name} wants to keep the phone, but not as the default sign-in method."),
    ),
    Bridge.REMOVE: (
        msg("It shall be removed: {starter} is told, who asks the helpdesk for it."),
        msg("{name} wants the phone removed, now that there is something stronger. An operator asks for it:"),
    ),
}
