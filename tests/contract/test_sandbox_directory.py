"""The pretend Graph's people, groups, roles, policy and batch against the rules of the real one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from sandbox_desk import ADVANCED, MOBILE, Desk, open_desk
from yarl import URL


@pytest_asyncio.fixture
async def desk(tmp_path: Path):
    async with open_desk(tmp_path) as opened:
        yield opened


def names(body: dict) -> list[str]:
    return [each["userPrincipalName"].split("@")[0] for each in body["value"]]


async def test_one_person_by_id_and_upn(desk: Desk) -> None:
    """By object id and UPN with $select; an alias, a deleted and an unknown person are 404."""
    select = "?$select=id,accountEnabled,userType,isManagementRestricted,onPremisesSyncEnabled"
    _, body, _ = await desk.graph("GET", f"/users/{desk.oid('sybil')}{select}")
    assert body.pop("@odata.context").endswith("/$entity")
    assert body == {
        "id": desk.oid("sybil"),
        "accountEnabled": True,
        "userType": "Member",
        "isManagementRestricted": None,
        "onPremisesSyncEnabled": True,
    }
    assert (await desk.graph("GET", "/users/ALICE@contoso.example"))[1]["displayName"] == "Alice Anders"
    for which in ("alice", desk.oid("dean"), "nobody@contoso.example", "..%2Fgroups"):
        status, answer, _ = await desk.graph("GET", f"/users/{which}")
        assert (status, answer["error"]["code"]) == (404, "Request_ResourceNotFound")


async def test_a_guest_upn_must_arrive_encoded(desk: Desk) -> None:
    """With %23 the guest is found; a bare # cuts the path, as on the wire of the real service."""
    upn = desk.world["people"]["gina"]["upn"]
    assert "#EXT#" in upn
    assert (await desk.graph("GET", f"/users/{quote(upn, safe='')}"))[1]["id"] == desk.oid("gina")
    assert (await desk.graph("GET", f"/users/{upn}"))[0] == 404
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(desk.running.graph).port)
    head = f"GET /v1.0/users/{upn} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {desk.token}\r\n\r\n"
    writer.write(head.encode())
    assert b" 404 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("mail eq 'alice@contoso.example'", ["alice"]),
        ("employeeId eq 'E1002'", ["alice"]),
        ("displayName eq 'Jonas Bergfeld'", ["jonas", "jonas2"]),
        ("mail eq 'x.frost@contoso.example'", ["xavier"]),
        ("surname eq 'O''Brien'", ["siobhan.o'brien"]),
        ("startsWith(displayName,'ali') or startsWith(userPrincipalName,'ali')", ["alice"]),
        ("displayName eq 'Dean Dellwood'", []),
        ("mail eq 'x'' or startswith(displayName,''a'')'", []),
    ],
)
async def test_filters_find_people(desk: Desk, query: str, expected: list[str]) -> None:
    """Exact and prefix filters; a quote in a value stays a value, and the log shows what was asked."""
    _, body, _ = await desk.graph("GET", f"/users?$filter={quote(query, safe='')}&$select=userPrincipalName")
    assert names(body) == expected
    seen = (await desk.control("GET", "/requests?route=/users"))[1]["requests"]
    assert isinstance(seen[0]["details"]["filter"], list)


async def test_search_needs_its_header(desk: Desk) -> None:
    """Without ConsistencyLevel 400 in Graph's words; with it, surnames are found too."""
    search = quote('"displayName:frost" OR "mail:alice"', safe="")
    path = f"/users?$search={search}&$count=true&$top=10"
    status, answer, _ = await desk.graph("GET", path)
    assert (status, answer["error"]["code"]) == (400, "Request_UnsupportedQuery")
    assert "ConsistencyLevel: eventual" in answer["error"]["message"]
    _, body, _ = await desk.graph("GET", path, **ADVANCED)
    assert names(body) == ["alice", "xavier", "x.frost"]
    assert body["@odata.count"] == 3


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/users?$filter=mail%20eq%20'x'&$orderby=mail", "Request_UnsupportedQuery"),
        ("/users?$expand=manager", "Request_UnsupportedQuery"),
        ("/users?$filter=shoe%20eq%20'x'", "Request_UnsupportedQuery"),
        ("/users?$top=0", "Request_BadRequest"),
        ("/users/$count", "Request_BadRequest"),
        ("/planets", "BadRequest"),
    ],
)
async def test_what_graph_would_not_do_is_400(desk: Desk, path: str, code: str) -> None:
    """No silent empty list for a query that the real service refuses or that is not simulated."""
    status, answer, _ = await desk.graph("GET", path)
    assert (status, answer["error"]["code"]) == (400, code)


async def test_lists_are_paged(desk: Desk) -> None:
    """Following nextLink sees everybody exactly once."""
    link, seen = "/users?$select=id&$top=7", []
    while link:
        _, body, _ = await desk.graph("GET", link)
        seen += [each["id"] for each in body["value"]]
        link = body.get("@odata.nextLink")
    alive = [p["oid"] for p in desk.world["people"].values() if not p["deleted"]]
    assert sorted(seen) == sorted(alive)


async def test_managers(desk: Desk) -> None:
    """The manager as an object; 404 when there is none."""
    _, body, _ = await desk.graph("GET", f"/users/{desk.oid('alice')}/manager?$select=id,accountEnabled")
    assert (body["id"], body["accountEnabled"]) == (desk.oid("marta"), True)
    status, answer, _ = await desk.graph("GET", f"/users/{desk.oid('mina')}/manager")
    assert (status, answer["error"]["code"]) == (404, "Request_ResourceNotFound")


async def test_nested_membership(desk: Desk) -> None:
    """checkMemberGroups sees through nesting; the paged list names the last operator on page 3."""
    operators = desk.world["role_groups"]["operator"]
    asked = {"groupIds": list(desk.world["role_groups"].values())}
    _, body, _ = await desk.graph("POST", f"/users/{desk.oid('nadia')}/checkMemberGroups", asked)
    assert body["value"] == [operators]
    too_many = {"groupIds": [operators] * 21}
    assert (await desk.graph("POST", f"/users/{desk.oid('nadia')}/checkMemberGroups", too_many))[0] == 400
    path = f"/groups/{operators}/transitiveMembers/microsoft.graph.user?$count=true"
    assert (await desk.graph("GET", path))[0] == 400
    pages = []
    while path:
        _, body, _ = await desk.graph("GET", path, **ADVANCED)
        pages.append([each["id"] for each in body["value"]])
        path = body.get("@odata.nextLink")
    assert desk.oid("nadia") in pages[2]
    await desk.control("DELETE", "/groups/Night desk/members/nadia".replace(" ", "%20"))
    _, body, _ = await desk.graph("POST", f"/users/{desk.oid('nadia')}/checkMemberGroups", asked)
    assert body["value"] == []


@pytest.mark.parametrize(
    ("alias", "held"),
    [("gabriel", ["Global Administrator"]), ("rita", ["Helpdesk Administrator"]), ("alice", [])],
)
async def test_roles_held(desk: Desk, alias: str, held: list[str]) -> None:
    """Active roles, own and through a group; names are hidden without the right to read roles."""
    cast = f"/users/{desk.oid(alias)}/transitiveMemberOf/microsoft.graph.directoryRole?$count=true"
    assert (await desk.graph("GET", cast))[0] == 400
    _, body, _ = await desk.graph("GET", cast, **ADVANCED)
    assert [each["displayName"] for each in body["value"]] == held
    await desk.control("PATCH", "", {"permissions": ["User.Read.All"]})
    _, body, _ = await desk.graph("GET", cast, **ADVANCED)
    assert [each["displayName"] for each in body["value"]] == [None] * len(held)


async def test_groups_held_and_owned(desk: Desk) -> None:
    """Role-assignable groups of a member and of an owner."""
    cast = "microsoft.graph.group?$select=id,isAssignableToRole&$count=true"
    _, body, _ = await desk.graph("GET", f"/users/{desk.oid('rhea')}/transitiveMemberOf/{cast}", **ADVANCED)
    assert [each["isAssignableToRole"] for each in body["value"]] == [True]
    _, body, _ = await desk.graph("GET", f"/users/{desk.oid('rolf')}/ownedObjects/{cast}")
    assert [each["isAssignableToRole"] for each in body["value"]] == [True]


async def test_role_rows_of_people_and_groups(desk: Desk) -> None:
    """Direct assignments and eligibility by principal; a tenant without P2 says so."""
    root, group = "/roleManagement/directory", desk.world["groups"]["Tier 0 on call"]["id"]
    rows = {
        ("roleAssignments", desk.oid("gabriel")): 1,
        ("roleAssignments", desk.oid("rita")): 0,
        ("roleEligibilityScheduleInstances", desk.oid("petra")): 1,
        ("roleEligibilityScheduleInstances", desk.oid("piers")): 0,
        ("roleEligibilityScheduleInstances", group): 1,
    }
    for (kind, principal), expected in rows.items():
        query = quote(f"principalId eq '{principal}'", safe="")
        _, body, _ = await desk.graph("GET", f"{root}/{kind}?$filter={query}")
        assert len(body["value"]) == expected, kind
    await desk.control("PATCH", "", {"rules": {"has_p2": False}})
    status, answer, _ = await desk.graph("GET", f"{root}/roleEligibilityScheduleInstances")
    assert (status, answer["error"]["code"]) == (400, "AadPremiumLicenseRequired")


async def test_policy_reads(desk: Desk) -> None:
    """The whole policy and one configuration, following the world's switches."""
    await desk.control("PATCH", "", {"rules": {"sms_usable_for_sign_in": True, "voice_state": "disabled"}})
    root = "/policies/authenticationMethodsPolicy"
    _, whole, _ = await desk.graph("GET", root)
    states = {each["id"]: each["state"] for each in whole["authenticationMethodConfigurations"]}
    assert states == {
        **{"Sms": "enabled", "Voice": "disabled"},
        **{"Email": "enabled", "TemporaryAccessPass": "enabled"},
    }
    _, sms, _ = await desk.graph("GET", f"{root}/authenticationMethodConfigurations/sms")
    assert sms["includeTargets"][0]["isUsableForSignIn"] is True
    assert (await desk.graph("GET", f"{root}/authenticationMethodConfigurations/smoke"))[0] == 404


async def test_batch_answers_each_item(desk: Desk) -> None:
    """Each item has its own status and headers; a throttled item is a 429 inside a 200."""
    await desk.control(
        "POST", "/faults", {"kind": "status", "status": 429, "retry_after": 7, "path": "marta"}
    )
    items = [
        {"id": "a", "method": "GET", "url": f"/users/{desk.oid('alice')}/authentication/phoneMethods"},
        {"id": "b", "method": "GET", "url": "/users/nobody@contoso.example"},
        {"id": "c", "method": "GET", "url": "/users/marta@contoso.example"},
        {"id": "d", "method": "GET", "url": "/users/$count", "headers": {"ConsistencyLevel": "eventual"}},
        {"id": "e", "method": "GET", "url": "/users/alice@contoso.example", "dependsOn": ["b"]},
        {
            "id": "f",
            "method": "PATCH",
            "url": f"/users/{desk.oid('alice')}/authentication/phoneMethods/{MOBILE}",
            "body": {"phoneNumber": "+1 2065550150"},
        },
    ]
    status, body, _ = await desk.graph("POST", "/$batch", {"requests": items})
    by_id = {each["id"]: each for each in body["responses"]}
    assert status == 200
    assert {key: each["status"] for key, each in by_id.items()} == {
        **{"a": 200, "b": 404, "c": 429, "d": 200},
        **{"e": 424, "f": 400},
    }
    assert by_id["c"]["headers"]["Retry-After"] == "7"
    items[5]["headers"] = {"Content-Type": "application/json"}
    _, body, _ = await desk.graph("POST", "/$batch", {"requests": items[5:]})
    assert body["responses"][0]["status"] == 204
    assert (await desk.phones("alice"))["mobile"] == "+1 2065550150"


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [{"id": str(n), "method": "GET", "url": "/users"} for n in range(21)],
        [{"id": "1", "method": "GET", "url": "/users"}] * 2,
        [{"id": 1, "method": "GET", "url": "/users"}],
        [{"id": "1", "method": "GET", "url": "https://elsewhere.example/users"}],
        "x",
    ],
)
async def test_a_misshapen_batch_is_400(desk: Desk, requests: object) -> None:
    """More than 20 items, doubled or missing ids, absolute urls."""
    assert (await desk.graph("POST", "/$batch", {"requests": requests}))[0] == 400


async def test_tokens_are_checked(desk: Desk) -> None:
    """None, rubbish, for another audience, expired, of a removed world: 401 with a Graph body."""
    good = desk.token
    _, bot, _ = await desk.control("POST", "/token", {"audience": "bot"})
    _, old, _ = await desk.control("POST", "/token", {"seconds": -1})
    for token in ("", "a.b.c", good[:-3] + "AAA", bot["access_token"], old["access_token"]):
        desk.token = token
        status, answer, _ = await desk.graph("GET", "/users")
        assert (status, answer["error"]["code"]) == (401, "InvalidAuthenticationToken")
    desk.token = good
    assert (await desk.graph("GET", "/users"))[0] == 200
    assert (await desk.control("DELETE", ""))[0] == 204
    assert (await desk.graph("GET", "/users"))[0] == 401
