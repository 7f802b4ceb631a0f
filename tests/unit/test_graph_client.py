"""How calls to Graph travel: what is tried again, what is not, who waits, and what is never said."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from graph_bench import ALICE, OID, ROOT, Answer, Bench, batched, caught, listed, ok, said

from bot.domain.change import Operation, OpKind
from bot.domain.command import Who, WhoKind
from bot.domain.people import ProtectionRules
from bot.domain.phone import PhoneNumber, Slot
from bot.graph import Lanes
from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain

GROUP = "22222222-2222-4222-8222-222222222222"
NUMBER = PhoneNumber("1", "2065550177")
SET = Operation(1, OpKind.SET, Slot.MOBILE, "", "", "", "")
REMOVE = Operation(1, OpKind.REMOVE, Slot.MOBILE, "", "", "", "")
MOBILE = {"id": "3179e48a-750b-4051-897c-87b9720928f7", "phoneNumber": "+1 2065550110", "phoneType": "mobile"}


# --- reads ------------------------------------------------------------------------------------------------
async def test_each_call_carries_a_token_and_an_id_of_its_own() -> None:
    """Microsoft support can find any single call: ids never repeat, and always $select what is needed."""
    bench = Bench(ok(ALICE))
    await bench.directory.person(OID)
    await bench.directory.person(OID)
    ids = {request.headers["client-request-id"] for request in bench.requests}
    assert len({uuid.UUID(each) for each in ids}) == 2
    assert all(request.headers["authorization"] == "Bearer token-0" for request in bench.requests)
    assert all("$select=id%2CdisplayName" in str(request.url) for request in bench.requests)


async def test_a_read_is_tried_three_times_and_no_more() -> None:
    """Two failures are bridged; a third is the answer."""
    bench = Bench(said(503), httpx.ReadError("x"), ok(ALICE))
    assert await bench.directory.person(OID) is not None
    bench = Bench(said(500))
    await caught(DirectoryUnavailable, bench.directory.person(OID))
    assert len(bench.requests) == 3


async def test_a_refused_token_is_renewed_once() -> None:
    """401 gets one new token; a second 401 is an end."""
    bench = Bench(said(401), ok(ALICE))
    assert await bench.directory.person(OID) is not None
    assert bench.requests[1].headers["authorization"] == "Bearer token-1"
    bench = Bench(said(401))
    await caught(DirectoryUnavailable, bench.directory.person(OID))
    assert (bench.tokens.refreshed, len(bench.requests)) == (1, 2)


async def test_without_a_token_nothing_is_asked() -> None:
    """The token source's own error becomes ours, by its code only."""
    bench = Bench(ok(ALICE))
    bench.tokens.error = RuntimeError("secret-in-here")
    error = await caught(DirectoryUnavailable, bench.directory.person(OID))
    assert bench.requests == []
    assert "secret" not in str(error)


async def test_a_throttled_lane_makes_all_reads_wait() -> None:
    """After Retry-After: 2 every read waits those two seconds, then goes on."""
    bench = Bench(said(429, **{"Retry-After": "2"}), ok(ALICE))
    assert await bench.directory.person(OID) is not None
    assert bench.clock.time >= datetime(2030, 1, 1, 0, 0, 2, tzinfo=UTC)


async def test_a_pause_longer_than_the_read_may_last_is_told_at_once() -> None:
    """The caller learns when it is worth trying, and no further call is made meanwhile."""
    bench = Bench(said(429, **{"Retry-After": "60"}))
    error = await caught(DirectoryUnavailable, bench.directory.person(OID))
    assert error.retry_after == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=1))
    await caught(DirectoryUnavailable, bench.directory.phones(OID))
    assert len(bench.requests) == 1
    bench.clock.time += timedelta(seconds=61)
    bench.answers = [ok(ALICE)]
    assert await bench.directory.person(OID) is not None


async def test_without_retry_after_the_pauses_grow() -> None:
    """1, 2, 4 seconds with jitter at its largest here; an answered call starts anew."""
    lanes, now = Lanes(lambda: 1.0), datetime(2030, 1, 1, tzinfo=UTC)
    pauses = []
    for _ in range(3):
        lanes.throttled("reads", now, None)
        pauses.append(lanes.left("reads", now).total_seconds())
        now += timedelta(seconds=pauses[-1])
    assert pauses == [1, 2, 4]
    lanes.served("reads")
    lanes.throttled("reads", now, None)
    assert lanes.left("reads", now).total_seconds() == 1
    kept = Lanes(lambda: 1.0)
    kept.restore(lanes.pauses())
    assert kept.left("reads", now).total_seconds() == 1


async def test_pages_are_followed_only_at_home() -> None:
    """A next page at Graph is read; one elsewhere would carry our token away and is refused."""
    second = {**ALICE, "id": GROUP}
    bench = Bench(listed(ALICE, link=f"{ROOT}/v1.0/next?$skiptoken=x"), listed(second))
    assert len(await bench.directory.members(GROUP, 10)) == 2
    strangers = ("https://evil.example/v1.0/x", "http://graph.example/x", f"{ROOT}:444/x", "//evil.example")
    for elsewhere in strangers:
        bench = Bench(listed(ALICE, link=elsewhere))
        await caught(DirectoryUnavailable, bench.directory.members(GROUP, 10))
        assert len(bench.requests) == 1


async def test_endless_pages_end() -> None:
    """A server that always points on is given up on."""
    bench = Bench(listed(link=f"{ROOT}/v1.0/again"))
    await caught(DirectoryUnavailable, bench.directory.members(GROUP, 10))
    assert len(bench.requests) <= 101


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>captive portal</html>"),
        ok({"id": "../../groups", "displayName": "+1 2065550177"}),
        ok({"displayName": "+1 2065550177"}),
        ok([]),
        ok(None, status=302, Location="https://evil.example/"),
    ],
)
async def test_an_answer_of_another_shape_is_no_answer(answer: httpx.Response) -> None:
    """It is called unavailable, in words that repeat nothing of it; a redirect is not followed."""
    bench = Bench(answer)
    error = await caught(DirectoryUnavailable, bench.directory.person(OID))
    assert "2065550177" not in repr(error)
    assert len(bench.requests) == 1


async def test_typed_text_stays_one_value_on_the_wire() -> None:
    """Quotes, slashes and query signs reach Graph inside one literal; no path is made of them."""
    bench = Bench(listed())
    for text in ("x' or startswith(displayName,'a", "a/b?c=d&$filter=e#f", '"a" OR "b:c"', "../..", "a\\"):
        for kind in (WhoKind.UPN, WhoKind.EMPLOYEE, WhoKind.NAME):
            assert await bench.directory.find(Who(kind, text)) == ()
    assert {request.url.path for request in bench.requests} == {"/v1.0/users"}
    assert all(set(request.url.params) <= SAFE for request in bench.requests)
    searched = [r.url.params["$search"] for r in bench.requests if "$search" in r.url.params]
    assert r'"displayName:\"a\" OR \"b:c\""' in searched
    assert r'"displayName:a\\"' in searched


async def test_a_look_alike_address_is_not_even_asked_for() -> None:
    """Graph may fold letters in its own way, so an address that is not plain ASCII finds nobody here."""
    bench = Bench(listed(ALICE))
    for text in ("\u0430lice@x.example", "\uff41lice@x.example", "alice@x.example\u200b"):
        assert await bench.directory.find(Who(WhoKind.UPN, text)) == ()
    assert bench.requests == []


SAFE = {"$filter", "$search", "$select", "$top", "$count"}


async def test_ids_that_are_none_never_leave() -> None:
    """Text that is no object id is a mistake of the caller, before any request."""
    bench = Bench(ok(ALICE))
    for bad in ("me", f"{OID}/../x", "%2e%2e", ""):
        for work in (
            bench.directory.person(bad),
            bench.directory.manager(bad),
            bench.directory.phones(bad),
            bench.directory.members(bad, 5),
            bench.directory.member_of(OID, frozenset({bad})),
            bench.directory.protection(bad, ProtectionRules(), frozenset()),
            bench.directory.write(bad, REMOVE, None, "x"),
        ):
            await caught(ValueError, work)
    assert bench.requests == []


async def test_a_tenant_without_the_licence_for_pim_has_no_eligible_people() -> None:
    """That one answer is a fact; any other refusal of the same read fails closed."""

    def answers(code: str) -> Callable[[httpx.Request], Answer]:
        def by(request: httpx.Request) -> Answer:
            if "Eligibility" in request.url.path:
                return said(400, code)
            return ok(ALICE) if request.url.path == f"/v1.0/users/{OID}" else listed()

        return by

    rules = ProtectionRules()
    bench = Bench(by=answers("AadPremiumLicenseRequired"))
    assert not await bench.directory.protection(OID, rules, frozenset())
    bench = Bench(by=answers("PermissionScopeNotGranted"))
    await caught(DirectoryUnavailable, bench.directory.protection(OID, rules, frozenset()))


async def test_a_custom_role_of_one_of_our_groups_protects_its_members() -> None:
    """Such a role shows among the group's assignments only, so those are read for our own groups too."""
    custom = "33333333-3333-4333-8333-333333333333"

    def by(request: httpx.Request) -> Answer:
        if request.url.path.endswith("transitiveMemberOf/microsoft.graph.group"):
            return listed({"id": GROUP, "displayName": "Ours", "isAssignableToRole": True})
        if request.url.path.endswith("roleAssignments") and GROUP in request.url.params["$filter"]:
            return listed({"principalId": GROUP, "roleDefinitionId": custom})
        if request.url.path.endswith("/$batch"):
            return batched(request, lambda url: {"status": 200, "body": {"value": []}})
        return ok(ALICE) if request.url.path == f"/v1.0/users/{OID}" else listed()

    found = await Bench(by=by).directory.protection(OID, ProtectionRules(), frozenset({GROUP.upper()}))
    assert found.facts == (f"holds the directory role {custom}",)


# --- writes -----------------------------------------------------------------------------------------------
async def test_set_reads_first_and_writes_in_graphs_form() -> None:
    """PATCH by the fixed id when the slot is taken, POST to the list when it is empty; one space inside."""
    bench = Bench(listed(MOBILE), ok(None, status=204))
    receipt = await bench.directory.write(OID, SET, NUMBER, "call-1")
    assert receipt.graph_request_id == "aaaaaaaa-1111"
    assert bench.verbs == ["GET", "PATCH"]
    write = bench.requests[1]
    assert write.url.path.endswith(f"/phoneMethods/{MOBILE['id']}")
    assert json.loads(write.content) == {"phoneNumber": "+1 2065550177", "phoneType": "mobile"}
    assert write.headers["client-request-id"] == "call-1"
    bench = Bench(listed(), ok(MOBILE, status=201))
    await bench.directory.write(OID, SET, NUMBER, "call-2")
    assert bench.verbs == ["GET", "POST"]


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (httpx.ConnectError("x"), DirectoryUnavailable),
        (httpx.ConnectTimeout("x"), DirectoryUnavailable),
        (httpx.PoolTimeout("x"), DirectoryUnavailable),
        (said(401), DirectoryUnavailable),
        (said(429), DirectoryUnavailable),
        (httpx.ReadTimeout("x"), DirectoryUncertain),
        (httpx.WriteError("x"), DirectoryUncertain),
        (httpx.RemoteProtocolError("x"), DirectoryUncertain),
        (TimeoutError(), DirectoryUncertain),
        (said(408), DirectoryUncertain),
        (said(500), DirectoryUncertain),
        (said(503, **{"Retry-After": "9"}), DirectoryUncertain),
        (said(404), DirectoryUncertain),
        (ok(None, status=302), DirectoryUncertain),
        (ok(None, status=202), DirectoryUncertain),
        (said(400, "badRequest"), DirectoryRefused),
        (said(403, "accessDenied"), DirectoryRefused),
        (said(409, "phoneNumberNotUnique"), DirectoryRefused),
        (httpx.Response(403, html="<html>proxy</html>"), DirectoryRefused),
    ],
    ids=str,
)
async def test_one_write_is_one_request_and_its_answer_is_told_truly(
    answer: Answer, raised: type[Exception]
) -> None:
    """Not sent, uncertain or refused, by what the answer proves; never a second request."""
    bench = Bench(answer)
    error = await caught(raised, bench.directory.write(OID, REMOVE, None, "call-1"))
    assert [verb for verb in bench.verbs if verb != "GET"] == ["DELETE"]
    assert "2065550110" not in repr(error)


async def test_only_the_number_that_may_be_saved_is_called_so() -> None:
    """409 phoneNumberNotUnique says that the number may be there; another 409 does not."""
    bench = Bench(said(409, "phoneNumberNotUnique"))
    assert (await caught(DirectoryRefused, bench.directory.write(OID, REMOVE, None, "c"))).saved_anyway
    bench = Bench(said(409, "somethingElse"))
    error = await caught(DirectoryRefused, bench.directory.write(OID, REMOVE, None, "c"))
    assert not error.saved_anyway
    assert error.refusal.code == "directory.unrecognised"
    assert bench.counted["graph_unrecognised"] == 1


async def test_a_failing_read_before_the_write_means_that_nothing_was_written() -> None:
    """`set` cannot choose its verb, so it does not write, and says so."""
    for answer in (said(500), said(404), said(403, "accessDenied")):
        bench = Bench(answer)
        await caught(DirectoryUnavailable, bench.directory.write(OID, SET, NUMBER, "c"))
        assert set(bench.verbs) == {"GET"}


async def test_a_throttled_write_pauses_the_lane_of_writes_only() -> None:
    """The next write is not even sent and says how long; reads go on."""
    bench = Bench(said(429, **{"Retry-After": "30"}))
    first = await caught(DirectoryUnavailable, bench.directory.write(OID, REMOVE, None, "a"))
    second = await caught(DirectoryUnavailable, bench.directory.write(OID, REMOVE, None, "b"))
    assert first.retry_after == second.retry_after == timedelta(seconds=30)
    assert bench.verbs == ["DELETE"]
    bench.answers = [ok(ALICE)]
    assert await bench.directory.person(OID) is not None


async def test_a_refused_token_at_a_write_is_renewed_for_the_next_one() -> None:
    """The write is not made again here; whoever tries again finds a new token."""
    bench = Bench(said(401))
    await caught(DirectoryUnavailable, bench.directory.write(OID, REMOVE, None, "a"))
    assert (bench.tokens.refreshed, bench.verbs) == (1, ["DELETE"])
