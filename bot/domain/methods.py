"""How a person signs in, as values: methods, the default, what the tenant's policy allows, what is not known.

Knows the words of Microsoft Entra and their meaning. Must not know how they are read, nor decide anything:
"not readable" is a value here, never a guess. Sources: Graph docs "phoneAuthenticationMethod",
"signInPreferences" (beta), "smsAuthenticationMethodConfiguration", "voiceAuthenticationMethodConfiguration",
"userRegistrationDetails"; Entra docs "concept-system-preferred-multifactor-authentication" and
"howto-authentication-sms-signin".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Method(StrEnum):
    """Kinds of `authenticationMethod`: the middle of `#microsoft.graph.{kind}AuthenticationMethod`."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind
    PHONE = "phone"
    EMAIL = "email"
    FIDO2 = "fido2"
    AUTHENTICATOR = "microsoftAuthenticator"
    OATH = "softwareOath"
    TEMPORARY_PASS = "temporaryAccessPass"  # noqa: S105 - the name of a kind
    HELLO = "windowsHelloForBusiness"
    PLATFORM = "platformCredential"
    QR_PIN = "qrCodePin"
    EXTERNAL = "external"
    RESOURCE_ACCOUNT = "resourceAccountKey"

    @property
    def words(self) -> str:
        return _METHOD_TITLES[self]


_METHOD_TITLES = {
    Method.PASSWORD: "Password",
    Method.PHONE: "Phone",
    Method.EMAIL: "Email (password reset only)",
    Method.FIDO2: "Passkey (FIDO2)",
    Method.AUTHENTICATOR: "Microsoft Authenticator",
    Method.OATH: "Authenticator code (software OATH)",
    Method.TEMPORARY_PASS: "Temporary Access Pass",
    Method.HELLO: "Windows Hello for Business",
    Method.PLATFORM: "Platform credential (macOS)",
    Method.QR_PIN: "QR code with PIN",
    Method.EXTERNAL: "External method",
    Method.RESOURCE_ACCOUNT: "Resource account key",
}
#: Methods that are a second factor at least as strong as a phone: a first phone beside one is a step down.
STRONGER_THAN_PHONE = frozenset(
    {
        Method.FIDO2,
        Method.AUTHENTICATOR,
        Method.OATH,
        Method.HELLO,
        Method.PLATFORM,
        Method.EXTERNAL,
    }
)


class Default(StrEnum):
    """What a person is asked for first, `userPreferredMethodForSecondaryAuthentication`.

    NONE: nothing is chosen. UNKNOWN: a value this version does not know.
    """

    PUSH = "push"
    OATH = "oath"
    VOICE_MOBILE = "voiceMobile"
    VOICE_ALTERNATE = "voiceAlternateMobile"
    VOICE_OFFICE = "voiceOffice"
    SMS = "sms"
    NONE = "none"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        return _DEFAULT_TITLES[self]

    @property
    def strength(self) -> int | None:
        """3 push, 2 code, 1 telephony, 0 none; None when it cannot be compared.

        The order is that of Entra docs "concept-system-preferred-multifactor-authentication", which puts
        Authenticator push before a code, and a code before telephony, without ranking texts and calls.
        """
        return _STRENGTH.get(self)

    def weaker_than(self, other: Default) -> bool | None:
        """True, False, or None when one of them is unknown and they differ. Nothing is weaker than none."""
        if self is other or other is Default.NONE:
            return False
        mine, others = self.strength, other.strength
        return None if mine is None or others is None else mine < others


_DEFAULT_TITLES = {
    Default.PUSH: "Microsoft Authenticator notification",
    Default.OATH: "Authenticator app or token code",
    Default.VOICE_MOBILE: "Call to the mobile",
    Default.VOICE_ALTERNATE: "Call to the alternate mobile",
    Default.VOICE_OFFICE: "Call to the office phone",
    Default.SMS: "Text message to the mobile",
    Default.NONE: "No default",
    Default.UNKNOWN: "A default I do not know",
}
_STRENGTH = {
    Default.PUSH: 3,
    Default.OATH: 2,
    Default.SMS: 1,
    Default.VOICE_MOBILE: 1,
    Default.VOICE_ALTERNATE: 1,
    Default.VOICE_OFFICE: 1,
    Default.NONE: 0,
}


class SmsState(StrEnum):
    """`smsSignInState` of one phone: can its number be used in the place of a user name?

    UNKNOWN: not told, or a value this version does not know. Cause and fix of each state: see
    `bot.domain.directory_reasons.of_sms_state`.
    """

    NOT_SUPPORTED = "notSupported"
    NOT_ALLOWED = "notAllowedByPolicy"
    NOT_ENABLED = "notEnabled"
    NOT_UNIQUE = "phoneNumberNotUnique"
    NOT_CONFIGURED = "notConfigured"
    READY = "ready"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        return _SMS_TITLES[self]


_SMS_TITLES = {
    SmsState.NOT_SUPPORTED: "This phone cannot be used to sign in by text message",
    SmsState.NOT_ALLOWED: "Sign-in by text message is not allowed by policy",
    SmsState.NOT_ENABLED: "Sign-in by text message is allowed and switched off",
    SmsState.NOT_UNIQUE: "The number is somebody else's sign-in name",
    SmsState.NOT_CONFIGURED: "Sign-in by text message is allowed but not finished",
    SmsState.READY: "The number is a sign-in name: a text message replaces the password",
    SmsState.UNKNOWN: "Not told",
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """What can be read of one person's sign-in experience.

    readable False: nothing below is known; why says the cause in words. methods: every registered method,
    one entry each (three phones = three entries). unknown_methods: how many are of kinds we do not know.
    default: None only when not readable. system_preferred: Entra picks the strongest method by
    itself, and the default only counts for NPS and AD FS; None = not told. passes: when the
    Temporary Access Passes that are there were issued, as far as told.
    """

    readable: bool = True
    why: str = ""
    methods: tuple[Method, ...] = ()
    unknown_methods: int = 0
    default: Default | None = None
    system_preferred: bool | None = None
    passes: tuple[datetime, ...] = ()

    @property
    def stronger_than_phone(self) -> tuple[Method, ...]:
        """The kinds of second factor that a phone would be weaker than, each once."""
        return tuple(dict.fromkeys(method for method in self.methods if method in STRONGER_THAN_PHONE))


class Migration(StrEnum):
    """`policyMigrationState`. Until COMPLETE the legacy MFA and SSPR policies count, too, unread."""

    BEFORE = "preMigration"
    RUNNING = "migrationInProgress"
    COMPLETE = "migrationComplete"
    UNKNOWN = "unknown"


ALL_USERS = "all_users"


@dataclass(frozen=True, slots=True)
class PolicyTarget:
    """A group, a user or everybody (`ALL_USERS`) in a rule. usable_for_sign_in: only SMS includes."""

    id: str
    usable_for_sign_in: bool = False


@dataclass(frozen=True, slots=True)
class Inclusion:
    """How a rule treats one person. allowed False with because "" = nobody named the person.

    because: the group, user or `ALL_USERS` that decides, empty when the method is off or nothing fits.
    excluded: an exclude target won. usable_for_sign_in: any include target of the person says so.
    """

    allowed: bool
    because: str = ""
    excluded: bool = False
    usable_for_sign_in: bool = False


@dataclass(frozen=True, slots=True)
class MethodRule:
    """The policy of one method. enabled: its state. Exclusion wins over inclusion."""

    enabled: bool
    include: tuple[PolicyTarget, ...] = ()
    exclude: tuple[PolicyTarget, ...] = ()

    @property
    def groups(self) -> frozenset[str]:
        """Ids of all groups (and users) named, for one membership question."""
        return frozenset(target.id for target in (*self.include, *self.exclude)) - {ALL_USERS}

    def of(self, oid: str, member_of: frozenset[str]) -> Inclusion:
        """How a person is treated. member_of: those of `groups` the person is in, nested included."""
        if not self.enabled:
            return Inclusion(False)
        fits = {oid, ALL_USERS, *member_of}
        for target in self.exclude:
            if target.id in fits:
                return Inclusion(False, target.id, excluded=True)
        mine = [target for target in self.include if target.id in fits]
        if not mine:
            return Inclusion(False)
        for_sign_in = [target for target in mine if target.usable_for_sign_in]
        return Inclusion(True, (for_sign_in or mine)[0].id, usable_for_sign_in=bool(for_sign_in))


@dataclass(frozen=True, slots=True)
class MethodPolicy:
    """The tenant's policy for texts and calls. read_at: when it was read (it may be a minute old).

    office_calls: calls to office phones are allowed; None = not told.
    """

    sms: MethodRule
    voice: MethodRule
    office_calls: bool | None
    migration: Migration
    read_at: datetime

    @property
    def groups(self) -> frozenset[str]:
        return self.sms.groups | self.voice.groups

    @property
    def legacy_counts(self) -> bool:
        """True when policies nobody can read may allow what this one does not."""
        return self.migration is not Migration.COMPLETE


#: SKUs and service plans that allow sign-in by text message (Entra docs "howto-authentication-sms-signin").
_SMS_SKUS = frozenset({"M365_F1", "M365_F1_COMM", "SPE_F1", "DESKLESSPACK"})
_PREMIUM_PLANS = frozenset({"AAD_PREMIUM", "AAD_PREMIUM_P2"})


@dataclass(frozen=True, slots=True)
class Licences:
    """What is assigned to a person: SKU part numbers, and the names of service plans that are switched on."""

    skus: frozenset[str] = frozenset()
    plans: frozenset[str] = frozenset()

    @property
    def premium(self) -> bool:
        return bool(self.plans & _PREMIUM_PLANS)

    @property
    def allow_sms_sign_in(self) -> bool:
        return self.premium or bool(self.skus & _SMS_SKUS)


@dataclass(frozen=True, slots=True)
class Registration:
    """What the registration report says of one person. It lags: never a proof of a write. None = not told.

    readable False: the report could not be had; why says the cause. updated_at: the report's own time.
    methods: the report's words, for example mobilePhone.
    """

    readable: bool = True
    why: str = ""
    updated_at: datetime | None = None
    sspr_registered: bool | None = None
    sspr_enabled: bool | None = None
    sspr_capable: bool | None = None
    mfa_registered: bool | None = None
    mfa_capable: bool | None = None
    methods: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Deleted:
    """An account in the recycle bin: it may still hold a number as its sign-in name."""

    oid: str
    name: str
    upn: str
    deleted_at: datetime | None
