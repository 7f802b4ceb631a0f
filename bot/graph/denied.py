"""What an `accessDenied` meant: told apart by looking, never by guessing.

The authentication back end says the same for a missing permission, for a target out of reach and for an
account that was just deleted (Graph docs "errors"; public reports). Knows which reads tell them apart. Must
not write, and must not fail: what cannot be found out is said to be unknown.
"""

from __future__ import annotations

from bot.domain import directory_reasons as finer
from bot.domain import reasons
from bot.domain.permissions import WRITE_METHODS, Permission
from bot.domain.reason import Refusal
from bot.graph import people
from bot.graph.client import GraphClient, ReadRefused
from bot.graph.decode import GraphError
from bot.graph.rows import PhonePage, RolePage, checked_id
from bot.ports import DirectoryUnavailable


async def explain_denied(client: GraphClient, error: GraphError, oid: str, needed: Permission) -> Refusal:
    """The reason behind a refused write. needed: the permission that the write wants."""
    code, request_id = error.brief, error.request_id or "(none given)"
    unknown = reasons.DIRECTORY_DENIED.refuse(code=code, request_id=request_id)
    try:
        person = await people.by_id(client, oid)
        if person is None:
            return reasons.DIRECTORY_GONE.refuse(code=code, request_id=request_id)
        if person.restricted_unit:
            return reasons.DIRECTORY_RESTRICTED_UNIT.refuse(code=code, request_id=request_id)
        roles = await _roles(client, oid)
        lacking = await _lacking(client, oid, needed, roles)
    except DirectoryUnavailable:
        return unknown
    if lacking:
        return finer.PERMISSION_MISSING.refuse(
            code=code, request_id=request_id, permission=needed.name, evidence=lacking
        )
    if roles and lacking is not None:
        return finer.TARGET_PRIVILEGED.refuse(code=code, request_id=request_id, evidence=", ".join(roles))
    return unknown


async def _lacking(client: GraphClient, oid: str, needed: Permission, roles: list[str]) -> str | None:
    """Evidence that we lack the permission; "" = we have it; None = it cannot be told."""
    granted = await client.granted()
    if granted is not None:
        has = granted & {needed.name, WRITE_METHODS.name}
        return "" if has else "our own token does not name the permission"
    if roles:
        return None  # then a refused read proves nothing about us
    try:
        await client.read(f"/users/{checked_id(oid)}/authentication/phoneMethods", PhonePage)
    except ReadRefused as refused:
        return "even reading the person's phones is refused" if refused.error.status == 403 else None
    return None


async def _roles(client: GraphClient, oid: str) -> list[str]:
    path = f"/users/{checked_id(oid)}/transitiveMemberOf/microsoft.graph.directoryRole"
    rows = await client.rows(path, RolePage, {"select": "id,displayName,roleTemplateId"}, advanced=True)
    return [row.displayName or row.roleTemplateId or row.id for row in rows]
