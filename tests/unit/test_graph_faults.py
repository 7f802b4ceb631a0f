"""Every kind of call, every kind of trouble: the right exception, no second write, no secret said."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from graph_bench import ALICE, OID, Answer, Bench, batched, caught, listed, ok, said

from bot.domain.change import Operation, OpKind
from bot.domain.command import Who, WhoKind
from bot.domain.methods import Default
from bot.domain.people import ProtectionRules
from bot.domain.phone import PhoneNumber, Slot
from bot.graph import GraphDirectory
from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain, StoreUnavailable

GROUP = "22222222-2222-4222-8222-222222222222"
NUMBER = PhoneNumber("1", "2065550177")
HTML = "<html>+1 2065550177 proxy</html>"
NO_ERROR = {"Message": "No HTTP resource was found for +1 2065550177"}
Work = Callable[[GraphDirectory], Awaitable[object]]


def op(kind: OpKind) -> Operation:
    return Operation(1, kind, Slot.MOBILE, "", "", "", "")


WRITES: dict[str, Work] = {
    "set": lambda d: d.write(OID, op(OpKind.SET), NUMBER, "c"),
    "remove": lambda d: d.write(OID, op(OpKind.REMOVE), None, "c"),
    "default": lambda d: d.set_default(OID, Default.PUSH, "c"),
    "sms on": lambda d: d.sms_sign_in(OID, True, "c"),
    "sms off": lambda d: d.sms_sign_in(OID, False, "c"),
    "pass": lambda d: d.issue_pass(OID, 60, "c"),
}
READS: dict[str, Work] = {
    "find": lambda d: d.find(Who(WhoKind.EMPLOYEE, "E1")),
    "person": lambda d: d.person(OID),
    "manager": lambda d: d.manager(OID),
    "phones": lambda d: d.phones(OID),
    "member_of": lambda d: d.member_of(OID, frozenset({GROUP})),
    "members": lambda d: d.members(GROUP, 5),
    "weak_groups": lambda d: d.weak_groups(frozenset({GROUP})),
    "protection": lambda d: d.protection(OID, ProtectionRules(), frozenset()),
    "sign_in": lambda d: d.sign_in(OID),
    "policy": lambda d: d.method_policy(),
    "licences": lambda d: d.licences(OID),
    "registration": lambda d: d.registration(OID),
    "deleted": lambda d: d.recently_deleted(5),
}
#: What happens, the exception at a write, how often a read asks one address.
FAULTS: dict[str, tuple[Callable[[], Answer], type[Exception], int]] = {
    "401": (lambda: said(401, "InvalidAuthenticationToken"), DirectoryUnavailable, 2),
    "429 with Retry-After": (lambda: said(429, **{"Retry-After": "60"}), DirectoryUnavailable, 1),
    "429 without": (lambda: said(429), DirectoryUnavailable, 3),
    "500": (lambda: said(500), DirectoryUncertain, 3),
    "503": (lambda: said(503), DirectoryUncertain, 3),
    "503 with Retry-After": (lambda: said(503, **{"Retry-After": "60"}), DirectoryUncertain, 1),
    "not sent": (lambda: httpx.ConnectTimeout("x"), DirectoryUnavailable, 3),
    "timeout": (lambda: httpx.ReadTimeout("x"), DirectoryUncertain, 3),
    "reset": (lambda: httpx.RemoteProtocolError("x"), DirectoryUncertain, 3),
    "403": (lambda: said(403, "accessDenied", "+1 2065550177"), DirectoryRefused, 1),
    "409": (lambda: said(409, "conflict"), DirectoryRefused, 1),
    "HTML with 400": (lambda: httpx.Response(400, html=HTML), DirectoryRefused, 1),
    "HTML with 403": (lambda: httpx.Response(403, html=HTML), DirectoryRefused, 1),
    "no error in the body": (lambda: httpx.Response(400, json=NO_ERROR), DirectoryRefused, 1),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("write", WRITES)
async def test_no_fault_makes_a_second_write(write: str, fault: str) -> None:
    """At most one request that changes something, and the exception says what the answer proves."""
    answer, raised, _ = FAULTS[fault]

    def by(request: httpx.Request) -> Answer:
        return listed() if request.method == "GET" else answer()

    bench = Bench(by=by)
    error = await caught(raised, WRITES[write](bench.directory))
    assert len([verb for verb in bench.verbs if verb != "GET"]) == 1
    assert "2065550177" not in repr(error)
    if isinstance(error, DirectoryRefused):
        assert "2065550177" not in str(dict(error.refusal.facts))
        assert not error.saved_anyway


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("read", READS)
async def test_every_read_that_fails_says_so(read: str, fault: str) -> None:
    """No read answers with nothing when it could not ask, nor asks without end, nor repeats what it got."""
    answer, _, asked = FAULTS[fault]
    bench = Bench(by=lambda request: answer())
    if read in ("sign_in", "registration") and "403" in fault:
        seen: Any = await READS[read](bench.directory)
        assert not seen.readable
        assert "403" in seen.why
        return
    error = await caught(DirectoryUnavailable, READS[read](bench.directory))
    assert "2065550177" not in repr(error)
    by_path: dict[str, int] = {}
    for request in bench.requests:
        by_path[str(request.url)] = by_path.get(str(request.url), 0) + 1
    assert max(by_path.values()) <= asked


async def test_not_found_means_what_it_means_for_each_call() -> None:
    """A phone to remove may be gone by our own hand; a default or SMS without its phone is a refusal."""
    bench = Bench(by=lambda request: listed() if request.method == "GET" else said(404, "notFound"))
    await caught(DirectoryUncertain, WRITES["remove"](bench.directory))
    for name in ("sms on", "sms off"):
        error = await caught(DirectoryRefused, WRITES[name](bench.directory))
        assert error.refusal.code == "directory.method-gone"
    await caught(DirectoryRefused, WRITES["default"](bench.directory))


async def test_the_other_writes_go_where_graph_has_them() -> None:
    """The default over beta, SMS sign-in over v1.0 by the fixed id, without a body."""
    bench = Bench(ok(None, status=204))
    await bench.directory.set_default(OID, Default.OATH, "call-1")
    await bench.directory.sms_sign_in(OID, True, "call-2")
    default, sms = bench.requests
    assert (default.method, default.url.path) == (
        "PATCH",
        f"/beta/users/{OID}/authentication/signInPreferences",
    )
    assert json.loads(default.content) == {"userPreferredMethodForSecondaryAuthentication": "oath"}
    mobile = "3179e48a-750b-4051-897c-87b9720928f7"
    assert sms.url.path == f"/v1.0/users/{OID}/authentication/phoneMethods/{mobile}/enableSmsSignIn"
    assert (sms.method, sms.content, sms.headers["client-request-id"]) == ("POST", b"", "call-2")


async def test_only_phones_are_set_and_removed() -> None:
    """An operation of another kind is a mistake of the caller, before any request."""
    bench = Bench(listed())
    for kind in set(OpKind) - {OpKind.SET, OpKind.REMOVE}:
        await caught(ValueError, bench.directory.write(OID, op(kind), None, "c"))
    assert bench.requests == []


async def test_a_new_account_is_told_apart_from_a_missing_one() -> None:
    """Known to the directory and not yet to the back end of methods: worth trying again in a minute."""

    def by(request: httpx.Request) -> Answer:
        return said(404, "notFound") if "phoneMethods" in request.url.path else ok(ALICE)

    error = await caught(DirectoryUnavailable, Bench(by=by).directory.phones(OID))
    assert error.retry_after == timedelta(minutes=1)
    error = await caught(DirectoryUnavailable, Bench(said(404)).directory.phones(OID))
    assert error.retry_after is None


async def test_the_report_has_an_allowance_of_its_own() -> None:
    """When the report is throttled, people and phones are still read."""

    def by(request: httpx.Request) -> Answer:
        return said(429, **{"Retry-After": "60"}) if "/reports/" in request.url.path else ok(ALICE)

    bench = Bench(by=by)
    await caught(DirectoryUnavailable, bench.directory.registration(OID))
    assert await bench.directory.person(OID) is not None


async def test_the_policy_is_read_once_a_minute() -> None:
    """Many questions cost one read; after a minute it is read again, and its age is told."""
    bench = Bench(ok({"policyMigrationState": "new-word", "authenticationMethodConfigurations": []}))
    first = await bench.directory.method_policy()
    assert await bench.directory.method_policy() is first
    assert (first.sms.enabled, first.legacy_counts) == (False, True)
    bench.clock.time += timedelta(seconds=61)
    assert (await bench.directory.method_policy()).read_at > first.read_at
    assert len(bench.requests) == 2


class Book:
    """Pauses kept in memory. broken: nothing can be kept now."""

    def __init__(self) -> None:
        self.kept: dict[str, datetime] = {}
        self.broken = False

    async def lane_pauses(self) -> Mapping[str, datetime]:
        return self.kept

    async def keep_lane_pause(self, lane: str, until: datetime) -> None:
        if self.broken:
            raise StoreUnavailable("down")
        self.kept[lane] = until


async def test_a_pause_outlives_the_process() -> None:
    """After a restart no call is made before the time that Graph asked for."""
    book = Book()
    bench = Bench(said(429, **{"Retry-After": "600"}), book=book)
    await caught(DirectoryUnavailable, bench.directory.person(OID))
    again = Bench(ok(ALICE), book=book)
    await again.directory.resume()
    error = await caught(DirectoryUnavailable, again.directory.person(OID))
    assert error.retry_after == timedelta(seconds=600)
    assert again.requests == []


async def test_a_pause_that_cannot_be_kept_still_holds() -> None:
    """A store that is down does not make us hammer Graph, nor hide what happened."""
    book = Book()
    book.broken = True
    bench = Bench(said(429, **{"Retry-After": "600"}), book=book)
    for _ in range(2):
        await caught(DirectoryUnavailable, bench.directory.person(OID))
    assert len(bench.requests) == 1


# --- accessDenied, told apart -----------------------------------------------------------------------------
def token_with(*roles: str) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"roles": roles}).encode()).decode().rstrip("=")
    return f"head.{claims}.signature"


PHONE = "UserAuthMethod-Phone.ReadWrite.All"
ADMIN = {"id": GROUP, "displayName": "Global Administrator", "roleTemplateId": GROUP}


@pytest.mark.parametrize(
    ("token", "person", "roles", "phones", "code"),
    [
        (token_with(PHONE), said(404), [], 200, "directory.person-gone"),
        (
            token_with(PHONE),
            ok({**ALICE, "isManagementRestricted": True}),
            [],
            200,
            "directory.restricted-unit",
        ),
        (token_with("User.Read.All"), ok(ALICE), [], 200, "directory.permission-missing"),
        (token_with(PHONE), ok(ALICE), [ADMIN], 200, "directory.target-privileged"),
        (token_with(PHONE), ok(ALICE), [], 200, "directory.denied"),
        ("opaque", ok(ALICE), [], 403, "directory.permission-missing"),
        ("opaque", ok(ALICE), [], 200, "directory.denied"),
        ("opaque", ok(ALICE), [ADMIN], 403, "directory.denied"),
        ("a.b.c", ok(ALICE), [], 500, "directory.denied"),
        (token_with(PHONE), said(500), [], 200, "directory.denied"),
    ],
)
async def test_access_denied_is_told_apart_by_looking(
    token: str, person: httpx.Response, roles: list[Any], phones: int, code: str
) -> None:
    """Deleted, restricted, our permission, their role; where the reads do not tell, we do not guess."""

    def by(request: httpx.Request) -> Answer:
        if request.method == "DELETE":
            return said(
                403, "accessDenied", "Request Authorization failed", **{"request-id": "aaaaaaaa-1111"}
            )
        if "phoneMethods" in request.url.path:
            return listed() if phones == 200 else said(phones, "accessDenied")
        if "directoryRole" in request.url.path:
            return listed(*roles)
        return person

    bench = Bench(by=by)
    bench.tokens.fixed = token
    error = await caught(DirectoryRefused, WRITES["remove"](bench.directory))
    assert error.refusal.code == code
    assert error.graph_request_id == "aaaaaaaa-1111"
    assert "403 accessDenied" in error.refusal.facts["code"] or code == "directory.denied"
    assert error.refusal.facts["request_id"] == "aaaaaaaa-1111"
    assert bench.verbs.count("DELETE") == 1


# --- protection -------------------------------------------------------------------------------------------
def protecting(pim: Callable[[str], dict[str, Any]], groups: list[Any]) -> Callable[[httpx.Request], Answer]:
    def by(request: httpx.Request) -> Answer:
        path = request.url.path
        if path.endswith("/$batch"):
            return batched(request, pim)
        if path.endswith("transitiveMemberOf/microsoft.graph.group"):
            return listed(*groups)
        if path.startswith("/v1.0/groups/"):
            return ok({"id": path.rpartition("/")[2], "displayName": "Tier 0", "isAssignableToRole": True})
        return ok(ALICE) if path == f"/v1.0/users/{OID}" else listed()

    return by


def none_eligible(url: str) -> dict[str, Any]:
    return {"status": 200, "body": {"value": []}}


async def protect(bench: Bench) -> str:
    found = await bench.directory.protection(OID, ProtectionRules(), frozenset())
    return "; ".join(found.facts)


async def test_eligibility_through_a_group_of_the_person_protects() -> None:
    """A group may be eligible for another; whoever is in it can climb, so it counts."""
    plain = {"id": GROUP, "displayName": "Plain", "isAssignableToRole": None}
    tier0 = "33333333-3333-4333-8333-333333333333"

    def pim(url: str) -> dict[str, Any]:
        rows = [{"groupId": tier0, "accessId": "member"}] if GROUP in url else []
        return {"status": 200, "body": {"value": rows}}

    assert "may join the role-assignable group Tier 0" in await protect(Bench(by=protecting(pim, [plain])))
    assert await protect(Bench(by=protecting(none_eligible, [plain]))) == ""


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403, "body": {"error": {"code": "PermissionScopeNotGranted"}}},
        {"status": 429, "headers": {"Retry-After": "9"}, "body": {"error": {"code": "TooManyRequests"}}},
        {"status": 500},
        {"status": 200, "body": {"value": [], "@odata.nextLink": "https://graph.example/more"}},
        {"status": 200, "body": {"value": [{"groupId": "x", "accessId": "member"}]}},
        {"status": 200, "body": "<html>"},
    ],
    ids=lambda answer: str(answer["status"]),
)
async def test_unreadable_pim_for_groups_refuses(answer: dict[str, Any]) -> None:
    """Without knowing who may climb, nobody is called unprotected."""
    await caught(DirectoryUnavailable, protect(Bench(by=protecting(lambda url: answer, []))))


async def test_a_missing_licence_is_remembered_for_a_day() -> None:
    """No PIM here: asked once, then again after a day, when the tenant may have bought it."""
    missing = {"status": 400, "body": {"error": {"code": "AadPremiumLicenseRequired"}}}
    licensed: list[str] = []

    def pim(url: str) -> dict[str, Any]:
        rows = [{"groupId": GROUP, "accessId": "owner"}] if OID in url else []
        return {"status": 200, "body": {"value": rows}} if licensed else missing

    bench = Bench(by=protecting(pim, []))
    assert await protect(bench) == ""
    licensed.append("now")
    asked = len([r for r in bench.requests if r.url.path.endswith("$batch")])
    assert await protect(bench) == ""
    assert len([r for r in bench.requests if r.url.path.endswith("$batch")]) == asked == 1
    bench.clock.time += timedelta(days=1)
    assert "may own the role-assignable group Tier 0" in await protect(bench)


async def test_groups_without_names_are_unreadable() -> None:
    """Without the right to read groups Graph lists bare ids; that is no ground to call somebody ordinary."""
    bare = {"id": GROUP, "displayName": None, "isAssignableToRole": None}
    error = await caught(DirectoryUnavailable, protect(Bench(by=protecting(none_eligible, [bare]))))
    assert "group" in error.what
