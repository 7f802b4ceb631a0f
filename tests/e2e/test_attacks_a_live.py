"""Group A of the security sheet, the rest: floods, replays, trouble with the signing keys, other places."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from stage import Stage
from test_attacks_a import TYPED, bearer


async def test_an_endless_body_is_cut_off(stage: Stage) -> None:
    """A17: a chunked body without end is answered 413 or cut, long before it fills the memory."""
    honest = await stage.dry("olivia", TYPED)
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        yield b'{"a":"'
        while sent < 64 * 1024 * 1024:
            sent += 64 * 1024
            yield b"x" * 64 * 1024

    try:
        async with stage.http.post(stage.bot_url, data=endless(), headers=bearer(honest["token"])) as answer:
            assert answer.status == 413
    except aiohttp.ClientError:
        pass  # cut off: as good
    assert sent < 16 * 1024 * 1024
    await stage.ends_with()


async def test_ten_thousand_headers_are_refused(stage: Stage) -> None:
    """A17: a head without end is answered 400 or 431, or cut."""
    honest = await stage.dry("olivia", TYPED)
    headers = bearer(honest["token"]) | {f"X-{n}": "x" for n in range(10_000)}
    with contextlib.suppress(aiohttp.ClientError):
        assert await stage.post(json.dumps(honest["activity"]).encode(), headers) in (400, 431)
    assert "What you can do here" in await stage.ask("olivia", "help")
    await stage.ends_with()


async def test_good_traffic_is_served_beside_two_hundred_idle_sockets(
    stage: Stage, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """A17: two hundred sockets that drip a head and never finish it do not slow honest turns down."""
    port = int(stage.bot_url.split(":")[2].split("/")[0])
    idle = []
    for _ in range(200):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(b"POST /api/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Drip: ")
        idle.append(one)
    try:
        seconds = [(await stage.say("olivia", "help"))["seconds"] for _ in range(40)]
    finally:
        for one in idle:
            one.close()
    p95 = statistics.quantiles(seconds, n=20)[-1]
    record_testsuite_property("p95_seconds_beside_idle_sockets", round(p95, 4))
    assert p95 < 0.5
    await stage.ends_with()


async def test_deep_and_wide_bodies_cost_no_memory(stage: Stage) -> None:
    """A18: hostile JSON does not make the process grow by 20 MB."""
    honest = await stage.dry("olivia", TYPED)
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    await stage.post(deep, bearer(honest["token"]))
    before = _resident()
    for _ in range(20):
        assert await stage.post(deep, bearer(honest["token"])) == 400
    assert _resident() - before < 20 * 1024 * 1024


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_the_same_bytes_again_have_no_second_effect(stage: Stage) -> None:
    """A21: captured requests, posted again inside their token's life, are answered and absorbed."""
    typed = await stage.dry("olivia", TYPED)
    for _ in range(3):
        assert await stage.post(json.dumps(typed["activity"]).encode(), bearer(typed["token"])) == 201
    assert (await stage.audit_names()).count("change:mobile:previewed") == 1
    submit = await stage.click("olivia", "Submit for approval", dry=True)
    for _ in range(3):
        assert await stage.post(json.dumps(submit["activity"]).encode(), bearer(submit["token"])) == 200
    approve = await stage.click("marta", "Approve", dry=True)
    body, headers = json.dumps(approve["activity"]).encode(), bearer(approve["token"])
    assert set(await asyncio.gather(*(stage.post(body, headers) for _ in range(5)))) == {200}
    await stage.wait_for(stage.effects)
    assert await stage.post(body, headers) == 200
    await stage.ends_with(("alice", "mobile", "+1 2065550100"))
    names = await stage.audit_names()
    assert [n for n in names if n.startswith("change:")] == [
        f"change:mobile:{what}" for what in ("previewed", "submitted", "approved", "attempted", "applied")
    ]


async def test_tokens_are_in_no_log_and_no_file(stage: Stage) -> None:
    """A22: neither accepted nor refused tokens, ours or the channel's, are ever written down."""
    honest = await stage.dry("olivia", "help")
    body = json.dumps(honest["activity"]).encode()
    assert await stage.post(body, bearer(honest["token"])) == 201
    assert await stage.post(body, bearer(honest["token"] + "x")) == 401
    await stage.pending()
    await stage.settle()
    signature = honest["token"].split(".")[2]
    written = stage.log.getvalue().encode() + b"".join(
        file.read_bytes() for file in stage.state.rglob("*") if file.is_file()
    )
    assert b"eyJ" not in written
    assert signature[:40].encode() not in written
    assert stage.world["secret"].encode() not in written


TROUBLE = ("status", "html", "empty", "not-json")


@pytest.mark.parametrize("kind", TROUBLE)
async def test_a_metadata_host_in_trouble_locks_nobody_out(kind: str, stage: Stage) -> None:
    """A23: known keys go on working past the daily refresh, unknown ones are refused, nothing is a 500."""
    await stage.anywhere("POST", "keys/fault", {"kind": kind, "status": 503})
    try:
        stage.clock.pass_by(hours=25)
        assert (await stage.say("olivia", "help"))["status"] == 201
        stage.clock.pass_by(minutes=2)
        answer = await stage.say("olivia", "help", sign={"kid": "nobody", "claims": stage.claims_now()})
        assert answer["status"] == 401
        assert (await stage.say("olivia", "help"))["status"] == 201
    finally:
        await stage.anywhere("POST", "keys/fault", {})
    await stage.ends_with()


async def test_a_hanging_metadata_host_does_not_stop_the_process(
    stage: Stage, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """A23: during a 3 s hang 95 of 100 /healthz answers take under 50 ms and none over 500 ms."""
    health = stage.bot_url.replace("/api/messages", "/healthz")
    await stage.anywhere("POST", "keys/fault", {"kind": "status", "seconds": 3.0})
    try:
        stage.clock.pass_by(minutes=2)
        claims = stage.claims_now()
        waiting = asyncio.create_task(stage.say("olivia", "help", sign={"kid": "nobody", "claims": claims}))
        seconds = []
        for _ in range(100):
            started = time.perf_counter()
            async with stage.http.get(health) as answer:
                assert answer.status == 200
            seconds.append(time.perf_counter() - started)
            await asyncio.sleep(0.024)
        assert not waiting.done()
        assert (await stage.say("olivia", "help"))["status"] == 201  # a known key does not wait
        assert (await waiting)["status"] == 401
    finally:
        await stage.anywhere("POST", "keys/fault", {})
    record_testsuite_property("healthz_slowest_seconds", round(max(seconds), 4))
    assert sorted(seconds)[94] < 0.05
    assert max(seconds) < 0.5


async def test_a_new_signing_key_works_on_its_first_message(stage: Stage) -> None:
    """A23: after a roll-over the first message is let in, unless the last look was less than a minute ago."""
    await stage.anywhere("POST", "keys/rotate", {})
    assert (await stage.say("olivia", "help", show=False))["status"] == 401
    stage.clock.pass_by(seconds=61)
    assert "What you can do here" in await stage.ask("olivia", "help")
    assert (await stage.say("olivia", "help", sign={"key": "previous", "claims": stage.claims_now()}))[
        "status"
    ] == 201


@pytest.mark.parametrize("missing", [{}, {"isGroup": None}, {"conversationType": None}])
@pytest.mark.parametrize("scope", ["groupChat", "channel"])
async def test_elsewhere_than_in_the_own_chat_nothing_is_told_or_kept(
    scope: str, missing: dict[str, None], stage: Stage
) -> None:
    """A24: in a group chat or a channel the bot says politely where to go; it stores and tells nothing."""
    said = await stage.ask("olivia", "show alice", scope=scope, raw={"conversation": missing})
    assert "Please write to me in our own chat" in said
    assert "usage.personal-chat-only" in said
    assert "Alice" not in said
    await stage.say("olivia", TYPED, scope=scope)
    assert await stage.audit_names() == []
    assert await stage.parts.store.conversation(stage.oid("olivia")) is None
    assert [r for r in await stage.requests() if "authentication" in r["path"]] == []
    await stage.ends_with()
