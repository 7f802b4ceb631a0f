"""The same small company on two directories: in memory, and on the simulator through the Graph client."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx

from bot.domain.methods import ALL_USERS, Default, Method, MethodRule, PolicyTarget
from bot.domain.people import Person
from bot.domain.phone import PhoneNumber, Slot, read_directory_number
from bot.graph import GraphClient, GraphDirectory, Lanes
from bot.ports import Directory
from tests.doubles.directory import FakeDirectory, Fault, Group

ROOT = Path(__file__).parents[2]
DOMAIN = "tallow.example"
GROUPS = ("operator", "approver", "coordinator", "bulk", "auditor", "security", "admin")
#: alias -> fields, in the simulator's names.
PEOPLE: dict[str, dict[str, Any]] = {
    "alice": {"display_name": "Alice Anders", "phones": {"mobile": "+1 2065550110"}, "manager": "marta"},
    "marta": {"display_name": "Marta Mayfair", "department": "Sales", "job_title": "Head of Sales"},
    "obrien": {"display_name": "Siobhan O'Brien", "upn": f"siobhan.o'brien@{DOMAIN}"},
    "jonas": {"display_name": "Jonas Bergfeld", "employee_id": "E7001"},
    "jonas2": {"display_name": "Jonas Bergfeld", "employee_id": "E7001"},
    "jonathan": {"display_name": "Jonas Bergfelder"},
    "xavier": {"display_name": "Xavier Frost", "mail": f"x.frost@{DOMAIN}"},
    "xena": {"display_name": "Xena Frost", "upn": f"x.frost@{DOMAIN}", "mail": f"xena@{DOMAIN}"},
    "guest": {
        "display_name": "Gina Garland",
        "upn": f"gina_fabrikam.example#EXT#@{DOMAIN}",
        "user_type": "Guest",
        "enabled": False,
    },
    "otto": {
        "display_name": "Otto Osgood",
        "phones": {"mobile": "+1 2065550132", "office": "+1 2065550133x12"},
        "default_method": "sms",
    },
    "tessa": {
        "display_name": "Tessa Thorne",
        "phones": {"mobile": "+1 2065550134", "alternateMobile": "+1 2065550135"},
    },
    "ruth": {"display_name": "Ruth Ravenhill", "management_restricted": True},
    "sasha": {"display_name": "Sasha Summers", "phones": {"mobile": "+1 2065550137"}, "sms_state": "ready"},
    "nadia": {"display_name": "Nadia Nightingale"},
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One effect, as the directory itself remembers it."""

    oid: str
    slot: str
    before: str | None
    after: str | None
    call_id: str


class Stage(Protocol):
    """A directory with the company in it, and the hand that moves things behind its back."""

    directory: Directory

    def oid(self, alias: str) -> str: ...

    def group(self, name: str) -> str: ...

    def join(self, group: str, alias: str, kind: str = "members") -> None: ...

    def nest(self, outer: str, inner: str) -> None: ...

    def roles(self, alias: str, held: list[str], eligible: list[str]) -> None: ...

    def group_roles(self, name: str, held: list[str], eligible: list[str]) -> None: ...

    def sign_in_names(self) -> None:
        """Mobile numbers become sign-in names: sasha's is taken."""
        ...

    def fail(self, call: str, fault: Fault) -> None: ...

    def effects(self) -> list[Seen]: ...

    def profile(self, name: str) -> None:
        """Change which permissions the directory uses."""
        ...

    def cloud(self, name: str) -> None: ...

    def sign_in(self, alias: str, *, methods: tuple[Method, ...], default: Default) -> None:
        """Methods that are no phones, and the default."""
        ...

    def reset(self, alias: str, *, password: datetime, issued: datetime) -> None:
        """When the password was changed and a Temporary Access Pass, the only other method, was issued."""
        ...

    def manager_changed(self, alias: str, at: datetime) -> None: ...

    def stand_in(self, alias: str, other: str | None) -> None:
        """From now on the other one decides in the place of the first; and apps may read that."""
        ...

    def pass_policy(self, bounds: tuple[int, int] | None) -> None:
        """The least and most minutes of a Temporary Access Pass; None = there are none."""
        ...

    def default_moves(self) -> None:
        """From now on a mobile that is set becomes the default."""
        ...

    def set_phone(self, alias: str, slot: Slot, number: PhoneNumber) -> None: ...

    def sms_policy(self, *, include: list[str], exclude: list[str], for_sign_in: bool) -> None:
        """Groups by name; nobody named to include = everybody."""
        ...

    def new_hire(self) -> str:
        """Somebody new, whom no report knows."""
        ...


def _upn(alias: str) -> str:
    return str(PEOPLE[alias].get("upn", f"{alias}@{DOMAIN}"))


# --- in memory --------------------------------------------------------------------------------------------
class FakeStage:
    def __init__(self, profile: str = "phone-only") -> None:
        self._oids = {alias: str(uuid.uuid4()) for alias in PEOPLE}
        self.directory = fake = FakeDirectory(*(self._person(alias) for alias in PEOPLE))
        self._groups = {name: str(uuid.uuid4()) for name in GROUPS}
        for name, gid in self._groups.items():
            fake.groups[gid] = Group(gid, f"Phone desk {name}s", role_assignable=True)
        for alias, fields in PEOPLE.items():
            for slot, text in fields.get("phones", {}).items():
                fake.set_phone(self.oid(alias), Slot(slot), read_directory_number(text))
            if "manager" in fields:
                fake.managers[self.oid(alias)] = self.oid(fields["manager"])
        fake.defaults[self.oid("otto")] = Slot.MOBILE
        fake.profile = profile

    def _person(self, alias: str) -> Person:
        fields = PEOPLE[alias]
        return Person(
            oid=self._oids[alias],
            name=fields["display_name"],
            upn=_upn(alias),
            mail=fields.get("mail", _upn(alias)),
            department=fields.get("department"),
            job_title=fields.get("job_title"),
            employee_id=fields.get("employee_id"),
            enabled=fields.get("enabled", True),
            guest=fields.get("user_type") == "Guest",
            restricted_unit=fields.get("management_restricted", False),
        )

    def oid(self, alias: str) -> str:
        return self._oids[alias]

    def group(self, name: str) -> str:
        return self._groups[name]

    def join(self, group: str, alias: str, kind: str = "members") -> None:
        getattr(self.directory.groups[self.group(group)], kind).add(self.oid(alias))

    def nest(self, outer: str, inner: str) -> None:
        self.directory.groups[self.group(outer)].nested.add(self.group(inner))

    def roles(self, alias: str, held: list[str], eligible: list[str]) -> None:
        self.directory.roles[self.oid(alias)] = set(held)
        self.directory.eligible[self.oid(alias)] = set(eligible)

    def group_roles(self, name: str, held: list[str], eligible: list[str]) -> None:
        group = self.directory.groups[self.group(name)]
        group.roles, group.eligible = set(held), set(eligible)

    def sign_in_names(self) -> None:
        self.directory.sign_in_numbers.append(read_directory_number(PEOPLE["sasha"]["phones"]["mobile"]))
        self.sms_policy(include=[], exclude=[], for_sign_in=True)

    def profile(self, name: str) -> None:
        self.directory.profile = name

    def cloud(self, name: str) -> None:
        self.directory.cloud = name

    def sign_in(self, alias: str, *, methods: tuple[Method, ...], default: Default) -> None:
        self.directory.other_methods[self.oid(alias)] = methods
        self.directory.preferred[self.oid(alias)] = default

    def reset(self, alias: str, *, password: datetime, issued: datetime) -> None:
        oid, fake = self.oid(alias), self.directory
        fake.people[oid] = replace(fake.people[oid], password_changed_at=password)
        fake.other_methods[oid], fake.passes[oid] = (Method.TEMPORARY_PASS,), (issued,)

    def manager_changed(self, alias: str, at: datetime) -> None:
        self.directory.manager_changes[self.oid(alias)] = at

    def stand_in(self, alias: str, other: str | None) -> None:
        self.directory.stand_ins[self.oid(alias)] = self.oid(other) if other else ""

    def pass_policy(self, bounds: tuple[int, int] | None) -> None:
        self.directory.pass_bounds = bounds

    def default_moves(self) -> None:
        self.directory.moves_default = Default.SMS

    def set_phone(self, alias: str, slot: Slot, number: PhoneNumber) -> None:
        self.directory.set_phone(self.oid(alias), slot, number)

    def sms_policy(self, *, include: list[str], exclude: list[str], for_sign_in: bool) -> None:
        inside = tuple(PolicyTarget(self.group(name), for_sign_in) for name in include)
        outside = tuple(PolicyTarget(self.group(name)) for name in exclude)
        rule = MethodRule(True, inside or (PolicyTarget(ALL_USERS, for_sign_in),), outside)
        self.directory.policy = replace(self.directory.policy, sms=rule)

    def new_hire(self) -> str:
        return self.oid("alice")

    def fail(self, call: str, fault: Fault) -> None:
        self.directory.fail(call, fault)

    def effects(self) -> list[Seen]:
        return [
            Seen(e.oid, e.slot.value, _clear(e.before), _clear(e.after), e.call_id)
            for e in self.directory.effects
        ]


def _clear(number: PhoneNumber | None) -> str | None:
    if number is None:
        return None
    return f"+{number.country} {number.national}" + (f"x{number.extension}" if number.extension else "")


# --- on the simulator -------------------------------------------------------------------------------------
class _Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


class _Given:
    """A token that was made beforehand."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get(self, scope: str) -> str:
        return self._token

    async def refresh(self, scope: str) -> str:
        return self._token


async def _at_once(seconds: float) -> None:
    """Waiting between tries takes no time here."""


_NEWT = f"newt@{DOMAIN}"
_WRITE_PATHS = {
    "write": "/phoneMethods",
    "sms_sign_in": "SmsSignIn",
    "set_default": "/signInPreferences",
    "issue_pass": "/temporaryAccessPassMethods",
}
_PATHS = {
    "sign_in": "/signInPreferences",
    "method_policy": "/authenticationMethodsPolicy",
    "licences": "/licenseDetails",
    "registration": "/userRegistrationDetails",
    "recently_deleted": "/deletedItems",
    "manager_changed": "/directoryAudits",
    "stand_in": "/approverDelegate",
    "find": r"/users\?",
    "person": r"/users/[^/?]+\?",
    "manager": "/manager",
    "phones": "/phoneMethods",
    "member_of": "/checkMemberGroups",
    "members": "/transitiveMembers",
}
_FAULTS = {
    Fault.UNAVAILABLE: {"kind": "status", "status": 429, "retry_after": 30, "verb": "POST"},
    Fault.UNCERTAIN_BEFORE: {"kind": "reset", "verb": "POST"},
    Fault.UNCERTAIN_AFTER: {"kind": "reset_after", "verb": "POST"},
    Fault.REFUSED: {"kind": "status", "status": 403, "verb": "POST"},
}


class SandboxStage:
    """call `aclose` at the end: the world goes with it."""

    def __init__(self, urls: dict[str, str], profile: str = "phone-only") -> None:
        self._http = httpx.Client(base_url=urls["graph"], trust_env=False)
        people = [{"alias": alias, **fields} for alias, fields in PEOPLE.items()]
        for person in people:
            person.setdefault("upn", _upn(person["alias"]))
            person.setdefault("mail", person["upn"])
        # Managers must be there before they are named.
        people.sort(key=lambda person: "manager" in person)
        self._world = self._call("POST", "", {"seed": "empty", "people": people})
        token = self._call("POST", "/token", {})["access_token"]
        clock = _Now()
        self._client = GraphClient(
            urls["graph"],
            self._world["tenant_id"],
            _Given(token),
            clock,
            Lanes(lambda: 0.5),
            lambda: 0.5,
            sleep=_at_once,
        )
        self.directory = GraphDirectory(self._client, profile=profile)

    def _call(self, verb: str, path: str, body: Any = None) -> Any:
        tenant = f"/{self._world['tenant_id']}" if path or verb == "PATCH" else ""
        reply = self._http.request(verb, f"/_sandbox/worlds{tenant}{path}", json=body)
        assert reply.is_success, reply.text
        return reply.json() if reply.content else None

    async def aclose(self) -> None:
        await self.directory.aclose()
        self._http.delete(f"/_sandbox/worlds/{self._world['tenant_id']}")
        self._http.close()

    def oid(self, alias: str) -> str:
        return str(self._world["people"][alias]["oid"])

    def group(self, name: str) -> str:
        return str(self._world["role_groups"][name])

    def join(self, group: str, alias: str, kind: str = "members") -> None:
        kind = {"may_join": "eligible_members", "may_own": "eligible_owners"}.get(kind, kind)
        self._call("PUT", f"/groups/{group}/{kind}/{alias}")

    def nest(self, outer: str, inner: str) -> None:
        self._call("PATCH", f"/groups/{outer}", {"nested": [inner]})

    def roles(self, alias: str, held: list[str], eligible: list[str]) -> None:
        self._call("PATCH", f"/people/{alias}", {"roles": held, "eligible": eligible})

    def group_roles(self, name: str, held: list[str], eligible: list[str]) -> None:
        self._call("PATCH", f"/groups/{name}", {"roles": held, "eligible": eligible})

    def sign_in_names(self) -> None:
        self._rules(sms_usable_for_sign_in=True)

    def _rules(self, **rules: Any) -> None:
        self._call("PATCH", "", {"rules": rules})

    def profile(self, name: str) -> None:
        self.directory = GraphDirectory(self._client, profile=name)

    def cloud(self, name: str) -> None:
        self.directory = GraphDirectory(self._client, cloud=name)

    def sign_in(self, alias: str, *, methods: tuple[Method, ...], default: Default) -> None:
        chosen = None if default is Default.NONE else default.value
        fields = {"other_methods": [method.value for method in methods], "default_method": chosen}
        self._call("PATCH", f"/people/{alias}", fields)

    def reset(self, alias: str, *, password: datetime, issued: datetime) -> None:
        fields = {"password_changed": password.isoformat(), "pass_issued": issued.isoformat()}
        methods = [Method.TEMPORARY_PASS.value]
        self._call("PATCH", f"/people/{alias}", {**fields, "other_methods": methods})

    def manager_changed(self, alias: str, at: datetime) -> None:
        self._call("PATCH", f"/people/{alias}", {"manager_changed": at.isoformat()})

    def stand_in(self, alias: str, other: str | None) -> None:
        self._rules(app_reads_stand_ins=True)
        self._call("PATCH", f"/people/{alias}", {"stand_in": other})

    def permissions(self, names: list[str]) -> None:
        """What the app is granted from now on."""
        self._call("PATCH", "", {"permissions": names})

    def pass_policy(self, bounds: tuple[int, int] | None) -> None:
        least, most = bounds or (60, 480)
        state = "enabled" if bounds else "disabled"
        self._rules(tap_state=state, pass_least_minutes=least, pass_most_minutes=most)

    def default_moves(self) -> None:
        self._rules(default_moves=True)

    def set_phone(self, alias: str, slot: Slot, number: PhoneNumber) -> None:
        self._call("PATCH", f"/people/{alias}", {"phones": {slot.value: _clear(number)}})

    def sms_policy(self, *, include: list[str], exclude: list[str], for_sign_in: bool) -> None:
        inside = [self.group(name) for name in include] or ["all_users"]
        outside = [self.group(name) for name in exclude]
        self._rules(sms_targets=inside, sms_excluded=outside, sms_usable_for_sign_in=for_sign_in)

    def new_hire(self) -> str:
        made = self._call("POST", "/people", {"alias": "newt", "display_name": "Newt", "upn": _NEWT})
        return str(made["oid"])

    def fail(self, call: str, fault: Fault) -> None:
        if call in _WRITE_PATHS:
            verb = "PATCH" if call == "set_default" else "POST"
            self._call("POST", "/faults", {"path": _WRITE_PATHS[call], **_FAULTS[fault], "verb": verb})
        elif call == "protection":
            self._call("POST", "/faults", {"kind": "status", "status": 503, "path": "owned", "times": 9})
        else:
            self._call("POST", "/faults", {"kind": "status", "status": 503, "path": _PATHS[call], "times": 9})

    def effects(self) -> list[Seen]:
        return [
            Seen(e["oid"], e["phone_type"], e["before"], e["after"], e["client_request_id"])
            for e in self._call("GET", "/journal")["effects"]
        ]

    def requests(self, **wanted: str) -> list[dict[str, Any]]:
        """What reached the simulator, newest last."""
        query = "&".join(f"{key}={value}" for key, value in wanted.items())
        return list(self._call("GET", f"/requests?{query}")["requests"])


@contextmanager
def sandbox_urls(state_dir: Path) -> Iterator[dict[str, str]]:
    """A simulator as a process of its own; it ends with the block."""
    command = [sys.executable, "-m", "bot.sandbox", "serve", "--until-eof", "--state-dir", str(state_dir)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()
