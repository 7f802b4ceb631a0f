"""Membership and roles as Graph tells them: groups of a person, people of a group, roles held or eligible.

Sources: Graph docs "user-checkmembergroups", "group-list-transitivemembers", "user-list-transitivememberof",
"rbacapplication-list-roleassignments", "rbacapplication-list-roleeligibilityscheduleinstances".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..world import Group, Person, World, stable_id
from .call import Answer, Call
from .errors import OURS, GraphError, not_found
from .odata import fits, parse_filter
from .users import READ_ALL, paged, selected, shown

ROLE_TITLES = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "7be44c8a-adaf-4e2a-84d6-ab2649e08a13": "Privileged Authentication Administrator",
    "c4e39bd9-1100-46d3-8c65-fb160da0071f": "Authentication Administrator",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8": "Helpdesk Administrator",
    "fe930be7-5e62-47db-91af-98c3a49a38b1": "User Administrator",
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b": "Directory Readers",
}
_GROUPS = ("GroupMember.Read.All", "Group.Read.All", "Directory.Read.All", "GroupMember.ReadWrite.All")
_ROLES = ("RoleManagement.Read.Directory", "RoleManagement.Read.All", "Directory.Read.All")
_ELIGIBLE = (
    "RoleEligibilitySchedule.Read.Directory",
    "RoleManagement.Read.Directory",
    "RoleManagement.Read.All",
)
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
    return Answer(200, head | _only(call, _as_group(_group(call))))


def transitive_members(call: Call) -> Answer:
    """GET /groups/{id}/transitiveMembers: people and nested groups, paged."""
    call.only_options("select", "top", "count", "skiptoken")
    call.allow(*_GROUPS)
    group = _group(call)
    people = [_typed("user", shown(p, selected(call))) for p in call.world.members(group)]
    nested = [_typed("group", _only(call, _as_group(g))) for g in call.world.tree(group) if g is not group]
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
    items = [_typed("group", _only(call, _as_group(g))) for g in owned]
    return paged(call, "groups", items, call.world.rules.group_page_size)


def role_assignments(call: Call) -> Answer:
    """GET /roleManagement/directory/roleAssignments, direct ones only."""
    call.allow(*_ROLES)
    return _role_rows(call, "roleAssignments", lambda holder: holder.directory_roles)


def role_eligibility(call: Call) -> Answer:
    """GET /roleManagement/directory/roleEligibilityScheduleInstances; needs the P2 licence."""
    call.allow(*_ELIGIBLE)
    if not call.world.rules.has_p2:
        raise GraphError(call.world.rules.no_p2_status, "AadPremiumLicenseRequired", OURS["no_p2"])
    return _role_rows(call, "roleEligibilityScheduleInstances", lambda holder: holder.eligible_roles)


def _role_rows(call: Call, name: str, roles: Callable[[Person | Group], set[str]]) -> Answer:
    call.only_options("filter", "select", "top", "count", "skiptoken")
    tree = parse_filter(call.options["filter"]) if "filter" in call.options else None
    call.details["filter"] = tree
    rows = [
        _role_row(call.world, name, principal, role)
        for principal, holder in _holders(call.world)
        for role in sorted(roles(holder))
    ]
    if tree is not None:
        rows = [row for row in rows if fits(tree, row.__getitem__)]
    context = f"roleManagement/directory/{name}"
    return paged(call, context, [_only(call, row) for row in rows], call.world.rules.page_size)


def _holders(world: World) -> list[tuple[str, Person | Group]]:
    people: list[tuple[str, Person | Group]] = [(p.oid, p) for p in world.people.values() if not p.deleted]
    return people + [(g.id, g) for g in world.groups.values()]


def _role_row(world: World, name: str, principal: str, role: str) -> _Shape:
    row = {
        "id": stable_id(world.tenant_id, name, principal, role),
        "principalId": principal,
        "roleDefinitionId": role,
        "directoryScopeId": "/",
    }
    if name == "roleAssignments":
        return row
    return row | {"memberType": "Direct", "appScopeId": None, "startDateTime": None, "endDateTime": None}


def _roles(call: Call, person: Person) -> list[_Shape]:
    """Roles as objects; without the right to read roles Graph gives ids only, all else null."""
    named = call.may(*_ROLES)
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
    return [_typed("group", _only(call, _as_group(g))) for g in call.world.groups_of(person.oid)]


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


def _only(call: Call, shape: _Shape) -> _Shape:
    wanted = [name.strip() for name in call.options.get("select", "").split(",") if name.strip()]
    return {name: value for name, value in shape.items() if not wanted or name in wanted or name == "id"}


def _typed(kind: str, shape: _Shape) -> _Shape:
    return {"@odata.type": f"#microsoft.graph.{kind}", **shape}


def _advanced_cast(call: Call) -> None:
    if not call.advanced:
        raise GraphError(400, "Request_UnsupportedQuery", OURS["advanced_cast"])


def _cast_checks(call: Call) -> None:
    call.only_options("select", "top", "count", "skiptoken")
    call.allow(*READ_ALL)
    _advanced_cast(call)
