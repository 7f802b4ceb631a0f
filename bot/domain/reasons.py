"""Every "no" of Ringfence: the catalogue of reasons, and the way to look one up.

Constructing a `Reason` registers it, so that the catalogue, `explain CODE` and the generated page cannot
drift from what is really said. Knows no card and no language but English: the words are message ids with
named placeholders.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain import (  # noqa: F401 - importing registers
    approver_reasons,
    bulk_reasons,
    decision_reasons,
    directory_reasons,
    file_reasons,
    internal_reasons,
    limit_reasons,
    number_reasons,
    onboarding_reasons,
    pass_reasons,
    proof_reasons,
    report_reasons,
    rule_reasons,
    sheet_reasons,
    stop_reasons,
    usability_reasons,
)
from bot.domain.reason import REGISTRY, Reason

_LEARN = "https://learn.microsoft.com"


def find(code: str) -> Reason | None:
    """The reason of a code, case-insensitive, or None."""
    return REGISTRY.get(code.strip().lower())


def every() -> Iterator[Reason]:
    """All reasons by code: the source of the generated page and of `explain`."""
    return iter(sorted(REGISTRY.values(), key=lambda reason: reason.code))


# --- usage: what was typed cannot be done as it stands ---------------------------------------------------
UNKNOWN_COMMAND = Reason(
    "usage.unknown-command",
    "I do not know that command",
    "I only act on commands I know word for word, so that nothing happens by accident.",
    "Type `help` to see what you can do.{suggestion}",
)
MALFORMED = Reason(
    "usage.malformed",
    "I cannot read that “{verb}”",
    "{problem}",
    "Write it like this: {usage}",
)
PERSON_UNKNOWN = Reason(
    "usage.person-unknown",
    "I cannot find that person",
    "Nobody in the directory has “{who}” as user name, mail, name, employee id or object id. "
    "I never pick somebody who is only similar.",
    "Check the spelling, use the full user name (name@company), or open the form and use the people picker.",
)
PERSON_NOT_PLAIN = Reason(
    "usage.person-not-plain",
    "That name has characters I do not accept",
    "User names with look-alike or hidden characters are how one person is passed off as another, "
    "so I look up user names in plain letters only.",
    "Type the name by hand, or open the form and use the people picker.",
)
PERSON_TOO_MANY = Reason(
    "usage.person-too-many",
    "Too many people match “{who}”",
    "More people match than I can show, and I never pick one myself.",
    "Use the full user name (name@company), the employee id, or the people picker of the form.",
)
NUMBER_HAS_LETTERS = Reason(
    "usage.number-letters",
    "The number contains letters",
    "I never turn letters into digits: a wrong guess would send somebody's sign-in codes to a stranger.",
    "Type digits with the country code, for example {example}.",
)
NUMBER_NEEDS_COUNTRY = Reason(
    "usage.number-country-code",
    "The number has no country code",
    "A local number means different phones in different countries, and I never guess the country.",
    "Start with + and the country code, without the leading zero, for example {example}.",
)
NUMBER_NOT_VALID = Reason(
    "usage.number-invalid",
    "That is not a possible phone number",
    "The digits do not form a number that can exist in that country's numbering plan.",
    "Read the number back with the caller and type it again for {slot}, for example {example}.",
)
NUMBER_EXTENSION = Reason(
    "usage.number-extension",
    "Only an office phone can have an extension",
    "Codes are sent to the number itself; a {slot} with an extension could not receive them.",
    "Leave the extension out, or use the slot office.",
)
CARD_TAMPERED = Reason(
    "usage.card-tampered",
    "That button did not come from me as it stands",
    "The data behind the button has been changed, so nothing in it counts. Nothing was done; this is recorded.",
    "Type the command instead, or open the request with `status`.",
    audience="security",
)
CARD_STALE = Reason(
    "usage.card-stale",
    "This card is not the current one",
    "A decision counts only for exactly what is shown, and this card does not belong to the request as it is now.",
    "Use the card below; `status {id}` shows the present state.",
)
REQUEST_UNKNOWN = Reason(
    "usage.request-unknown",
    "I do not know a request {id}",
    "There is no request with that ID that you may see.",
    "Type `my requests` or `approvals` to see the IDs.",
)
CODE_UNKNOWN = Reason(
    "usage.code-unknown",
    "I do not know the code “{code}”",
    "Each refusal card shows its code at the bottom, for example policy.protected.",
    "Check the spelling; it is two words with a dot between them.",
)
NOT_PERSONAL = Reason(
    "usage.personal-chat-only",
    "Please write to me in our own chat",
    "What I answer is about people's sign-in, so I only work in a one-to-one chat.",
    "Open a chat with me and type the command there. If your message here holds a phone number, delete it.",
)
MESSAGE_EDITED = Reason(
    "usage.message-edited",
    "I do not act on edited messages",
    "An edit could change a request that is already under way.",
    "Send it as a new message.",
)

# --- access: who is asking --------------------------------------------------------------------------------
NO_ROLE = Reason(
    "access.not-allowed",
    "You cannot do that here",
    "This needs a role that your account does not have. I do not look anybody up before that is clear.",
    "If you need it for your work, ask the owner of the helpdesk groups to add you.",
    audience="actor",
)
RIGHTS_UNKNOWN = Reason(
    "access.cannot-check",
    "I cannot check your rights just now",
    "The directory did not answer when I asked for your groups, and without an answer the answer is no.",
    "Try again in a minute. If it stays so, tell the operators of this bot.",
    audience="actor",
    retryable=True,
)

# --- policy: the rules said no ----------------------------------------------------------------------------
OWN_NUMBER = Reason(
    "policy.own-number",
    "Nobody changes their own number here",
    "A stolen helpdesk account must not be able to move its own sign-in phone.",
    "Ask a colleague in the helpdesk to make the request for you.",
)
PROTECTED = Reason(
    "policy.protected",
    "{name} is protected",
    "Phones of privileged or specially protected accounts are never changed through me: {facts}.",
    "An administrator with the right Entra role changes it in the Entra admin center, by your emergency procedure.",
    audience="security",
)
PROTECTION_UNKNOWN = Reason(
    "policy.protection-unknown",
    "I cannot tell whether {name} is protected",
    "The directory did not tell me all about this person's roles and groups ({what}). "
    "Without that knowledge the answer is no.",
    "Try again in a minute. If it stays so, tell the operators of this bot which part could not be read.",
    retryable=True,
)
TARGET_DISABLED = Reason(
    "policy.target-disabled",
    "The account of {name} is disabled",
    "A disabled account cannot sign in, so a phone would not help and could be waiting for an attacker.",
    "Have the account enabled first, by whoever disabled it.",
)
NO_RULE = Reason(
    "policy.no-rule",
    "No rule allows this change",
    "The policy has no approval rule for the action {action} on a target of kind {kind}; what no rule allows is refused.",
    "Ask the owner of the policy file whether this should be possible.",
)
NOBODY_TO_ASK = Reason(
    "policy.nobody-to-ask",
    "Nobody who may approve can be reached",
    "The rule “{rule}” needs an approver, and none can be asked: {missing}.",
    "Have the approver install this app in Teams, or ask the owner of the policy for a fallback.",
)
NUMBER_LINE_TYPE = Reason(
    "policy.number-line-type",
    "That kind of line is not allowed for {slot}",
    "It is a {kind} number; allowed for {slot} are: {allowed}.",
    "Ask the person for another number.",
)
NUMBER_COUNTRY = Reason(
    "policy.number-country",
    "Numbers from {country} are not allowed",
    "The policy allows numbers from: {allowed}.",
    "Ask the person for a number from an allowed country, or ask the owner of the policy.",
)
MOBILE_FIRST = Reason(
    "policy.mobile-first",
    "An alternate mobile needs a mobile first",
    "Microsoft Entra takes an alternate mobile only for somebody who has a mobile.",
    "Set the mobile first: `set mobile for {who}`",
)
ALTERNATE_STILL_THERE = Reason(
    "policy.alternate-still-there",
    "The mobile cannot go while an alternate mobile exists",
    "Microsoft Entra keeps the mobile as long as there is an alternate mobile.",
    "Remove the alternate mobile first: `remove alternate mobile for {who}`",
)
NO_ALTERNATE = Reason(
    "policy.no-alternate",
    "{name} has no alternate mobile",
    "Swapping makes the alternate mobile the mobile, and there is none.",
    "Set the mobile directly: `set mobile for {who}`",
)
NO_MOBILE_FOR_SMS = Reason(
    "policy.no-mobile-for-sms",
    "{name} has no mobile",
    "Signing in by text message works with the mobile only.",
    "Set a mobile first: `set mobile for {who}`",
)
SMS_NOT_FOR_GUESTS = Reason(
    "policy.sms-not-for-guests",
    "Guests cannot sign in by text message",
    "Microsoft Entra offers it to members of the directory only.",
    "The guest signs in the way their own organisation offers.",
)
DEFAULT_METHOD = Reason(
    "policy.default-method",
    "The {slot} is the default sign-in method of {name}",
    "Microsoft Entra does not remove the default method while other methods exist.",
    "Have another default chosen first, by {name} at My Sign-ins or by an administrator in the Entra admin center.",
)
NOTHING_TO_REMOVE = Reason(
    "policy.nothing-to-remove",
    "{name} has no {slot}",
    "There is nothing to remove in that slot.",
    "Type `show {who}` to see what is registered.",
)
READ_ONLY = Reason(
    "policy.read-only",
    "I am switched to read-only",
    "The setting READ_ONLY is on: I answer questions and write nothing.",
    "Ask the operators of this bot when changes are possible again.",
    retryable=True,
)
RIGHTS_LOST = Reason(
    "policy.rights-lost",
    "{name} may no longer request this",
    "Rights are checked again right before the change, and the requester no longer has the role for it.",
    "Somebody who has the role for it can make a new request.",
)
RULE_CHANGED = Reason(
    "policy.rule-changed",
    "The rules no longer allow this change",
    "The request was judged again right before the change, and the policy in force refuses it or asks for other approvers.",
    "Make a new request; it will be judged by the policy in force.",
)
VOTE_VOID = Reason(
    "policy.vote-void",
    "An approval no longer counts",
    "Approvers are checked again right before the change, and {name} may no longer approve this.",
    "Make a new request, so that somebody who may approve decides: `repeat {id}`",
)

# --- conflict: something else happened first --------------------------------------------------------------
OPEN_REQUEST = Reason(
    "conflict.open-request",
    "There is already an open request for this {slot}",
    "Two requests for one phone could overwrite each other. {id} was opened by {name} at {since}.",
    "Wait for it, or have it cancelled: `status {id}`",
)
EXPIRED = Reason(
    "conflict.expired",
    "{id} has expired",
    "{what}. Time running out is never a yes.",
    "Make a new request: `repeat {id}`",
)
CANCELLED = Reason(
    "conflict.cancelled",
    "{id} was cancelled",
    "{name} cancelled it; nothing was changed.",
    "Make a new request if it is still needed: `repeat {id}`",
)
TOO_LATE = Reason(
    "conflict.too-late",
    "{id} can no longer be cancelled",
    "The change has started or is finished: {state}.",
    "`status {id}` shows how it ends.",
)
DIRECTORY_MOVED = Reason(
    "conflict.directory-moved",
    "The {slot} changed in the meantime",
    "When it was requested {slot} was {before}; now it is {now}. An approval counts only for what was shown.",
    "Look at it with `show {who}` and make a new request if it is still right.",
)
ALREADY_THERE = Reason(
    "conflict.already-there",
    "The directory already has that number",
    "Somebody or something else set {slot} to {now} before it was our turn, so I wrote nothing.",
    "Nothing more to do.",
)
THIRD_VALUE = Reason(
    "conflict.third-value",
    "The {slot} now holds another number",
    "After our attempt the directory holds {now}: neither the old nor the new number. I do not overwrite what I do not know.",
    "Find out who set it (Entra audit log), then make a new request if needed.",
)
TARGET_RENAMED = Reason(
    "conflict.target-renamed",
    "The account behind the request has been renamed",
    "It was requested for {before}; the same account is now {now}, and an approval counts only for what was shown.",
    "Check with the person who they are now, then make a new request.",
)
HASH_MISMATCH = Reason(
    "conflict.content-changed",
    "The stored request does not match its approval",
    "What is stored is not what was approved, so nothing was done. This should never happen.",
    "Tell the operators of this bot at once and quote {id}.",
    audience="security",
)

# --- directory: Microsoft Entra said no, or did not answer ------------------------------------------------
DIRECTORY_UNAVAILABLE = Reason(
    "directory.unavailable",
    "The directory does not answer",
    "Microsoft Graph is slow, busy or out of reach ({what}). Nothing was changed.",
    "Try again in a few minutes.",
    retryable=True,
)
DIRECTORY_UNRECOGNISED = Reason(
    "directory.unrecognised",
    "The directory refused, in words I do not know",
    "Microsoft Graph answered {status} {code}.",
    "Tell the operators of this bot and quote the Graph request id {request_id}.",
)
DIRECTORY_DENIED = Reason(
    "directory.denied",
    "The directory does not let me do that",
    "Microsoft Graph answered {code}, which can mean: a permission of this bot is missing, the person is out of its reach, "
    "or the account was just deleted. I looked, and cannot tell which.",
    "Ask the Entra administrator who looks after this app to check its permissions (docs/permissions.md) and the account; "
    "quote the Graph request id {request_id}.",
    link=f"{_LEARN}/graph/resolve-auth-errors",
)
DIRECTORY_RESTRICTED_UNIT = Reason(
    "directory.restricted-unit",
    "The person is in a restricted administrative unit",
    "Microsoft Graph answered {code}: only administrators assigned to that unit can manage its members; an app's permissions do not count there.",
    "Ask an administrator of that unit. Leaving a unit can take half an hour to count (Graph request id {request_id}).",
    link=f"{_LEARN}/entra/identity/role-based-access-control/admin-units-restricted-management",
)
DIRECTORY_GONE = Reason(
    "directory.person-gone",
    "The account no longer exists",
    "Microsoft Graph does not find the person any more ({code}); the account was just deleted, or is so new that it is not everywhere yet.",
    "Check the account in Entra; for a new account wait some minutes and try again (Graph request id {request_id}).",
    link=f"{_LEARN}/entra/fundamentals/users-restore",
)
DIRECTORY_DEFAULT = Reason(
    "directory.default-method",
    "The default sign-in method cannot be removed",
    "It is the person's default method and other methods exist; Entra wants another default first (Microsoft Graph: {code}).",
    "The person, or an authentication administrator in the Entra admin center, makes another method the default; then try again "
    "(Graph request id {request_id}).",
    link=f"{_LEARN}/graph/api/phoneauthenticationmethod-delete",
)
DIRECTORY_RULE = Reason(
    "directory.rule",
    "The directory refused the number or the order",
    "Microsoft Graph answered {code}. It does so when the number is not written +CC NUMBER, when the slot is taken or empty contrary to "
    "what was asked, when an alternate mobile has no mobile before it, or when a mobile would go while an alternate mobile is left.",
    "Look at the present numbers with `show {who}`, then try again (Graph request id {request_id}).",
    link=f"{_LEARN}/graph/api/resources/phoneauthenticationmethod",
)
DIRECTORY_NOT_UNIQUE = Reason(
    "directory.number-not-unique",
    "The number is somebody else's sign-in name",
    "Another account uses it for SMS sign-in (also an account in the recycle bin may hold it), "
    "and the number was not saved (Microsoft Graph: phoneNumberNotUnique).",
    "An authentication administrator finds the other holder in Entra and switches SMS sign-in off there, or use another number "
    "(Graph request id {request_id}).",
    link=f"{_LEARN}/entra/identity/authentication/howto-authentication-sms-signin",
)
DIRECTORY_POLICY = Reason(
    "directory.method-policy",
    "The tenant's policy does not allow that method",
    "Microsoft Graph answered {code}: sign-in by text message is not allowed for this person. The policy for SMS is off, does not "
    "include the person, or includes them without “use for sign-in”.",
    "An authentication policy administrator includes the person in Entra: Authentication methods, Policies, SMS, with “use for "
    "sign-in” (Graph request id {request_id}).",
    link=f"{_LEARN}/entra/identity/authentication/howto-authentication-sms-signin",
)
HALF_DONE = Reason(
    "directory.half-done",
    "The change of {name} stopped half-way",
    "The first part is done, the next was not: {why}. The lines below say what is done and what is not.",
    "Look at `show {who}`; then finish it with a new request, or set the earlier number again.",
)
NOT_KEPT = Reason(
    "directory.not-kept",
    "The directory kept the earlier value",
    "We sent the change, and all our reading since then shows the value of before.",
    "Make a new request; if it fails again tell the operators and quote the Graph request id {request_id}.",
)

# --- internal ---------------------------------------------------------------------------------------------
INTERNAL = Reason(
    "internal.error",
    "Something went wrong on my side",
    "The request could not be finished; what was not confirmed was not done.",
    "Try again; if it stays so tell the operators and quote the reference {reference}.",
    retryable=True,
)
