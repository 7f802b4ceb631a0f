"""People and their managers as Graph lists, finds and shows them.

Sources: Graph docs "user-list", "user-get", "user-list-manager", "user-list-directreports",
"directory-deleteditems-list", "aad-advanced-queries", "paging". Must not know phone methods.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from ..world import Person, stamp
from . import licences
from .call import Answer, Call
from .errors import COUNT, OURS, SEARCH_HEADER, SORTING, GraphError, not_found
from .odata import fits, needs_advanced, parse_filter, parse_search

_BASIC = ("id", "displayName", "givenName", "surname", "mail", "userPrincipalName")
_DEFAULT = (
    *("businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation"),
    *("preferredLanguage", "surname", "userPrincipalName", "id"),
)
READ_ALL = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_MAX_PAGE = 999


#: Every property that this simulator can show, in Graph's names and types.
PROPERTIES: dict[str, Callable[[Person], Any]] = {
    "id": lambda p: p.oid,
    "displayName": lambda p: p.display_name,
    "givenName": lambda p: p.given_name or None,
    "surname": lambda p: p.surname or None,
    "userPrincipalName": lambda p: p.upn,
    "mail": lambda p: p.mail,
    "employeeId": lambda p: p.employee_id,
    "jobTitle": lambda p: p.job_title,
    "department": lambda p: p.department,
    "usageLocation": lambda p: p.usage_location,
    "userType": lambda p: p.user_type,
    "accountEnabled": lambda p: p.account_enabled,
    "onPremisesSyncEnabled": lambda p: True if p.synced else None,
    "createdDateTime": lambda p: stamp(p.created),
    "employeeHireDate": lambda p: stamp(p.hired) if p.hired else None,
    "lastPasswordChangeDateTime": lambda p: stamp(p.password_changed or p.created),
    "isManagementRestricted": lambda p: p.management_restricted or None,
    "preferredLanguage": lambda p: p.locale,
    "proxyAddresses": lambda p: [f"SMTP:{p.mail}"] if p.mail else [],
    "businessPhones": lambda p: [],
    "mobilePhone": lambda p: None,
    "officeLocation": lambda p: None,
    "assignedLicenses": licences.assigned,
    "assignedPlans": licences.plans,
    "perUserMfaState": lambda p: p.per_user_mfa,
}


def reader(person: Person) -> Callable[[str], Any]:
    """A function that reads one property of this person by Graph's name; KeyError for an unknown one."""
    return lambda name: PROPERTIES[name](person)


def selected(call: Call) -> Sequence[str]:
    """The properties this call asks for and may see; 403 for one beyond User.ReadBasic.All."""
    wanted = [name for name in call.options.get("select", "").split(",") if name.strip()]
    names = [name.strip() for name in wanted] or list(_DEFAULT)
    if not call.may(*READ_ALL):
        call.allow("User.ReadBasic.All")
        if not wanted:
            return _BASIC
        if not set(names) <= set(_BASIC):
            call.allow(*READ_ALL)
    return names if "id" in names or not wanted else ["id", *names]


def shown(person: Person, names: Sequence[str]) -> dict[str, Any]:
    """The person with only these properties; names Graph does not know are left out."""
    return {name: PROPERTIES[name](person) for name in names if name in PROPERTIES}


def get_user(call: Call) -> Answer:
    """GET /users/{id or UPN}."""
    call.only_options("select")
    names = selected(call)
    person = call.person(call.args["user"])
    part = f"({call.options['select']})" if "select" in call.options else ""
    context = {"@odata.context": f"{call.root}/$metadata#users{part}/$entity"}
    return Answer(200, context | shown(person, names))


def get_manager(call: Call) -> Answer:
    """GET /users/{id}/manager; 404 when there is none (or the manager is deleted)."""
    call.only_options("select")
    call.allow(*READ_ALL)
    person = call.person(call.args["user"])
    manager = call.world.people.get(person.manager_oid or "")
    if manager is None or manager.deleted:
        raise not_found("manager")
    head = {
        "@odata.context": f"{call.root}/$metadata#directoryObjects/$entity",
        "@odata.type": "#microsoft.graph.user",
    }
    return Answer(200, head | shown(manager, selected(call)))


def direct_reports(call: Call) -> Answer:
    """GET /users/{id}/directReports, paged."""
    call.only_options("select", "top", "count", "skiptoken")
    call.allow(*READ_ALL)
    boss, names = call.person(call.args["user"]), selected(call)
    found = [
        {"@odata.type": "#microsoft.graph.user", **shown(p, names)}
        for p in call.world.people.values()
        if p.manager_oid == boss.oid and not p.deleted
    ]
    return paged(call, "directoryObjects", found, call.world.rules.page_size)


def deleted_users(call: Call) -> Answer:
    """GET /directory/deletedItems/microsoft.graph.user: the UPN is led by the id without dashes."""
    call.only_options("select", "filter", "top", "count", "orderby", "skiptoken")
    call.allow(*READ_ALL)
    wanted = [*call.options.get("select", "").split(",")] if "select" in call.options else list(_DEFAULT)
    gone = [p for p in call.world.people.values() if p.deleted]
    if "filter" in call.options:
        tree = call.details["filter"] = parse_filter(call.options["filter"])
        gone = [p for p in gone if fits(tree, _deleted(p).__getitem__)]
    names = {"id", "deletedDateTime", *(name.strip() for name in wanted)}
    rows = [{name: value for name, value in _deleted(p).items() if name in names} for p in gone]
    return paged(call, "users", rows, call.world.rules.page_size)


def _deleted(person: Person) -> dict[str, Any]:
    moment = person.deleted_at or person.created
    return {
        **shown(person, list(PROPERTIES)),
        "userPrincipalName": person.oid.replace("-", "") + person.upn,
        "deletedDateTime": stamp(moment),
    }


def count_users(call: Call) -> Answer:
    """GET /users/$count (advanced only)."""
    call.allow("User.ReadBasic.All", *READ_ALL)
    if not call.eventual:
        raise GraphError(400, "Request_BadRequest", COUNT)
    return Answer(200, str(sum(not p.deleted for p in call.world.people.values())))


def list_users(call: Call) -> Answer:
    """GET /users with $filter or $search, paged."""
    call.only_options("select", "filter", "search", "top", "count", "orderby", "skiptoken")
    names = selected(call)
    found = _matching(call)
    order = call.options.get("orderby")
    if order:
        prop, _, way = order.partition(" ")
        if prop not in PROPERTIES:
            raise GraphError(400, "Request_UnsupportedQuery", OURS["bad_option"])
        found.sort(key=lambda p: str(PROPERTIES[prop](p) or "").casefold(), reverse=way == "desc")
    part = f"({call.options['select']})" if "select" in call.options else ""
    return paged(call, f"users{part}", found, call.world.rules.page_size, lambda p: shown(p, names))


def _matching(call: Call) -> list[Person]:
    people = [p for p in call.world.people.values() if not p.deleted]
    search, wanted = call.options.get("search"), call.options.get("filter")
    if search is not None:
        if not call.eventual:
            raise GraphError(400, "Request_UnsupportedQuery", SEARCH_HEADER)
        tree = call.details["search"] = parse_search(search)
        people = [p for p in people if fits(tree, reader(p))]
    if wanted is not None:
        tree = call.details["filter"] = parse_filter(wanted)
        if not call.advanced:
            if "orderby" in call.options:
                raise GraphError(400, "Request_UnsupportedQuery", SORTING)
            if needs_advanced(tree):
                raise GraphError(400, "Request_UnsupportedQuery", OURS["bad_filter"])
        people = [p for p in people if fits(tree, reader(p))]
    return people


def only(call: Call, shape: dict[str, Any]) -> dict[str, Any]:
    """The object with only the properties of $select (and the id)."""
    wanted = [name.strip() for name in call.options.get("select", "").split(",") if name.strip()]
    return {name: value for name, value in shape.items() if not wanted or name in wanted or name == "id"}


def paged(
    call: Call,
    context: str,
    items: Sequence[Any],
    page_size: int,
    show: Callable[[Any], dict[str, Any]] = lambda item: item,
) -> Answer:
    """One page of a list, with @odata.nextLink when there is more (Graph docs, "paging").

    show: the shape of one item; made only of those on the page.
    """
    top, start = page_size, 0
    try:
        if "top" in call.options:
            top = min(int(call.options["top"]), page_size)
        if "skiptoken" in call.options:
            start = int(base64.urlsafe_b64decode(call.options["skiptoken"]).decode().removeprefix("at:"))
    except ValueError:
        raise GraphError(400, "Request_BadRequest", OURS["bad_option"]) from None
    if not 1 <= top <= _MAX_PAGE:
        raise GraphError(400, "Request_BadRequest", OURS["bad_option"])
    body: dict[str, Any] = {"@odata.context": f"{call.root}/$metadata#{context}"}
    if call.advanced:
        body["@odata.count"] = len(items)
    if start + top < len(items):
        token = base64.urlsafe_b64encode(f"at:{start + top}".encode()).decode()
        rest = {**call.options, "skiptoken": token}
        query = "&".join(f"${name}={quote(value, safe='')}" for name, value in rest.items())
        path = call.raw_path.split("?", 1)[0].removeprefix(f"/{call.version}")
        body["@odata.nextLink"] = f"{call.root}{path}?{query}"
    body["value"] = [show(item) for item in items[start : start + top]]
    return Answer(200, body)
