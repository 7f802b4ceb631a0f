"""Reading many people: everybody once, no hammering, and close to what Graph allows."""

from __future__ import annotations

import heapq
import json
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from graph_bench import Bench, batched, caught, ok, said

from bot.domain.people import Phones
from bot.domain.phone import PhoneNumber, Slot
from bot.graph.scan import Pace
from bot.ports import DirectoryUnavailable, Unread

MOBILE = "3179e48a-750b-4051-897c-87b9720928f7"
START = datetime(2030, 1, 1, tzinfo=UTC)


def oid(n: int) -> str:
    return f"11111111-1111-4111-8111-{n:012d}"


def mobile(url: str) -> dict[str, Any]:
    """Everybody's mobile ends in the digits of their id."""
    last = url.split("/")[2][-4:]
    method = {"id": MOBILE, "phoneNumber": f"+1 206555{last}", "phoneType": "mobile"}
    return {"status": 200, "body": {"value": [method]}}


async def scan(bench: Bench, people: int) -> dict[str, Phones | Unread]:
    found = [pair async for pair in bench.directory.phones_of_many([oid(n) for n in range(people)])]
    assert len(found) == len(dict(found))
    return dict(found)


async def test_everybody_comes_out_once_with_their_own_phone() -> None:
    """47 people are three batches of at most 20, answered out of order, mixed up by nobody."""
    bench = Bench(by=lambda request: batched(request, mobile))
    found = await scan(bench, 47)
    assert [len(json.loads(r.content)["requests"]) for r in bench.requests] == [20, 20, 7]
    for n in range(47):
        phones = found[oid(n)]
        assert isinstance(phones, Phones)
        number = phones.get(Slot.MOBILE)
        assert number is not None
        assert number.same_as(PhoneNumber("1", f"206555{n:04d}"))


async def test_a_throttled_item_holds_up_the_lane_and_is_asked_again() -> None:
    """A 429 inside a 200 is seen; only that person is asked again, after the longest wait asked for."""
    asked = Counter[str]()

    def by(url: str) -> dict[str, Any]:
        asked[url] += 1
        slow = {
            "status": 429,
            "headers": {"retry-after": "7"},
            "body": {"error": {"code": "TooManyRequests"}},
        }
        return slow if oid(3) in url and asked[url] == 1 else mobile(url)

    bench = Bench(by=lambda request: batched(request, by))
    found = await scan(bench, 5)
    assert len(found) == 5
    assert sorted(asked.values()) == [1, 1, 1, 1, 2]
    assert bench.clock.time >= START + timedelta(seconds=7)


@pytest.mark.parametrize(
    ("answer", "why", "gone"),
    [
        ({"status": 404, "body": {"error": {"code": "notFound"}}}, "404", True),
        ({"status": 403, "body": {"error": {"code": "accessDenied"}}}, "403", False),
        ({"status": 500, "body": "<html>"}, "500", False),
        ({"status": 200, "body": {"value": "+1 2065550177"}}, "form", False),
        ({"status": 200, "body": None}, "form", False),
        ({"status": 429, "body": None}, "throttled", False),
    ],
)
async def test_one_bad_answer_is_that_persons_alone(answer: dict[str, Any], why: str, gone: bool) -> None:
    """Somebody who cannot be read is named with the cause, the others come out; and it ends."""
    bench = Bench(by=lambda r: batched(r, lambda url: answer if oid(2) in url else mobile(url)))
    found = await scan(bench, 4)
    bad = found[oid(2)]
    assert isinstance(bad, Unread)
    assert why in bad.why
    assert bad.gone == gone
    assert "2065550177" not in repr(bad)
    assert sum(isinstance(each, Phones) for each in found.values()) == 3


async def test_an_answer_that_is_missing_is_asked_for_again() -> None:
    """A batch that forgets somebody, or answers what nobody asked, loses nobody."""
    rounds = Counter[str]()

    def by(request: httpx.Request) -> httpx.Response:
        rounds["all"] += 1
        reply = batched(request, mobile)
        if rounds["all"] > 1:
            return reply
        body = json.loads(reply.content)
        body["responses"] = [each for each in body["responses"] if each["id"] != "1"]
        body["responses"] += [{"id": "99", "status": 200}, {"id": "../x", "status": 200}]
        return ok(body)

    found = await scan(Bench(by=by), 3)
    assert all(isinstance(each, Phones) for each in found.values())


@pytest.mark.parametrize("answer", [lambda: said(500), lambda: httpx.ReadError("x"), lambda: ok({"x": 1})])
async def test_a_batch_that_never_works_ends(answer: Callable[[], Any]) -> None:
    """Everybody is unread with a cause, after a bounded number of tries."""
    bench = Bench(by=lambda request: answer())
    found = await scan(bench, 25)
    assert all(isinstance(each, Unread) for each in found.values())
    assert len(bench.requests) <= 2 * 3 * 3 + 3


async def test_without_a_token_the_scan_stops() -> None:
    """Nobody is called unreadable because we cannot sign in."""
    bench = Bench(ok())
    bench.tokens.error = RuntimeError("no")
    await caught(DirectoryUnavailable, scan(bench, 3))


class Allowance:
    """Graph's side: so many calls in any ten seconds; tells how full it is above 80 %, if it tells."""

    def __init__(self, limit: int, *, tells: bool) -> None:
        self.limit, self.tells = limit, tells
        self.taken: deque[float] = deque()
        self.served = self.refused = 0

    def batch(self, now: float, calls: int) -> tuple[int, float | None]:
        while self.taken and self.taken[0] <= now - 10:
            self.taken.popleft()
        room = min(self.limit - len(self.taken), calls)
        self.taken.extend([now] * room)
        self.served += room
        self.refused += calls - room
        share = len(self.taken) / self.limit
        return calls - room, round(share, 2) if self.tells and share > 0.8 else None


def simulate(graph: Allowance, seconds: float, in_flight: int = 4, latency: float = 0.05) -> float:
    """Endless work against the allowance; the share of it that was used once it had been learned."""
    pace, now = Pace(), 0.0
    flights: list[tuple[float, int, int, float | None]] = []
    learned_at = seconds / 3
    counted, paused, wait = 0, 0.0, timedelta()
    while now < seconds:
        while now >= paused and len(flights) < in_flight:
            if wait := pace.take(20, START + timedelta(seconds=now)):
                break
            slowed, pressure = graph.batch(now + latency / 2, 20)
            heapq.heappush(flights, (now + latency, pace.mark, slowed, pressure))
            counted += 20 - slowed if now >= learned_at else 0
        if flights:
            now, mark, slowed, pressure = heapq.heappop(flights)
            pace.ended(mark, slowed, pressure, START + timedelta(seconds=now))
            paused = max(paused, now + 10) if slowed else paused  # what Retry-After asks for
        else:
            now = max(now + wait.total_seconds(), paused)
    return counted / ((seconds - learned_at) / 10 * graph.limit)


@pytest.mark.parametrize("limit", [3500, 5000, 8000])
def test_the_pace_comes_close_to_the_allowance_and_wastes_little(limit: int) -> None:
    """At least 95 % of what Graph allows is used, and under 1 % of the calls are told to slow down."""
    graph = Allowance(limit, tells=True)
    assert simulate(graph, 120, in_flight=8) >= 0.95
    assert graph.refused < 0.01 * graph.served


def test_without_figures_the_pace_still_finds_the_allowance() -> None:
    """A Graph that never tells is found out by its 429s, and then not run into again and again."""
    graph = Allowance(2000, tells=False)
    assert simulate(graph, 300) >= 0.7
    assert graph.refused < 0.02 * graph.served


def test_an_allowance_that_somebody_else_had_used_is_found_again() -> None:
    """Refused at once, because others were there just before: within minutes the pace is at the allowance."""
    graph = Allowance(8000, tells=False)
    graph.taken.extend([0.0] * 7900)
    assert simulate(graph, 600, in_flight=8, latency=0.02) >= 0.8
    assert graph.refused < 0.01 * graph.served
