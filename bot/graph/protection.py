"""What protects a person from being changed by this bot, read from Microsoft Graph.

Fails closed: a fact that cannot be read raises. An application's permission carries no check of the target's
roles, so this is the only one there is (Graph docs "rbac-for-apis"; Entra docs
"privileged-roles-permissions", "admin-units-restricted-management", "groups-concept"). Must not know what is
going to be changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from urllib.parse import quote

from bot.domain.people import Protection, ProtectionRules
from bot.graph.client import GraphClient, ReadRefused
from bot.graph.decode import GraphError, read_error
from bot.graph.rows import (
    GroupPage,
    GroupRow,
    PimGroupPage,
    PimGroupRow,
    RoleGrantPage,
    RoleGrantRow,
    RolePage,
    RoleRow,
    UserRow,
    checked_id,
    read_row,
)
from bot.ports import DirectoryUnavailable

_GROUPS = {"select": "id,displayName,isAssignableToRole", "top": "999"}
_ONE_GROUP = {"select": "id,displayName,isAssignableToRole"}
_ROLES = {"select": "id,displayName,roleTemplateId"}
_PIM_GROUPS = "/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances"
_BATCH = 20
_ASK_AGAIN_AFTER = timedelta(days=1)


class Pim:
    """Whether the tenant has the licence for PIM. Its lack is remembered for a day, then asked again."""

    def __init__(self) -> None:
        self._absent_until: datetime | None = None

    def absent(self, now: datetime) -> bool:
        return self._absent_until is not None and now < self._absent_until

    def lacks(self, error: GraphError, now: datetime) -> bool:
        """True when the answer says so: nobody is eligible for anything then."""
        if error.no_licence:
            self._absent_until = now + _ASK_AGAIN_AFTER
        return error.no_licence


async def protection_of(
    client: GraphClient, oid: str, rules: ProtectionRules, own_groups: frozenset[str], pim: Pim
) -> Protection:
    """Every protecting fact in words; empty = not protected.

    Being a member of one of own_groups, or eligible for that, does not protect by itself, but a role that
    such a group holds or is eligible for does, and so does owning it or being able to.
    Raises DirectoryUnavailable, ValueError for a bad object id.
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
        _eligible(client, pim),
        client.rows(
            f"/users/{oid}/transitiveMemberOf/microsoft.graph.group", GroupPage, _GROUPS, advanced=True
        ),
        client.rows(f"/users/{oid}/ownedObjects/microsoft.graph.group", GroupPage, _GROUPS, advanced=True),
    )
    _all_readable([*groups, *owned])
    may_join, may_own = await _through_pim(client, oid, groups, pim)
    # Only role-assignable groups can hold a role, and one that is not ours protects as it is.
    ours = {g.id for g in (*groups, *may_join) if g.isAssignableToRole and g.id in own_groups}
    through = await asyncio.gather(*(_assigned(client, each) for each in sorted(ours)))
    principals = {oid, *(g.id for g in (*groups, *may_join))}
    may_become = {row.roleDefinitionId.lower() for row in eligible if row.principalId.lower() in principals}
    facts = [
        *_listed_facts(oid, user, groups, may_join, rules),
        *_role_facts(held, granted.union(*through), rules.allow_roles),
        *_eligible_facts(may_become - rules.allow_roles),
        *_group_facts(groups, owned, own_groups),
        *_pim_group_facts(may_join, may_own, own_groups),
    ]
    return Protection(tuple(facts))


def _all_readable(groups: Iterable[GroupRow]) -> None:
    """Without the right to read groups Graph lists their ids and nothing else: then nothing is known.

    Source: Graph docs "user-list-transitivememberof" (limited information for inaccessible objects).
    """
    if any(group.displayName is None for group in groups):
        raise DirectoryUnavailable("a group of the person cannot be read")


async def _through_pim(
    client: GraphClient, oid: str, groups: list[GroupRow], pim: Pim
) -> tuple[list[GroupRow], list[GroupRow]]:
    """Groups the person may make themselves a member of, and those they may make themselves an owner of.

    A group can be an eligible member of a role-assignable group (Entra docs "concept-pim-for-groups"), so
    the person's groups are asked for too, and what those lead to, until nothing new comes.
    """
    seen, ask = {oid, *(group.id for group in groups)}, [oid, *(group.id for group in groups)]
    found: list[PimGroupRow] = []
    while ask and not pim.absent(client.now()):
        parts = [ask[at : at + _BATCH] for at in range(0, len(ask), _BATCH)]
        rows = [r for part in await asyncio.gather(*(_pim_rows(client, p, pim) for p in parts)) for r in part]
        found += rows
        ask = sorted({row.groupId for row in rows if row.accessId != "owner"} - seen)
        seen.update(ask)
    ids = sorted({row.groupId for row in found})
    known = await asyncio.gather(*(client.read(f"/groups/{each}", GroupRow, _ONE_GROUP) for each in ids))
    _all_readable(known)
    owners = {row.groupId for row in found if row.accessId == "owner"}
    members = {row.groupId for row in found if row.accessId != "owner"}
    return [g for g in known if g.id in members], [g for g in known if g.id in owners]


async def _pim_rows(client: GraphClient, principals: list[str], pim: Pim) -> list[PimGroupRow]:
    """The eligibilities of up to 20 principals, in one request. Any answer that is none raises."""
    filters = [quote(f"principalId eq '{each}'", safe="") for each in principals]
    paths = [f"{_PIM_GROUPS}?$filter={each}" for each in filters]
    reply = await client.batch(paths)
    rows: list[PimGroupRow] = []
    for n in range(len(paths)):
        item = reply.items.get(n)
        if item is None or item.status != 200:
            error = read_error(item.status if item else 0, item.body if item else None)
            if pim.lacks(error, client.now()):
                return []
            raise DirectoryUnavailable(f"PIM for groups cannot be read: Graph answered {error.brief}")
        page = read_row(PimGroupPage, item.body)
        if page.next is not None:
            raise DirectoryUnavailable("more eligible groups than can be right")
        rows += page.value
    return rows


def _lower(ids: frozenset[str]) -> frozenset[str]:
    return frozenset(each.lower() for each in ids)


async def _assigned(client: GraphClient, principal: str) -> frozenset[str]:
    """Role definition ids assigned to the principal itself, whatever their scope; custom roles too."""
    path, query = "/roleManagement/directory/roleAssignments", {"filter": f"principalId eq '{principal}'"}
    rows = await client.rows(path, RoleGrantPage, query)
    return frozenset(row.roleDefinitionId.lower() for row in rows)


async def _eligible(client: GraphClient, pim: Pim) -> list[RoleGrantRow]:
    """Who may activate which role, in the whole tenant; none where the licence for PIM is missing.

    The whole list, because eligibility of a group counts too: administrators are few, while asking for each
    group of a person would be a hundred calls.
    """
    path = "/roleManagement/directory/roleEligibilityScheduleInstances"
    if pim.absent(client.now()):
        return []
    try:
        return await client.rows(path, RoleGrantPage, {"select": "principalId,roleDefinitionId"})
    except ReadRefused as refused:
        if pim.lacks(refused.error, client.now()):
            return []
        raise


def _listed_facts(
    oid: str,
    user: UserRow,
    groups: Iterable[GroupRow],
    may_join: Iterable[GroupRow],
    rules: ProtectionRules,
) -> Iterator[str]:
    if oid in rules.people:
        yield "is on the list of protected people"
    if user.isManagementRestricted:
        yield "is in a restricted administrative unit"
    for group in groups:
        if group.id in rules.groups:
            yield f"is in the protected group {group.name}"
    for group in may_join:
        if group.id in rules.groups:
            yield f"may join the protected group {group.name} (PIM for groups)"


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


def _pim_group_facts(
    may_join: Iterable[GroupRow], may_own: Iterable[GroupRow], own_groups: frozenset[str]
) -> Iterator[str]:
    for group in may_join:
        if group.isAssignableToRole and group.id not in own_groups:
            yield f"may join the role-assignable group {group.name} (PIM for groups)"
    for group in may_own:
        if group.isAssignableToRole:
            yield f"may own the role-assignable group {group.name} (PIM for groups)"
