"""The "no" of Temporary Access Passes: who may not get one, and when it is not shown.

Constructing a reason registers it; they are used by their names here. Knows no card.
"""

from __future__ import annotations

from bot.domain.reason import Reason

PASS_OFF = Reason(
    "policy.pass-off",
    "No Temporary Access Pass is issued here",
    "A pass is as good as a password and a phone together, so it is only issued where the policy says for how long it is good.",
    "Issue it in the Microsoft Entra admin center, or ask the owner of the policy for `pass_minutes` in [onboarding].",
    audience="actor",
)
PASS_NOT_ONBOARDED = Reason(
    "policy.pass-not-onboarded",
    "{name} is not being onboarded",
    "A pass is for somebody new who has no sign-in method yet; for anybody else it would be a way around the ones they have.",
    "Begin with `onboard {who}`. Somebody who lost a phone is helped with `set mobile for {who}`.",
    audience="actor",
)
PASS_HAS_METHOD = Reason(
    "conflict.pass-has-method",
    "{name} has a sign-in method already",
    "Whoever holds a pass gets past every other method. There is already: {methods}.",
    "They sign in with it. `show {who}` tells more.",
    audience="actor",
)
PASS_METHODS_UNREAD = Reason(
    "directory.pass-methods-unread",
    "It cannot be read whether {name} has a sign-in method",
    "A pass is only for people who have none, and nobody can tell for {name}: {what}.",
    "Try again later. If it stays so, the profile default-guard or the permission to read methods is missing.",
    audience="actor",
    retryable=True,
)
PASS_NO_READER = Reason(
    "policy.pass-no-reader",
    "There is nobody to show the pass for {name} to",
    "It is shown to one person only, whom the policy names: {why}.",
    "See to that, or let the owner of the policy choose another reader (`pass_shown_to`).",
    audience="actor",
)
PASS_NOT_YOURS = Reason(
    "access.pass-not-yours",
    "This pass is not for you to see",
    "It is shown to one person only, and its approval is bound to that.",
    "`status {id}` shows how the request stands.",
    audience="actor",
)
PASS_NOT_READY = Reason(
    "conflict.pass-not-ready",
    "{id} shows no pass now",
    "A pass is made when its reader asks for it, after it was approved, in time, and once; this request is: {state}.",
    "`status {id}` shows how it stands. Another pass is another request.",
)
PASS_HELD = Reason(
    "conflict.pass-held",
    "No pass is made right now",
    "{what}. Nothing was made.",
    "Press again later; the request stays approved until its time to start is over.",
    retryable=True,
)
PASS_NOT_SHOWN = Reason(
    "directory.pass-not-shown",
    "The pass could not be shown",
    "It may have been made, but its answer did not come in time: {what}. Nobody has seen it, and nothing keeps it.",
    "Press again: a new one takes its place, and the one that nobody saw is void.",
    retryable=True,
)
PASS_UNSEEN = Reason(
    "directory.pass-unseen",
    "No pass was shown in time",
    "One may have been made that nobody has seen. It is good for {minutes} minutes from then, and nobody knows it.",
    "Make a new request if it is still needed: the next pass makes that one void.",
)
