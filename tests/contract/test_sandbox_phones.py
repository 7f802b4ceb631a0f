"""The pretend Graph's phone methods against the rules of the real one."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio
from sandbox_desk import ALTERNATE, MOBILE, OFFICE, Desk, open_desk

DENIED = "Authorization_RequestDenied"
NEW = {"phoneNumber": "+1 2065550150", "phoneType": "mobile"}
SIGN_IN = {"sms_usable_for_sign_in": True}


@pytest_asyncio.fixture
async def desk(tmp_path: Path):
    async with open_desk(tmp_path) as opened:
        yield opened


def methods(desk: Desk, alias: str, method: str = "") -> str:
    return f"/users/{desk.oid(alias)}/authentication/phoneMethods" + (f"/{method}" if method else "")


def preferences(desk: Desk, alias: str) -> str:
    return f"/users/{desk.oid(alias)}/authentication/signInPreferences"


async def test_create_change_delete_is_journaled(desk: Desk) -> None:
    """201 with the object, 204 without a body twice; the journal holds exactly these three effects."""
    path = methods(desk, "hugo")
    body = {"phoneNumber": "+12065550150", "phoneType": "mobile", "@odata.type": "#microsoft.graph.x"}
    status, made, headers = await desk.graph("POST", path, body, **{"client-request-id": "abc"})
    assert (status, made["id"], made["phoneNumber"]) == (201, MOBILE, "+1 2065550150")
    assert headers["client-request-id"] == "abc"
    status, nothing, _ = await desk.graph("PATCH", f"{path}/{MOBILE}", {"phoneNumber": "+1 2065550151"})
    assert (status, nothing) == (204, "")
    assert (await desk.graph("GET", f"{path}/{MOBILE}"))[1]["phoneNumber"] == "+1 2065550151"
    assert (await desk.graph("DELETE", f"{path}/{MOBILE}"))[0] == 204
    assert await desk.phones("hugo") == {}
    effects = await desk.effects()
    assert [(e["method"], e["phone_type"], e["before"], e["after"]) for e in effects] == [
        ("POST", "mobile", None, "+1 2065550150"),
        ("PATCH", "mobile", "+1 2065550150", "+1 2065550151"),
        ("DELETE", "mobile", "+1 2065550151", None),
    ]
    assert effects[0]["client_request_id"] == "abc"
    assert effects[0]["oid"] == desk.oid("hugo")


@pytest.mark.parametrize(
    ("alias", "verb", "method", "body", "status"),
    [
        ("alice", "POST", "", {"phoneNumber": "+1 2065550150", "phoneType": "mobile"}, 400),
        ("hugo", "POST", "", {"phoneNumber": "+1 2065550150", "phoneType": "alternateMobile"}, 400),
        ("hugo", "POST", "", {"phoneNumber": "206 555 0150", "phoneType": "mobile"}, 400),
        ("hugo", "POST", "", {"phoneNumber": "+1 2065550150"}, 400),
        ("hugo", "POST", "", {"phoneType": "mobile"}, 400),
        ("hugo", "POST", "", {"phoneNumber": "+1 2065550150", "phoneType": "fax"}, 400),
        ("hugo", "POST", "", [], 400),
        ("hugo", "POST", "", {**NEW, "smsSignInState": "ready"}, 400),
        ("hugo", "POST", "", {**NEW, "nick": "x"}, 400),
        ("alice", "PATCH", MOBILE, {"phoneNumber": "+1 2065550150", "phoneType": "office"}, 400),
        ("alice", "PATCH", MOBILE, {"phoneNumber": "call me"}, 400),
        ("alice", "PATCH", OFFICE, {"phoneNumber": "+1 2065550150"}, 404),
        ("alice", "PATCH", "11111111-2222-3333-4444-555555555555", {"phoneNumber": "+1 2065550150"}, 404),
        ("alice", "DELETE", ALTERNATE, None, 404),
        ("alice", "GET", ALTERNATE, None, 404),
        ("alma", "DELETE", MOBILE, None, 400),
        ("alice", "PUT", MOBILE, {"phoneNumber": "+1 2065550150"}, 405),
        ("ruth", "PATCH", MOBILE, {"phoneNumber": "+1 2065550150"}, 403),
        ("dean", "GET", "", None, 403),
    ],
)
async def test_rule_breaks_change_nothing(
    desk: Desk, alias: str, verb: str, method: str, body: object, status: int
) -> None:
    """Each refusal has a Graph error body with our request id, and no effect."""
    got, answer, headers = await desk.graph(verb, methods(desk, alias, method), body)
    assert got == status
    assert answer["error"]["code"]
    assert answer["error"]["innerError"]["request-id"] == headers["request-id"]
    assert await desk.effects() == []


async def test_the_default_goes_last(desk: Desk) -> None:
    """The default cannot be deleted while another method exists; alone it can, and is then no default."""
    await desk.control("PATCH", "/people/otto", {"default_method": "sms"})
    status, answer, _ = await desk.graph("DELETE", methods(desk, "otto", MOBILE))
    assert (status, answer["error"]["code"]) == (400, "badRequest")
    assert MOBILE in answer["error"]["message"]
    assert answer["error"]["innerError"]["message"] == answer["error"]["message"]
    assert (await desk.graph("DELETE", methods(desk, "otto", OFFICE)))[0] == 204
    assert (await desk.graph("DELETE", methods(desk, "otto", MOBILE)))[0] == 204
    _, after, _ = await desk.graph("GET", preferences(desk, "otto"), version="beta")
    assert after["userPreferredMethodForSecondaryAuthentication"] is None


async def test_a_mobile_registers_for_sms_sign_in_where_policy_says_so(desk: Desk) -> None:
    """With usable-for-sign-in a new mobile is `ready` by itself; without it, `notAllowedByPolicy`."""
    assert (await _mobile(desk, "alice"))["smsSignInState"] == "notAllowedByPolicy"
    await desk.control("PATCH", "", {"rules": SIGN_IN})
    assert (await _mobile(desk, "alice"))["smsSignInState"] == "notConfigured"
    await desk.graph("PATCH", methods(desk, "alice", MOBILE), {"phoneNumber": "+1 2065550150"})
    assert (await _mobile(desk, "alice"))["smsSignInState"] == "ready"
    assert (await desk.graph("POST", methods(desk, "alice", f"{MOBILE}/disableSmsSignIn")))[0] == 204
    assert (await _mobile(desk, "alice"))["smsSignInState"] == "notEnabled"
    assert (await desk.graph("POST", methods(desk, "alice", f"{MOBILE}/enableSmsSignIn")))[0] == 204
    assert [e["what"] for e in await desk.effects()] == ["phone", "sms", "sms"]


async def test_sms_sign_in_is_refused_outside_policy_and_off_the_mobile(desk: Desk) -> None:
    """disabledByPolicy outside policy; the office phone never."""
    status, answer, _ = await desk.graph("POST", methods(desk, "otto", f"{MOBILE}/enableSmsSignIn"))
    assert (status, answer["error"]["code"]) == (400, "disabledByPolicy")
    assert "credential policy is not enabled on user" in answer["error"]["message"]
    await desk.control("PATCH", "", {"rules": SIGN_IN})
    assert (await desk.graph("POST", methods(desk, "otto", f"{OFFICE}/enableSmsSignIn")))[0] == 400
    excluded = {"sms_excluded": [desk.world["role_groups"]["operator"]]}
    await desk.control("PATCH", "", {"rules": excluded})
    status, answer, _ = await desk.graph("POST", methods(desk, "omar", f"{MOBILE}/enableSmsSignIn"))
    assert answer["error"]["code"] == "disabledByPolicy"


async def test_409_saves_the_number(desk: Desk) -> None:
    """phoneNumberNotUnique: refused in words, saved in fact; with the switch off, not saved."""
    await desk.control("PATCH", "", {"rules": SIGN_IN})
    taken = (await desk.phones("sasha"))["mobile"]
    body = {"phoneNumber": taken, "phoneType": "mobile"}
    status, answer, _ = await desk.graph("POST", methods(desk, "hugo"), body)
    assert (status, answer["error"]["code"]) == (409, "phoneNumberNotUnique")
    assert await desk.phones("hugo") == {"mobile": taken}
    assert (await _mobile(desk, "hugo"))["smsSignInState"] == "phoneNumberNotUnique"
    await desk.control("PATCH", "", {"rules": {"not_unique_saves": False}})
    await desk.control("PATCH", "/people/sasha", {"deleted": True})
    assert (await desk.graph("POST", methods(desk, "penny"), body))[0] == 409
    assert await desk.phones("penny") == {}
    assert len(await desk.effects()) == 1


async def test_sign_in_preferences_live_in_beta_only(desk: Desk) -> None:
    """Read and written in beta, unknown in v1.0; a value outside the list is refused."""
    key = "userPreferredMethodForSecondaryAuthentication"
    path = preferences(desk, "penny")
    assert (await desk.graph("GET", path))[0] == 400
    assert (await desk.graph("GET", path, version="beta"))[1][key] == "push"
    assert (await desk.graph("PATCH", path, {key: "oath"}, version="beta"))[0] == 204
    assert (await desk.graph("PATCH", path, {key: "pigeon"}, version="beta"))[0] == 400
    assert (await desk.graph("PATCH", path, {key: "sms"}, version="beta"))[0] == 400  # no mobile
    assert (await desk.graph("GET", path, version="beta"))[1][key] == "oath"
    (effect,) = await desk.effects()
    assert (effect["what"], effect["before"], effect["after"]) == ("default", "push", "oath")


async def test_the_default_can_be_made_to_move(desk: Desk) -> None:
    """With the switch on, adding a phone moves the default: what a careful client must notice."""
    await desk.control("PATCH", "", {"rules": {"default_moves": True}})
    await desk.graph("POST", methods(desk, "penny"), {"phoneNumber": "+1 2065550150", "phoneType": "mobile"})
    _, answer, _ = await desk.graph("GET", preferences(desk, "penny"), version="beta")
    assert answer["userPreferredMethodForSecondaryAuthentication"] == "sms"


async def test_all_methods_are_told_apart_by_type(desk: Desk) -> None:
    """Password, Authenticator and phones in one list, each with its @odata.type."""
    _, answer, _ = await desk.graph("GET", f"/users/{desk.oid('olivia')}/authentication/methods")
    kinds = {each["@odata.type"].removeprefix("#microsoft.graph.") for each in answer["value"]}
    assert kinds == {
        "passwordAuthenticationMethod",
        "microsoftAuthenticatorAuthenticationMethod",
        "phoneAuthenticationMethod",
    }


@pytest.mark.parametrize(
    ("verb", "path", "version", "granted", "code"),
    [
        ("GET", "/users/{alice}/authentication/phoneMethods", "v1.0", "User.Read.All", "accessDenied"),
        ("DELETE", "/users/{alice}/authentication/phoneMethods/" + MOBILE, "v1.0", "P.Read", "accessDenied"),
        ("GET", "/users/{alice}/authentication/methods", "v1.0", "P.ReadWrite", "accessDenied"),
        ("GET", "/users/{alice}/authentication/signInPreferences", "beta", "P.ReadWrite", "accessDenied"),
        ("GET", "/users/{alice}?$select=department", "v1.0", "User.ReadBasic.All", DENIED),
        ("GET", "/users/{alice}/manager", "v1.0", "User.ReadBasic.All", DENIED),
        ("GET", "/policies/authenticationMethodsPolicy", "v1.0", "P.ReadWrite", DENIED),
    ],
)
async def test_each_call_needs_its_permission(
    desk: Desk, verb: str, path: str, version: str, granted: str, code: str
) -> None:
    """Without the permission: 403, worded as the back end in question words it, and no effect."""
    granted = granted.replace("P.", "UserAuthMethod-Phone.") + (".All" if "P." in granted else "")
    await desk.control("PATCH", "", {"permissions": [granted]})
    status, answer, _ = await desk.graph(verb, path.format(alice=desk.oid("alice")), version=version)
    assert (status, answer["error"]["code"]) == (403, code)
    assert await desk.effects() == []


async def _mobile(desk: Desk, alias: str) -> dict[str, str]:
    return (await desk.graph("GET", methods(desk, alias, MOBILE)))[1]
