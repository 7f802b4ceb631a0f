"""For what a person could use a number: texts, calls, password reset, SMS sign-in; and on what that rests.

Pure: the same facts give the same verdicts. Nothing is guessed: a part that could not be read, or that no
program can read, makes "cannot tell" unless another part settles it. Must not read, store or write. Sources:
Entra docs "concept-authentication-phone-options" (which phone serves for what), "howto-authentication-sms-
signin" (conditions of SMS sign-in), "how-to-authentication-methods-manage" (legacy policies count until
migrationComplete, except for SMS sign-in, which they never had), "concept-mfa-regional-opt-in".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain import directory_reasons as finer
from bot.domain import reasons
from bot.domain import usability_reasons as why
from bot.domain.methods import (
    ALL_USERS,
    Inclusion,
    Licences,
    MethodPolicy,
    MethodRule,
    Registration,
    SmsState,
)
from bot.domain.people import Person, Phones
from bot.domain.phone import PhoneNumber, Slot, line_kind
from bot.domain.reason import REGISTRY, Reason
from bot.domain.telephony import needs_opt_in

INCLUDED = "included"
EVERYBODY = "everybody"
READY = "sms-ready"
LICENSED = "licensed"
RESET_OPEN = "reset-open"
_TEXTS, _CALLS = "SMS", "Voice call"
_SILENT_LINES = frozenset({"fixed_line", "toll_free", "premium_rate", "shared_cost", "voip", "pager", "uan",
                           "voicemail"})  # fmt: skip


class Use(StrEnum):
    """What a phone can be good for."""

    MFA_TEXT = "mfa-text"
    MFA_CALL = "mfa-call"
    SSPR = "sspr"
    SMS_SIGN_IN = "sms-sign-in"


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing an answer rests on. key: code of a registered reason, or one of the evidence keys above.

    facts: what fills its sentences; group_id is the group that decides, when it is in no sentence.
    A reason's next step says who can mend it.
    """

    key: str
    facts: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, reason: Reason, /, **facts: str) -> Cause:
        """Raises ValueError when a fact is missing or extra, as `Reason.refuse`."""
        return cls(reason.refuse(**facts).code, tuple(facts.items()))

    @property
    def reason(self) -> Reason | None:
        return REGISTRY.get(self.key)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one use, and what it rests on, the weightiest first."""

    use: Use
    answer: Answer
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True)
class Silent:
    """A part that could not be read. why: short words."""

    why: str


@dataclass(frozen=True, slots=True)
class Known:
    """What could be read of a person. member_of: of the policy's groups; names: of groups, by id.

    cloud: its name, China has no SMS sign-in. other_holder: whether another account signs in with the number;
    None = not known.
    """

    person: Person
    phones: Phones | Silent
    policy: MethodPolicy | Silent
    member_of: frozenset[str] | Silent
    licences: Licences | Silent
    registration: Registration
    names: Mapping[str, str] = field(default_factory=dict)
    cloud: str = "global"
    other_holder: bool | None = None


@dataclass(slots=True)
class _Found:
    no: list[Cause] = field(default_factory=list)
    unsure: list[Cause] = field(default_factory=list)
    yes: list[Cause] = field(default_factory=list)

    def take(self, other: _Found) -> None:
        self.no += other.no
        self.unsure += other.unsure
        self.yes += other.yes

    def verdict(self, use: Use) -> Verdict:
        if self.no:
            return Verdict(use, Answer.NO, _once(self.no))
        if self.unsure:
            return Verdict(use, Answer.CANNOT_TELL, _once([*self.unsure, *self.yes]))
        return Verdict(use, Answer.YES, _once(self.yes))


def verdicts(known: Known, slot: Slot, number: PhoneNumber | None) -> tuple[Verdict, ...]:
    """One verdict for each `Use`, in their order. number: proposed or registered; None = policy only."""
    if not known.person.enabled:
        off = Cause.of(reasons.TARGET_DISABLED, name=known.person.name)
        return tuple(Verdict(use, Answer.NO, (off,)) for use in Use)
    return (
        _text(known, slot, number).verdict(Use.MFA_TEXT),
        _call(known, slot, number).verdict(Use.MFA_CALL),
        _reset(known, slot, number).verdict(Use.SSPR),
        _sign_in(known, slot, number).verdict(Use.SMS_SIGN_IN),
    )


# --- the four uses ----------------------------------------------------------------------------------------
def _text(known: Known, slot: Slot, number: PhoneNumber | None) -> _Found:
    if slot is not Slot.MOBILE:
        return _Found(no=[Cause.of(why.TEXT_NEEDS_MOBILE)])
    found = _by_policy(known, _TEXTS, legacy=True)
    _texts_arrive(number, found)
    return found


def _call(known: Known, slot: Slot, number: PhoneNumber | None) -> _Found:
    found = _by_policy(known, _CALLS, legacy=True)
    phones = known.phones
    if slot is Slot.ALTERNATE and isinstance(phones, Phones) and phones.get(Slot.MOBILE) is None:
        found.no.append(Cause.of(reasons.MOBILE_FIRST, who=known.person.upn))
    if slot is Slot.OFFICE and isinstance(known.policy, MethodPolicy):
        if known.policy.office_calls is False:
            _deny(found, Cause.of(finer.OFFICE_CALLS_OFF), known.policy, legacy=True)
        elif known.policy.office_calls is None:
            found.unsure.append(_unread("isOfficePhoneAllowed", "the policy does not say"))
    country = needs_opt_in(number) if number else ""
    if country:
        found.unsure.append(Cause.of(finer.VOICE_COUNTRY, country=country))
    return found


def _reset(known: Known, slot: Slot, number: PhoneNumber | None) -> _Found:
    if slot is Slot.ALTERNATE:
        return _Found(no=[Cause.of(why.ALTERNATE_NOT_FOR_RESET)])
    found = _Found()
    if number is not None and number.extension:
        found.no.append(Cause.of(why.EXTENSION_DROPPED))
    report = known.registration
    when = report.updated_at.isoformat() if report.updated_at else ""
    if not report.readable or report.sspr_enabled is None:
        told = "the report does not say" if report.readable else report.why
        found.unsure.append(Cause.of(finer.SSPR_UNREADABLE, why=told))
    elif report.sspr_enabled:
        found.yes.append(Cause(RESET_OPEN, (("when", when),)))
    else:
        found.no.append(Cause.of(why.RESET_OFF, when=when))
    channels = [_call(known, slot, number)]
    if slot is Slot.MOBILE:
        channels.insert(0, _text(known, slot, number))
    found.take(_any_of(channels))
    return found


def _sign_in(known: Known, slot: Slot, number: PhoneNumber | None) -> _Found:
    found = _Found()
    if known.cloud == "china":
        found.no.append(Cause.of(finer.CLOUD_WITHOUT_SMS, cloud=known.cloud))
    if slot is not Slot.MOBILE:
        found.no.append(Cause.of(finer.SMS_NOT_SUPPORTED))
    if known.person.guest:
        found.no.append(Cause.of(finer.SMS_GUEST))
    if found.no:
        return found
    phones = known.phones if isinstance(known.phones, Phones) else Phones()
    held = phones.get(Slot.MOBILE)
    state = phones.sms_sign_in if number is not None and number.same_as(held) else SmsState.UNKNOWN
    if state is SmsState.READY:
        return _Found(yes=[Cause(READY)])
    found.take(_by_policy(known, _TEXTS, legacy=False, for_sign_in=True))
    _licensed(known, found)
    if found.no:
        return found
    _by_state(known, state, phones, found)
    _texts_arrive(number, found)
    return found


# --- parts of them ----------------------------------------------------------------------------------------
def _by_state(known: Known, state: SmsState, phones: Phones, found: _Found) -> None:
    """What the directory says of the registered number; of a new one only that it cannot be looked up."""
    reason = finer.of_sms_state(state)
    if reason is not None:
        found.no.append(Cause.of(reason, **({"who": known.person.upn} if "who" in reason.facts else {})))
        return
    if known.other_holder:
        found.no.append(Cause.of(finer.SMS_NOT_UNIQUE))
    elif known.other_holder is None:
        found.unsure.append(Cause.of(why.HOLDER_UNKNOWN, who=known.person.upn))
    beside = [slot.word for slot in (Slot.ALTERNATE, Slot.OFFICE) if phones.get(slot) is not None]
    if beside:
        found.unsure.append(Cause.of(why.VOICE_NUMBER_BESIDE, phones=", ".join(beside)))
    if isinstance(known.phones, Silent):
        found.unsure.append(_unread("the registered phones", known.phones.why))


def _licensed(known: Known, found: _Found) -> None:
    if isinstance(known.licences, Silent):
        found.unsure.append(_unread("the licences of the person", known.licences.why))
    elif known.licences.allow_sms_sign_in:
        found.yes.append(Cause(LICENSED))
    else:
        found.no.append(Cause.of(finer.SMS_LICENCE, skus=", ".join(sorted(known.licences.skus)) or "none"))


def _texts_arrive(number: PhoneNumber | None, found: _Found) -> None:
    if number is None:
        return
    kind = line_kind(number)
    if kind in _SILENT_LINES:
        found.unsure.append(Cause.of(why.LINE_KIND, kind=kind.replace("_", " ")))
    country = needs_opt_in(number)
    if country:
        found.unsure.append(Cause.of(why.TEXT_COUNTRY, country=country))


def _by_policy(known: Known, method: str, *, legacy: bool, for_sign_in: bool = False) -> _Found:
    """What the authentication methods policy says. legacy: an older one may allow what this one does not."""
    found = _Found()
    policy = known.policy
    if isinstance(policy, Silent):
        found.unsure.append(_unread("the authentication methods policy", policy.why))
        return found
    rule = policy.sms if method == _TEXTS else policy.voice
    inclusion = _inclusion(rule, known, for_sign_in)
    if inclusion is None:
        cause = known.member_of.why if isinstance(known.member_of, Silent) else ""
        found.unsure.append(_unread("the groups of the person", cause))
    elif not inclusion.allowed:
        _deny(found, _outside(rule, inclusion, method, known), policy, legacy)
    elif for_sign_in and not inclusion.usable_for_sign_in:
        found.no.append(Cause.of(finer.SIGN_IN_NOT_MEANT, included=_named(inclusion.because, known)))
    elif inclusion.because == ALL_USERS:
        found.yes.append(Cause(EVERYBODY, (("method", method),)))
    else:
        facts = (("method", method), ("group", _named(inclusion.because, known)))
        found.yes.append(Cause(INCLUDED, facts))
    return found


def _inclusion(rule: MethodRule, known: Known, for_sign_in: bool) -> Inclusion | None:
    """How the rule treats the person; None when that hangs on groups that could not be read.

    Exclusion wins, so that being in no excluded group is the best case and in all of them the worst.
    """
    oid = known.person.oid
    if not isinstance(known.member_of, Silent):
        return rule.of(oid, known.member_of)
    excluded = frozenset(target.id for target in rule.exclude)
    best, worst = rule.of(oid, rule.groups - excluded), rule.of(oid, rule.groups & excluded)
    same = best.allowed == worst.allowed
    if for_sign_in:
        same = same and best.usable_for_sign_in == worst.usable_for_sign_in
    return worst if same else None


def _outside(rule: MethodRule, inclusion: Inclusion, method: str, known: Known) -> Cause:
    if not rule.enabled:
        return Cause.of(finer.METHOD_OFF, method=method)
    if inclusion.excluded:
        return Cause.of(finer.METHOD_EXCLUDED, method=method, excluded=_named(inclusion.because, known))
    included = ", ".join(_named(target.id, known) for target in rule.include) or "nobody"
    return Cause.of(finer.METHOD_NOT_INCLUDED, method=method, included=included)


def _deny(found: _Found, cause: Cause, policy: MethodPolicy, legacy: bool) -> None:
    if legacy and policy.legacy_counts:
        found.unsure += [cause, Cause.of(finer.LEGACY_POLICY, state=policy.migration.value)]
    else:
        found.no.append(cause)


def _any_of(channels: list[_Found]) -> _Found:
    """One channel is enough: the best of them, and what hinders when none is certain."""
    for channel in channels:
        if not channel.no and not channel.unsure:
            return channel
    open_ones = [channel for channel in channels if not channel.no]
    best = _Found()
    for channel in open_ones or channels:
        best.take(channel)
    return best


def _named(target: str, known: Known) -> str:
    if target == ALL_USERS:
        return "everybody"
    if target == known.person.oid:
        return f"{known.person.name} by name"
    name = known.names.get(target, "")
    return f"{name} ({target})" if name else f"the group {target}"


def _unread(part: str, cause: str) -> Cause:
    return Cause.of(why.PART_UNREAD, part=part, why=cause or "no answer")


def _once(causes: list[Cause]) -> tuple[Cause, ...]:
    return tuple(dict.fromkeys(causes))
