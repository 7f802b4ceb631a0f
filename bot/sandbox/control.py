"""The hand behind the curtain: make, look at and change worlds while a bot talks to them.

All bodies are JSON; a request that makes no sense answers 400 `{"error": text}`, an unknown world, person,
group or fault 404. `{tenant}` is a tenant id or a world's name; `{who}` an alias, UPN or object id; `{group}`
a group id, a role name ("operator") or a display name. The same routes are on the Graph and the Teams port.

| Verb and path below /_sandbox | Body -> answer |
| --- | --- |
| POST /worlds | spec (below) -> 201, the world (below) |
| GET /worlds | -> {"worlds": [{tenant_id, app_id, name}]} |
| GET /worlds/{tenant} | -> the world |
| PATCH /worlds/{tenant} | any of rules, permissions, bot_url, secret -> the world |
| DELETE /worlds/{tenant} | -> 204 |
| GET /worlds/{tenant}/people | -> {"people": {alias: person}} |
| GET /worlds/{tenant}/people/{who} | -> person |
| POST /worlds/{tenant}/people | alias and fields of world.Person, as in a spec; created now -> 201, person |
| PATCH /worlds/{tenant}/people/{who} | fields of world.Person, or manager enabled roles eligible -> person |
| PUT, DELETE /worlds/{tenant}/groups/{group}/members/{who} | -> 204 |
| the same with owners, eligible_members, eligible_owners for members | -> 204 |
| PATCH /worlds/{tenant}/groups/{group} | role_assignable management_restricted roles eligible nested |
| GET /worlds/{tenant}/groups/{group} | -> group |
| POST /worlds/{tenant}/faults | fields of faults.Fault -> 201, the fault with its id |
| GET /worlds/{tenant}/faults | -> {"faults": [fault with hits]} |
| DELETE /worlds/{tenant}/faults[/{id}] | -> 204 |
| GET /worlds/{tenant}/journal[?who=] | -> {"effects": [Effect], "counts": {"VERB route": n}} |
| DELETE /worlds/{tenant}/journal | forget effects, requests and counts -> 204 |
| GET /worlds/{tenant}/requests[?server=&verb=&route=] | -> {"requests": [journal.Seen]} |
| GET /worlds/{tenant}/throttle | -> {lane: {limit, seconds, used, closed_for}}; {} without a profile |
| POST /worlds/{tenant}/token | audience ("graph", "bot" or a URL), seconds -> {"access_token"} |

Spec: name, tenant_id, app_id, secret, bot_url, seed ("company" or "empty"), size (generated people), people
(list of fields with an alias), permissions (list), rules (fields of rules.Rules). All optional; a named world
has the same ids every time. World: name, tenant_id, app_id, secret, bot_url, urls {graph, login, teams,
ca_file}, people {alias: person} (without the generated ones: see /people), role_groups {role: group id},
groups {display name: group}, permissions, rules.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from aiohttp import web

from .login import BOT_RESOURCE, mint
from .people import TIMES, change, hire
from .world import Group, Person, World
from .worlds import Worlds

_T = TypeVar("_T")
_Work = Callable[["_Ask"], Any]


def person_json(person: Person) -> dict[str, Any]:
    """Everything a test may want to know of a person, the secret of a pass too (`temporary_pass`); roles
    sorted, times ISO 8601."""
    shape = {name: getattr(person, name) for name in Person.__dataclass_fields__ if name != "history"}
    for name in TIMES:
        moment = getattr(person, name)
        shape[name] = moment.isoformat() if moment else None
    shape["directory_roles"] = sorted(person.directory_roles)
    shape["eligible_roles"] = sorted(person.eligible_roles)
    return shape | {"mri": person.mri}


def group_json(group: Group) -> dict[str, Any]:
    """A group with its direct members, nested groups, owners and roles."""
    roles = {"directory_roles": sorted(group.directory_roles), "eligible_roles": sorted(group.eligible_roles)}
    return asdict(group) | roles


def world_json(world: World, urls: dict[str, str]) -> dict[str, Any]:
    """All a test needs to point a bot at this world and to act in it."""
    return {
        "name": world.name,
        "tenant_id": world.tenant_id,
        "app_id": world.app_id,
        "secret": world.secret,
        "bot_url": world.bot_url,
        "urls": urls,
        "people": {p.alias or p.upn: person_json(p) for p in world.people.values() if not p.generated},
        "role_groups": world.role_groups,
        "groups": {g.display_name: group_json(g) for g in world.groups.values()},
        "permissions": sorted(world.permissions),
        "rules": asdict(world.rules),
    }


class _Ask:
    """One request: its world (404 when unknown), body and path parameters."""

    def __init__(self, request: web.Request, worlds: Worlds, body: dict[str, Any]) -> None:
        self.request, self.worlds, self.body = request, worlds, body
        self.info = request.match_info

    @property
    def world(self) -> World:
        return _found(self.worlds.by_tenant(self.info["tenant"]), "world")

    @property
    def person(self) -> Person:
        return _found(self.world.find(self.info["who"]), "person")

    @property
    def group(self) -> Group:
        return _found(self.world.find_group(self.info["group"]), "group")


def _found(thing: _T | None, what: str) -> _T:
    if thing is None:
        raise web.HTTPNotFound(text=json.dumps({"error": f"no such {what}"}), content_type="application/json")
    return thing


def add_routes(app: web.Application, worlds: Worlds, urls: dict[str, str]) -> None:
    """Put the control API on an app. `urls` is handed out with every world (filled by the server)."""
    desk = _Desk(urls)
    one = "/worlds/{tenant}"
    member = one + "/groups/{group}/{kind:members|owners|eligible_members|eligible_owners}/{who}"
    table: list[tuple[str, str, _Work, int]] = [
        ("POST", "/worlds", desk.create, 201),
        ("GET", "/worlds", desk.index, 200),
        ("GET", one, desk.show, 200),
        ("PATCH", one, desk.adjust, 200),
        ("DELETE", one, desk.remove, 204),
        ("GET", one + "/people", desk.people, 200),
        ("POST", one + "/people", desk.hire, 201),
        ("GET", one + "/people/{who}", desk.person, 200),
        ("PATCH", one + "/people/{who}", desk.change_person, 200),
        ("PUT", member, desk.join, 204),
        ("DELETE", member, desk.leave, 204),
        ("GET", one + "/groups/{group}", desk.group, 200),
        ("PATCH", one + "/groups/{group}", desk.change_group, 200),
        ("POST", one + "/faults", desk.plan_fault, 201),
        ("GET", one + "/faults", desk.faults, 200),
        ("DELETE", one + "/faults", desk.clear_faults, 204),
        ("DELETE", one + "/faults/{id}", desk.remove_fault, 204),
        ("GET", one + "/journal", desk.journal, 200),
        ("DELETE", one + "/journal", desk.clear_journal, 204),
        ("GET", one + "/requests", desk.requests, 200),
        ("GET", one + "/throttle", desk.throttle, 200),
        ("POST", one + "/token", desk.token, 200),
    ]
    for verb, path, work, status in table:
        app.router.add_route(verb, "/_sandbox" + path, _served(worlds, work, status))


def _served(worlds: Worlds, work: _Work, status: int) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = json.loads(raw) if raw else {}
            if not isinstance(body, dict):
                raise ValueError("the body must be an object")
            result = work(_Ask(request, worlds, body))
        except (ValueError, TypeError) as wrong:
            return web.json_response({"error": str(wrong)}, status=400)
        return web.Response(status=204) if status == 204 else web.json_response(result, status=status)

    return handle


class _Desk:
    """The operations of the table above; each gets an _Ask and gives plain JSON."""

    def __init__(self, urls: dict[str, str]) -> None:
        self._urls = urls

    def create(self, ask: _Ask) -> Any:
        return world_json(ask.worlds.create(ask.body), self._urls)

    def index(self, ask: _Ask) -> Any:
        return {
            "worlds": [{"tenant_id": w.tenant_id, "app_id": w.app_id, "name": w.name} for w in ask.worlds]
        }

    def show(self, ask: _Ask) -> Any:
        return world_json(ask.world, self._urls)

    def adjust(self, ask: _Ask) -> Any:
        world, body = ask.world, dict(ask.body)
        unknown = body.keys() - {"rules", "permissions", "bot_url", "secret"}
        if unknown:
            raise ValueError(f"cannot change {', '.join(sorted(unknown))}")
        world.set_rules(body.get("rules", {}))
        world.permissions = set(body.get("permissions", world.permissions))
        world.bot_url = body.get("bot_url", world.bot_url)
        world.secret = body.get("secret", world.secret)
        return world_json(world, self._urls)

    def remove(self, ask: _Ask) -> None:
        ask.worlds.remove(ask.world)

    def people(self, ask: _Ask) -> Any:
        return {"people": {p.alias or p.upn: person_json(p) for p in ask.world.people.values()}}

    def person(self, ask: _Ask) -> Any:
        return person_json(ask.person)

    def hire(self, ask: _Ask) -> Any:
        return person_json(hire(ask.world, ask.body))

    def throttle(self, ask: _Ask) -> Any:
        return ask.world.throttle.as_json()

    def change_person(self, ask: _Ask) -> Any:
        change(ask.world, ask.person, ask.body)
        return person_json(ask.person)

    def join(self, ask: _Ask) -> None:
        ask.world.before_change(ask.group)
        oids: list[str] = getattr(ask.group, ask.info["kind"])
        if ask.person.oid not in oids:
            oids.append(ask.person.oid)

    def leave(self, ask: _Ask) -> None:
        ask.world.before_change(ask.group)
        oids: list[str] = getattr(ask.group, ask.info["kind"])
        if ask.person.oid in oids:
            oids.remove(ask.person.oid)

    def group(self, ask: _Ask) -> Any:
        return group_json(ask.group)

    def change_group(self, ask: _Ask) -> Any:
        group, body = ask.group, ask.body
        unknown = body.keys() - {"role_assignable", "management_restricted", "roles", "eligible", "nested"}
        if unknown:
            raise ValueError(f"cannot change {', '.join(sorted(unknown))}")
        ask.world.before_change(group)
        group.role_assignable = bool(body.get("role_assignable", group.role_assignable))
        group.management_restricted = bool(body.get("management_restricted", group.management_restricted))
        group.directory_roles = set(body.get("roles", group.directory_roles))
        group.eligible_roles = set(body.get("eligible", group.eligible_roles))
        group.nested = [_found(ask.world.find_group(g), "group").id for g in body.get("nested", group.nested)]
        return group_json(group)

    def plan_fault(self, ask: _Ask) -> Any:
        return asdict(ask.world.faults.add(**ask.body))

    def faults(self, ask: _Ask) -> Any:
        return {"faults": [asdict(fault) for fault in ask.world.faults.planned]}

    def clear_faults(self, ask: _Ask) -> None:
        ask.world.faults.clear()

    def remove_fault(self, ask: _Ask) -> None:
        _found(ask.world.faults.remove(ask.info["id"]) or None, "fault")

    def journal(self, ask: _Ask) -> Any:
        who = ask.request.query.get("who")
        oids = None if who is None else [_found(ask.world.find(who), "person").oid]
        return ask.world.journal.as_json(oids)

    def clear_journal(self, ask: _Ask) -> None:
        ask.world.journal.clear()

    def requests(self, ask: _Ask) -> Any:
        query = ask.request.query
        wanted = {key: query[key] for key in ("server", "verb", "route") if key in query}
        seen = [asdict(each) for each in ask.world.journal.requests]
        return {"requests": [each for each in seen if wanted.items() <= {k: each[k] for k in wanted}.items()]}

    def token(self, ask: _Ask) -> Any:
        audience = ask.body.get("audience", "graph")
        audience = {"graph": self._urls["graph"], "bot": BOT_RESOURCE}.get(audience, audience)
        return {"access_token": mint(ask.world, audience, ask.body.get("seconds"))}
