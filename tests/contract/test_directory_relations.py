"""Since when somebody has their manager, and who stands in: the same on both directories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from bot.ports import DirectoryUnavailable
from tests.contract.directory_stages import FakeStage, SandboxStage, Stage
from tests.doubles.directory import Fault

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest_asyncio.fixture(params=["memory", "graph"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    if request.param == "memory":
        yield FakeStage()
        return
    made = SandboxStage(request.getfixturevalue("urls"))
    yield made
    await made.aclose()


async def test_when_a_manager_was_changed(stage: Stage) -> None:
    """The time of the last change, if it is not older than what is asked for; of nobody else's."""
    changed = NOW - timedelta(days=3)
    stage.manager_changed("alice", changed)
    read = stage.directory.manager_changed
    assert await read(stage.oid("alice"), NOW - timedelta(days=7)) == changed
    assert await read(stage.oid("alice"), NOW - timedelta(days=2)) is None
    assert await read(stage.oid("marta"), NOW - timedelta(days=7)) is None


async def test_who_stands_in(stage: Stage) -> None:
    """The one person named, or nobody."""
    assert await FakeStage().directory.stand_in(FakeStage().oid("marta")) is None
    stage.stand_in("marta", "otto")
    found = await stage.directory.stand_in(stage.oid("marta"))
    assert found is not None
    assert found.oid == stage.oid("otto")
    stage.stand_in("marta", None)
    assert await stage.directory.stand_in(stage.oid("marta")) is None


@pytest.mark.parametrize("call", ["manager_changed", "stand_in"])
async def test_what_cannot_be_read_is_said(stage: Stage, call: str) -> None:
    """An outage is no answer: neither "not changed" nor "nobody"."""
    stage.fail(call, Fault.UNAVAILABLE)
    directory, oid = stage.directory, stage.oid("alice")
    reading = directory.stand_in(oid) if call == "stand_in" else directory.manager_changed(oid, NOW)
    with pytest.raises(DirectoryUnavailable):
        await reading


async def test_an_app_without_the_right_is_told_so(urls: dict[str, str]) -> None:
    """Without AuditLog.Read.All the log is closed; who stands in is not told to apps by default."""
    stage = SandboxStage(urls)
    try:
        stage.permissions(["User.Read.All"])
        with pytest.raises(DirectoryUnavailable, match="log is not open"):
            await stage.directory.manager_changed(stage.oid("alice"), NOW)
        with pytest.raises(DirectoryUnavailable, match="does not tell an app"):
            await stage.directory.stand_in(stage.oid("marta"))
    finally:
        await stage.aclose()


async def test_direct_reports(stage: Stage) -> None:
    """Those whose manager somebody is, and nobody else."""
    found = await stage.directory.reports(stage.oid("marta"), 999)
    assert stage.oid("alice") in {person.oid for person in found}
    assert await stage.directory.reports(stage.oid("alice"), 999) == ()


async def test_accounts_made_since(stage: Stage) -> None:
    """From that moment on; what is older is not among them."""
    everybody = await stage.directory.created_since(datetime(2000, 1, 1, tzinfo=UTC), 999)
    assert {person.created_at is not None for person in everybody} <= {True}
    assert await stage.directory.created_since(NOW + timedelta(days=1), 999) == ()
