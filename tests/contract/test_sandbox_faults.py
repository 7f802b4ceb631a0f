"""Faults, login, control and the process itself: what makes the sandbox a test bench."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import msal
import pytest
import pytest_asyncio
from sandbox_desk import MOBILE, Desk, open_desk

from bot.sandbox.server import start

NEW = {"phoneNumber": "+1 2065550150"}


@pytest_asyncio.fixture
async def desk(tmp_path: Path):
    async with open_desk(tmp_path) as opened:
        yield opened


async def write(desk: Desk, patience: float = 5) -> int:
    path = f"/users/{desk.oid('alice')}/authentication/phoneMethods/{MOBILE}"
    async with asyncio.timeout(patience):
        return (await desk.graph("PATCH", path, NEW))[0]


async def plan(desk: Desk, **fault: object) -> str:
    status, body, _ = await desk.control("POST", "/faults", fault)
    assert status == 201, body
    return body["id"]


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 503, 504])
async def test_a_status_fault_has_a_true_body_and_no_effect(desk: Desk, status: int) -> None:
    """One refusal, then all is well; the directory is untouched until then."""
    await plan(desk, kind="status", verb="PATCH", path="phoneMethods", status=status, retry_after=3)
    path = f"/users/{desk.oid('alice')}/authentication/phoneMethods/{MOBILE}"
    got, body, headers = await desk.graph("PATCH", path, NEW)
    assert got == status
    assert body["error"]["innerError"]["request-id"] == headers["request-id"]
    assert headers["Retry-After"] == "3"
    assert await desk.effects() == []
    assert await write(desk) == 204


async def test_counts_and_skips(desk: Desk) -> None:
    """The second and third fitting requests are hit, no other; other verbs never."""
    await plan(desk, kind="status", status=503, verb="PATCH", skip=1, times=2)
    assert [await write(desk) for _ in range(4)] == [204, 503, 503, 204]
    _, body, _ = await desk.control("GET", "/faults")
    assert body["faults"][0]["hits"] == 2


@pytest.mark.parametrize(
    ("kind", "effects"), [("reset", 0), ("hang", 0), ("reset_after", 1), ("timeout_after", 1)]
)
async def test_lost_answers(desk: Desk, kind: str, effects: int) -> None:
    """The client sees a dropped connection in all four; only the journal knows whether it happened."""
    await plan(desk, kind=kind, verb="PATCH", ms=20)
    with pytest.raises(aiohttp.ClientError):
        await write(desk)
    assert len(await desk.effects()) == effects
    changed = (await desk.phones("alice"))["mobile"] == NEW["phoneNumber"]
    assert changed == bool(effects)


async def test_a_write_happens_when_the_client_has_given_up(desk: Desk) -> None:
    """A time-out after the effect: the client leaves first, the effect stays."""
    await plan(desk, kind="timeout_after", verb="PATCH", ms=60_000)
    with pytest.raises(TimeoutError):
        await write(desk, patience=0.2)
    assert len(await desk.effects()) == 1


async def test_bodies_that_are_not_graph_errors(desk: Desk) -> None:
    """An HTML page and a JSON body without `error`."""
    await plan(desk, kind="html", path="/users$")
    status, page, headers = await desk.graph("GET", "/users")
    assert (status, headers.getone("Content-Type").split(";")[0]) == (502, "text/html")
    assert "<html>" in page
    await plan(desk, kind="no_error", path="/users$")
    status, body, _ = await desk.graph("GET", "/users")
    assert status == 404
    assert "Message" in body
    assert "error" not in body


async def test_latency_and_token_faults(desk: Desk) -> None:
    """Latency lets the call through; an expired token is 401 once."""
    await plan(desk, kind="latency", ms=10)
    assert await write(desk) == 204
    await plan(desk, kind="token_expired")
    assert [await write(desk), await write(desk)] == [401, 204]


async def test_a_fault_that_means_nothing_is_refused(desk: Desk) -> None:
    """Misspelt faults must not pass for faults."""
    for fault in ({"kind": "gremlin"}, {"kind": "reset", "server": "x"}, {"kind": "reset", "path": "("}, {}):
        assert (await desk.control("POST", "/faults", fault))[0] == 400
    fault_id = await plan(desk, kind="reset")
    assert (await desk.control("DELETE", f"/faults/{fault_id}"))[0] == 204
    assert (await desk.control("DELETE", f"/faults/{fault_id}"))[0] == 404
    assert await write(desk) == 204


async def test_stale_reads_show_the_earlier_value_for_a_while(tmp_path: Path) -> None:
    """With a clock in the test's hand: old value at once, new value after the time has passed."""
    clock = [datetime(2026, 3, 2, 9, 0, tzinfo=UTC)]
    running = await start(tmp_path, now=lambda: clock[0])
    async with aiohttp.ClientSession() as http:
        desk = Desk(running, http)
        await desk.open()
        await plan(desk, kind="stale_reads", ms=30_000, times=None)
        before = await desk.phones("alice")
        clock[0] += timedelta(seconds=1)
        assert await write(desk) == 204
        assert await desk.phones("alice") == before
        clock[0] += timedelta(seconds=31)
        assert (await desk.phones("alice"))["mobile"] == NEW["phoneNumber"]
    await running.close()


async def test_the_journal_file_survives(desk: Desk, tmp_path: Path) -> None:
    """Every effect is on disk as one JSON line, whatever becomes of the process."""
    await write(desk)
    lines = (tmp_path / f"journal-{desk.world['tenant_id']}.jsonl").read_text().splitlines()
    assert [json.loads(line)["after"] for line in lines] == [NEW["phoneNumber"]]


async def test_msal_gets_a_token_that_graph_takes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real token library, over TLS with our own authority; a wrong secret is AADSTS7000215."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(desk.running.ca_file))

    def ask(secret: str, resource: str) -> dict[str, object]:
        app = msal.ConfidentialClientApplication(
            desk.world["app_id"],
            authority=f"{desk.running.login}/{desk.world['tenant_id']}",
            instance_discovery=False,
            client_credential=secret,
        )
        return app.acquire_token_for_client([f"{resource}/.default"])

    good = await asyncio.to_thread(ask, desk.world["secret"], desk.running.graph)
    desk.token = str(good["access_token"])
    assert (await desk.graph("GET", "/users"))[0] == 200
    assert "access_token" in await asyncio.to_thread(
        ask, desk.world["secret"], "https://api.botframework.com"
    )
    bad = await asyncio.to_thread(ask, "wrong", desk.running.graph)
    assert bad["error_codes"] == [7000215]
    nowhere = await asyncio.to_thread(ask, desk.world["secret"], "https://elsewhere.example")
    assert nowhere["error"] == "invalid_resource"
    await plan(desk, server="login", kind="status", status=503, path="token")
    with pytest.raises(Exception, match="503"):
        await asyncio.to_thread(ask, desk.world["secret"], desk.running.graph)


async def test_people_and_groups_can_be_changed(desk: Desk) -> None:
    """Any field, by name, alias of the manager included; nonsense is 400 and changes nothing."""
    wish = {"manager": "olivia", "enabled": False, "phones": {}, "eligible": ["r"], "installed": False}
    status, body, _ = await desk.control("PATCH", "/people/alice", wish)
    assert status == 200
    assert (body["manager_oid"], body["account_enabled"]) == (desk.oid("olivia"), False)
    assert (await desk.control("PATCH", "/people/alice", {"enabled": True, "hat": 1}))[0] == 400
    assert (await desk.control("GET", "/people/alice"))[1]["account_enabled"] is False
    assert (await desk.control("PATCH", "/people/nobody", {}))[0] == 404
    assert (await desk.control("PUT", "/groups/approver/members/alice"))[0] == 204
    assert desk.oid("alice") in (await desk.control("GET", "/groups/approver"))[1]["members"]
    status, group, _ = await desk.control(
        "PATCH", "/groups/approver", {"role_assignable": False, "roles": ["x"]}
    )
    assert (group["role_assignable"], group["directory_roles"]) == (False, ["x"])
    assert (await desk.control("PATCH", "", {"tenant_id": "x"}))[0] == 400


async def test_requests_are_kept_and_counted(desk: Desk) -> None:
    """The log names route templates and raw paths; counts are per verb and route."""
    await desk.phones("alice")
    await desk.phones("alice")
    _, body, _ = await desk.control("GET", "/journal")
    assert body["counts"] == {"GET /users/{user}/authentication/phoneMethods": 2}
    _, body, _ = await desk.control("GET", "/requests?server=graph&verb=GET")
    assert desk.oid("alice") in body["requests"][0]["path"]
    assert (await desk.control("DELETE", "/journal"))[0] == 204
    assert (await desk.control("GET", "/journal"))[1] == {"effects": [], "counts": {}}


async def test_the_process_prints_its_addresses_and_stops(tmp_path: Path) -> None:
    """One JSON line when ready, a named world at once, a clean end on SIGTERM."""
    command = [sys.executable, "-m", "bot.sandbox", "serve", "--state-dir", str(tmp_path), "--world", "demo"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2], env=dict(os.environ)
    )
    assert process.stdout is not None
    urls = json.loads(await process.stdout.readline())
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{urls['teams']}/_sandbox/worlds/demo") as answer,
    ):
        world = await answer.json()
    assert world["urls"] == urls
    assert urls["ca_file"] == str(tmp_path / "ca.pem")
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
