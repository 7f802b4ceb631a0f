"""The finer reasons of the family `directory`: what Microsoft Entra's rarer answers and states mean.

Constructing a `Reason` registers it; `reasons` holds the common ones and imports this module, so that the
catalogue is whole. Each says cause, evidence, fix and who can mend it, and links a page of the vendor.
Must not hold a number or a message of Graph's: codes and request ids only.
"""

# ruff: noqa: E501 - whole sentences stay whole, for readers and translators
from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.domain.methods import SmsState
from bot.domain.reason import Reason

_LEARN = "https://learn.microsoft.com"
_SMS = f"{_LEARN}/entra/identity/authentication/howto-authentication-sms-signin"
_METHODS = f"{_LEARN}/entra/identity/authentication/concept-authentication-methods-manage"
_PASSES = f"{_LEARN}/entra/identity/authentication/howto-authentication-temporary-access-pass"
_PHONE_OPTIONS = f"{_LEARN}/entra/identity/authentication/concept-authentication-phone-options"
_ERRORS = f"{_LEARN}/graph/errors"
_QUOTE = "quote the Graph request id {request_id}."

# --- accessDenied, told apart -----------------------------------------------------------------------------
PERMISSION_MISSING = Reason(
    "directory.permission-missing",
    "This bot lacks a permission",
    "Microsoft Graph answered {code}, the account is there and not out of reach, and {evidence}.",
    "An Entra administrator grants {permission} to the app and gives admin consent (docs/permissions.md); "
    + _QUOTE,
    link=f"{_LEARN}/graph/permissions-reference",
)
TARGET_PRIVILEGED = Reason(
    "directory.target-privileged",
    "The person's role puts the account out of reach",
    "Microsoft Graph answered {code}; this bot has the permission, and the person holds: {evidence}.",
    "A privileged authentication administrator changes it in the Entra admin center; " + _QUOTE,
    audience="security",
    link=f"{_LEARN}/entra/identity/role-based-access-control/privileged-roles-permissions",
)
STEP_UP = Reason(
    "directory.step-up",
    "Conditional Access wants more from this bot",
    "Microsoft Graph answered {status} {code} with a claims challenge (insufficient_claims).",
    "A Conditional Access administrator looks at the policies for workload identities; " + _QUOTE,
    link=_ERRORS,
)
NO_USER = Reason(
    "directory.no-user",
    "The directory wants a signed-in person for this",
    "Microsoft Graph answered {status} {code}: the call is only for people, not for apps.",
    "Tell the operators of this bot and " + _QUOTE,
    link=f"{_LEARN}/graph/auth/auth-concepts",
)
TOKEN_REFUSED = Reason(
    "directory.token-refused",
    "The directory did not accept this bot's sign-in",
    "Microsoft Graph answered {status} {code}.",
    "The operators check the credential and the clock of this bot; " + _QUOTE,
    retryable=True,
    link=f"{_LEARN}/graph/resolve-auth-errors",
)

# --- the call itself --------------------------------------------------------------------------------------
METHOD_GONE = Reason(
    "directory.method-gone",
    "There is no such phone any more",
    "Microsoft Graph answered {status} {code}: the method is not registered for the person.",
    "Look at the present numbers with `show {who}` (Graph request id {request_id}).",
    link=f"{_LEARN}/graph/api/resources/phoneauthenticationmethod",
)
WRONG_CALL = Reason(
    "directory.wrong-call",
    "I asked the directory in a form it does not take",
    "Microsoft Graph answered {status} {code}: path, verb or query is not what it knows. That is a fault of this bot or of the cloud's "
    "version of Graph, not of the request.",
    "Tell the operators of this bot and " + _QUOTE,
    link=_ERRORS,
)
LICENCE_MISSING = Reason(
    "directory.licence-missing",
    "The tenant has no licence for that",
    "Microsoft Graph answered {status} {code}: this part of Entra needs Entra ID P1 or P2.",
    "Whoever buys licences for the tenant decides; the bot works on without it (Graph request id {request_id}).",
    link=f"{_LEARN}/entra/fundamentals/licensing",
)
THROTTLED = Reason(
    "directory.throttled",
    "The directory asks us to slow down",
    "Microsoft Graph answered {status} {code}. Nothing was changed; every call of that kind waits now.",
    "Wait; I go on by myself (Graph request id {request_id}).",
    retryable=True,
    link=f"{_LEARN}/graph/throttling",
)
OVERLOADED = Reason(
    "directory.overloaded",
    "The directory has trouble of its own",
    "Microsoft Graph answered {status} {code}.",
    "Try again in some minutes; if it stays so look at Microsoft's service health and " + _QUOTE,
    retryable=True,
    link=_ERRORS,
)
PROFILE = Reason(
    "directory.profile",
    "The default sign-in method is beyond my permissions",
    "GRAPH_PROFILE is {profile}, and the default method can neither be read nor set with its permissions.",
    "The operators of this bot decide about GRAPH_PROFILE=default-guard and its permissions (docs/permissions.md).",
    link=f"{_LEARN}/graph/api/authentication-update",
)
CLOUD_WITHOUT_SMS = Reason(
    "directory.cloud-without-sms",
    "This cloud has no sign-in by text message",
    "Microsoft Graph of the cloud {cloud} does not have the call that switches it. Nothing was asked.",
    "Nobody can change that here; use another sign-in method.",
    link=f"{_LEARN}/graph/api/phoneauthenticationmethod-enablesmssignin",
)

# --- states of a phone (smsSignInState) -------------------------------------------------------------------
SMS_NOT_SUPPORTED = Reason(
    "directory.sms-not-supported",
    "This phone cannot be a sign-in name",
    "smsSignInState is notSupported: only the mobile can be used to sign in by text message.",
    "Use the mobile slot, or another sign-in method.",
    link=_SMS,
)
SMS_NOT_ALLOWED = Reason(
    "directory.sms-not-allowed",
    "Sign-in by text message is not allowed for this person",
    "smsSignInState is notAllowedByPolicy: the SMS policy is off, leaves the person out, or includes them without “use for sign-in”.",
    "An authentication policy administrator includes the person: Authentication methods, Policies, SMS.",
    link=_SMS,
)
SMS_NOT_ENABLED = Reason(
    "directory.sms-not-enabled",
    "Sign-in by text message is switched off for this phone",
    "smsSignInState is notEnabled: policy allows it, and nobody has switched it on.",
    "An operator can: `enable sms sign-in for {who}`",
    link=_SMS,
)
SMS_NOT_UNIQUE = Reason(
    "directory.sms-not-unique",
    "The number is another person's sign-in name",
    "smsSignInState is phoneNumberNotUnique: the number is saved for calls and codes, and cannot be a sign-in name twice. An account "
    "in the recycle bin can hold it, too.",
    "An authentication administrator finds the holder and switches SMS sign-in off there, or the person uses another number.",
    link=_SMS,
)
SMS_NOT_CONFIGURED = Reason(
    "directory.sms-not-configured",
    "Sign-in by text message is not finished",
    "smsSignInState is notConfigured: policy allows it, and Entra wants one more step.",
    "An operator switches it on (`enable sms sign-in for {who}`); if it stays so the licence of the person is the likely cause.",
    link=_SMS,
)
_OF_STATE: Mapping[SmsState, Reason] = MappingProxyType(
    {
        SmsState.NOT_SUPPORTED: SMS_NOT_SUPPORTED,
        SmsState.NOT_ALLOWED: SMS_NOT_ALLOWED,
        SmsState.NOT_ENABLED: SMS_NOT_ENABLED,
        SmsState.NOT_UNIQUE: SMS_NOT_UNIQUE,
        SmsState.NOT_CONFIGURED: SMS_NOT_CONFIGURED,
    }
)


def of_sms_state(state: SmsState) -> Reason | None:
    """Cause and fix of a state; None for `ready`, and for what is not known."""
    return _OF_STATE.get(state)


# --- Temporary Access Passes ------------------------------------------------------------------------------
PASS_NOT_ALLOWED = Reason(
    "directory.pass-not-allowed",
    "The tenant's policy does not allow this Temporary Access Pass",
    "Microsoft Graph answered {status} {code}: the policy for Temporary Access Pass is off, does not include the person, or does not "
    "allow a pass of this many minutes. No pass was made.",
    "An authentication policy administrator looks at Authentication methods, Policies, Temporary Access Pass in the Entra admin center: "
    "whether it is on, for whom, and its least and greatest lifetime; " + _QUOTE,
    link=_PASSES,
)
PASS_GUEST = Reason(
    "directory.pass-guest",
    "Guests get no Temporary Access Pass",
    "Microsoft Graph answered {status} {code}: a pass cannot be made for a guest of another directory.",
    "The guest signs in with the methods of their own directory (Graph request id {request_id}).",
    link=_PASSES,
)
PASS_UNUSABLE = Reason(
    "directory.pass-unusable",
    "The Temporary Access Pass that was made does not work",
    "Microsoft Graph made it and says at once that it cannot be used: {code}. I have shown it to nobody.",
    "An authentication policy administrator looks at Authentication methods, Policies, Temporary Access Pass; an authentication "
    "administrator deletes the pass at the person's methods; " + _QUOTE,
    link=_PASSES,
)

# --- what the policy reads explain ------------------------------------------------------------------------
METHOD_OFF = Reason(
    "directory.method-off",
    "{method} is switched off in this tenant",
    "The authentication methods policy has the state disabled for it. A phone can be saved all the same, and is not asked for.",
    "An authentication policy administrator switches it on: Authentication methods, Policies.",
    link=_METHODS,
)
METHOD_NOT_INCLUDED = Reason(
    "directory.method-not-included",
    "{method} is not meant for this person",
    "The authentication methods policy includes: {included}. The person is in none of it.",
    "An authentication policy administrator adds a group of the person, or whoever owns an included group adds the person.",
    link=_METHODS,
)
METHOD_EXCLUDED = Reason(
    "directory.method-excluded",
    "{method} is closed to this person",
    "The authentication methods policy excludes {excluded}, and an exclusion wins over every inclusion.",
    "An authentication policy administrator, or whoever owns that group, takes the person out.",
    link=_METHODS,
)
SIGN_IN_NOT_MEANT = Reason(
    "directory.sms-second-factor-only",
    "Text messages are for the second factor only",
    "The SMS policy includes the person through {included}, without “use for sign-in”.",
    "An authentication policy administrator sets “use for sign-in” for that group.",
    link=_SMS,
)
OFFICE_CALLS_OFF = Reason(
    "directory.office-calls-off",
    "Calls to office phones are switched off",
    "The policy for voice calls has isOfficePhoneAllowed off, so an office phone is never called.",
    "An authentication policy administrator switches it on: Authentication methods, Policies, Voice call.",
    link=_PHONE_OPTIONS,
)
LEGACY_POLICY = Reason(
    "directory.legacy-policy",
    "An older policy may allow what this one does not",
    "policyMigrationState is {state}: until it is migrationComplete the legacy MFA and password reset policies count too, and no "
    "program can read them.",
    "An authentication policy administrator looks at the legacy policies, or completes the migration.",
    link=f"{_LEARN}/entra/identity/authentication/how-to-authentication-methods-manage",
)
SSPR_UNREADABLE = Reason(
    "directory.sspr-unreadable",
    "What password reset takes cannot be read",
    "Microsoft Graph has no call for the tenant's password reset settings; the registration report tells one person's outcome, late ({why}).",
    "An authentication policy administrator looks at Password reset, Authentication methods in the Entra admin center.",
    link=f"{_LEARN}/entra/identity/authentication/howto-sspr-deployment",
)
SMS_LICENCE = Reason(
    "directory.sms-licence",
    "The person has no licence for sign-in by text message",
    "It needs Microsoft 365 F1 or F3, Office 365 F3, or Entra ID P1 or P2; assigned are: {skus}.",
    "Whoever assigns licences gives the person one of these.",
    link=_SMS,
)
SMS_GUEST = Reason(
    "directory.sms-guest",
    "Guests cannot sign in by text message",
    "Sign-in by text message is not available to people of another directory (B2B).",
    "The guest signs in with the methods of their own directory.",
    link=_SMS,
)
VOICE_COUNTRY = Reason(
    "directory.voice-country",
    "Calls to some countries may be blocked",
    "Entra blocks calls to a list of country codes until they are opted in, and trial tenants make no calls at all. No program can read "
    "either, so for {country} I cannot tell.",
    "An authentication policy administrator checks the opt-in list for telephony.",
    link=_PHONE_OPTIONS,
)


APP_NOT_IN_CATALOGUE = Reason(
    "directory.app-not-in-catalogue",
    "The app is not in your organisation's catalogue",
    "Microsoft Graph installs for a person only what stands in the catalogue under the id of this app.",
    "A Teams administrator uploads the package of `python app.py manifest build` to the catalogue.",
    audience="admin",
)
INSTALL_REFUSED = Reason(
    "directory.install-refused",
    "The app could not be installed for the person",
    "Microsoft Graph said {code} (request {request_id}). It wants the permissions "
    "TeamsAppInstallation.ReadWriteSelfForUser.All and AppCatalog.Read.All, and a policy that allows the app.",
    "An administrator grants them or allows the app (docs/permissions.md), or installs it by hand.",
    audience="admin",
)
