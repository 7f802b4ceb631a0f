"""Policies, reports, licences, PIM for groups, clouds and time in the pretend Graph."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from sandbox_desk import ADVANCED, MOBILE, Desk, open_desk

from bot.sandbox.server import start

REPORT = "/reports/authenticationMethods/userRegistrationDetails"
PIM = "/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances"
ENABLE = f"{MOBILE}/enableSmsSignIn"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest_asyncio.fixture
async def desk(tmp_path: Path):
    async with open_desk(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def timed(tmp_path: Path):
    """A desk, and a function that moves its clock by seconds."""
    clock = [START]
    running = await start(tmp_path, now=lambda: clock[0])

    def wait(seconds: float) -> None:
        clock[0] += timedelta(seconds=seconds)

    async with aiohttp.ClientSession() as http:
        opened = Desk(running, http)
        await opened.open()
        yield opened, wait
    await running.close()


async def rules(desk: Desk, **changes: Any) -> None:
    status, body, _ = await desk.control("PATCH", "", {"rules": changes})
    assert status == 200, body


def phone(desk: Desk, alias: str, rest: str = "") -> str:
    return f"/users/{desk.oid(alias)}/authentication/phoneMethods" + (f"/{rest}" if rest else "")


async def state(desk: Desk, alias: str) -> str:
    return (await desk.graph("GET", phone(desk, alias, MOBILE)))[1]["smsSignInState"]


@pytest.mark.parametrize(
    ("alias", "changes", "shown", "status", "code"),
    [
        ("alice", {}, "notAllowedByPolicy", 400, "disabledByPolicy"),
        ("alice", {"sms_disabled_wording": "new"}, "notAllowedByPolicy", 400, "badRequest"),
        ("alice", {"sms_usable_for_sign_in": True, "sms_state": "disabled"}, "notAllowedByPolicy", 400, None),
        ("alice", {"sms_usable_for_sign_in": True}, "notConfigured", 204, None),
        ("alice", {"sms_sign_in_targets": ["all_users"]}, "notConfigured", 204, None),
        ("alice", {"sms_sign_in_targets": ["{Sales team}"]}, "notConfigured", 204, None),
        ("otto", {"sms_sign_in_targets": ["{Sales team}"]}, "notAllowedByPolicy", 400, "disabledByPolicy"),
        ("otto", {"sms_sign_in_targets": ["{@otto}"]}, "notConfigured", 204, None),
        ("otto", {"sms_usable_for_sign_in": True, "voice_blocks_sms": True}, "notConfigured", 400, None),
        ("alice", {"sms_usable_for_sign_in": True, "voice_blocks_sms": True}, "notConfigured", 204, None),
        (
            "alice",
            {"sms_usable_for_sign_in": True, "sms_excluded": ["{Sales team}"]},
            "notAllowedByPolicy",
            400,
            "disabledByPolicy",
        ),
        ("gina", {"sms_usable_for_sign_in": True}, "notSupported", 400, "badRequest"),
        ("alice", {"sms_usable_for_sign_in": True, "cloud": "china"}, "notSupported", 400, "BadRequest"),
    ],
)
async def test_the_state_tells_what_switching_on_would_do(
    desk: Desk, alias: str, changes: dict[str, Any], shown: str, status: int, code: str | None
) -> None:
    """State before and answer of enableSmsSignIn follow the same policy, targets, exclusions and account."""
    places = {f"{{{name}}}": group["id"] for name, group in desk.world["groups"].items()}
    places["{@otto}"] = desk.oid("otto")
    changes = {
        key: [places.get(each, each) for each in value] if isinstance(value, list) else value
        for key, value in changes.items()
    }
    await rules(desk, **changes)
    if alias == "gina":
        await desk.control("PATCH", "/people/gina", {"phones": {"mobile": "+1 2065550150"}})
    assert await state(desk, alias) == shown
    got, answer, _ = await desk.graph("POST", phone(desk, alias, ENABLE))
    assert got == status, answer
    assert code is None or answer["error"]["code"] == code
    if status == 204:
        assert await state(desk, alias) == "ready"


async def test_both_wordings_outside_policy_share_their_fragment(desk: Desk) -> None:
    """A client that looks for the fragment understands both."""
    for wording in ("old", "new"):
        await rules(desk, sms_disabled_wording=wording)
        _, answer, _ = await desk.graph("POST", phone(desk, "alice", ENABLE))
        assert "credential policy is not enabled on user" in answer["error"]["message"]


async def test_a_sign_in_name_is_free_again_when_its_holder_changes_number(desk: Desk) -> None:
    """Taken: 409 and phoneNumberNotUnique. Given up: notConfigured, and switching on works."""
    await rules(desk, sms_usable_for_sign_in=True)
    taken = (await desk.phones("sasha"))["mobile"]
    await desk.graph("POST", phone(desk, "hugo"), {"phoneNumber": taken, "phoneType": "mobile"})
    assert await state(desk, "hugo") == "phoneNumberNotUnique"
    assert (await desk.graph("POST", phone(desk, "hugo", ENABLE)))[0] == 409
    await desk.graph("PATCH", phone(desk, "sasha", MOBILE), {"phoneNumber": "+1 2065550155"})
    assert await state(desk, "hugo") == "notConfigured"
    assert (await desk.graph("POST", phone(desk, "hugo", ENABLE)))[0] == 204


async def test_the_same_number_again_changes_no_state(desk: Desk) -> None:
    """Only a changed number is registered by itself; one switched off stays off."""
    await rules(desk, sms_usable_for_sign_in=True)
    await desk.graph("POST", phone(desk, "alice", f"{MOBILE}/disableSmsSignIn"))
    number = (await desk.phones("alice"))["mobile"]
    await desk.graph("PATCH", phone(desk, "alice", MOBILE), {"phoneNumber": number})
    assert await state(desk, "alice") == "notEnabled"


async def test_policy_may_block_writes(desk: Desk) -> None:
    """With the switch on, a phone that policy lets be used for nothing is refused; others are not."""
    off = {"policy_blocks_writes": True, "voice_targets": ["none"], "sms_excluded": [desk.oid("alice")]}
    await rules(desk, **off)
    new = {"phoneNumber": "+1 2065550150", "phoneType": "mobile"}
    assert (await desk.graph("PATCH", phone(desk, "alice", MOBILE), new))[1]["error"][
        "code"
    ] == "disabledByPolicy"
    assert (await desk.graph("PATCH", phone(desk, "marta", MOBILE), new))[0] == 204
    alternate = {"phoneNumber": "+1 2065550151", "phoneType": "alternateMobile"}
    assert (await desk.graph("POST", phone(desk, "marta"), alternate))[0] == 400


async def test_shapes_that_doc_samples_disagree_on(desk: Desk) -> None:
    """Wrapped or not, Boolean or text, 204 or 200 with the object: each by a rule."""
    one = "/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/voice"
    assert (await desk.graph("GET", one))[1]["isOfficePhoneAllowed"] is True
    await rules(desk, policy_wrapped=True, office_allowed_text=True, patch_answers_object=True)
    assert (await desk.graph("GET", one))[1]["value"]["isOfficePhoneAllowed"] == "true"
    new = {"phoneNumber": "+1 2065550150"}
    status, answer, _ = await desk.graph("PATCH", phone(desk, "alice", MOBILE), new)
    assert (status, answer["phoneNumber"]) == (200, "+1 2065550150")
    wrong = f"/users/{desk.oid('alice')}/authentication/methods/{MOBILE}"
    status, answer, _ = await desk.graph("DELETE", wrong)
    assert (status, "error" in answer) == (404, False)
    quoted = f"/users('{desk.oid('alice')}')/authentication/phoneMethods?$filter=phoneType%20eq%20'office'"
    assert (await desk.graph("GET", quoted))[1]["value"] == []


async def test_china_has_no_sms_policy(desk: Desk) -> None:
    """Neither alone nor in the list of configurations."""
    await rules(desk, cloud="china")
    root = "/policies/authenticationMethodsPolicy"
    _, whole, _ = await desk.graph("GET", root)
    assert "Sms" not in {each["id"] for each in whole["authenticationMethodConfigurations"]}
    assert (await desk.graph("GET", f"{root}/authenticationMethodConfigurations/sms"))[0] == 404


async def test_pim_for_groups(desk: Desk) -> None:
    """Member and owner by principal; a filter is needed; PIM's own words without licence or permission."""
    for alias, access in (("pia", "member"), ("oona", "owner")):
        query = quote(f"principalId eq '{desk.oid(alias)}'", safe="")
        _, body, _ = await desk.graph("GET", f"{PIM}?$filter={query}")
        assert [each["accessId"] for each in body["value"]] == [access]
    assert (await desk.graph("GET", PIM))[0] == 400
    await desk.control("DELETE", "/groups/Key%20keepers/eligible_owners/oona")
    assert (await desk.graph("GET", f"{PIM}?$filter={query}"))[1]["value"] == []
    await rules(desk, has_p2=False)
    _, answer, _ = await desk.graph("GET", f"{PIM}?$filter={query}")
    assert answer["error"]["code"] == "AadPremiumLicenseRequired"
    await desk.control("PATCH", "", {"permissions": ["User.Read.All"]})
    status, answer, _ = await desk.graph("GET", f"{PIM}?$filter={query}")
    assert (status, "PermissionScopeNotGranted" in answer["error"]["message"]) == (403, True)


async def test_the_report_is_late_and_needs_a_licence(timed: tuple[Desk, Callable[[float], None]]) -> None:
    """A new phone shows after the lag; policy decides capable, not registered; without P1 a true refusal."""
    desk, wait = timed
    path = f"{REPORT}/{desk.oid('marta')}"
    wait(1)
    office = {"phoneNumber": "+1 2065550150", "phoneType": "office"}
    await desk.graph("POST", phone(desk, "marta"), office)
    assert (await desk.graph("GET", path))[1]["methodsRegistered"] == ["mobilePhone"]
    wait(3601)
    assert (await desk.graph("GET", path))[1]["methodsRegistered"] == ["mobilePhone", "officePhone"]
    await rules(desk, sms_state="disabled", voice_state="disabled")
    _, row, _ = await desk.graph("GET", path)
    assert (row["isMfaRegistered"], row["isMfaCapable"]) == (True, False)
    query = quote("methodsRegistered/any(t: t eq 'officePhone')", safe="")
    _, body, _ = await desk.graph("GET", f"{REPORT}?$filter={query}")
    assert desk.oid("marta") in {each["id"] for each in body["value"]}
    await rules(desk, has_p1=False)
    status, answer, _ = await desk.graph("GET", path)
    assert (status, answer["error"]["code"]) == (
        403,
        "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
    )


async def test_requirements_and_licences(desk: Desk) -> None:
    """Per-user MFA in beta with its own permission; licences as details and as a property."""
    path = f"/users/{desk.oid('sasha')}/authentication/requirements"
    assert (await desk.graph("GET", path, version="beta"))[0] == 403
    await desk.control(
        "PATCH", "", {"permissions": ["Policy.ReadWrite.AuthenticationMethod", "User.Read.All"]}
    )
    assert (await desk.graph("PATCH", path, {"perUserMfaState": "enforced"}, version="beta"))[0] == 204
    assert (await desk.graph("PATCH", path, {"perUserMfaState": "maybe"}, version="beta"))[0] == 400
    assert (await desk.graph("GET", path, version="beta"))[1]["perUserMfaState"] == "enforced"
    _, body, _ = await desk.graph("GET", f"/users/{desk.oid('sasha')}/licenseDetails")
    assert [each["skuPartNumber"] for each in body["value"]] == ["SPE_F1"]
    _, body, _ = await desk.graph("GET", f"/users/{desk.oid('gina')}?$select=assignedLicenses")
    assert body["assignedLicenses"] == []


async def test_reads_are_behind_writes_by_rule(timed: tuple[Desk, Callable[[float], None]]) -> None:
    """Methods and the default show what was, for the time the rule says; writes are judged by what is."""
    desk, wait = timed
    await rules(desk, stale_ms=30_000, default_moves=True)
    before = await desk.phones("penny")
    new = {"phoneNumber": "+1 2065550150", "phoneType": "mobile"}
    wait(1)
    assert (await desk.graph("POST", phone(desk, "penny"), new))[0] == 201
    preferences = f"/users/{desk.oid('penny')}/authentication/signInPreferences"
    key = "userPreferredMethodForSecondaryAuthentication"
    assert await desk.phones("penny") == before
    assert (await desk.graph("GET", preferences, version="beta"))[1][key] == "push"
    assert (await desk.graph("POST", phone(desk, "penny"), new))[0] == 400
    wait(31)
    assert (await desk.phones("penny"))["mobile"] == "+1 2065550150"
    assert (await desk.graph("GET", preferences, version="beta"))[1][key] == "sms"


async def test_advanced_queries_are_behind_on_their_own(
    timed: tuple[Desk, Callable[[float], None]],
) -> None:
    """Somebody hired, renamed or put in a group: the plain read knows at once, the index later."""
    desk, wait = timed
    await rules(desk, advanced_lag_ms=60_000, new_user_404_ms=120_000)
    wait(1)
    _, ivy, _ = await desk.control("POST", "/people", {"alias": "ivy", "display_name": "Ivy Inkwell"})
    await desk.control("PUT", "/groups/Tier%200%20on%20call/members/alice")
    search = f"/users?$count=true&$search={quote(chr(34) + 'displayName:ivy' + chr(34), safe='')}"
    held = f"/users/{desk.oid('alice')}/transitiveMemberOf/microsoft.graph.group?$count=true"

    async def seen() -> tuple[int, set[str]]:
        _, found, _ = await desk.graph("GET", search, **ADVANCED)
        _, groups, _ = await desk.graph("GET", held, **ADVANCED)
        return len(found["value"]), {each["displayName"] for each in groups["value"]}

    assert (await desk.graph("GET", f"/users/{ivy['oid']}"))[0] == 200
    assert (await desk.graph("GET", f"/users/{ivy['oid']}/authentication/phoneMethods"))[0] == 404
    assert await seen() == (0, {"Sales team"})
    wait(61)
    assert await seen() == (1, {"Sales team", "Tier 0 on call"})
    wait(60)
    assert (await desk.graph("GET", f"/users/{ivy['oid']}/authentication/phoneMethods"))[0] == 200
    assert (await desk.control("POST", "/people", {"alias": "ivy"}))[0] == 400


async def test_throttling_over_http_and_in_a_batch(timed: tuple[Desk, Callable[[float], None]]) -> None:
    """Each item of a batch is metered alone: some 200, the rest 429 with its wait; then all is well."""
    desk, wait = timed
    await rules(desk, throttle={"profile": "small", "phones": 12})
    items = [{"id": str(n), "method": "GET", "url": phone(desk, "alice")} for n in range(20)]
    status, body, _ = await desk.graph("POST", "/$batch", {"requests": items})
    statuses = [each["status"] for each in body["responses"]]
    assert (status, statuses.count(200), statuses.count(429)) == (200, 12, 8)
    refused = next(each for each in body["responses"] if each["status"] == 429)
    assert refused["headers"]["Retry-After"] == "10"
    assert refused["headers"]["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
    assert refused["body"]["error"]["code"] == "TooManyRequests"
    assert len({tuple(sorted(each)) for each in body["responses"]}) == 1
    status, _, headers = await desk.graph("GET", phone(desk, "alice"))
    assert (status, headers["x-ms-resource-unit"]) == (429, "1")
    assert (await desk.graph("GET", "/users?$top=5"))[0] == 200
    assert (await desk.control("GET", "/throttle"))[1]["methods"]["closed_for"] > 0
    wait(60)
    assert (await desk.graph("GET", phone(desk, "alice")))[0] == 200


async def test_a_batch_runs_in_order_of_need_and_answers_in_any(desk: Desk) -> None:
    """An item may come before the one it needs; a circle or an unknown need is 400; answers are shuffled."""
    write = {"id": "w", "method": "PATCH", "url": phone(desk, "alice", MOBILE), "headers": {}}
    write |= {"body": {"phoneNumber": "+1 2065550150"}, "headers": {"content-type": "application/json"}}
    read = {"id": "r", "method": "GET", "url": phone(desk, "alice", MOBILE), "dependsOn": ["w"]}
    _, body, _ = await desk.graph("POST", "/$batch", {"requests": [read, write]})
    by_id = {each["id"]: each for each in body["responses"]}
    assert by_id["r"]["body"]["phoneNumber"] == "+1 2065550150"
    assert by_id["w"]["status"] == 204
    for wrong in ([{**write, "dependsOn": ["r"]}, read], [read]):
        assert (await desk.graph("POST", "/$batch", {"requests": wrong}))[0] == 400
    items = [{"id": str(n), "method": "GET", "url": "/users/$count"} for n in range(20)]
    _, body, _ = await desk.graph("POST", "/$batch", {"requests": items})
    assert [each["id"] for each in body["responses"]] != [each["id"] for each in items]


async def test_upn_may_be_a_trap_for_sms_actions(desk: Desk) -> None:
    """With the switch on, an action by UPN says 204 and does nothing; by object id it works."""
    await rules(desk, sms_usable_for_sign_in=True, sms_upn_noop=True)
    by_upn = f"/users/alice@contoso.example/authentication/phoneMethods/{ENABLE}"
    assert (await desk.graph("POST", by_upn))[0] == 204
    assert await desk.effects() == []
    assert (await desk.graph("POST", phone(desk, "alice", ENABLE)))[0] == 204
    assert len(await desk.effects()) == 1


async def test_roles_are_defined_and_seen_through_groups(desk: Desk) -> None:
    """Role names with their privilege in beta; transitive assignments as an advanced query."""
    query = quote(f"principalId eq '{desk.oid('rita')}'", safe="")
    path = f"/roleManagement/directory/transitiveRoleAssignments?$count=true&$filter={query}"
    assert (await desk.graph("GET", path, version="beta"))[0] == 400
    _, body, _ = await desk.graph("GET", path, version="beta", **ADVANCED)
    (row,) = body["value"]
    one = f"/roleManagement/directory/roleDefinitions/{row['roleDefinitionId']}"
    assert (await desk.graph("GET", one))[1]["displayName"] == "Helpdesk Administrator"
    assert (await desk.graph("GET", one, version="beta"))[1]["isPrivileged"] is True
