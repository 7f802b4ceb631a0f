"""What protects a person from being changed by this bot, read from Microsoft Graph.

Fails closed: a fact that cannot be read raises. An application's permission carries no check of the target's
roles, so this is the only one there is (Graph docs "rbac-for-apis"; Entra docs
"privileged-roles-permissions", "admin-units-restricted-management", "groups-concept"). Must not know what is
going to be changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from bot.domain.people import Protection, ProtectionRules
from bot.graph.client import GraphClient, ReadRefused
from bot.graph.decode import NO_LICENCE
from bot.graph.rows import (
    GroupPage,
    GroupRow,
    RoleGrantPage,
    RoleGrantRow,
    RolePage,
    RoleRow,
    UserRow,
    checked_id,
)

_GROUPS = {"select": "id,displayName,isAssignableToRole", "top": "999"}
_ROLES = {"select": "id,displayName,roleTemplateId"}


async def protection_of(
    client: GraphClient, oid: str, rules: ProtectionRules, own_groups: frozenset[str]
) -> Protection:
    """Every protecting fact in words; empty = not protected.

    Being a member of one of own_groups does not protect by itself, but a role that such a group holds or is
    eligible for does, and so does owning it. Raises DirectoryUnavailable, ValueError for a bad object id.
    """
    oid = checked_id(oid)
    # Spelled otherwise, a list of protected people would protect nobody.
    rules = ProtectionRules(_lower(rules.allow_roles), _lower(rules.people), _lower(rules.groups))
    own_groups = _lower(own_groups)
    user, held, granted, eligible, groups, owned = await asyncio.gather(
        client.read(f"/users/{oid}", UserRow, {"select": "id,isManagementRestricted"}),
        client.rows(
            f"/users/{oid}/transitiveMemberOf/microsoft.graph.directoryRole", RolePage, _ROLES, advanced=True
        ),
        _assigned(client, oid),
        _eligible(client),
        client.rows(
            f"/users/{oid}/transitiveMemberOf/microsoft.graph.group", GroupPage, _GROUPS, advanced=True
        ),
        client.rows(f"/users/{oid}/ownedObjects/microsoft.graph.group", GroupPage, _GROUPS, advanced=True),
    )
    # Only role-assignable groups can hold a role, and one that is not ours protects as it is.
    ours = [g for g in groups if g.isAssignableToRole and g.id in own_groups]
    through = await asyncio.gather(*(_assigned(client, g.id) for g in ours))
    principals = {oid, *(g.id for g in groups)}
    may_become = {row.roleDefinitionId.lower() for row in eligible if row.principalId.lower() in principals}
    facts = [
        *_listed_facts(oid, user, groups, rules),
        *_role_facts(held, granted.union(*through), rules.allow_roles),
        *_eligible_facts(may_become - rules.allow_roles),
        *_group_facts(groups, owned, own_groups),
    ]
    return Protection(tuple(facts))


def _lower(ids: frozenset[str]) -> frozenset[str]:
    return frozenset(each.lower() for each in ids)


async def _assigned(client: GraphClient, principal: str) -> frozenset[str]:
    """Role definition ids assigned to the principal itself, whatever their scope; custom roles too."""
    path, query = "/roleManagement/directory/roleAssignments", {"filter": f"principalId eq '{principal}'"}
    rows = await client.rows(path, RoleGrantPage, query)
    return frozenset(row.roleDefinitionId.lower() for row in rows)


async def _eligible(client: GraphClient) -> list[RoleGrantRow]:
    """Who may activate which role, in the whole tenant; none where the licence for PIM is missing.

    The whole list, because eligibility of a group counts too: administrators are few, while asking for each
    group of a person would be a hundred calls.
    """
    path = "/roleManagement/directory/roleEligibilityScheduleInstances"
    try:
        return await client.rows(path, RoleGrantPage, {"select": "principalId,roleDefinitionId"})
    except ReadRefused as refused:
        if refused.error.code == NO_LICENCE:
            return []
        raise


def _listed_facts(
    oid: str, user: UserRow, groups: Iterable[GroupRow], rules: ProtectionRules
) -> Iterator[str]:
    if oid in rules.people:
        yield "is on the list of protected people"
    if user.isManagementRestricted:
        yield "is in a restricted administrative unit"
    for group in groups:
        if group.id in rules.groups:
            yield f"is in the protected group {group.name}"


def _role_facts(held: Iterable[RoleRow], granted: frozenset[str], allow: frozenset[str]) -> Iterator[str]:
    told: set[str] = set()
    for role in held:
        # Without the right to read roles there is no template id: then nothing can be allow-listed.
        template = (role.roleTemplateId or "").lower()
        told.add(template)
        if template not in allow:
            yield f"holds the directory role {role.displayName or template or role.id}"
    for definition in sorted(granted - told - allow):
        yield f"holds the directory role {definition}"


def _eligible_facts(eligible: set[str]) -> Iterator[str]:
    if eligible:
        yield "is eligible for a directory role (PIM)"


def _group_facts(
    groups: Iterable[GroupRow], owned: Iterable[GroupRow], own_groups: frozenset[str]
) -> Iterator[str]:
    for group in groups:
        if group.isAssignableToRole and group.id not in own_groups:
            yield f"is a member of the role-assignable group {group.name}"
    for group in owned:
        if group.isAssignableToRole:
            yield f"owns the role-assignable group {group.name}"
