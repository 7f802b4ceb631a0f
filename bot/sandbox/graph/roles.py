"""Roles held, roles and memberships that may be taken up (PIM), and the roles there are.

Sources: Graph docs "rbacapplication-list-roleassignments", "...-list-transitiveroleassignments" (beta),
"...-list-roleeligibilityscheduleinstances", "privilegedaccessgroup-list-eligibilityscheduleinstances",
"unifiedroledefinition-get"; refusals as quoted in public issues (errors.SOURCES).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..world import Group, Person, World, stable_id
from .call import Answer, Call
from .errors import NO_P2, OURS, GraphError, no_scope, not_found
from .odata import fits, parse_filter
from .users import only, paged

ROLE_TITLES = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "7be44c8a-adaf-4e2a-84d6-ab2649e08a13": "Privileged Authentication Administrator",
    "c4e39bd9-1100-46d3-8c65-fb160da0071f": "Authentication Administrator",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8": "Helpdesk Administrator",
    "fe930be7-5e62-47db-91af-98c3a49a38b1": "User Administrator",
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b": "Directory Readers",
}
READ_ROLES = ("RoleManagement.Read.Directory", "RoleManagement.Read.All", "Directory.Read.All")
_ELIGIBLE = (
    "RoleEligibilitySchedule.Read.Directory",
    "RoleManagement.Read.Directory",
    "RoleManagement.Read.All",
)
_GROUP_ELIGIBLE = (
    "PrivilegedEligibilitySchedule.Read.AzureADGroup",
    "PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup",
)
#: Roles that Graph marks as privileged (beta).
_PRIVILEGED = "Administrator"
_Shape = dict[str, Any]


def _pim(call: Call, permissions: tuple[str, ...]) -> None:
    """Licence and permission, each refused in the words of PIM."""
    rules = call.world.rules
    if not call.may(*permissions):
        raise no_scope(*permissions)
    if not rules.has_p2:
        raise GraphError(rules.no_p2_status, "AadPremiumLicenseRequired", NO_P2)


def group_eligibility(call: Call) -> Answer:
    """GET /identityGovernance/privilegedAccess/group/eligibilityScheduleInstances; $filter needed."""
    call.only_options("filter", "select", "top", "skiptoken")
    _pim(call, _GROUP_ELIGIBLE)
    if "filter" not in call.options:
        raise GraphError(400, "MissingParameters", OURS["filter_needed"])
    tree = call.details["filter"] = parse_filter(call.options["filter"])
    rows = [
        _eligibility(call.world, group, access, principal)
        for group in call.world.groups.values()
        for access, principals in (("member", group.eligible_members), ("owner", group.eligible_owners))
        for principal in principals
    ]
    rows = [only(call, row) for row in rows if fits(tree, row.__getitem__)]
    context = "identityGovernance/privilegedAccess/group/eligibilityScheduleInstances"
    return paged(call, context, rows, call.world.rules.page_size)


def _eligibility(world: World, group: Group, access: str, principal: str) -> _Shape:
    schedule = stable_id(world.tenant_id, group.id, access, principal)
    return {
        "id": f"{group.id}_{access}_{schedule}",
        "accessId": access,
        "principalId": principal,
        "groupId": group.id,
        "memberType": "Direct",
        "startDateTime": "2026-01-12T08:00:00Z",
        "endDateTime": None,
        "eligibilityScheduleId": f"{group.id}_{access}_{schedule}",
    }


def transitive_assignments(call: Call) -> Answer:
    """GET beta /roleManagement/directory/transitiveRoleAssignments (advanced): through groups as well."""
    call.allow(*READ_ROLES)
    if not call.advanced:
        raise GraphError(400, "Request_UnsupportedQuery", OURS["advanced_cast"])
    world = call.world

    def held(holder: Person | Group) -> set[str]:
        return world.roles_of(holder) if isinstance(holder, Person) else holder.directory_roles

    return _role_rows(call, "transitiveRoleAssignments", held, everybody=True)


def list_definitions(call: Call) -> Answer:
    """GET /roleManagement/directory/roleDefinitions; isPrivileged in beta only."""
    call.only_options("filter", "select", "top", "skiptoken")
    call.allow(*READ_ROLES)
    rows = [_definition(call, role) for role in ROLE_TITLES]
    if "filter" in call.options:
        tree = call.details["filter"] = parse_filter(call.options["filter"])
        rows = [row for row in rows if fits(tree, row.__getitem__)]
    rows = [only(call, row) for row in rows]
    return paged(call, "roleManagement/directory/roleDefinitions", rows, call.world.rules.page_size)


def get_definition(call: Call) -> Answer:
    """GET /roleManagement/directory/roleDefinitions/{id}."""
    call.only_options("select")
    call.allow(*READ_ROLES)
    role = call.args["role"].lower()
    if role not in ROLE_TITLES:
        raise not_found(role)
    head = {"@odata.context": f"{call.root}/$metadata#roleManagement/directory/roleDefinitions/$entity"}
    return Answer(200, head | only(call, _definition(call, role)))


def _definition(call: Call, role: str) -> _Shape:
    title = ROLE_TITLES[role]
    shape = {"id": role, "templateId": role, "displayName": title, "isBuiltIn": True, "isEnabled": True}
    return shape if call.version == "v1.0" else shape | {"isPrivileged": title.endswith(_PRIVILEGED)}


def role_assignments(call: Call) -> Answer:
    """GET /roleManagement/directory/roleAssignments, direct ones only."""
    call.allow(*READ_ROLES)
    return _role_rows(call, "roleAssignments", lambda holder: holder.directory_roles)


def role_eligibility(call: Call) -> Answer:
    """GET /roleManagement/directory/roleEligibilityScheduleInstances; needs the P2 licence."""
    _pim(call, _ELIGIBLE)
    return _role_rows(call, "roleEligibilityScheduleInstances", lambda holder: holder.eligible_roles)


def _role_rows(
    call: Call, name: str, roles: Callable[[Person | Group], set[str]], *, everybody: bool = False
) -> Answer:
    call.only_options("filter", "select", "top", "count", "skiptoken")
    tree = parse_filter(call.options["filter"]) if "filter" in call.options else None
    call.details["filter"] = tree
    rows = [
        _role_row(call.world, name, principal, role)
        for principal, holder in _holders(call.world, everybody)
        for role in sorted(roles(holder))
    ]
    if tree is not None:
        rows = [row for row in rows if fits(tree, row.__getitem__)]
    context = f"roleManagement/directory/{name}"
    return paged(call, context, [only(call, row) for row in rows], call.world.rules.page_size)


def _holders(world: World, everybody: bool) -> list[tuple[str, Person | Group]]:
    """Those who may hold a role themselves, few of thousands, or everybody."""
    some = world.people.values() if everybody else world.privileged()
    people: list[tuple[str, Person | Group]] = [(p.oid, p) for p in some if not p.deleted]
    return people + [(g.id, g) for g in world.groups.values()]


def _role_row(world: World, name: str, principal: str, role: str) -> _Shape:
    row = {
        "id": stable_id(world.tenant_id, name, principal, role),
        "principalId": principal,
        "roleDefinitionId": role,
        "directoryScopeId": "/",
    }
    if name != "roleEligibilityScheduleInstances":
        return row
    return row | {"memberType": "Direct", "appScopeId": None, "startDateTime": None, "endDateTime": None}
