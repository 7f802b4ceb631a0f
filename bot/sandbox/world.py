"""The state of one pretend tenant (a world) and the set of all of them.

Knows people, groups, roles, policy switches and how they relate. Must not know HTTP, Graph's wording or
the Teams channel: the servers read and change this state.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .faults import Faults
from .journal import Journal
from .rules import Rules
from .throttle import Profile, Throttle

Now = Callable[[], datetime]

ROLE_NAMES = ("operator", "approver", "coordinator", "bulk", "auditor", "security", "admin")

#: What an installation with every feature on is granted (application permissions).
FULL_PERMISSIONS = frozenset(
    {
        "User.Read.All",
        "GroupMember.Read.All",
        "UserAuthMethod-Phone.ReadWrite.All",
        "UserAuthMethod-TAP.ReadWrite.All",
        "UserAuthenticationMethod.ReadWrite.All",
        "RoleManagement.Read.Directory",
        "RoleEligibilitySchedule.Read.Directory",
        "PrivilegedEligibilitySchedule.Read.AzureADGroup",
        "Policy.Read.AuthenticationMethod",
        "AuditLog.Read.All",
    }
)
_NAMESPACE = uuid.UUID("7b1f7c52-0d0e-5d6b-9a43-3c1f6b0e52aa")
_KEPT_SNAPSHOTS = 50
_KEPT_CHANGES = 1_000


def stable_id(*parts: str) -> str:
    """A lower-case GUID that is the same for the same parts, on every machine."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))


def stamp(moment: datetime) -> str:
    """A time as Graph writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


#: Kinds of method beside the phones, as in "#microsoft.graph.{kind}AuthenticationMethod".
METHOD_KINDS = (
    *("password", "email", "fido2", "microsoftAuthenticator", "softwareOath", "temporaryAccessPass"),
    *("windowsHelloForBusiness", "platformCredential", "qrCodePin", "external"),
)


@dataclass(frozen=True, slots=True)
class PhoneSnapshot:
    """What the phones and the default looked like until `until` (for stale reads)."""

    until: datetime
    phones: dict[str, str]
    sms_state: str | None
    default_method: str | None


@dataclass(slots=True)
class Person:
    """One account. `phones` maps mobile, alternateMobile, office to "+1 2065550100" (Graph's form).

    `sms_state` is what was last done about SMS sign-in with the mobile: ready, notEnabled,
    phoneNumberNotUnique or None; `default_method` is push, oath, sms, voiceMobile, voiceAlternateMobile,
    voiceOffice or None; roles are role template ids; `other_methods` are METHOD_KINDS; `licences` are SKU
    part numbers; `per_user_mfa` is disabled, enabled or enforced; `system_preferred` None = as the rule says.
    `manager_changed` None = long ago; `stand_in` is an object id, without `stand_in_until` it does not end.
    `password_changed` and `pass_issued` (of a temporaryAccessPass) None = when the account was made.
    `temporary_pass` is the secret of the pass made last over Graph, None = none was; it works for
    `pass_minutes`, and more than once where `pass_once` is False.
    """

    oid: str
    upn: str
    display_name: str
    given_name: str = ""
    surname: str = ""
    mail: str | None = None
    employee_id: str | None = None
    alias: str = ""
    job_title: str | None = None
    department: str | None = None
    usage_location: str | None = "US"
    user_type: str = "Member"
    account_enabled: bool = True
    synced: bool = False
    created: datetime = datetime(2024, 3, 4, 9, 0, tzinfo=UTC)
    hired: datetime | None = None
    password_changed: datetime | None = None
    pass_issued: datetime | None = None
    pass_minutes: int = 60
    pass_once: bool = True
    temporary_pass: str | None = field(default=None, repr=False)
    management_restricted: bool = False
    manager_oid: str | None = None
    manager_changed: datetime | None = None
    stand_in: str | None = None
    stand_in_until: datetime | None = None
    installed: bool = True
    locale: str = "en-US"
    timezone: str = "America/Los_Angeles"
    deleted: bool = False
    deleted_at: datetime | None = None
    licences: list[str] = field(default_factory=lambda: ["SPE_E3"])
    per_user_mfa: str = "disabled"
    system_preferred: bool | None = None
    phones: dict[str, str] = field(default_factory=dict)
    sms_state: str | None = None
    other_methods: list[str] = field(default_factory=lambda: ["password"])
    default_method: str | None = None
    directory_roles: set[str] = field(default_factory=set)
    eligible_roles: set[str] = field(default_factory=set)
    generated: bool = False
    history: list[PhoneSnapshot] = field(default_factory=list, repr=False)

    @property
    def mri(self) -> str:
        """The id Teams uses for this person ("29:..."): stable, and not the object id."""
        digest = hashlib.sha256(b"mri:" + self.oid.encode()).digest()
        return "29:1" + base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def remember(self, now: datetime) -> None:
        """Keep the present phones before a write changes them."""
        self.history.append(self._snapshot(now))
        del self.history[:-_KEPT_SNAPSHOTS]

    def phones_at(self, when: datetime) -> PhoneSnapshot:
        """Phones, SMS state and default as they were at `when`, as far as remembered."""
        return next((kept for kept in self.history if kept.until > when), None) or self._snapshot(when)

    def _snapshot(self, until: datetime) -> PhoneSnapshot:
        return PhoneSnapshot(until, dict(self.phones), self.sms_state, self.default_method)


@dataclass(slots=True)
class Group:
    """One security group. `members` are object ids of people, `nested` of groups, in listing order.

    `eligible_members` and `eligible_owners` (people or groups) may become one through PIM for groups.
    """

    id: str
    display_name: str
    members: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    role_assignable: bool = False
    management_restricted: bool = False
    directory_roles: set[str] = field(default_factory=set)
    eligible_roles: set[str] = field(default_factory=set)
    eligible_members: list[str] = field(default_factory=list)
    eligible_owners: list[str] = field(default_factory=list)


class World:
    """One tenant with one registered app (the bot). Everything in it may be changed at any time."""

    def __init__(self, spec: dict[str, Any], now: Now, journal_file: Path | None = None) -> None:
        """Make an empty world from `name tenant_id app_id secret bot_url permissions rules` (all optional).

        Raises ValueError when a rule is unknown.
        """
        self.name: str | None = spec.get("name")
        self.tenant_id = self._id(spec, "tenant_id")
        self.app_id = self._id(spec, "app_id")
        self.secret = str(spec.get("secret") or "pretend-" + self._id(spec, "secret_id"))
        self.bot_url: str | None = spec.get("bot_url")
        self.people: dict[str, Person] = {}
        self.groups: dict[str, Group] = {}
        self.role_groups: dict[str, str] = {}
        self.permissions: set[str] = set(spec.get("permissions", FULL_PERMISSIONS))
        self.now = now
        self.faults = Faults(now)
        self.journal = Journal(journal_file)
        self.rules = Rules()
        self.throttle = Throttle(Profile(), now, "")
        self._privileged: list[Person] | None = None
        self.set_rules(spec.get("rules", {}))
        self._index: dict[str, str] = {}
        self._past: list[tuple[datetime, str, Person | Group | None]] = []

    def _id(self, spec: dict[str, Any], key: str) -> str:
        """The given id, or a stable one for a named world, or a random one. Lower case."""
        if spec.get(key):
            return str(spec[key]).lower()
        return stable_id("world", self.name, key) if self.name else str(uuid.uuid4())

    def set_rules(self, changes: dict[str, Any]) -> None:
        """Change some switches; raises ValueError naming an unknown one. A new throttle starts empty."""
        self.rules.change(changes)
        if "throttle" in changes:
            profile = Profile.read(self.rules.throttle)
            self.throttle = Throttle(profile, self.now, f"{self.app_id}/{self.tenant_id}")

    def before_change(self, thing: Person | Group | str) -> None:
        """Keep a person or group as it is now, for lagging reads; a str is the id of one about to be made."""
        if isinstance(thing, str):
            self._past.append((self.now(), thing, None))
        else:
            self._past.append(
                (self.now(), thing.oid if isinstance(thing, Person) else thing.id, _kept(thing))
            )
        del self._past[:-_KEPT_CHANGES]

    def forget_past(self) -> None:
        """Lagging reads see the present from here on."""
        self._past.clear()

    def as_of(self, when: datetime) -> World:
        """This world with people and groups as they were at `when`, as far as kept. For reading only."""
        later = [(oid, was) for until, oid, was in self._past if until > when]
        if not later:
            return self
        view = copy.copy(self)
        view.people, view.groups, view._privileged = dict(self.people), dict(self.groups), None
        for oid, was in reversed(later):
            if isinstance(was, Person):
                view.people[oid] = was
            elif isinstance(was, Group):
                view.groups[oid] = was
            else:
                view.people.pop(oid, None)
        return view

    def add(self, person: Person) -> Person:
        """Add one person and make them findable."""
        self.people[person.oid] = person
        self.reindex(person)
        return person

    def reindex(self, person: Person) -> None:
        """Make the present alias, UPN and object id of this person findable."""
        self._privileged = None
        stale = [key for key, oid in self._index.items() if oid == person.oid] if self._known(person) else []
        for key in stale:
            del self._index[key]
        for key in (person.alias, person.upn, person.oid):
            if key:
                self._index[key.casefold()] = person.oid

    def privileged(self) -> list[Person]:
        """People with a directory role of their own, or eligible for one: few, however many there are."""
        if self._privileged is None:
            everybody = self.people.values()
            self._privileged = [p for p in everybody if p.directory_roles or p.eligible_roles]
        return self._privileged

    def _known(self, person: Person) -> bool:
        return person.oid in self._index

    def find(self, who: str | None) -> Person | None:
        """The person with this alias, UPN or object id (any letter case), deleted ones included."""
        oid = self._index.get((who or "").casefold())
        return self.people.get(oid) if oid else None

    def find_group(self, which: str) -> Group | None:
        """The group with this id, role name ("operator") or display name."""
        key = self.role_groups.get(which, which).casefold()
        for group in self.groups.values():
            if key in (group.id, group.display_name.casefold()):
                return group
        return None

    def members(self, group: Group) -> list[Person]:
        """Everybody in the group, nested groups after direct members, each once, without deleted people."""
        found = dict.fromkeys(oid for each in self.tree(group) for oid in each.members)
        return [p for oid in found if (p := self.people.get(oid)) and not p.deleted]

    def tree(self, group: Group) -> Iterator[Group]:
        """The group and all groups below it, each once."""
        todo, seen = [group.id], set()
        while todo:
            current = self.groups.get(todo.pop(0))
            if current is None or current.id in seen:
                continue
            seen.add(current.id)
            yield current
            todo.extend(current.nested)

    def groups_of(self, oid: str) -> list[Group]:
        """Every group that holds this person, directly or through other groups."""
        found = [g for g in self.groups.values() if oid in g.members]
        for group in found:
            found.extend(g for g in self.groups.values() if group.id in g.nested and g not in found)
        return found

    def roles_of(self, person: Person) -> set[str]:
        """Active role template ids, own and through groups."""
        return person.directory_roles.union(*(g.directory_roles for g in self.groups_of(person.oid)))

    def sms_sign_in_allowed(self, person: Person) -> bool:
        """Does the SMS policy let this person's mobile be a sign-in name? (Never for guests or in China.)"""
        rules = self.rules
        if rules.cloud == "china" or person.user_type == "Guest" or rules.sms_state != "enabled":
            return False
        named = rules.sms_sign_in_targets
        if named is None:
            named = rules.sms_targets if rules.sms_usable_for_sign_in else []
        return bool(named) and self.targeted(person, named, rules.sms_excluded)

    def phone_allowed(self, person: Person, phone_type: str) -> bool:
        """Does the policy let this person use a phone of this type for anything?"""
        rules = self.rules
        calls = rules.voice_state == "enabled" and self.targeted(
            person, rules.voice_targets, rules.voice_excluded
        )
        if phone_type == "office":
            return calls and rules.voice_office_allowed
        texts = rules.sms_state == "enabled" and self.targeted(person, rules.sms_targets, rules.sms_excluded)
        return calls or (texts and phone_type == "mobile")

    def pass_allowed(self, person: Person) -> bool:
        """Does the policy let this person have a Temporary Access Pass?"""
        rules = self.rules
        return rules.tap_state == "enabled" and self.targeted(person, rules.tap_targets, [])

    def targeted(self, person: Person, targets: list[str], excluded: list[str]) -> bool:
        """Is this person in one of the targets and in none of the excluded ones?"""
        if targets == ["all_users"] and not excluded:
            return True
        mine = {"all_users", person.oid, *(g.id for g in self.groups_of(person.oid))}
        return not mine.isdisjoint(targets) and mine.isdisjoint(excluded)

    def later(self, seconds: float) -> datetime:
        """Now plus some seconds."""
        return self.now() + timedelta(seconds=seconds)


def _kept(thing: Person | Group) -> Person | Group:
    """A copy whose lists and sets are its own."""
    kept = copy.copy(thing)
    for name in thing.__dataclass_fields__:
        value = getattr(thing, name)
        if isinstance(value, list | set | dict):
            setattr(kept, name, value.copy())
    return kept
