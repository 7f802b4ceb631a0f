"""From what is asked and what the directory holds to the ordered plan of operations, and what to say before.

Knows the order rules of phone methods and which side effects need a guard. Must not read, store or judge
approvals. Pure: the same case and facts give the same plan. Sources: Graph docs "phoneAuthenticationMethod"
(order rules, automatic SMS sign-in), "signInPreferences" (default method).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.domain import reasons
from bot.domain.change import Change, Operation, OpKind
from bot.domain.directory_reasons import SMS_NOT_ALLOWED
from bot.domain.methods import Default, Inclusion, Method, SignIn, SmsState
from bot.domain.onboarding import Onboarding, Stage
from bot.domain.onboarding_reasons import HAS_METHOD
from bot.domain.pass_reasons import PASS_HAS_METHOD, PASS_METHODS_UNREAD, PASS_NOT_ONBOARDED
from bot.domain.passes import PASS_STAGES, PassTerms
from bot.domain.people import Person, PersonRef, Phones, Protection, Role
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.workflow.effects import DEFAULT, SMS_OFF, SMS_ON

NOTE_DEFAULT_UNREADABLE = "default-unreadable"
NOTE_DEFAULT_KEPT = "default-kept"
NOTE_ADDS = "adds"
NOTE_REPLACES = "replaces"
NOTE_REMOVES = "removes"
NOTE_SWAPS = "swaps"
NOTE_UNDOES = "undoes"
NOTE_LAST_PHONE = "last-phone"
NOTE_SYSTEM_PREFERRED = "system-preferred"
NOTE_SMS_SIGN_IN = "sms-sign-in"
NOTE_SMS_KEPT_OFF = "sms-kept-off"
NOTE_SMS_ON = "sms-on"
NOTE_SMS_OFF = "sms-off"
NOTE_ENTERED_BY_THEM = "entered-by-them"
NOTE_ENTERED_FOR_THEM = "entered-for-them"
NOTE_LAST_FOUR = "last-four-typed-twice"
NOTE_PASS = "pass"  # noqa: S105 - the name of a note
NOTE_NO_PASSWORD = "no-password"  # noqa: S105 - the name of a note

_DEFAULTS_OF = {
    Slot.MOBILE: frozenset({Default.SMS, Default.VOICE_MOBILE}),
    Slot.ALTERNATE: frozenset({Default.VOICE_ALTERNATE}),
    Slot.OFFICE: frozenset({Default.VOICE_OFFICE}),
}

# A pass and an address are means to register the first method, not one that somebody signs in with.
_NO_SECOND_FACTOR = frozenset({Method.PASSWORD, Method.EMAIL, Method.TEMPORARY_PASS})

Restores = tuple[tuple[Slot, PhoneNumber | None], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked for. number: only for `set`. enable: only for `sms`. roles: those of the requester.

    restores: of an undo, what each slot shall hold again, in the order of the directory (None = nothing);
    empty when it undoes an `sms`. deciders: at least so many people, whatever the rule says. parent_id:
    what it undoes. takes: the request of a colleague that goes on as this one. onboarding: the open one that
    the number is entered for; last_four: its last digits were typed a second time and fit. reader: of a pass;
    minutes: how long it is good for.
    """

    requester: str
    target: Person
    action: Action
    slot: Slot
    number: PhoneNumber | None = field(default=None, repr=False)
    enable: bool = False
    roles: frozenset[Role] = frozenset()
    takes: Change | None = None
    restores: Restores = field(default=(), repr=False)
    deciders: int = 0
    parent_id: str = ""
    onboarding: Onboarding | None = None
    last_four: bool = False
    reader: PersonRef | None = None
    minutes: int = 0

    @property
    def excluded(self) -> tuple[str, ...]:
        """Object ids that do not count as approvers, beside requester and target."""
        if self.takes is None:
            return ()
        return tuple(dict.fromkeys((*self.takes.excluded, self.takes.requester.oid)))

    @property
    def slots(self) -> frozenset[Slot]:
        """All that the plan touches."""
        if self.action is Action.SWAP:
            return frozenset({Slot.MOBILE, Slot.ALTERNATE})
        if self.action is Action.PASS:
            return frozenset()
        return frozenset(slot for slot, _ in self.restores) or frozenset({self.slot})

    @property
    def locks(self) -> frozenset[str]:
        """As `Change.locks`, of the request that it becomes."""
        passes = {OpKind.PASS.value} if self.action is Action.PASS else set()
        return frozenset(slot.value for slot in self.slots) | passes

    @property
    def is_sms(self) -> bool:
        """True when no number is touched."""
        return self.action is Action.SMS or (self.action is Action.UNDO and not self.restores)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the directory says about the target now. sms_policy: None when it cannot be read.

    vip: a member of a group that the policy's owner calls so. new_hire: an onboarding of theirs is open.
    stage: how far their last onboarding is, None = there was none.
    """

    phones: Phones
    protection: Protection
    target_roles: frozenset[Role]
    sign_in: SignIn = SignIn(readable=False)  # noqa: RUF009 - a frozen value
    sms_policy: Inclusion | None = None
    vip: bool = False
    new_hire: bool = False
    stage: Stage | None = None

    @property
    def has_method(self) -> str:
        """In words what is registered beside the password, "" = nothing that can be read."""
        held = [f"{slot.word} {number}" for slot, number in self.phones.by_slot.items()]
        others = [m.words for m in self.sign_in.methods if m not in _NO_SECOND_FACTOR]
        return ", ".join(dict.fromkeys(held or others))


@dataclass(frozen=True, slots=True)
class Plan:
    """Operations in the only order the directory allows, the clear new numbers, and notes for the cards."""

    operations: tuple[Operation, ...]
    numbers: dict[int, PhoneNumber]
    notes: tuple[str, ...]


def against(case: Case, facts: Facts) -> list[Refusal]:
    """Everything about the target that stands in the way, by the rules of phone methods."""
    found = []
    name, who = case.target.name, case.target.upn
    if facts.protection:
        found.append(reasons.PROTECTED.refuse(name=name, facts="; ".join(facts.protection.facts)))
    mobile = facts.phones.get(Slot.MOBILE)
    match case.action:
        case Action.SWAP:
            found += _against_swap(case, facts)
        case _ if case.is_sms:
            found += _against_sms(case, facts)
        case Action.SET if case.slot is Slot.ALTERNATE and mobile is None:
            found.append(reasons.MOBILE_FIRST.refuse(who=who))
        case Action.REMOVE:
            found += _against_removing(case, case.slot, facts)
        case Action.PASS:
            found += against_pass(case.target, facts)
        case Action.ONBOARD if facts.has_method:
            found.append(HAS_METHOD.refuse(name=name, who=who, methods=facts.has_method))
        case Action.UNDO:
            for slot, number in case.restores:
                if number is None:
                    found += _against_removing(case, slot, facts)
                elif slot is Slot.ALTERNATE and mobile is None and Slot.MOBILE not in case.slots:
                    found.append(reasons.MOBILE_FIRST.refuse(who=who))
        case _:
            pass
    return found


def _against_swap(case: Case, facts: Facts) -> list[Refusal]:
    if facts.phones.get(Slot.ALTERNATE) is None:
        return [reasons.NO_ALTERNATE.refuse(name=case.target.name, who=case.target.upn)]
    if facts.sign_in.default in _DEFAULTS_OF[Slot.ALTERNATE]:
        # Its last step is a removal that the directory would refuse: a plan that ends half-way.
        return [reasons.DEFAULT_METHOD.refuse(slot=Slot.ALTERNATE.word, name=case.target.name)]
    return []


def _against_sms(case: Case, facts: Facts) -> list[Refusal]:
    if facts.phones.get(Slot.MOBILE) is None:
        return [reasons.NO_MOBILE_FOR_SMS.refuse(name=case.target.name, who=case.target.upn)]
    if case.enable and case.target.guest:
        return [reasons.SMS_NOT_FOR_GUESTS.refuse()]
    return [SMS_NOT_ALLOWED.refuse()] if case.enable and _policy_forbids_sms(facts) else []


def against_pass(target: Person, facts: Facts) -> list[Refusal]:
    """A pass gets past everything: only for somebody new who is known to have nothing to get past."""
    if facts.stage not in PASS_STAGES:
        return [PASS_NOT_ONBOARDED.refuse(name=target.name, who=target.upn)]
    if facts.has_method:
        return [PASS_HAS_METHOD.refuse(name=target.name, who=target.upn, methods=facts.has_method)]
    if not facts.sign_in.readable or facts.sign_in.unknown_methods:
        what = facts.sign_in.why or "there is a kind of method that is not known here"
        return [PASS_METHODS_UNREAD.refuse(name=target.name, what=what)]
    return []


def is_already_so(case: Case, facts: Facts) -> bool:
    """The directory holds it already: no write and no approval."""
    if case.action is Action.SET:
        return case.number is not None and case.number.same_as(facts.phones.get(case.slot))
    if case.action is Action.SMS:
        return (facts.phones.sms_sign_in is SmsState.READY) is case.enable
    return False


def is_last_method(case: Case, facts: Facts) -> bool:
    """Known to leave nothing but the password."""
    removes = case.action is Action.REMOVE or any(number is None for _, number in case.restores)
    if not removes or not facts.sign_in.readable:
        return False
    others = [method for method in facts.sign_in.methods if method is not Method.PASSWORD]
    return len(others) <= 1 and not facts.sign_in.unknown_methods


def is_first_beside_stronger(case: Case, facts: Facts) -> bool:
    """A phone comes where there is none, but something that a phone is weaker than."""
    first = case.action.brings_a_number and not facts.phones.by_slot
    return first and bool(facts.sign_in.stronger_than_phone)


def number_after(case: Case, facts: Facts) -> PhoneNumber | None:
    """The number that the slot holds afterwards; None when none is set."""
    return facts.phones.get(Slot.ALTERNATE) if case.action is Action.SWAP else case.number


def plan(case: Case, facts: Facts, key: Callable[[PhoneNumber | None], str], *, sms_may_come: bool) -> Plan:
    """The plan of a case that nothing stands against. key: keyed hash of a number.

    sms_may_come: the policy lets the directory register SMS sign-in by itself; else it is switched off again.
    """
    wanted = _wanted(case, facts)
    operations = [
        _operation(n, slot, facts.phones.get(slot), new, key) for n, (slot, new) in enumerate(wanted, start=1)
    ]
    numbers = {n: new for n, (_, new) in enumerate(wanted, start=1) if new is not None}
    operations = operations or [_pass(case.reader, case.minutes) if case.reader else _sms(case)]
    notes = _notes(case, facts)
    if _sms_could_come(case, facts):
        notes.append(NOTE_SMS_SIGN_IN if sms_may_come else NOTE_SMS_KEPT_OFF)
        if not sms_may_come:
            operations.append(
                Operation(len(operations) + 1, OpKind.KEEP_SMS_OFF, Slot.MOBILE, "", "off", "", SMS_OFF)
            )
    notes += _guard_default(case, facts, operations)
    return Plan(tuple(operations), numbers, tuple(notes))


def _wanted(case: Case, facts: Facts) -> Restores:
    """Slot by slot what shall be held, in the only order the directory allows; nothing for SMS sign-in."""
    match case.action:
        case Action.SWAP:
            return (Slot.MOBILE, facts.phones.get(Slot.ALTERNATE)), (Slot.ALTERNATE, None)
        case Action.UNDO:
            return case.restores
        case Action.SMS | Action.PASS:
            return ()
        case _:
            return ((case.slot, case.number),)


def _sms(case: Case) -> Operation:
    before, after = (SMS_OFF, SMS_ON) if case.enable else (SMS_ON, SMS_OFF)
    kind = OpKind.SMS_ON if case.enable else OpKind.SMS_OFF
    words = {SMS_ON: "on", SMS_OFF: "off"}
    return Operation(1, kind, Slot.MOBILE, words[before], words[after], before, after)


def _pass(reader: PersonRef, minutes: int) -> Operation:
    key = PassTerms(minutes, reader.oid).key
    return Operation(1, OpKind.PASS, Slot.MOBILE, "", reader.name, "", key)


def _operation(
    n: int,
    slot: Slot,
    held: PhoneNumber | None,
    new: PhoneNumber | None,
    key: Callable[[PhoneNumber | None], str],
) -> Operation:
    kind = OpKind.SET if new else OpKind.REMOVE
    before, after = (number.masked if number else "" for number in (held, new))
    return Operation(n, kind, slot, before, after, key(held), key(new))


def _policy_forbids_sms(facts: Facts) -> bool:
    """The directory's own word for the phone and the policy as read agree: nobody need be asked."""
    said = facts.phones.sms_sign_in is SmsState.NOT_ALLOWED
    return said and facts.sms_policy is not None and not facts.sms_policy.usable_for_sign_in


def _against_removing(case: Case, slot: Slot, facts: Facts) -> list[Refusal]:
    name, who = case.target.name, case.target.upn
    if facts.phones.get(slot) is None:
        return [reasons.NOTHING_TO_REMOVE.refuse(name=name, slot=slot.word, who=who)]
    if slot is Slot.MOBILE and facts.phones.get(Slot.ALTERNATE) is not None:
        return [reasons.ALTERNATE_STILL_THERE.refuse(who=who)]
    others = [m for m in facts.sign_in.methods if m is not Method.PASSWORD]
    if facts.sign_in.default in _DEFAULTS_OF[slot] and len(others) + facts.sign_in.unknown_methods > 1:
        return [reasons.DEFAULT_METHOD.refuse(slot=slot.word, name=name)]
    return []


def _sms_could_come(case: Case, facts: Facts) -> bool:
    """A mobile that is set may be registered as a sign-in name by the directory itself.

    Not when the policy is known to leave the person out, nor when the sign-in is on already.
    """
    sets_mobile = any(slot is Slot.MOBILE and new for slot, new in _wanted(case, facts))
    if not sets_mobile or case.target.guest or facts.phones.sms_sign_in is SmsState.READY:
        return False
    return facts.sms_policy is None or facts.sms_policy.usable_for_sign_in


def _guard_default(case: Case, facts: Facts, operations: list[Operation]) -> list[str]:
    """Keeps the default where it can be read; else the people deciding are told."""
    if case.is_sms or case.action is Action.PASS:
        return []
    sign_in = facts.sign_in
    if not sign_in.readable or sign_in.default in (None, Default.UNKNOWN):
        return [NOTE_DEFAULT_UNREADABLE]
    kept = sign_in.default
    gone = any(op.kind is OpKind.REMOVE and kept in _DEFAULTS_OF[op.slot] for op in operations)
    if gone or kept is Default.NONE:
        return []
    n = len(operations) + 1
    operations.append(Operation(n, OpKind.KEEP_DEFAULT, case.slot, "", kept.words, "", DEFAULT + kept.value))
    return [NOTE_DEFAULT_KEPT]


def _notes(case: Case, facts: Facts) -> list[str]:
    match case.action:
        case Action.SWAP:
            return [NOTE_SWAPS]
        case Action.UNDO if case.restores:
            return [NOTE_UNDOES]
        case Action.PASS:
            return [NOTE_PASS]
        case _ if case.is_sms:
            frontline = not case.enable and facts.sign_in.readable
            locked_out = frontline and Method.PASSWORD not in facts.sign_in.methods
            return [NOTE_SMS_ON if case.enable else NOTE_SMS_OFF, *([NOTE_NO_PASSWORD] if locked_out else [])]
        case Action.REMOVE:
            last_phone = len(facts.phones.by_slot) == 1 and not is_last_method(case, facts)
            return [NOTE_REMOVES, *([NOTE_LAST_PHONE] if last_phone else [])]
        case _:
            return _notes_of_setting(case, facts)


def _notes_of_setting(case: Case, facts: Facts) -> list[str]:
    notes = [NOTE_ADDS if facts.phones.get(case.slot) is None else NOTE_REPLACES]
    if case.onboarding is not None:
        own = case.requester == case.target.oid
        notes.append(NOTE_ENTERED_BY_THEM if own else NOTE_ENTERED_FOR_THEM)
        notes += [NOTE_LAST_FOUR] if case.last_four else []
    if facts.sign_in.system_preferred and facts.sign_in.stronger_than_phone:
        notes.append(NOTE_SYSTEM_PREFERRED)
    return notes
