"""A directory in memory: people, phones, groups and roles as plain data, with faults on demand.

Keeps the promises of the `Directory` port (tests/contract/test_directory.py runs on it too). Knows no HTTP,
no clock and no Graph answers; must not grow rules of the workflow.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain import directory_reasons as finer
from bot.domain import reasons
from bot.domain.change import Operation, OpKind
from bot.domain.command import Who, WhoKind
from bot.domain.methods import Method, SmsState
from bot.domain.numbers import PeoplePage
from bot.domain.people import Person, Phones, Protection, ProtectionRules, object_id
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.reason import Refusal
from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain, Pass, Receipt, Unread
from tests.doubles.directory_signin import SigningIn

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
DIRECTORY_READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
_WRITES = ("write", "set_default", "sms_sign_in", "install_app", "issue_pass")
ROLE_TITLES = {GLOBAL_ADMINISTRATOR: "Global Administrator", DIRECTORY_READERS: "Directory Readers"}


class Fault(StrEnum):
    """What happens to one call. The two UNCERTAIN kinds and REFUSED are for writes only."""

    UNAVAILABLE = "nothing sent, nothing done"
    UNCERTAIN_BEFORE = "no answer, and the effect never happened"
    UNCERTAIN_AFTER = "no answer, though the effect happened"
    REFUSED = "the directory says no"


@dataclass(frozen=True, slots=True)
class Effect:
    """One write that changed something. Numbers are in the clear only inside their type."""

    call_id: str
    oid: str
    kind: OpKind
    slot: Slot
    before: PhoneNumber | None
    after: PhoneNumber | None


@dataclass(slots=True)
class Group:
    """A group. members and owners are object ids of people, nested of groups; roles are template ids.

    may_join and may_own: people who may become one through PIM for groups.
    """

    id: str
    name: str = "A group"
    members: set[str] = field(default_factory=set)
    nested: set[str] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)
    role_assignable: bool = False
    roles: set[str] = field(default_factory=set)
    eligible: set[str] = field(default_factory=set)
    may_join: set[str] = field(default_factory=set)
    may_own: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Planned:
    call: str
    fault: Fault
    times: int
    skip: int
    retry_after: timedelta | None
    refusal: Refusal | None
    saved_anyway: bool


class FakeDirectory(SigningIn):
    """Fill the public dictionaries by hand; everything may be changed between calls.

    people phones managers manager_changes stand_ins aliases roles eligible facts are keyed by object id,
    groups by group id. aliases: further mail addresses of a person. facts: protection facts given as they
    are. sign_in_numbers: numbers that are somebody else's sign-in name. defaults: the slot that is the
    default method, undeletable while other methods exist. calls: names of the calls made, in order. effects:
    what writes did. installed: for whom our app was installed. issued: passes that were made, as (oid,
    minutes, call_id), whose secrets are PASS-1, PASS-2 and so on; pass_bounds: the least and most minutes
    that the tenant allows, None = no passes at all. before: an async hook by call name, awaited
    before the call does anything (races, crashes).
    """

    def __init__(self, *people: Person) -> None:
        super().__init__()
        self.people: dict[str, Person] = {person.oid: person for person in people}
        self.phones_of: dict[str, dict[Slot, PhoneNumber]] = {}
        self.managers: dict[str, str] = {}
        self.manager_changes: dict[str, datetime] = {}
        self.stand_ins: dict[str, str] = {}
        self.aliases: dict[str, tuple[str, ...]] = {}
        self.roles: dict[str, set[str]] = {}
        self.eligible: dict[str, set[str]] = {}
        self.facts: dict[str, tuple[str, ...]] = {}
        self.groups: dict[str, Group] = {}
        self.defaults: dict[str, Slot] = {}
        self.sign_in_numbers: list[PhoneNumber] = []
        self.not_unique_saves = True
        self.calls: list[str] = []
        self.effects: list[Effect] = []
        self.installed: list[str] = []
        self.passes_due: set[str] = set()
        self.issued: list[tuple[str, int, str]] = []
        self.pass_bounds: tuple[int, int] | None = (60, 480)
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        self._planned: list[_Planned] = []
        self._stale: dict[str, tuple[dict[Slot, PhoneNumber], int]] = {}
        self._stale_reads = 0

    # --- faults and views -----------------------------------------------------------------------------
    def fail(
        self,
        call: str,
        fault: Fault,
        *,
        times: int = 1,
        skip: int = 0,
        retry_after: timedelta | None = None,
        refusal: Refusal | None = None,
        saved_anyway: bool = False,
    ) -> None:
        """The next `times` calls of that name ("find"; "" = any) go wrong, after `skip` good ones."""
        self._planned.append(_Planned(call, fault, times, skip, retry_after, refusal, saved_anyway))

    def stale_reads(self, reads: int) -> None:
        """After each later write, that many reads of the person's phones still show the values of before."""
        self._stale_reads = reads

    def set_phone(self, oid: str, slot: Slot, number: PhoneNumber | None) -> None:
        """Somebody else changes a phone: no call, no effect in the journal."""
        if number is None:
            self.phones_of.get(oid, {}).pop(slot, None)
        else:
            self.phones_of.setdefault(oid, {})[slot] = number

    # --- the port -------------------------------------------------------------------------------------
    async def find(self, who: Who, limit: int = 10) -> Sequence[Person]:
        await self._enter("find")
        if who.kind is WhoKind.ME:
            raise ValueError("`me` is nobody to look up")
        if who.kind is WhoKind.OID:
            found = [p for p in self.people.values() if p.oid == _guid(who.value)]
        else:
            found = [p for p in self.people.values() if self._fits(p, who)]
        return tuple(sorted(found, key=lambda p: (p.name.casefold(), p.upn.casefold()))[: limit + 1])

    async def person(self, oid: str) -> Person | None:
        await self._enter("person")
        return self.people.get(_guid(oid))

    async def manager(self, oid: str) -> Person | None:
        await self._enter("manager")
        return self.people.get(self.managers.get(_guid(oid), ""))

    async def pass_due(self, oid: str) -> bool:
        await self._enter("pass_due")
        return _guid(oid) in self.passes_due

    async def install_app(self, oid: str, call_id: str) -> None:
        await self.send("install_app", call_id)
        self.installed.append(_guid(oid))

    async def issue_pass(self, oid: str, minutes: int, call_id: str) -> Pass:
        oid = _guid(oid)
        lost = await self.send("issue_pass", call_id)
        self._judge_pass(oid, minutes, call_id)
        self.issued.append((oid, minutes, call_id))
        others = self.other_methods.get(oid, (Method.PASSWORD,))
        self.other_methods[oid] = (
            *(m for m in others if m is not Method.TEMPORARY_PASS),
            Method.TEMPORARY_PASS,
        )
        receipt = self.receipt(call_id, lost)
        return Pass(f"PASS-{len(self.issued)}", minutes, receipt.graph_request_id)

    async def reports(self, oid: str, limit: int) -> Sequence[Person]:
        await self._enter("reports")
        mine = [each for each, boss in self.managers.items() if boss == _guid(oid)]
        return tuple(self.people[each] for each in mine if each in self.people)[:limit]

    async def created_since(self, at: datetime, limit: int) -> Sequence[Person]:
        await self._enter("created_since")
        found = [p for p in self.people.values() if p.created_at is not None and p.created_at >= at]
        return tuple(found[:limit])

    async def manager_changed(self, oid: str, since: datetime) -> datetime | None:
        await self._enter("manager_changed")
        changed = self.manager_changes.get(_guid(oid))
        return changed if changed is not None and changed >= since else None

    async def stand_in(self, oid: str) -> Person | None:
        await self._enter("stand_in")
        return self.people.get(self.stand_ins.get(_guid(oid), ""))

    async def phones(self, oid: str) -> Phones:
        await self._enter("phones")
        oid = self._known(oid)
        if oid in self._stale:
            shown, left = self._stale[oid]
            if left > 0:
                self._stale[oid] = (shown, left - 1)
                return self._shown(oid, shown)
        return self._shown(oid, self.phones_of.get(oid, {}))

    async def phones_of_many(self, oids: Sequence[str]) -> AsyncIterator[tuple[str, Phones | Unread]]:
        await self._enter("phones_of_many")
        for oid in dict.fromkeys(_guid(each) for each in oids):
            if oid in self.people:
                yield oid, self._shown(oid, self.phones_of.get(oid, {}))
            else:
                yield oid, Unread("the account is not there", gone=True)

    async def people_page(self, cursor: str, limit: int) -> PeoplePage | None:
        """The cursor is a count; one beyond the people there are is not known any more."""
        await self._enter("people_page")
        begin, everybody = int(cursor or "0"), list(self.people)
        if begin and begin >= len(everybody):
            return None
        rest = str(begin + limit) if begin + limit < len(everybody) else ""
        total = None if begin else len(everybody)
        return PeoplePage(tuple(everybody[begin : begin + limit]), rest, total)

    def _shown(self, oid: str, phones: dict[Slot, PhoneNumber]) -> Phones:
        states = {s: self.sms_state(oid) if s is Slot.MOBILE else SmsState.NOT_SUPPORTED for s in phones}
        return Phones(dict(phones), states)

    async def member_of(self, oid: str, groups: frozenset[str]) -> frozenset[str]:
        await self._enter("member_of")
        oid = self._known(oid)
        return frozenset(wanted for wanted in groups if wanted.lower() in self._groups_of(oid))

    async def members(self, group: str, limit: int) -> Sequence[Person]:
        await self._enter("members")
        found = dict.fromkeys(oid for each in self._tree(_guid(group)) for oid in sorted(each.members))
        return tuple(self.people[oid] for oid in found if oid in self.people)[:limit]

    async def weak_groups(self, groups: frozenset[str]) -> frozenset[str]:
        await self._enter("weak_groups")
        found = {each: self.groups.get(_guid(each)) for each in groups}
        return frozenset(each for each, group in found.items() if group is None or not group.role_assignable)

    async def group_names(self, groups: frozenset[str]) -> dict[str, str]:
        await self._enter("group_names")
        return {each: self.groups[each].name for each in groups if each in self.groups}

    async def protection(self, oid: str, rules: ProtectionRules, own_groups: frozenset[str]) -> Protection:
        await self._enter("protection")
        return Protection(tuple(self._facts(self._known(oid), rules, own_groups)))

    async def write(
        self,
        target_oid: str,
        op: Operation,
        number: PhoneNumber | None,
        call_id: str,
        *,
        present: bool | None = None,
    ) -> Receipt:
        target_oid = _guid(target_oid)
        lost = await self.send("write", call_id)
        self._write(target_oid, op, number, call_id)
        return self.receipt(call_id, lost)

    # --- for the other half ---------------------------------------------------------------------------
    async def send(self, call: str, call_id: str) -> bool:
        fault = await self._enter(call)
        if fault is not None and fault.fault is Fault.REFUSED:
            denied = reasons.DIRECTORY_DENIED.refuse(code="accessDenied", request_id=call_id)
            refusal = fault.refusal or denied
            raise DirectoryRefused(refusal, call_id, saved_anyway=fault.saved_anyway)
        if fault is not None and fault.fault is Fault.UNCERTAIN_BEFORE:
            raise DirectoryUncertain("the connection broke", call_id)
        return fault is not None

    async def enter_read(self, call: str, oid: str = "") -> str:
        await self._enter(call)
        return self._known(oid) if oid else ""

    def groups_with(self, oid: str) -> frozenset[str]:
        return frozenset(self._groups_of(oid))

    def receipt(self, call_id: str, lost: bool) -> Receipt:
        if lost:
            raise DirectoryUncertain("the connection broke", call_id)
        return Receipt(f"fake-{call_id}")

    # --- how it does it -------------------------------------------------------------------------------
    async def _enter(self, call: str) -> _Planned | None:
        """Note the call, run its hook, and raise or return the fault that hits it."""
        self.calls.append(call)
        if call in self.before:
            await self.before[call]()
        for planned in self._planned:
            if planned.call not in ("", call) or planned.times <= 0:
                continue
            if planned.skip > 0:
                planned.skip -= 1
                continue
            planned.times -= 1
            if planned.fault is Fault.UNAVAILABLE or call not in _WRITES:
                raise DirectoryUnavailable("out of reach", planned.retry_after)
            return planned
        return None

    def _known(self, oid: str) -> str:
        oid = _guid(oid)
        if oid not in self.people:
            raise DirectoryUnavailable("the account is not there")
        return oid

    def _fits(self, person: Person, who: Who) -> bool:
        wanted = who.value.strip().casefold()
        if who.kind is WhoKind.UPN:
            known = (person.upn, person.mail or "", *self.aliases.get(person.oid, ()))
            return wanted.isascii() and wanted in (each.casefold() for each in known)
        if who.kind is WhoKind.EMPLOYEE:
            return (person.employee_id or "").casefold() == wanted
        if who.exact:
            return person.name.casefold() == wanted
        words = person.name.casefold().split()
        return bool(wanted) and all(any(w.startswith(part) for w in words) for part in wanted.split())

    def _tree(self, group: str) -> Iterator[Group]:
        todo, seen = [group], set[str]()
        while todo:
            current = self.groups.get(todo.pop(0))
            if current is not None and current.id not in seen:
                seen.add(current.id)
                yield current
                todo.extend(sorted(current.nested))

    def _groups_of(self, oid: str) -> dict[str, Group]:
        return {
            gid: g for gid, g in self.groups.items() if any(oid in each.members for each in self._tree(gid))
        }

    def _facts(self, oid: str, rules: ProtectionRules, own_groups: frozenset[str]) -> Iterator[str]:
        mine = self._groups_of(oid)
        if oid in rules.people:
            yield "is on the list of protected people"
        if self.people[oid].restricted_unit:
            yield "is in a restricted administrative unit"
        held = self.roles.get(oid, set()).union(*(g.roles for g in mine.values()))
        for role in sorted(held - rules.allow_roles):
            yield f"holds the directory role {ROLE_TITLES.get(role, role)}"
        if self.eligible.get(oid, set()).union(*(g.eligible for g in mine.values())) - rules.allow_roles:
            yield "is eligible for a directory role (PIM)"
        for gid, group in self.groups.items():
            if group.role_assignable and gid in mine and gid not in own_groups:
                yield f"is a member of the role-assignable group {group.name}"
            if group.role_assignable and oid in group.owners:
                yield f"owns the role-assignable group {group.name}"
            if gid in rules.groups and gid in mine:
                yield f"is in the protected group {group.name}"
            if group.role_assignable and oid in group.may_join and gid not in own_groups:
                yield f"may join the role-assignable group {group.name} (PIM for groups)"
            if group.role_assignable and oid in group.may_own:
                yield f"may own the role-assignable group {group.name} (PIM for groups)"
        yield from self.facts.get(oid, ())

    def _write(self, oid: str, op: Operation, number: PhoneNumber | None, call_id: str) -> None:
        if op.kind not in (OpKind.SET, OpKind.REMOVE):
            raise ValueError("a phone is set or removed; the rest has calls of its own")
        if (op.kind is OpKind.SET) != (number is not None):
            raise ValueError("a number belongs to `set` and to nothing else")
        self._judge(oid, op, call_id)
        earlier = dict(self.phones_of.get(oid, {}))
        clash = number is not None and self.clashes(number)
        if not clash or self.not_unique_saves:
            self.set_phone(oid, op.slot, number)
            self.effects.append(Effect(call_id, oid, op.kind, op.slot, earlier.get(op.slot), number))
            self._stale[oid] = (earlier, self._stale_reads)
            if number is not None:
                self.phone_was_set(oid, op.slot, number, clash=clash)
            else:
                self.phone_was_removed(oid, op.slot)
        if clash:
            refusal = reasons.DIRECTORY_NOT_UNIQUE.refuse(request_id=call_id)
            raise DirectoryRefused(refusal, call_id, saved_anyway=True)

    def _judge_pass(self, oid: str, minutes: int, call_id: str) -> None:
        """The tenant's policy for passes, and who is out of reach."""
        facts = {"code": "badRequest", "request_id": call_id}
        least, most = self.pass_bounds or (1, 0)
        if oid not in self.people:
            raise DirectoryRefused(reasons.DIRECTORY_GONE.refuse(**facts), call_id)
        if self.people[oid].restricted_unit:
            raise DirectoryRefused(reasons.DIRECTORY_RESTRICTED_UNIT.refuse(**facts), call_id)
        if self.people[oid].guest:
            raise DirectoryRefused(finer.PASS_GUEST.refuse(status="400", **facts), call_id)
        if not least <= minutes <= most:
            raise DirectoryRefused(finer.PASS_NOT_ALLOWED.refuse(status="400", **facts), call_id)

    def _judge(self, oid: str, op: Operation, call_id: str) -> None:
        """The rules of phone methods that the directory keeps by itself."""
        if op.kind is OpKind.SET and oid not in self.people:
            raise DirectoryUnavailable("the account is not there")
        if oid not in self.people:
            raise DirectoryRefused(reasons.DIRECTORY_GONE.refuse(code="404", request_id=call_id), call_id)
        if self.people[oid].restricted_unit:
            raise DirectoryRefused(
                reasons.DIRECTORY_RESTRICTED_UNIT.refuse(code="403", request_id=call_id), call_id
            )
        have = self.phones_of.get(oid, {})
        needs_mobile = op.kind is OpKind.SET and op.slot is Slot.ALTERNATE and Slot.MOBILE not in have
        alternate_left = op.kind is OpKind.REMOVE and op.slot is Slot.MOBILE and Slot.ALTERNATE in have
        if needs_mobile or alternate_left:
            rule = reasons.DIRECTORY_RULE.refuse(code="badRequest", request_id=call_id, who=oid)
            raise DirectoryRefused(rule, call_id)
        if op.kind is OpKind.REMOVE and op.slot not in have:
            raise DirectoryUncertain("the method to remove is not there", call_id)
        default = self.defaults.get(oid) is op.slot or self.is_default(oid, op.slot)
        others = len(have) > 1 or set(self.other_methods.get(oid, ())) - {Method.PASSWORD}
        if op.kind is OpKind.REMOVE and default and others:
            raise DirectoryRefused(
                reasons.DIRECTORY_DEFAULT.refuse(code="badRequest", request_id=call_id), call_id
            )


def _guid(text: str) -> str:
    oid = object_id(text)
    if oid is None:
        raise ValueError("not an object id")
    return oid
