"""One suite for every directory: Temporary Access Passes, in memory and over HTTP alike."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.domain.methods import Method
from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain
from tests.contract.directory_stages import FakeStage, SandboxStage, Stage
from tests.doubles.directory import Fault

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest_asyncio.fixture(params=["memory", "graph"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A directory that may see which methods a person has."""
    if request.param == "memory":
        yield FakeStage("default-guard")
        return
    made = SandboxStage(request.getfixturevalue("urls"), "default-guard")
    yield made
    await made.aclose()


def call_id() -> str:
    return str(uuid.uuid4())


async def has_pass(stage: Stage, alias: str) -> int:
    methods = (await stage.directory.sign_in(stage.oid(alias))).methods
    return methods.count(Method.TEMPORARY_PASS)


async def refusal(stage: Stage, oid: str, minutes: int = 60) -> str:
    with pytest.raises(DirectoryRefused) as info:
        await stage.directory.issue_pass(oid, minutes, call_id())
    return info.value.refusal.code


async def test_a_pass_is_issued(stage: Stage) -> None:
    """The secret and the minutes come back, with the id of the directory's answer; the method is there."""
    assert await has_pass(stage, "nadia") == 0
    made = await stage.directory.issue_pass(stage.oid("nadia"), 120, call_id())
    assert made.secret
    assert made.minutes == 120
    assert made.graph_request_id
    assert await has_pass(stage, "nadia") == 1


async def test_a_second_pass_takes_the_place_of_the_first(stage: Stage) -> None:
    """Never two at a time, and never the same secret again."""
    made = [await stage.directory.issue_pass(stage.oid("nadia"), 60, call_id()) for _ in range(2)]
    assert made[0].secret != made[1].secret
    assert await has_pass(stage, "nadia") == 1


async def test_a_tenant_without_passes_refuses(stage: Stage) -> None:
    """Off for everybody: refused with the policy as the reason, and nothing is made."""
    stage.pass_policy(None)
    assert await refusal(stage, stage.oid("nadia")) == "directory.pass-not-allowed"
    assert await has_pass(stage, "nadia") == 0


async def test_minutes_outside_the_policy_are_refused(stage: Stage) -> None:
    """The tenant's bounds count, both included."""
    stage.pass_policy((30, 90))
    for minutes in (29, 91):
        assert await refusal(stage, stage.oid("nadia"), minutes) == "directory.pass-not-allowed"
    for minutes in (30, 90):
        assert (await stage.directory.issue_pass(stage.oid("nadia"), minutes, call_id())).minutes == minutes


@pytest.mark.parametrize(
    ("alias", "code"),
    [
        ("guest", "directory.pass-guest"),
        ("ruth", "directory.restricted-unit"),
        (None, "directory.person-gone"),
    ],
)
async def test_who_cannot_have_one_is_refused(stage: Stage, alias: str | None, code: str) -> None:
    """Guests of another directory, people in a restricted unit, and nobody at all: each with its reason."""
    assert await refusal(stage, stage.oid(alias) if alias else NOBODY) == code


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.UNAVAILABLE, DirectoryUnavailable),
        (Fault.UNCERTAIN_BEFORE, DirectoryUncertain),
        (Fault.UNCERTAIN_AFTER, DirectoryUncertain),
        (Fault.REFUSED, DirectoryRefused),
    ],
)
async def test_a_pass_that_goes_wrong_is_not_made_twice(
    stage: Stage, fault: Fault, raised: type[Exception]
) -> None:
    """Each kind of trouble has its own exception; a lost answer leaves a pass that nobody has seen."""
    stage.fail("issue_pass", fault)
    with pytest.raises(raised):
        await stage.directory.issue_pass(stage.oid("nadia"), 60, call_id())
    assert await has_pass(stage, "nadia") == (fault is Fault.UNCERTAIN_AFTER)


async def test_an_object_id_that_is_none_never_gets_into_a_path(stage: Stage) -> None:
    """Only object ids make an address."""
    with pytest.raises(ValueError, match="object id"):
        await stage.directory.issue_pass("alice/../marta", 60, call_id())
