"""Why a number serves for one thing and not for another: the reasons behind `check` that are no answers of Graph.

Constructing a `Reason` registers it; `reasons` imports this module, so that the catalogue is whole. Must not
hold a number. Sources: Entra docs "concept-authentication-phone-options", "howto-authentication-sms-signin",
"howto-sspr-authenticationdata", "concept-mfa-regional-opt-in".
"""

# ruff: noqa: E501 - whole sentences stay whole, for readers and translators
from __future__ import annotations

from bot.domain.reason import Reason

_ENTRA = "https://learn.microsoft.com/entra/identity/authentication"
_PHONE_OPTIONS = f"{_ENTRA}/concept-authentication-phone-options"
_SMS = f"{_ENTRA}/howto-authentication-sms-signin"

TEXT_NEEDS_MOBILE = Reason(
    "directory.text-needs-mobile",
    "Text messages go to the mobile only",
    "Microsoft Entra sends codes by text message to the mobile; the alternate mobile and the office phone are only called.",
    "Use the mobile slot, or let the person choose a call.",
    link=_PHONE_OPTIONS,
)
ALTERNATE_NOT_FOR_RESET = Reason(
    "directory.alternate-not-for-reset",
    "The alternate mobile does not serve password reset",
    "Microsoft Entra uses the alternate mobile for sign-in calls only.",
    "Use the mobile or the office phone for password reset.",
    link=_PHONE_OPTIONS,
)
EXTENSION_DROPPED = Reason(
    "directory.extension-dropped",
    "Password reset drops the extension",
    "Sign-in calls dial the extension; password reset dials the number without it, so the call ends at the main line.",
    "Use a number without extension for password reset, for example the mobile.",
    link=f"{_ENTRA}/howto-sspr-authenticationdata",
)
TEXT_COUNTRY = Reason(
    "directory.text-country",
    "Text messages to some countries may be blocked",
    "{country} is on Entra's list of regions that need an opt-in for codes by telephone. No program can read whether this tenant has it.",
    "An administrator asks Microsoft support whether the tenant has the opt-in.",
    link=f"{_ENTRA}/concept-mfa-regional-opt-in",
)
LINE_KIND = Reason(
    "directory.line-kind",
    "That kind of line may not take text messages",
    "By the numbering plan it is: {kind}. Whether its operator delivers text messages cannot be known.",
    "Ask for a mobile number, or let the person choose a call.",
    link=_PHONE_OPTIONS,
)
HOLDER_UNKNOWN = Reason(
    "directory.holder-unknown",
    "Whether somebody else signs in with the number cannot be looked up",
    "A sign-in name must be the only one in the tenant, accounts in the recycle bin included, and Microsoft Graph cannot search by number.",
    "Switching it on tells for certain: `enable sms sign-in for {who}`",
    link=_SMS,
)
VOICE_NUMBER_BESIDE = Reason(
    "directory.sms-voice-number",
    "Another phone of the person may stand in the way",
    "Entra's page asks for no voice-only number on the account where a mobile cannot be made a sign-in name; here is: {phones}.",
    "If switching it on fails, an operator removes that phone first.",
    link=_SMS,
)
RESET_OFF = Reason(
    "directory.reset-off",
    "Password reset is not open to this person",
    "The registration report of {when} says isSsprEnabled: false. The report lags behind.",
    "An authentication policy administrator looks at Password reset, Properties in the Entra admin center.",
    link=f"{_ENTRA}/howto-sspr-deployment",
)
PART_UNREAD = Reason(
    "directory.part-unread",
    "I cannot read: {part}",
    "The cause: {why}.",
    "If it stays so the operators of this bot look at its permissions (docs/permissions.md).",
    retryable=True,
)
