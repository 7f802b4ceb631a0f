"""Finding people in Microsoft Graph by the words somebody typed.

Knows how each kind of name is asked for and quoted. Must never guess: what it returns fits the words.
Only an object id or a plain ASCII user principal name ever becomes part of a path.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from pydantic import Field

from bot.domain.command import Who, WhoKind
from bot.domain.numbers import PeoplePage
from bot.domain.people import Person
from bot.graph.client import GraphClient, ReadRefused
from bot.graph.rows import PERSON_SELECT, Id, Page, Row, UserPage, UserRow, checked_id


class _IdRow(Row):
    id: Id


class _Everybody(Page[_IdRow]):
    """count: on the first page only (Graph docs "user-list")."""

    count: int | None = Field(None, alias="@odata.count")


_SELECT = {"select": PERSON_SELECT}
# What Entra allows in a UPN; a leading `$` would need another path form, so that is left to the filter.
_UPN = re.compile(r"[A-Za-z0-9._'#!^~+-]+@[A-Za-z0-9.-]+\Z")


async def find(client: GraphClient, who: Who, limit: int) -> tuple[Person, ...]:
    """Everybody the words fit, by name then UPN, at most limit + 1. Raises DirectoryUnavailable.

    Raises ValueError for an OID that is none and for ME, which is nobody to look up.
    """
    if who.kind is WhoKind.ME:
        raise ValueError("`me` is nobody to look up")
    if who.kind is WhoKind.OID:
        person = await by_id(client, who.value)
        return (person,) if person else ()
    asks = _asks(client, who, limit + 1)
    rows = [row for found in await asyncio.gather(*asks) for row in found]
    people = {row.id: row.person() for row in rows}
    return tuple(sorted(people.values(), key=lambda p: (p.name.casefold(), p.upn.casefold())))[: limit + 1]


async def by_id(client: GraphClient, oid: str) -> Person | None:
    """The account with this object id, None when there is none. Raises ValueError, DirectoryUnavailable."""
    rows = await _one(client, f"/users/{checked_id(oid)}")
    return rows[0].person() if rows else None


async def manager_of(client: GraphClient, oid: str) -> Person | None:
    """The manager, None when there is none (Graph docs "user-list-manager": 404). Raises as `by_id`."""
    rows = await _one(client, f"/users/{checked_id(oid)}/manager")
    return rows[0].person() if rows else None


async def reports_of(client: GraphClient, oid: str, most: int) -> tuple[Person, ...]:
    """Graph docs "user-list-directreports". Raises as `by_id`."""
    rows = await client.rows(f"/users/{checked_id(oid)}/directReports", UserPage, _SELECT, most=most)
    return tuple(row.person() for row in rows)


async def created_since(client: GraphClient, at: datetime, most: int) -> tuple[Person, ...]:
    """Graph docs "user-list", "aad-advanced-queries" (createdDateTime: ge). Raises DirectoryUnavailable."""
    when = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = await _listed(client, {"filter": f"createdDateTime ge {when}"}, most, advanced=True)
    return tuple(row.person() for row in rows)


async def page(client: GraphClient, cursor: str, limit: int) -> PeoplePage | None:
    """Some of everybody. cursor: "" or the next-page address of the page before, which is never logged.

    Graph docs "paging" (an address may become invalid) and "aad-advanced-queries" ($count).
    None when Graph does not know the address any more. Raises DirectoryUnavailable.
    """
    try:
        if cursor:
            found = await client.follow(cursor, _Everybody, advanced=True)
        else:
            query = {"select": "id,accountEnabled", "top": str(limit)}
            found = await client.read("/users", _Everybody, query, advanced=True)
    except ReadRefused as refused:
        if cursor and refused.error.status in (400, 404, 410):
            return None
        raise
    return PeoplePage(tuple(row.id for row in found.value), found.next or "", found.count)


def _asks(client: GraphClient, who: Who, most: int) -> Sequence[Awaitable[list[UserRow]]]:
    value = who.value.strip()
    if not value or not value.isprintable():
        return []
    if who.kind is WhoKind.UPN:
        return _by_address(client, value, most)
    if who.kind is WhoKind.EMPLOYEE:
        return [_listed(client, {"filter": f"employeeId eq {_quoted(value)}"}, most)]
    if who.exact:
        return [_listed(client, {"filter": f"displayName eq {_quoted(value)}"}, most)]
    return _by_name(client, value, most)


def _by_address(client: GraphClient, value: str, most: int) -> Sequence[Awaitable[list[UserRow]]]:
    """By UPN, mail and further addresses, so that all show who share one through different fields.

    The key look-up comes on top of the filter because filters read an index that may lag behind new accounts.
    """
    if not value.isascii():
        return []  # a look-alike; turning it into ASCII would find somebody else
    text = _quoted(value)
    address = _quoted(f"smtp:{value}")
    either = f"userPrincipalName eq {text} or mail eq {text} or proxyAddresses/any(p:p eq {address})"
    asks: list[Awaitable[list[UserRow]]] = [_listed(client, {"filter": either}, most)]
    if _UPN.match(value):
        asks.append(_one(client, f"/users/{quote(value, safe='')}"))
    return asks


def _by_name(client: GraphClient, value: str, most: int) -> Sequence[Awaitable[list[UserRow]]]:
    """By the beginning of a name, and by words inside the display name ("Ng, Alice" is found by `alice`)."""
    text = _quoted(value)
    names = ("displayName", "givenName", "surname")
    starts = " or ".join(f"startswith({name},{text})" for name in names)
    asks = [_listed(client, {"filter": starts}, most)]
    if any(ch.isalnum() for ch in value):
        term = value.replace("\\", "\\\\").replace('"', '\\"')
        asks.append(_listed(client, {"search": f'"displayName:{term}"'}, most, advanced=True))
    return asks


def _quoted(value: str) -> str:
    """An OData string literal (Graph docs "filter-query-parameter": single quotes are doubled)."""
    return "'" + value.replace("'", "''") + "'"


async def _listed(
    client: GraphClient, query: Mapping[str, str], most: int, *, advanced: bool = False
) -> list[UserRow]:
    asked = {**query, **_SELECT, "top": str(most)}
    return await client.rows("/users", UserPage, asked, advanced=advanced, most=most)


async def _one(client: GraphClient, path: str) -> list[UserRow]:
    """The one account at this path, or none on 404."""
    try:
        return [await client.read(path, UserRow, _SELECT)]
    except ReadRefused as refused:
        if refused.error.status == 404:
            return []
        raise
