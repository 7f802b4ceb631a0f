"""The sign-in half of the directory in memory: default, other methods, SMS sign-in, policy, report, licences.

Plain data to be set by hand. Knows no HTTP; must not grow rules of the workflow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain import directory_reasons as finer
from bot.domain import reasons
from bot.domain.methods import (
    ALL_USERS,
    Default,
    Deleted,
    Licences,
    Method,
    MethodPolicy,
    MethodRule,
    Migration,
    PolicyTarget,
    Registration,
    SignIn,
    SmsState,
)
from bot.domain.people import Person
from bot.domain.phone import PhoneNumber, Slot
from bot.ports import DirectoryRefused, Receipt

EVERYBODY = (PolicyTarget(ALL_USERS),)
_SERVES = {
    Slot.MOBILE: (Default.SMS, Default.VOICE_MOBILE),
    Slot.ALTERNATE: (Default.VOICE_ALTERNATE,),
    Slot.OFFICE: (Default.VOICE_OFFICE,),
}


@dataclass(frozen=True, slots=True)
class Deed:
    """One change that is no phone. what: `default` or `sms`; before and after: values of their words."""

    call_id: str
    oid: str
    what: str
    before: str
    after: str


class SigningIn(ABC):
    """Everything may be changed between calls; dictionaries are keyed by object id.

    preferred: the default method. other_methods: methods that are no phones. passes: when
    Temporary Access Passes were issued. sms: what was last done about
    SMS sign-in. moves_default: the default after any set phone (None = it stays). profile, cloud: as the
    adapter's. unreadable: why the sign-in experience of everybody cannot be read, "" = it can.
    """

    people: dict[str, Person]
    phones_of: dict[str, dict[Slot, PhoneNumber]]
    sign_in_numbers: list[PhoneNumber]

    def __init__(self) -> None:
        self.profile = "phone-only"
        self.cloud = "global"
        self.unreadable = ""
        self.preferred: dict[str, Default] = {}
        self.system_preferred: bool | None = False
        self.other_methods: dict[str, tuple[Method, ...]] = {}
        self.passes: dict[str, tuple[datetime, ...]] = {}
        self.moves_default: Default | None = None
        self.sms: dict[str, SmsState] = {}
        self.policy = MethodPolicy(
            MethodRule(True, EVERYBODY),
            MethodRule(True, EVERYBODY),
            True,
            Migration.COMPLETE,
            datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        )
        self.licences_of: dict[str, Licences] = {}
        self.registrations: dict[str, Registration] = {}
        self.deleted: list[Deleted] = []
        self.deeds: list[Deed] = []

    # --- what the other half gives --------------------------------------------------------------------
    @abstractmethod
    async def send(self, call: str, call_id: str) -> bool:
        """Enter a write: raises its fault; True = the effect happens but the answer is lost."""

    @abstractmethod
    async def enter_read(self, call: str, oid: str = "") -> str:
        """Enter a read: raises its fault; gives the checked object id of somebody who is there."""

    @abstractmethod
    def groups_with(self, oid: str) -> frozenset[str]: ...

    # --- the port -------------------------------------------------------------------------------------
    async def sign_in(self, oid: str) -> SignIn:
        oid = await self.enter_read("sign_in", oid)
        if self.profile == "phone-only":
            return SignIn(readable=False, why="the permission profile phone-only does not reach it")
        if self.unreadable:
            return SignIn(readable=False, why=self.unreadable)
        others = self.other_methods.get(oid, (Method.PASSWORD,))
        phones = (Method.PHONE,) * len(self.phones_of.get(oid, {}))
        default = self.preferred.get(oid, Default.NONE)
        passes = self.passes.get(oid, ())
        return SignIn(
            methods=(*others, *phones),
            default=default,
            system_preferred=self.system_preferred,
            passes=passes,
        )

    async def set_default(self, oid: str, default: Default, call_id: str) -> Receipt:
        if default in (Default.NONE, Default.UNKNOWN):
            raise ValueError("that is no method to make the default")
        if self.profile == "phone-only":
            raise DirectoryRefused(finer.PROFILE.refuse(profile=self.profile))
        lost = await self.send("set_default", call_id)
        before = self.preferred.get(oid, Default.NONE)
        self.preferred[oid] = default
        return self._done(Deed(call_id, oid, "default", before, default), lost)

    async def sms_sign_in(self, oid: str, enable: bool, call_id: str) -> Receipt:
        if self.cloud == "china":
            raise DirectoryRefused(finer.CLOUD_WITHOUT_SMS.refuse(cloud=self.cloud))
        lost = await self.send("sms_sign_in", call_id)
        number = self.phones_of.get(oid, {}).get(Slot.MOBILE)
        if number is None:
            gone = finer.METHOD_GONE.refuse(status="404", code="", request_id=call_id, who=oid)
            raise DirectoryRefused(gone, call_id)
        if enable and not self.usable_for_sign_in(oid):
            policy = reasons.DIRECTORY_POLICY.refuse(code="disabledByPolicy", request_id=call_id)
            raise DirectoryRefused(policy, call_id)
        if enable and self.clashes(number):
            self.sms[oid] = SmsState.NOT_UNIQUE
            raise DirectoryRefused(finer.SMS_NOT_UNIQUE.refuse(), call_id)
        before = self.sms_state(oid)
        self.sms[oid] = SmsState.READY if enable else SmsState.NOT_ENABLED
        return self._done(Deed(call_id, oid, "sms", before, self.sms[oid]), lost)

    async def method_policy(self) -> MethodPolicy:
        await self.enter_read("method_policy")
        return self.policy

    async def licences(self, oid: str) -> Licences:
        oid = await self.enter_read("licences", oid)
        return self.licences_of.get(oid, Licences(frozenset({"SPE_E3"}), frozenset({"AAD_PREMIUM"})))

    async def registration(self, oid: str) -> Registration:
        oid = await self.enter_read("registration", oid)
        unknown = Registration(readable=False, why="the report does not know the person yet")
        return self.registrations.get(oid, unknown)

    async def recently_deleted(self, limit: int) -> tuple[Deleted, ...]:
        await self.enter_read("recently_deleted")
        return tuple(self.deleted[:limit])

    # --- how it does it -------------------------------------------------------------------------------
    def usable_for_sign_in(self, oid: str) -> bool:
        return self.policy.sms.of(oid, self.groups_with(oid)).usable_for_sign_in

    def clashes(self, number: PhoneNumber) -> bool:
        return any(number.same_as(taken) for taken in self.sign_in_numbers)

    def sms_state(self, oid: str) -> SmsState:
        if self.people[oid].guest or self.cloud == "china":
            return SmsState.NOT_SUPPORTED
        if not self.usable_for_sign_in(oid):
            return SmsState.NOT_ALLOWED
        return self.sms.get(oid, SmsState.NOT_CONFIGURED)

    def phone_was_set(self, oid: str, slot: Slot, number: PhoneNumber, *, clash: bool) -> None:
        """What Graph does by itself: the sign-in name where policy says so, and perhaps the default."""
        if slot is Slot.MOBILE and self.usable_for_sign_in(oid):
            self.sms[oid] = SmsState.NOT_UNIQUE if clash else SmsState.READY
        if self.moves_default is not None:
            self.preferred[oid] = self.moves_default

    def is_default(self, oid: str, slot: Slot) -> bool:
        return self.preferred.get(oid) in _SERVES[slot]

    def phone_was_removed(self, oid: str, slot: Slot) -> None:
        """Without its phone neither the default nor the sign-in name can stay."""
        if self.is_default(oid, slot):
            self.preferred[oid] = Default.NONE
        if slot is Slot.MOBILE:
            self.sms.pop(oid, None)

    def _done(self, deed: Deed, lost: bool) -> Receipt:
        self.deeds.append(deed)
        return self.receipt(deed.call_id, lost)

    @abstractmethod
    def receipt(self, call_id: str, lost: bool) -> Receipt: ...
