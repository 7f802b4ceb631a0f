"""Group A of the security sheet, with the whole bot behind the door: who may speak to us at all.

Every row: refused with its status, nothing answered in Teams, nothing stored, nothing written, one log line
without content, token or stack trace, and honest traffic is served right afterwards.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from stage import Stage

Json = dict[str, Any]
Sent = tuple[bytes, dict[str, str]]
Attack = Callable[[Json, str], Sent]
ROOT = Path(__file__).resolve().parents[2]
OTHER = "99999999-9999-4999-8999-999999999999"
TYPED = "set mobile for alice to +1 206 555 0100 because lost phone INC1234"


def bearer(token: str | None) -> dict[str, str]:
    return {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})


def _authorization(value: str | None) -> Attack:
    """The sound activity with another Authorization header."""

    def build(activity: Json, token: str) -> Sent:
        headers = {"Content-Type": "application/json"}
        return json.dumps(activity).encode(), headers | ({} if value is None else {"Authorization": value})

    return build


def _body(raw: bytes) -> Attack:
    return lambda activity, token: (raw, bearer(token))


def _insert(text: str) -> Attack:
    """A sound activity with a bit of bad JSON put in front."""
    return lambda a, t: (("{" + text + "," + json.dumps(a)[1:]).encode(), bearer(t))


def _header(name: str, value: str) -> Attack:
    return lambda a, t: (json.dumps(a).encode(), bearer(t) | {name: value})


def _part(value: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _swapped(activity: Json, token: str) -> Sent:
    """Claims changed after signing."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return json.dumps(activity).encode(), bearer(f"{head}.{_part(claims | {'extra': 1})}.{signature}")


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
    "B5 nobody's object id": (
        403,
        {"raw": {"from": {"aadObjectId": "0" * 8 + "-0000-0000-0000-" + "0" * 12}}},
    ),
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
        statuses.add(await stage.post(body, bearer(f"{header}.{claims}.{signature}")))
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
    headers = bearer(honest["token"])
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
