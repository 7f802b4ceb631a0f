"""Group A of the security sheet, with the whole bot behind the door: who may speak to us at all.

Every row: refused with its status, nothing answered in Teams, nothing stored, nothing written, one log line
without content, token or stack trace, and honest traffic is served right afterwards.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from stage import Stage

Json = dict[str, Any]
Sent = tuple[bytes, dict[str, str]]
Attack = Callable[[Json, str], Sent]
ROOT = Path(__file__).resolve().parents[2]
OTHER = "99999999-9999-4999-8999-999999999999"
TYPED = "set mobile for alice to +1 206 555 0100 because lost phone INC1234"


def _headers(token: str | None) -> dict[str, str]:
    return {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})


def _authorization(value: str | None) -> Attack:
    """The sound activity with another Authorization header."""

    def build(activity: Json, token: str) -> Sent:
        headers = {"Content-Type": "application/json"}
        return json.dumps(activity).encode(), headers | ({} if value is None else {"Authorization": value})

    return build


def _body(raw: bytes) -> Attack:
    return lambda activity, token: (raw, _headers(token))


def _insert(text: str) -> Attack:
    """A sound activity with a bit of bad JSON put in front."""
    return lambda a, t: (("{" + text + "," + json.dumps(a)[1:]).encode(), _headers(t))


def _header(name: str, value: str) -> Attack:
    return lambda a, t: (json.dumps(a).encode(), _headers(t) | {name: value})


def _part(value: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _swapped(activity: Json, token: str) -> Sent:
    """Claims changed after signing."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return json.dumps(activity).encode(), _headers(f"{head}.{_part(claims | {'extra': 1})}.{signature}")


# What the channel itself would sign and send: `raw` over the activity, `sign` for the token.
Wish = Mapping[str, Any]
_STS, _LOGIN = "https://sts.windows.net/", "https://login.microsoftonline.com/"


def _claims(**claims: Any) -> Wish:
    return {"sign": {"claims": claims}}


def _both(url: str) -> Wish:
    """Claim and body agree on a bad address."""
    return {"raw": {"serviceUrl": url}, "sign": {"claims": {"serviceurl": url}}}


def _now() -> int:
    return int(time.time())


SIGNED: dict[str, tuple[int, Wish]] = {
    "A1 no token": (401, {"sign": False}),
    "A3 none": (401, {"sign": {"alg": "none"}}),
    "A3 HS256 with the public key": (401, {"sign": {"alg": "HS256"}}),
    "A3 RS384": (401, {"sign": {"alg": "RS384"}}),
    "A3 PS256": (401, {"sign": {"alg": "PS256"}}),
    "A3 critical extension": (401, {"sign": {"headers": {"crit": ["b64"]}}}),
    "A4 unknown kid": (401, {"sign": {"kid": "nobody"}}),
    "A4 no kid": (401, {"sign": {"kid": ""}}),
    "A5 known kid, other key": (401, {"sign": {"key": "stranger", "kid": "current"}}),
    "A6 other audience": (401, _claims(aud=OTHER)),
    "A6 connector audience": (401, _claims(aud="https://api.botframework.com")),
    "A6 no audience": (401, _claims(aud=None)),
    "A7 emulator v3.1": (401, _claims(iss=_STS + "d6d49420-f39b-4df7-a1dc-d59a935871db/")),
    "A7 emulator v3.2": (401, _claims(iss=_LOGIN + "d6d49420-f39b-4df7-a1dc-d59a935871db/v2.0")),
    "A7 emulator v1": (401, _claims(iss=_STS + "f8cdef31-a31e-4b4a-93e4-5f571e91255a/")),
    "A7 Microsoft's tenant": (401, _claims(iss=_STS + "72f988bf-86f1-41af-91ab-2d7cd011db47/")),
    "A7 gov emulator": (401, _claims(iss=_STS + "cab8a31a-1906-4287-a0d8-4eef66b95f6e/")),
    "A7 gov channel": (401, _claims(iss="https://api.botframework.us")),
    "A8 no exp": (401, _claims(exp=None)),
    "A8 no nbf": (401, _claims(nbf=None)),
    "A9 another address than claimed": (401, {"raw": {"serviceUrl": "http://127.0.0.1:9/other/"}}),
    "A10 no serviceUrl": (401, {"raw": {"serviceUrl": None}}),
    "A11 no claim": (401, _claims(serviceurl=None)),
    "A12 both say evil": (401, _both("https://evil.example/")),
    "A13 user in the address": (401, _both("https://127.0.0.1@evil.example/")),
    "A13 no scheme": (401, _both("//127.0.0.1/teams/")),
    "A13 look-alike": (401, _both("https://smba.traff\u0456cmanager.net/")),
    "A13 trailing dot": (401, _both("https://127.0.0.1./teams/")),
    "A13 query": (401, _both("https://127.0.0.1/?x=")),
    "A13 real host in a loopback house": (401, _both("https://smba.trafficmanager.net/teams/")),
    "A14 webchat": (401, {"raw": {"channelId": "webchat"}}),
    "A14 directline": (401, {"raw": {"channelId": "directline"}}),
    "A14 emulator": (401, {"raw": {"channelId": "emulator"}}),
    "A14 absent": (401, {"raw": {"channelId": None}}),
    "A14 unendorsed key": (401, {"sign": {"key": "unendorsed"}}),
    "A15 conversation of another tenant": (403, {"raw": {"conversation": {"tenantId": OTHER}}}),
    "A15 channelData of another tenant": (403, {"raw": {"channelData": {"tenant": {"id": OTHER}}}}),
    "A15 both of another tenant": (
        403,
        {"raw": {"conversation": {"tenantId": OTHER}, "channelData": {"tenant": {"id": OTHER}}}},
    ),
    "A15 no tenant": (403, {"raw": {"conversation": {"tenantId": None}, "channelData": {"tenant": None}}}),
    "A19 no type": (400, {"raw": {"type": None}}),
    "A19 type a number": (400, {"raw": {"type": 7}}),
    "A19 text a list": (400, {"raw": {"text": ["help"]}}),
    "B5 no object id": (403, {"raw": {"from": {"aadObjectId": None}}}),
    "B5 object id a name": (403, {"raw": {"from": {"aadObjectId": "olivia"}}}),
    "B5 nobody's object id": (403, {"raw": {"from": {"aadObjectId": "0" * 8 + "-0000-0000-0000-" + "0" * 12}}}),
}
TIMED: dict[str, Callable[[], Wish]] = {
    "A8 expired ten minutes ago": lambda: _claims(exp=_now() - 600),
    "A8 expired four minutes ago": lambda: _claims(exp=_now() - 240),
    "A8 not yet": lambda: _claims(nbf=_now() + 600),
}
RAW: dict[str, tuple[tuple[int, ...], Attack]] = {
    "A2 empty bearer": ((401,), _authorization("Bearer ")),
    "A2 one word": ((401,), _authorization("Bearer abc")),
    "A2 three letters": ((401,), _authorization("Bearer a.b.c")),
    "A2 basic": ((401,), _authorization("Basic dTpw")),
    "A5 claims swapped after signing": ((401,), _swapped),
    "A17 2 MiB": ((413,), _body(b'{"a":"' + b"x" * 2 * 1024 * 1024 + b'"}')),
    "A18 100,000 deep": ((400,), _body(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    "A18 very many keys": ((413,), _body(b"{" + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}")),
    "A18 many keys": ((400,), _body(b"{" + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}")),
    "A18 the same key twice": ((400,), _insert('"type":"invoke"')),
    "A18 NaN": ((400,), _insert('"x":NaN')),
    "A18 lone surrogate": ((400,), _insert('"x":"\\ud800"')),
    "A18 not UTF-8": ((400,), _body(b'{"type":"\xff"}')),
    "A18 empty": ((400,), _body(b"")),
    "A19 list": ((400,), _body(b"[]")),
    "A19 null": ((400,), _body(b"null")),
    "A19 text": ((400,), _body(b'"x"')),
    "no content type": ((415,), _header("Content-Type", "application/octet-stream")),
    "gzip": ((415,), _header("Content-Encoding", "gzip")),
    "forwarded": ((403,), _header("X-Forwarded-For", "203.0.113.9")),
}


async def _untouched(stage: Stage, statuses: tuple[int, ...]) -> None:
    """Nothing came of it, and the next honest message is answered."""
    lines = [line for line in stage.log_lines() if "refused" in line["message"]]
    assert [line["status"] in statuses for line in lines] == [True]
    text = stage.log.getvalue()
    assert "eyJ" not in text
    assert "Traceback" not in text
    assert not any("error" in line for line in lines)
    assert stage.oid("olivia") not in json.dumps(lines)
    assert [each for each in await stage.sent() if each["body"]] == []
    assert await stage.audit_names() == []
    assert "What you can do here" in await stage.ask("olivia", "help")
    await stage.ends_with()


@pytest.mark.parametrize("name", [*SIGNED, *TIMED])
async def test_a_forged_request_is_refused_and_leaves_nothing(name: str, stage: Stage) -> None:
    """A forged token or a wrong envelope is answered with its status; a command inside it does nothing."""
    status, wish = SIGNED[name] if name in SIGNED else (401, TIMED[name]())
    answer = await stage.say("olivia", TYPED, show=False, **wish)
    assert answer["status"] == status
    assert not answer["body"]
    await _untouched(stage, (status,))


@pytest.mark.parametrize("name", RAW)
async def test_a_hostile_body_or_header_is_refused_and_leaves_nothing(name: str, stage: Stage) -> None:
    """Bytes that are no sound activity are answered with their status and go no further."""
    statuses, attack = RAW[name]
    honest = await stage.dry("olivia", TYPED)
    body, headers = attack(honest["activity"], honest["token"])
    assert await stage.post(body, headers) in statuses
    await _untouched(stage, statuses)


async def test_a_second_authorization_header_is_refused(stage: Stage) -> None:
    """A2: two Authorization headers, one of them sound."""
    honest = await stage.dry("olivia", TYPED)
    headers = [
        ("Content-Type", "application/json"),
        ("Authorization", f"Bearer {honest['token']}"),
        ("Authorization", "Bearer x"),
    ]
    async with stage.http.post(stage.bot_url, json=honest["activity"], headers=headers) as answer:
        assert answer.status in (400, 401)
    await stage.ends_with()


async def test_a_thousand_unknown_keys_cost_one_look_at_the_key_document(stage: Stage) -> None:
    """A4: a thousand tokens with random key ids are refused, with at most one fetch in that minute."""
    honest = await stage.dry("olivia", TYPED)
    body = json.dumps(honest["activity"]).encode()
    _, claims, signature = honest["token"].split(".")
    stage.clock.pass_by(minutes=2)
    before = (await stage.anywhere("GET", "keys"))["fetches"]
    statuses = set()
    for number in range(1000):
        header = _part({"typ": "JWT", "alg": "RS256", "kid": f"random-{number}"})
        statuses.add(await stage.post(body, _headers(f"{header}.{claims}.{signature}")))
    assert statuses == {401}
    assert (await stage.anywhere("GET", "keys"))["fetches"] - before <= 2  # one fetch is two documents
    await stage.ends_with()


async def test_an_unknown_type_is_answered_and_ignored(stage: Stage) -> None:
    """A19: a genuine activity of a type that we do not know gets 200 and nothing else."""
    answer = await stage.say("olivia", TYPED, show=False, raw={"type": "somethingNew"})
    assert answer["status"] == 200
    assert await stage.from_bot("olivia") == []
    await stage.ends_with()


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "UPGRADE"])
async def test_only_post_is_served(verb: str, stage: Stage) -> None:
    """A20: any other method gets 405, also with a sound token, also as a WebSocket upgrade."""
    honest = await stage.dry("olivia", TYPED)
    headers = _headers(honest["token"])
    if verb == "UPGRADE":
        key = "x3JJHMbDL1EzLkh9GBhXDw=="
        headers |= {"Connection": "Upgrade", "Upgrade": "websocket"}
        headers |= {"Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
    body = b"" if verb == "UPGRADE" else json.dumps(honest["activity"]).encode()
    assert await stage.post(body, headers, "GET" if verb == "UPGRADE" else verb) == 405
    await stage.ends_with()


BASE = {
    "MicrosoftAppId": "11111111-2222-4333-8444-555555555555",
    "MicrosoftAppTenantId": "aaaaaaaa-2222-4333-8444-555555555555",
    "MicrosoftAppPassword": "a-secret-of-the-test",
}
UNSAFE = {
    "no app id": ({"MicrosoftAppId": ""}, "MicrosoftAppId"),
    "no secret": ({"MicrosoftAppPassword": ""}, "MicrosoftAppPassword"),
    "multi-tenant": ({"MicrosoftAppType": "MultiTenant"}, "MicrosoftAppType"),
    "loopback allowed on all interfaces": ({"ALLOW_LOOPBACK": "true", "HOST": "0.0.0.0"}, "HOST"),  # noqa: S104
    "a loopback Graph in production": ({"GRAPH_BASE_URL": "http://127.0.0.1:9/"}, "GRAPH_BASE_URL"),
}


@pytest.mark.parametrize("name", UNSAFE)
async def test_an_unsafe_configuration_does_not_start(name: str, tmp_path: Path) -> None:
    """A16: the process ends with 78 at once and names the setting."""
    changed, named = UNSAFE[name]
    (tmp_path / "policy.toml").write_text("", encoding="utf-8")
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(ROOT / "app.py"), "serve"],
        cwd=tmp_path,
        env={**kept, **BASE, **changed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78
    assert named in done.stderr
    assert "a-secret-of-the-test" not in done.stdout + done.stderr


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
        async with stage.http.post(stage.bot_url, data=endless(), headers=_headers(honest["token"])) as answer:
            assert answer.status == 413
    except aiohttp.ClientError:
        pass  # cut off: as good
    assert sent < 16 * 1024 * 1024
    await stage.ends_with()


async def test_ten_thousand_headers_are_refused(stage: Stage) -> None:
    """A17: a head without end is answered 400 or 431, or cut."""
    honest = await stage.dry("olivia", TYPED)
    headers = _headers(honest["token"]) | {f"X-{n}": "x" for n in range(10_000)}
    try:
        assert await stage.post(json.dumps(honest["activity"]).encode(), headers) in (400, 431)
    except aiohttp.ClientError:
        pass
    assert "What you can do here" in await stage.ask("olivia", "help")
    await stage.ends_with()


async def test_good_traffic_is_served_beside_two_hundred_idle_sockets(
    stage: Stage, record_property: Callable[[str, object], None]
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
    record_property("p95_seconds_beside_idle_sockets", round(p95, 4))
    assert p95 < 0.5
    await stage.ends_with()


async def test_deep_and_wide_bodies_cost_no_memory(stage: Stage) -> None:
    """A18: hostile JSON does not make the process grow by 20 MB."""
    honest = await stage.dry("olivia", TYPED)
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    await stage.post(deep, _headers(honest["token"]))
    before = _resident()
    for _ in range(20):
        assert await stage.post(deep, _headers(honest["token"])) == 400
    assert _resident() - before < 20 * 1024 * 1024


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_the_same_bytes_again_have_no_second_effect(stage: Stage) -> None:
    """A21: captured requests, posted again inside their token's life, are answered and absorbed."""
    typed = await stage.dry("olivia", TYPED)
    for _ in range(3):
        assert await stage.post(json.dumps(typed["activity"]).encode(), _headers(typed["token"])) == 201
    assert (await stage.audit_names()).count("change:mobile:previewed") == 1
    submit = await stage.click("olivia", "Submit for approval", dry=True)
    for _ in range(3):
        assert await stage.post(json.dumps(submit["activity"]).encode(), _headers(submit["token"])) == 200
    approve = await stage.click("marta", "Approve", dry=True)
    body, headers = json.dumps(approve["activity"]).encode(), _headers(approve["token"])
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
    assert await stage.post(body, _headers(honest["token"])) == 201
    assert await stage.post(body, _headers(honest["token"] + "x")) == 401
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
        answer = await stage.say("olivia", "help", sign={"kid": "nobody", "claims": stage._claims_now()})
        assert answer["status"] == 401
        assert (await stage.say("olivia", "help"))["status"] == 201
    finally:
        await stage.anywhere("POST", "keys/fault", {})
    await stage.ends_with()


async def test_a_hanging_metadata_host_does_not_stop_the_process(
    stage: Stage, record_property: Callable[[str, object], None]
) -> None:
    """A23: during a 3 s hang 95 of 100 /healthz answers take under 50 ms and none over 500 ms."""
    health = stage.bot_url.replace("/api/messages", "/healthz")
    await stage.anywhere("POST", "keys/fault", {"kind": "status", "seconds": 3.0})
    try:
        stage.clock.pass_by(minutes=2)
        claims = stage._claims_now()
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
    record_property("healthz_slowest_seconds", round(max(seconds), 4))
    assert sorted(seconds)[94] < 0.05
    assert max(seconds) < 0.5


async def test_a_new_signing_key_works_on_its_first_message(stage: Stage) -> None:
    """A23: after a roll-over the first message is let in, unless the last look was less than a minute ago."""
    await stage.anywhere("POST", "keys/rotate", {})
    assert (await stage.say("olivia", "help", show=False))["status"] == 401
    stage.clock.pass_by(seconds=61)
    assert "What you can do here" in await stage.ask("olivia", "help")
    assert (await stage.say("olivia", "help", sign={"key": "previous", "claims": stage._claims_now()}))[
        "status"
    ] == 201


@pytest.mark.parametrize("scope", ["groupChat", "channel"])
async def test_elsewhere_than_in_the_own_chat_nothing_is_told_or_kept(scope: str, stage: Stage) -> None:
    """A24: in a group chat or a channel the bot answers politely where to go; it stores and reveals nothing."""
    said = await stage.ask("olivia", "show alice", scope=scope)
    assert "Please write to me in our own chat" in said
    assert "usage.personal-chat-only" in said
    assert "Alice" not in said
    await stage.say("olivia", TYPED, scope=scope)
    assert await stage.audit_names() == []
    assert await stage.parts.store.conversation(stage.oid("olivia")) is None
    assert [r for r in await stage.requests() if "authentication" in r["path"]] == []
    await stage.ends_with()
