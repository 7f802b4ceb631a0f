"""The pretend Graph's Temporary Access Passes against the rules of the real one."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio
from sandbox_desk import Desk, open_desk

HOUR = {"lifetimeInMinutes": 60, "isUsableOnce": True}


@pytest_asyncio.fixture
async def desk(tmp_path: Path):
    async with open_desk(tmp_path) as opened:
        yield opened


def passes(desk: Desk, alias: str) -> str:
    return f"/users/{desk.oid(alias)}/authentication/temporaryAccessPassMethods"


async def secret_of(desk: Desk, alias: str) -> str | None:
    return (await desk.control("GET", f"/people/{alias}"))[1]["temporary_pass"]


async def test_a_pass_is_told_once(desk: Desk) -> None:
    """201 holds the secret; no read does, and the journal has the minutes only."""
    status, made, _ = await desk.graph("POST", passes(desk, "hugo"), HOUR, **{"client-request-id": "abc"})
    secret = made["temporaryAccessPass"]
    assert (status, made["lifetimeInMinutes"], made["isUsableOnce"]) == (201, 60, True)
    assert (made["isUsable"], made["methodUsabilityReason"]) == (True, "EnabledByPolicy")
    assert len(secret) == 8
    assert await secret_of(desk, "hugo") == secret
    _, listed, _ = await desk.graph("GET", passes(desk, "hugo"))
    assert [each["temporaryAccessPass"] for each in listed["value"]] == [None]
    _, whole, _ = await desk.graph("GET", f"/users/{desk.oid('hugo')}/authentication/methods")
    assert "#microsoft.graph.temporaryAccessPassAuthenticationMethod" in str(whole)
    (effect,) = await desk.effects()
    assert (effect["what"], effect["before"], effect["after"]) == ("pass", None, "60 minutes")
    assert effect["client_request_id"] == "abc"
    assert secret not in str([listed, whole, effect, (await desk.control("GET", "/requests"))[1]])


async def test_the_registration_report_counts_it(desk: Desk) -> None:
    """A person with a pass has that method registered."""
    await desk.graph("POST", passes(desk, "alice"), HOUR)
    report = f"/reports/authenticationMethods/userRegistrationDetails/{desk.oid('alice')}"
    assert "temporaryAccessPass" in (await desk.graph("GET", report))[1]["methodsRegistered"]


async def test_a_new_pass_takes_the_place_of_the_old(desk: Desk) -> None:
    """One method, another secret; what can be asked for is taken as asked."""
    _, first, _ = await desk.graph("POST", passes(desk, "hugo"), HOUR)
    _, second, _ = await desk.graph("POST", passes(desk, "hugo"), {"lifetimeInMinutes": 480})
    assert first["temporaryAccessPass"] != second["temporaryAccessPass"]
    assert second["isUsableOnce"] is False
    (listed,) = (await desk.graph("GET", passes(desk, "hugo")))[1]["value"]
    assert listed["lifetimeInMinutes"] == 480
    assert await secret_of(desk, "hugo") == second["temporaryAccessPass"]
    assert [(e["before"], e["after"]) for e in await desk.effects()] == [
        (None, "60 minutes"),
        ("60 minutes", "480 minutes"),
    ]


@pytest.mark.parametrize(
    ("alias", "body", "status", "text"),
    [
        ("hugo", {"lifetimeInMinutes": 59}, 400, "between 60 and 480"),
        ("hugo", {"lifetimeInMinutes": 481}, 400, "between 60 and 480"),
        ("hugo", {"lifetimeInMinutes": 9}, 400, "10 to 43200"),
        ("hugo", {"lifetimeInMinutes": 43_201}, 400, "10 to 43200"),
        ("hugo", {"lifetimeInMinutes": "60"}, 400, "must be a number"),
        ("hugo", {"lifetimeInMinutes": True}, 400, "must be a number"),
        ("hugo", {**HOUR, "isUsableOnce": "yes"}, 400, "a Boolean"),
        ("hugo", {**HOUR, "temporaryAccessPass": "mine"}, 400, "property"),
        ("hugo", [], 400, "JSON"),
        ("gina", HOUR, 400, "external guest"),
        ("ruth", HOUR, 403, "restricted"),
        ("dean", HOUR, 403, "Authorization"),
    ],
)
async def test_rule_breaks_make_no_pass(desk: Desk, alias: str, body: object, status: int, text: str) -> None:
    """Each refusal says why in a Graph error body, and there is no effect and no secret."""
    got, answer, _ = await desk.graph("POST", passes(desk, alias), body)
    assert got == status
    assert text in answer["error"]["message"]
    assert await desk.effects() == []
    assert await secret_of(desk, alias) is None


async def test_the_tenants_policy_decides_who(desk: Desk) -> None:
    """Off for everybody, or on for a group only: the words of the real policy, and no effect."""
    await desk.control("PATCH", "", {"rules": {"tap_targets": [desk.world["groups"]["Sales team"]["id"]]}})
    assert (await desk.graph("POST", passes(desk, "hugo"), HOUR))[0] == 201
    status, answer, _ = await desk.graph("POST", passes(desk, "olivia"), HOUR)
    assert (status, answer["error"]["code"]) == (400, "badRequest")
    assert "AuthMethodType [TemporaryAccessPass]" in answer["error"]["message"]
    await desk.control("PATCH", "", {"rules": {"tap_state": "disabled"}})
    assert (await desk.graph("POST", passes(desk, "hugo"), HOUR))[0] == 400
    (shown,) = (await desk.graph("GET", passes(desk, "hugo")))[1]["value"]
    assert (shown["isUsable"], shown["methodUsabilityReason"]) == (False, "DisabledByPolicy")
    assert len(await desk.effects()) == 1


async def test_the_worlds_bounds_are_those_of_its_policy(desk: Desk) -> None:
    """What the policy shows is what is kept to."""
    await desk.control("PATCH", "", {"rules": {"pass_least_minutes": 15, "pass_most_minutes": 30}})
    path = "/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/temporaryAccessPass"
    _, policy, _ = await desk.graph("GET", path)
    assert (policy["minimumLifetimeInMinutes"], policy["maximumLifetimeInMinutes"]) == (15, 30)
    assert (await desk.graph("POST", passes(desk, "hugo"), {"lifetimeInMinutes": 15}))[0] == 201
    assert (await desk.graph("POST", passes(desk, "hugo"), HOUR))[0] == 400


async def test_an_old_pass_is_shown_as_expired(desk: Desk) -> None:
    """After its minutes it stays in the list, and says that it does not work."""
    await desk.graph("POST", passes(desk, "hugo"), HOUR)
    await desk.control("PATCH", "/people/hugo", {"pass_issued": "2026-01-01T08:00:00+00:00"})
    (shown,) = (await desk.graph("GET", passes(desk, "hugo")))[1]["value"]
    assert (shown["isUsable"], shown["methodUsabilityReason"]) == (False, "Expired")


@pytest.mark.parametrize(
    ("granted", "read", "made"),
    [
        ("UserAuthMethod-TAP.ReadWrite.All", 200, 201),
        ("UserAuthenticationMethod.ReadWrite.All", 200, 201),
        ("UserAuthMethod-TAP.Read.All", 200, 403),
        ("UserAuthMethod-Phone.ReadWrite.All", 403, 403),
    ],
)
async def test_each_call_needs_its_permission(desk: Desk, granted: str, read: int, made: int) -> None:
    """Reading and making are granted apart, and the phones' permission does neither."""
    await desk.control("PATCH", "", {"permissions": [granted]})
    assert (await desk.graph("GET", passes(desk, "hugo")))[0] == read
    status, answer, _ = await desk.graph("POST", passes(desk, "hugo"), HOUR)
    assert status == made
    assert status == 201 or answer["error"]["code"] == "accessDenied"
    assert len(await desk.effects()) == (made == 201)


async def test_faults_hit_it_by_its_path(desk: Desk) -> None:
    """A refused, throttled or expired call makes nothing; a lost answer leaves a pass behind."""
    for fault in ({"kind": "status", "status": 503}, {"kind": "token_expired"}):
        await desk.control("POST", "/faults", {**fault, "path": "temporaryAccessPassMethods"})
        assert (await desk.graph("POST", passes(desk, "hugo"), HOUR))[0] in (503, 401)
    assert await desk.effects() == []
    assert (await desk.graph("POST", passes(desk, "hugo"), HOUR))[0] == 201
