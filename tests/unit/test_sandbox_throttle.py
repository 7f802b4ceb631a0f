"""The meter of the pretend Graph: allowances, waits, headers. The clock is in the test's hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.sandbox.graph.costs import is_write, lane_of, units
from bot.sandbox.rules import Rules
from bot.sandbox.throttle import Profile, Throttle


class Meter:
    """A throttle with a clock of its own."""

    def __init__(self, value: object) -> None:
        self.at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self.throttle = Throttle(Profile.read(value), lambda: self.at, "app/tenant")

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def taken(self, calls: int, lane: str = "methods", units: int = 1, write: bool = False) -> int:
        """How many of these calls are taken."""
        return sum(not self.throttle.meter(lane, units, write).refused for _ in range(calls))


@pytest.mark.parametrize(
    ("value", "lane", "allowed"),
    [
        ("small", "identity", 3_500),
        ("medium", "identity", 5_000),
        ("large-tenant", "methods", 8_000),
        ({"profile": "large-tenant", "times": 2}, "identity", 16_000),
        ({"profile": "large-tenant", "phones": 50}, "methods", 50),
        ("small", "reports", 5),
        ({"profile": "small", "times": 10}, "reports", 50),
    ],
)
def test_each_profile_takes_its_allowance_and_no_more(value: object, lane: str, allowed: int) -> None:
    """Exactly so many units in any ten seconds, and as many again when they have passed."""
    meter = Meter(value)
    assert meter.taken(allowed + 10, lane) == allowed
    meter.wait(30)
    assert meter.taken(allowed + 10, lane) == allowed


def test_without_a_profile_nothing_is_refused() -> None:
    """The default tells the cost of a call and never says no."""
    verdict = Meter("none").throttle.meter("identity", 2, False)
    assert (verdict.headers, verdict.refused) == ({"x-ms-resource-unit": "2"}, False)
    assert Meter("none").taken(20_000) == 20_000


def test_lanes_do_not_share() -> None:
    """Methods used up leave directory reads and reports untouched."""
    meter = Meter({"profile": "small", "phones": 10})
    assert meter.taken(20, "methods") == 10
    assert meter.taken(3_500, "identity") == 3_500
    assert meter.taken(9, "reports") == 5


def test_writes_have_an_allowance_of_their_own() -> None:
    """3,000 writes in 150 s; reads go on; the refusal names the limit."""
    meter = Meter("large-tenant")
    assert meter.taken(3_001, write=True) == 3_000
    assert meter.taken(10) == 10
    refused = meter.throttle.meter("methods", 1, True)
    assert refused.headers["x-ms-throttle-information"] == "WriteLimitExceeded"
    assert refused.headers["x-ms-throttle-scope"] == "Tenant_Application/Write/app/tenant"
    assert refused.retry_after == 150
    meter.wait(151)
    assert meter.taken(1, write=True) == 1


def test_the_share_used_is_told_above_four_fifths() -> None:
    """Silent up to 80 %, then the share; at a refusal 1.0 or more, and how long to wait."""
    meter = Meter({"profile": "small", "phones": 10})
    shares = [
        meter.throttle.meter("methods", 1, False).headers.get("x-ms-throttle-limit-percentage")
        for _ in range(10)
    ]
    assert shares == [None] * 8 + ["0.90", "1.00"]
    refused = meter.throttle.meter("methods", 1, False)
    assert (refused.refused, refused.retry_after) == (True, 10)
    assert float(refused.headers["x-ms-throttle-limit-percentage"]) >= 1


def test_a_client_that_waits_as_told_is_let_in() -> None:
    """The wait is enough."""
    meter = Meter({"profile": "small", "phones": 10})
    meter.taken(5)
    meter.wait(4)
    meter.taken(5)
    told = meter.throttle.meter("methods", 1, False).retry_after
    assert told == 6
    meter.wait(told)
    assert meter.taken(1) == 1


def test_early_retries_count() -> None:
    """Who asks during the wait waits longer; who asks and asks is not shut out for ever."""
    patient, eager = (Meter({"profile": "small", "phones": 10}) for _ in range(2))
    for meter in (patient, eager):
        meter.taken(11)
        meter.wait(9)
    eager.taken(200)
    assert eager.throttle.as_json()["methods"]["used"] <= 18  # 180 %, the most that Graph tells
    for meter in (patient, eager):
        meter.wait(1)
    assert patient.taken(1) == 1
    assert eager.throttle.meter("methods", 3, False).refused
    eager.wait(20)
    assert eager.taken(10) == 10


def test_a_profile_may_keep_silent_about_the_wait() -> None:
    """Refused without a time, as some parts of Graph do."""
    meter = Meter({"profile": "small", "phones": 1, "retry_after": False})
    meter.taken(1)
    refused = meter.throttle.meter("methods", 1, False)
    assert (refused.refused, refused.retry_after) == (True, None)


@pytest.mark.parametrize(
    ("verb", "template", "options", "cost"),
    [
        ("GET", "/users", {}, 2),
        ("GET", "/users", {"select": "id"}, 1),
        ("GET", "/users", {"expand": "manager"}, 3),
        ("GET", "/users/{user}/transitiveMemberOf", {}, 2),
        ("GET", "/users/{user}/transitiveMemberOf", {"select": "id", "top": "5"}, 1),
        ("GET", "/users/{user}", {"select": "id"}, 1),
        ("GET", "/groups/{group}/transitiveMembers", {"top": "5"}, 4),
        ("POST", "/users/{user}/checkMemberGroups", {}, 4),
        ("PATCH", "/users/{user}/authentication/phoneMethods/{method}", {}, 1),
    ],
)
def test_the_cost_of_a_call(verb: str, template: str, options: dict[str, str], cost: int) -> None:
    """The base cost of the path, changed by $select, $expand and a small $top, never under 1."""
    assert units(verb, template, options) == cost


def test_paths_draw_on_their_allowance() -> None:
    """Methods, reports and everything else; checkMemberGroups is no write."""
    assert lane_of("/users/{user}/authentication/methods") == "methods"
    assert lane_of("/reports/authenticationMethods/userRegistrationDetails") == "reports"
    assert lane_of("/policies/authenticationMethodsPolicy") == "identity"
    assert is_write("POST", "/users/{user}/authentication/phoneMethods")
    assert not is_write("POST", "/users/{user}/checkMemberGroups")


@pytest.mark.parametrize(
    "change",
    [
        {"throttle": "huge"},
        {"throttle": {"profile": "small", "times": 0}},
        {"throttle": {"profile": "small", "speed": 1}},
        {"sms_state": "on"},
        {"cloud": "mars"},
        {"has_p2": "yes"},
        {"stale_ms": -1},
        {"sms_targets": "all_users"},
        {"page_size": True},
    ],
)
def test_a_rule_with_a_senseless_value_is_refused_and_nothing_changes(change: dict[str, object]) -> None:
    """A misspelt value must not pass as a test that proves nothing."""
    rules = Rules()
    with pytest.raises(ValueError, match=r"no such|above 0"):
        rules.change({"voice_state": "disabled", **change})
    assert rules == Rules()
