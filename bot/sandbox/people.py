"""The people of the pretend company "Tallow & Finch", and how a spec fills a world with them.

All names, numbers and addresses are invented (numbers from +1 206 555 01xx, reserved for fiction). Must not
know HTTP.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from .world import METHOD_KINDS, ROLE_NAMES, Group, Person, World, stable_id

DOMAIN = "contoso.example"
GLOBAL_ADMIN = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_AUTH_ADMIN = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
HELPDESK_ADMIN = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
USER_ADMIN = "fe930be7-5e62-47db-91af-98c3a49a38b1"
DIRECTORY_READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"

_PW = ["password"]
_APP = ["password", "microsoftAuthenticator"]
_M, _A, _O = "mobile", "alternateMobile", "office"
_AREAS = (206, 253, 360, 425, 509, 503)
_BERLIN = {"usage_location": "DE", "locale": "de-DE", "timezone": "Europe/Berlin"}
_LONDON = {"usage_location": "GB", "locale": "en-GB", "timezone": "Europe/London"}


def _phone(last: int) -> str:
    return f"+1 20655501{last:02d}"


#: alias, display name, department, manager's alias, everything else that is not the default.
_Seed = tuple[str, str, str, str | None, dict[str, Any]]

_COMPANY: list[_Seed] = [
    # the main story
    ("olivia", "Olivia Oakes", "IT Helpdesk", "hanna", {"phones": {_M: _phone(1)}, "other_methods": _APP}),
    ("omar", "Omar Odell", "IT Helpdesk", "hanna", {"phones": {_M: _phone(2)}}),
    ("alice", "Alice Anders", "Sales", "marta", {"phones": {_M: _phone(10)}, "default_method": "sms"}),
    ("marta", "Marta Mayfair", "Sales", "vera", {"phones": {_M: _phone(11)}, "job_title": "Head of Sales"}),
    ("vera", "Vera Valence", "Board", None, {"job_title": "Chief Executive", "phones": {_O: _phone(12)}}),
    ("hanna", "Hanna Harrow", "IT Helpdesk", "vera", {"job_title": "Helpdesk Lead"}),
    # people with a role of the bot's
    ("arthur", "Arthur Appleby", "Operations", "vera", {}),
    ("astrid", "Astrid Ashdown", "Finance", "vera", _BERLIN),
    ("anselm", "Anselm Arkwright", "Operations", "vera", {}),
    ("sven", "Sven Sandgren", "Security", "vera", {"phones": {_M: _phone(13)}}),
    ("selma", "Selma Sorrel", "Security", "vera", {}),
    ("audra", "Audra Abbey", "Audit", "vera", {}),
    ("cora", "Cora Copperfield", "People", "vera", {}),
    ("bruno", "Bruno Brightwell", "IT Helpdesk", "hanna", {}),
    ("adam", "Adam Alder", "IT Platform", "vera", {}),
    # managers that cannot be asked
    ("mina", "Mina Mallow", "Research", None, {"phones": {_M: _phone(14)}}),
    ("nora", "Nora Nettle", "Research", "ned", {"phones": {_M: _phone(15)}}),
    ("ned", "Ned Nutley", "Research", "vera", {"installed": False}),
    ("dora", "Dora Dunmore", "Warehouse", "dirk", {"phones": {_M: _phone(16)}}),
    ("dirk", "Dirk Drayton", "Warehouse", "vera", {"account_enabled": False}),
    ("paul", "Paul Pilgrim", "IT Helpdesk", "olivia", {"phones": {_M: _phone(17)}}),
    # guests
    ("gina", "Gina Garland", "Partner", "marta", {"user_type": "Guest", "mail": "gina@fabrikam.example"}),
    ("gustav", "Gustav Grove", "Partner", None, {"user_type": "Guest", "mail": "gustav@tailspin.example"}),
    # protected people
    ("gabriel", "Gabriel Gatewood", "IT Platform", "vera", {"directory_roles": {GLOBAL_ADMIN}}),
    ("petra", "Petra Pemberton", "IT Platform", "adam", {"eligible_roles": {PRIVILEGED_AUTH_ADMIN}}),
    ("piers", "Piers Plumley", "IT Platform", "adam", {}),
    ("rita", "Rita Rowntree", "IT Platform", "adam", {"phones": {_M: _phone(18)}}),
    ("rhea", "Rhea Ridgeway", "IT Platform", "adam", {}),
    ("rolf", "Rolf Rushmore", "IT Platform", "adam", {}),
    ("ruth", "Ruth Ravenhill", "Board", "vera", {"management_restricted": True, "phones": {_M: _phone(19)}}),
    ("dina", "Dina Dovecote", "Sales", "marta", {"directory_roles": {DIRECTORY_READERS}}),
    ("breakglass", "Emergency Access One", "IT Platform", None, {"installed": False}),
    # states of an account
    ("sybil", "Sybil Sutcliffe", "Finance", "marta", {"synced": True, "phones": {_O: _phone(20)}}),
    ("cyrus", "Cyrus Calloway", "Finance", "marta", {"synced": True, "phones": {_M: _phone(21)}}),
    ("dana", "Dana Dewhurst", "Sales", "marta", {"account_enabled": False, "phones": {_M: _phone(22)}}),
    ("dean", "Dean Dellwood", "Sales", "marta", {"deleted": True, "phones": {_M: _phone(23)}}),
    ("hugo", "Hugo Hazelwood", "Sales", "marta", {"new_hire": True, "other_methods": _PW}),
    # names
    ("jonas", "Jonas Bergfeld", "Finance", "astrid", {**_BERLIN, "phones": {_M: _phone(24)}}),
    ("jonas2", "Jonas Bergfeld", "Legal", "vera", {**_BERLIN, "phones": {_M: _phone(25)}}),
    ("siobhan", "Siobhan O'Brien", "Legal", "vera", {"upn": f"siobhan.o'brien@{DOMAIN}", "phones": {}}),
    ("layla", "ليلى الصباغ", "Marketing", "marta", {"phones": {_M: _phone(26)}}),
    ("zoe", "Zoë 🦊 Foxglove", "Marketing", "marta", {"phones": {_M: _phone(27)}}),
    ("maximilian", "Maximilian " + "von und zu " * 20 + "Langenfeld", "Legal", "vera", _BERLIN),
    ("mallory", "CISO (approved)", "Sales", "marta", {}),
    ("evan", "[Approve here](https://evil.example) **now**", "Sales", "marta", {"phones": {_M: _phone(28)}}),
    ("xavier", "Xavier Frost", "Research", "vera", {"mail": f"x.frost@{DOMAIN}"}),
    ("xena", "Xena Frost", "Research", "vera", {"upn": f"x.frost@{DOMAIN}", "mail": f"xena@{DOMAIN}"}),
    ("wanda", "Wanda Wetherby", "IT Platform", "adam", {"employee_id": "E7001"}),
    ("wandaadmin", "Wanda Wetherby (admin)", "IT Platform", "adam", {"employee_id": "E7001"}),
    # methods
    ("penny", "Penny Pushkin", "Sales", "marta", {"other_methods": _APP, "default_method": "push"}),
    ("alma", "Alma Arden", "Sales", "marta", {"phones": {_M: _phone(30), _A: _phone(31)}}),
    ("otto", "Otto Osgood", "Finance", "marta", {"phones": {_M: _phone(32), _O: "+1 2065550133x12"}}),
    ("tessa", "Tessa Thorne", "Sales", "marta", {"phones": {_M: _phone(34), _A: _phone(35), _O: _phone(36)}}),
    ("sasha", "Sasha Summers", "Warehouse", "marta", {"phones": {_M: _phone(37)}, "sms_state": "ready"}),
    ("fay", "Fay Fairbairn", "Research", "vera", {"other_methods": ["password", "fido2"]}),
    ("ulla", "Ulla Underhill", "Sales", "marta", {**_LONDON, "phones": {_M: "+44 7400123456"}}),
    ("toby", "Toby Thorpe", "Depot", "marta", {"phones": {_M: _phone(38)}, "default_method": "voiceMobile"}),
    # may make themselves member or owner of a privileged group (PIM for groups)
    ("pia", "Pia Pennington", "IT Platform", "adam", {}),
    ("oona", "Oona Oxley", "IT Platform", "adam", {}),
]
#: Departments whose people have a frontline licence.
_FRONTLINE = ("Warehouse", "Depot")
_NIGHT = (
    *("Nils Nightly", "Nadine Noon", "Noel Northam", "Nell Nunnery", "Nick Norwood", "Nia Newbold"),
    *("Neil Nesbury", "Nova Netherby", "Nate Norcross", "Nina Neville", "Nadia Nightingale"),
)

#: role -> aliases; the operators on nights come through a nested group, nadia last.
_ROLES = {
    "operator": ["olivia", "omar", "bruno", "gustav"],
    "approver": ["arthur", "astrid", "anselm"],
    "coordinator": ["cora"],
    "bulk": ["bruno"],
    "auditor": ["audra"],
    "security": ["sven", "selma"],
    "admin": ["adam"],
}


def populate(world: World, spec: dict[str, Any]) -> None:
    """Fill a world: `seed` "company" (default) or "empty", `size` generated people, `people` of one's own.

    Raises ValueError for an unknown seed or person field.
    """
    seed = spec.get("seed", "company")
    if seed not in ("company", "empty"):
        raise ValueError(f"no such seed: {seed} (known: company, empty)")
    for role in ROLE_NAMES:
        _group(world, f"Phone desk {role}s", role_assignable=True, role=role)
    if seed == "company":
        _company(world)
    for number in range(int(spec.get("size", 0))):
        _generated(world, number)
    for fields in spec.get("people", []):
        _own(world, fields)
    world.forget_past()


def oid_for(world: World, upn: str) -> str:
    """The object id of a UPN in this world."""
    return stable_id(world.tenant_id, upn.casefold())


def change(world: World, person: Person, fields: dict[str, Any]) -> None:
    """Set fields of a person by name; short names: manager (alias, UPN, oid, None), enabled, roles, eligible.

    `phones` replaces all; times are ISO 8601. Raises ValueError naming what is unknown, changing nothing.
    """
    ready = {}
    for name, value in fields.items():
        name = _SHORT.get(name, name)
        if name not in Person.__dataclass_fields__ or name in ("oid", "history"):
            raise ValueError(f"no such field of a person: {name}")
        if name in ("manager_oid", "stand_in") and value is not None:
            other = world.find(value)
            if other is None:
                raise ValueError(f"no such person: {value}")
            value = other.oid
        elif name in ("directory_roles", "eligible_roles"):
            value = set(value)
        elif name in TIMES and isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif name == "other_methods" and not set(value) <= set(METHOD_KINDS):
            raise ValueError(f"no such kinds of method (known: {', '.join(METHOD_KINDS)})")
        ready[name] = value
    if ready.get("deleted") and not person.deleted:
        ready.setdefault("deleted_at", world.now())
    if ready.get("manager_oid", person.manager_oid) != person.manager_oid:
        ready.setdefault("manager_changed", world.now())
    world.before_change(person)
    for name, value in ready.items():
        setattr(person, name, value)
    world.reindex(person)


TIMES = (
    *("created", "hired", "deleted_at", "password_changed", "pass_issued"),
    *("manager_changed", "stand_in_until"),
)
_SHORT = {
    "manager": "manager_oid",
    "enabled": "account_enabled",
    "roles": "directory_roles",
    "eligible": "eligible_roles",
}


def hire(world: World, fields: dict[str, Any]) -> Person:
    """A new person in a running world, created now unless said otherwise. ValueError as for the spec."""
    alias = str(fields.get("alias", ""))
    if world.find(alias) is not None:
        raise ValueError(f"there is already a person {alias}")
    fields = {"created": world.now(), **fields}
    upn = str(fields.get("upn", f"{alias}@{DOMAIN}"))
    world.before_change(oid_for(world, upn))
    try:
        return _own(world, fields)
    except ValueError:
        world.people.pop(oid_for(world, upn), None)
        raise


def _company(world: World) -> None:
    for number, (alias, name, department, _, more) in enumerate(_COMPANY):
        _seeded(world, number, alias, name, department, dict(more))
    for alias, _, _, manager, _ in _COMPANY:
        boss, person = world.find(manager), world.find(alias)
        if person is not None:
            person.manager_oid = boss.oid if boss else None
    night = _group(world, "Night desk")
    for number, name in enumerate(_NIGHT):
        alias = name.split()[0].lower()
        person = _seeded(world, 200 + number, alias, name, "IT Helpdesk", {})
        person.manager_oid = _oid(world, "hanna")
        night.members.append(person.oid)
    for role, aliases in _ROLES.items():
        group = world.groups[world.role_groups[role]]
        group.members += [_oid(world, alias) for alias in aliases]
    world.groups[world.role_groups["operator"]].nested.append(night.id)
    _privileged(world)


def _privileged(world: World) -> None:
    """Groups that protect their people, and one that does not."""
    tier0 = _group(world, "Tier 0 on call")
    tier0.eligible_roles, tier0.members = {USER_ADMIN}, [_oid(world, "piers")]
    desk = _group(world, "Helpdesk administrators", role_assignable=True)
    desk.directory_roles, desk.members = {HELPDESK_ADMIN}, [_oid(world, "rita")]
    keepers = _group(world, "Key keepers", role_assignable=True)
    keepers.members, keepers.owners = [_oid(world, "rhea")], [_oid(world, "rolf")]
    keepers.eligible_members, keepers.eligible_owners = [_oid(world, "pia")], [_oid(world, "oona")]
    sales = _group(world, "Sales team")
    sales.members = [p.oid for p in world.people.values() if p.department == "Sales"]
    sales.owners = [_oid(world, "marta")]


def _seeded(
    world: World, number: int, alias: str, name: str, department: str, more: dict[str, Any]
) -> Person:
    given, _, surname = name.partition(" ")
    upn = more.pop("upn", f"{alias}@{DOMAIN}")
    if more.get("user_type") == "Guest":
        upn = more["mail"].replace("@", "_") + f"#EXT#@{DOMAIN}"
        more |= {"installed": False, "licences": []}
    if department in _FRONTLINE:
        more["licences"] = ["SPE_F1"]
    if more.get("deleted"):
        more["deleted_at"] = world.now() - timedelta(days=3)
    if more.pop("new_hire", False):
        more["created"] = world.now() - timedelta(days=1)
    fields: dict[str, Any] = {
        "given_name": given,
        "surname": surname,
        "mail": upn,
        "employee_id": f"E{1000 + number}",
        "alias": alias,
        "job_title": f"{department} Associate",
        "department": department,
        **{key: _copied(value) for key, value in more.items()},
    }
    return world.add(Person(oid_for(world, upn), upn, name, **fields))


def _copied(value: Any) -> Any:
    """Worlds must not share the lists and sets of the tables above."""
    return value.copy() if isinstance(value, (dict, list, set)) else value


def _oid(world: World, alias: str) -> str:
    person = world.find(alias)
    if person is None:
        raise ValueError(f"no such person: {alias}")
    return person.oid


def _group(world: World, name: str, role_assignable: bool = False, role: str | None = None) -> Group:
    group = Group(stable_id(world.tenant_id, "group", name), name, role_assignable=role_assignable)
    world.groups[group.id] = group
    if role is not None:
        world.role_groups[role] = group.id
    return group


def _generated(world: World, number: int) -> None:
    """Person 0, 1, 2 ... of a big company: alias "p00000", every third with a mobile of their own."""
    alias = f"p{number:05}"
    round_, line = divmod(number // 3, 9000)
    phones = {_M: f"+1 {_AREAS[round_ % len(_AREAS)]}555{1000 + line}"} if number % 3 == 0 else {}
    boss = world.find("marta")
    world.add(
        Person(
            oid_for(world, f"{alias}@{DOMAIN}"),
            f"{alias}@{DOMAIN}",
            f"Person Number{number:05}",
            given_name="Person",
            surname=f"Number{number:05}",
            mail=f"{alias}@{DOMAIN}",
            employee_id=f"P{number:05}",
            alias=alias,
            department="Works",
            manager_oid=boss.oid if boss else None,
            phones=phones,
            created=datetime(2022, 1, 10, 9, 0, tzinfo=UTC),
            generated=True,
        )
    )


def _own(world: World, fields: dict[str, Any]) -> Person:
    """A person of the spec: `alias` (then the rest follows from it) or changes to a seeded one."""
    fields = dict(fields)
    alias = str(fields.pop("alias", ""))
    person = world.find(alias)
    if person is None:
        if not alias:
            raise ValueError("a person needs an alias")
        name = str(fields.pop("display_name", alias.title()))
        more = {"upn": fields.pop("upn")} if "upn" in fields else {}
        person = _seeded(world, 300 + len(world.people), alias, name, fields.pop("department", "Works"), more)
    change(world, person, {"manager_changed": person.manager_changed, **fields})
    return person
