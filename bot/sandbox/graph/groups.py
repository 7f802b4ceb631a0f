"""Membership as Graph tells it: groups and roles of a person, people of a group.

Sources: Graph docs "user-checkmembergroups", "group-list-transitivemembers", "user-list-transitivememberof".
"""

from __future__ import annotations

from typing import Any

from ..world import Group, Person, stable_id
from .call import Answer, Call
from .errors import OURS, GraphError, not_found
from .roles import READ_ROLES, ROLE_TITLES
from .users import READ_ALL, only, paged, selected, shown

_GROUPS = ("GroupMember.Read.All", "Group.Read.All", "Directory.Read.All", "GroupMember.ReadWrite.All")
_MAX_CHECKED = 20
_Shape = dict[str, Any]


def check_member_groups(call: Call) -> Answer:
    """POST /users/{id}/checkMemberGroups {"groupIds": [...]}: those of at most 20 that hold the person."""
    call.allow(*_GROUPS)
    person = call.person(call.args["user"])
    asked = call.json(lambda text: GraphError(400, "Request_BadRequest", text)).get("groupIds")
    if not isinstance(asked, list) or len(asked) > _MAX_CHECKED:
        raise GraphError(400, "Request_BadRequest", OURS["too_many_groups"])
    mine = {group.id for group in call.world.groups_of(person.oid)}
    held = [each for each in asked if str(each).lower() in mine]
    return Answer(200, {"@odata.context": f"{call.root}/$metadata#Collection(Edm.String)", "value": held})


def get_group(call: Call) -> Answer:
    """GET /groups/{id}."""
    call.only_options("select")
    call.allow(*_GROUPS)
    head = {"@odata.context": f"{call.root}/$metadata#groups/$entity"}
    return Answer(200, head | only(call, _as_group(_group(call))))


def transitive_members(call: Call) -> Answer:
    """GET /groups/{id}/transitiveMembers: people and nested groups, paged."""
    call.only_options("select", "top", "count", "skiptoken")
    call.allow(*_GROUPS)
    group = _group(call)
    people = [_typed("user", shown(p, selected(call))) for p in call.world.members(group)]
    nested = [_typed("group", only(call, _as_group(g))) for g in call.world.tree(group) if g is not group]
    return paged(call, "directoryObjects", people + nested, call.world.rules.group_page_size)


def transitive_people(call: Call) -> Answer:
    """GET /groups/{id}/transitiveMembers/microsoft.graph.user, paged."""
    call.only_options("select", "top", "count", "skiptoken")
    call.allow(*_GROUPS)
    _advanced_cast(call)
    people = [_typed("user", shown(p, selected(call))) for p in call.world.members(_group(call))]
    return paged(call, "users", people, call.world.rules.group_page_size)


def roles_held(call: Call) -> Answer:
    """GET /users/{id}/transitiveMemberOf/microsoft.graph.directoryRole."""
    _cast_checks(call)
    person = call.person(call.args["user"])
    return paged(call, "directoryRoles", _roles(call, person), call.world.rules.group_page_size)


def groups_held(call: Call) -> Answer:
    """GET /users/{id}/transitiveMemberOf/microsoft.graph.group."""
    _cast_checks(call)
    return paged(call, "groups", _groups_of(call), call.world.rules.group_page_size)


def all_held(call: Call) -> Answer:
    """GET /users/{id}/transitiveMemberOf: groups and directory roles."""
    call.only_options("select", "top", "count", "skiptoken")
    call.allow(*READ_ALL)
    person = call.person(call.args["user"])
    items = _groups_of(call) + _roles(call, person)
    return paged(call, "directoryObjects", items, call.world.rules.group_page_size)


def groups_owned(call: Call) -> Answer:
    """GET /users/{id}/ownedObjects/microsoft.graph.group."""
    call.only_options("select", "top", "count", "skiptoken")
    call.allow(*READ_ALL)
    person = call.person(call.args["user"])
    owned = [g for g in call.world.groups.values() if person.oid in g.owners]
    items = [_typed("group", only(call, _as_group(g))) for g in owned]
    return paged(call, "groups", items, call.world.rules.group_page_size)


def _roles(call: Call, person: Person) -> list[_Shape]:
    """Roles as objects; without the right to read roles Graph gives ids only, all else null."""
    named = call.may(*READ_ROLES)
    return [
        _typed(
            "directoryRole",
            {
                "id": stable_id(call.world.tenant_id, "role", role),
                "displayName": ROLE_TITLES.get(role, "Custom role") if named else None,
                "roleTemplateId": role if named else None,
            },
        )
        for role in sorted(call.world.roles_of(person))
    ]


def _groups_of(call: Call) -> list[_Shape]:
    person = call.person(call.args["user"])
    return [_typed("group", only(call, _as_group(g))) for g in call.world.groups_of(person.oid)]


def _as_group(group: Group) -> _Shape:
    return {
        "id": group.id,
        "displayName": group.display_name,
        "securityEnabled": True,
        "mailEnabled": False,
        "groupTypes": [],
        "isAssignableToRole": True if group.role_assignable else None,
        "isManagementRestricted": group.management_restricted or None,
    }


def _group(call: Call) -> Group:
    group = call.world.groups.get(call.args["group"].lower())
    if group is None:
        raise not_found(call.args["group"])
    return group


def _typed(kind: str, shape: _Shape) -> _Shape:
    return {"@odata.type": f"#microsoft.graph.{kind}", **shape}


def _advanced_cast(call: Call) -> None:
    if not call.advanced:
        raise GraphError(400, "Request_UnsupportedQuery", OURS["advanced_cast"])


def _cast_checks(call: Call) -> None:
    call.only_options("select", "top", "count", "skiptoken")
    call.allow(*READ_ALL)
    _advanced_cast(call)
