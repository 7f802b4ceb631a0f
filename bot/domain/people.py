"""People as the rules see them: who somebody is, who reads a card, what protects a target.

Knows no directory protocol and no card. Object ids are lower-case GUID strings without braces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.methods import SmsState
from bot.domain.phone import PhoneNumber, Slot

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


class Role(StrEnum):
    """Roles of the policy file; each is a list of Entra groups. Roles do not imply each other."""

    OPERATOR = "operator"
    APPROVER = "approver"
    BULK = "bulk"
    COORDINATOR = "coordinator"
    AUDITOR = "auditor"
    SECURITY = "security"
    ADMIN = "admin"


class TargetKind(StrEnum):
    """What sort of target somebody is; the first that fits counts (design of the policy grammar)."""

    PROTECTED = "protected"
    OPERATOR = "operator"
    VIP = "vip"
    GUEST = "guest"
    NEW_HIRE = "new-hire"
    ORDINARY = "ordinary"


@dataclass(frozen=True, slots=True)
class Person:
    """One account as the directory holds it. What it does not tell is None."""

    oid: str
    name: str
    upn: str
    mail: str | None = None
    department: str | None = None
    job_title: str | None = None
    employee_id: str | None = None
    enabled: bool = True
    guest: bool = False
    synced: bool = False
    restricted_unit: bool = False
    usage_location: str | None = None
    created_at: datetime | None = None
    password_changed_at: datetime | None = None
    hired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One account of a list of everybody, with the mail addresses that mean it."""

    person: Person
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonRef:
    """A person as written into a change: pinned by object id, with the name and UPN of that moment."""

    oid: str
    name: str
    upn: str

    @classmethod
    def of(cls, person: Person) -> PersonRef:
        return cls(person.oid, person.name, person.upn)


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever speaks to us, looked up now: the account and the roles its groups give."""

    person: Person
    roles: frozenset[Role]

    @property
    def oid(self) -> str:
        return self.person.oid


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever a card is drawn for. timezone is an IANA name, locale a BCP 47 tag."""

    oid: str
    locale: str = "en-US"
    timezone: str = "UTC"
    roles: frozenset[Role] = frozenset()


@dataclass(frozen=True, slots=True)
class Protection:
    """What protects a target, each fact in words for the refusal. Empty = not protected."""

    facts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.facts)


@dataclass(frozen=True, slots=True)
class ProtectionRules:
    """The `[protected]` table: role template ids that do not protect, break-glass people, groups."""

    allow_roles: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Phones:
    """The phone methods of one person as read, by slot. A missing slot is empty. sms: by slot, too."""

    by_slot: dict[Slot, PhoneNumber] = field(default_factory=dict)
    sms: dict[Slot, SmsState] = field(default_factory=dict)

    def get(self, slot: Slot) -> PhoneNumber | None:
        return self.by_slot.get(slot)

    @property
    def sms_sign_in(self) -> SmsState:
        """The state of the mobile: the only phone that can be a sign-in name."""
        return self.sms.get(Slot.MOBILE, SmsState.UNKNOWN)


def object_id(text: str) -> str | None:
    """A GUID in lower case without braces, or None. Two spellings of one id must compare equal."""
    value = text.strip().strip("{}").lower()
    return value if _GUID.match(value) else None
