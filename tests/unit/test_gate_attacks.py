"""Hostile requests at the front door, over HTTP: each gets its answer and none reaches the bot."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fake_channel import ALICE, APP, OTHER_TENANT, TENANT, House, house, jwk, private_key

Attack = Callable[[House], dict[str, Any]]


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _unsigned(house: House, alg: str) -> str:
    return f"{_part({'alg': alg, 'kid': 'k1', 'typ': 'JWT'})}.{_part(house.claims())}."


def _hmac_with_public_key(house: House) -> str:
    import hashlib
    import hmac

    pem = private_key("k1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{_part({'alg': 'HS256', 'kid': 'k1'})}.{_part(house.claims())}"
    mac = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _crit(house: House) -> str:
    return jwt.encode(
        house.claims(), private_key("k1"), algorithm="RS256", headers={"kid": "k1", "crit": ["b64"]}
    )


def _no_kid(house: House) -> str:
    return jwt.encode(house.claims(), private_key("k1"), algorithm="RS256")


def _tampered(house: House) -> str:
    head, _, signature = house.token().split(".")
    return f"{head}.{_part(house.claims(aud=APP, extra=1))}.{signature}"


def _url(address: str) -> Attack:
    """Claim and body agree on a bad address."""
    return lambda h: {"token": h.token(serviceurl=address), "body": h.activity(serviceUrl=address)}


def _body(**changes: Any) -> Attack:
    return lambda h: {"body": h.activity(**changes)}


def _token(**changes: Any) -> Attack:
    return lambda h: {"token": h.token(**changes)}


def _raw(body: bytes) -> Attack:
    return lambda h: {"body": body}


def _insert(text: str) -> Attack:
    """A sound activity with a bit of bad JSON put in front."""
    return lambda h: {"body": ("{" + text + "," + json.dumps(h.activity())[1:]).encode()}


def _header(name: str, value: str) -> Attack:
    return lambda h: {"headers": {name: value}}


def _of(**changes: Any) -> dict[str, Any]:
    return {"conversationType": "personal", "tenantId": TENANT, "id": "a:conv", **changes}


def _long_ago(h: House, **delta: float) -> int:
    from datetime import timedelta

    return int((h.clock.now() - timedelta(**delta)).timestamp())


_STS = "https://sts.windows.net/"
_LOGIN = "https://login.microsoftonline.com/"

ATTACKS: dict[str, tuple[int, Attack]] = {
    "A1 no authorization": (401, _header("Authorization", "")),
    "A2 empty bearer": (401, _header("Authorization", "Bearer ")),
    "A2 one word": (401, _header("Authorization", "Bearer abc")),
    "A2 three letters": (401, _header("Authorization", "Bearer a.b.c")),
    "A2 basic": (401, _header("Authorization", "Basic dTpw")),
    "A2 too long": (401, lambda h: {"token": "a" * 7000}),
    "A2 not ascii": (401, lambda h: {"headers": {"Authorization": "Bearer \u00e9.\u00e9.\u00e9"}}),
    "A2 padded parts": (401, lambda h: {"token": h.token() + "="}),
    "A3 alg none": (401, lambda h: {"token": _unsigned(h, "none")}),
    "A3 alg RS256 without signature": (401, lambda h: {"token": _unsigned(h, "RS256")}),
    "A3 HS256 with the public key": (401, lambda h: {"token": _hmac_with_public_key(h)}),
    "A3 critical extension": (401, lambda h: {"token": _crit(h)}),
    "A4 unknown kid": (401, lambda h: {"token": h.token("k1", kid="nobody")}),
    "A4 no kid": (401, lambda h: {"token": _no_kid(h)}),
    "A5 known kid, other key": (401, lambda h: {"token": h.token("other", kid="k1")}),
    "A5 claims swapped after signing": (401, lambda h: {"token": _tampered(h)}),
    "A6 other audience": (401, _token(aud=TENANT)),
    "A6 audience list": (401, _token(aud=[APP])),
    "A6 no audience": (401, _token(aud=None)),
    "A6 connector audience": (401, _token(aud="https://api.botframework.com")),
    "A7 emulator v3.1": (401, _token(iss=_STS + "d6d49420-f39b-4df7-a1dc-d59a935871db/", appid=APP)),
    "A7 emulator v3.2": (401, _token(iss=_LOGIN + "d6d49420-f39b-4df7-a1dc-d59a935871db/v2.0", appid=APP)),
    "A7 emulator v1": (401, _token(iss=_STS + "f8cdef31-a31e-4b4a-93e4-5f571e91255a/", appid=APP)),
    "A7 microsoft tenant": (401, _token(iss=_STS + "72f988bf-86f1-41af-91ab-2d7cd011db47/", appid=APP)),
    "A7 gov emulator": (401, _token(iss=_STS + "cab8a31a-1906-4287-a0d8-4eef66b95f6e/", appid=APP)),
    "A7 gov channel": (401, _token(iss="https://api.botframework.us")),
    "A7 no issuer": (401, _token(iss=None)),
    "A8 expired ten minutes ago": (401, lambda h: {"token": h.token(exp=_long_ago(h, minutes=10))}),
    "A8 expired four minutes ago": (401, lambda h: {"token": h.token(exp=_long_ago(h, minutes=4))}),
    "A8 not yet": (401, lambda h: {"token": h.token(nbf=_long_ago(h, minutes=-10))}),
    "A8 no exp": (401, _token(exp=None)),
    "A8 no nbf": (401, _token(nbf=None)),
    "A8 exp as text": (401, _token(exp="4102444800")),
    "A8 exp true": (401, _token(exp=True)),
    "A9 another address than claimed": (401, _body(serviceUrl="http://127.0.0.1:9/other/")),
    "A10 no serviceUrl": (401, _body(serviceUrl=None)),
    "A10 serviceUrl a number": (401, _body(serviceUrl=5)),
    "A11 no claim": (401, _token(serviceurl=None)),
    "A12 both say evil": (401, _url("https://evil.example/")),
    "A13 user in the address": (401, _url("https://smba.trafficmanager.net@evil.example/")),
    "A13 http": (401, _url("http://smba.trafficmanager.net/teams/")),
    "A13 no scheme": (401, _url("//smba.trafficmanager.net/teams/")),
    "A13 look-alike": (401, _url("https://smba.traff\u0456cmanager.net/")),
    "A13 punycode": (401, _url("https://xn--smba-5ve.trafficmanager.net/")),
    "A13 trailing dot": (401, _url("https://smba.trafficmanager.net./")),
    "A13 odd port": (401, _url("https://smba.trafficmanager.net:8443/")),
    "A13 backslash": (401, _url("https://evil.example\\@smba.trafficmanager.net/")),
    "A13 suffix": (401, _url("https://smba.trafficmanager.net.evil.example/")),
    "A13 query": (401, _url("https://smba.trafficmanager.net/?x=")),
    "A13 bad port": (401, _url("https://smba.trafficmanager.net:99999999/")),
    "A13 loopback by another spelling": (401, _url("http://127.1/teams/")),
    "A14 webchat": (401, _body(channelId="webchat")),
    "A14 directline": (401, _body(channelId="directline")),
    "A14 emulator": (401, _body(channelId="emulator")),
    "A14 absent": (401, _body(channelId=None)),
    "A14 other case": (401, _body(channelId="MSTeams")),
    "A15 another tenant": (403, _body(conversation=_of(tenantId=OTHER_TENANT), channelData=None)),
    "A15 two tenants": (403, _body(conversation=_of(tenantId=OTHER_TENANT))),
    "A15 no tenant": (403, _body(conversation=_of(tenantId=None), channelData={})),
    "A15 tenant no GUID": (403, _body(conversation=_of(tenantId="contoso"), channelData=None)),
    "A15 tenant a list": (403, _body(channelData={"tenant": {"id": [TENANT]}})),
    "A15 tenant a word": (403, _body(channelData={"tenant": TENANT + "x"})),
    "A17 2 MiB": (413, _raw(b'{"a":"' + b"x" * 2 * 1024 * 1024 + b'"}')),
    "A18 100,000 deep": (400, _raw(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    "A18 deep behind strings": (400, _raw(b'{"\\"[":' + b'{"a":' * 60 + b"1" + b"}" * 61)),
    "A18 250,000 brackets": (400, _raw(b"[]" * 125_000)),
    "A18 escaped quotes": (400, _raw(b'{"' + b'\\"' * 120_000)),
    "A18 many keys": (400, _raw(b"{" + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}")),
    "A18 the same key twice": (400, _insert('"type":"invoke"')),
    "A18 the same key twice, inside": (400, _insert('"x":{"a":1,"a":2}')),
    "A18 the same key, escaped": (400, _insert('"x":{"a":1,"\\u0061":2}')),
    "A18 NaN": (400, _insert('"x":NaN')),
    "A18 infinity": (400, _insert('"x":1e999')),
    "A18 lone surrogate": (400, _insert('"x":"\\ud800"')),
    "A18 not UTF-8": (400, _raw(b'{"type":"\xff"}')),
    "A18 UTF-16": (400, lambda h: {"body": json.dumps(h.activity()).encode("utf-16")}),
    "A18 byte order mark": (400, _raw(b"\xef\xbb\xbf{}")),
    "A18 empty": (400, _raw(b"")),
    "A18 half": (400, _raw(b'{"type":')),
    "A19 list": (400, _raw(b"[]")),
    "A19 null": (400, _raw(b"null")),
    "A19 text": (400, _raw(b'"x"')),
    "A19 no type": (400, _body(type=None)),
    "A19 type a number": (400, _body(type=7)),
    "A19 from a list": (400, lambda h: {"body": h.activity(**{"from": []})}),
    "A19 conversation a text": (400, _body(conversation="a:conv")),
    "A19 no conversation id": (400, _body(conversation=_of(id=None))),
    "A19 text a list": (400, _body(text=["hello"])),
    "A19 bad timestamp": (400, _body(timestamp="yesterday")),
    "A19 entities no objects": (400, _body(entities=["mention"])),
    "A19 attachments an object": (400, _body(attachments={"a": 1})),
    "B5 no object id": (403, lambda h: {"body": h.activity(**{"from": {"id": "29:x"}})}),
    "B5 object id no GUID": (
        403,
        lambda h: {"body": h.activity(**{"from": {"id": "29:x", "aadObjectId": "alice"}})},
    ),
    "B5 nil object id": (
        403,
        lambda h: {
            "body": h.activity(
                **{"from": {"id": "29:x", "aadObjectId": "00000000-0000-0000-0000-000000000000"}}
            )
        },
    ),
    "B5 invoke without sender": (
        403,
        lambda h: {"body": h.activity(type="invoke", name="task/fetch", **{"from": None})},
    ),
    "no content type": (415, _header("Content-Type", "application/octet-stream")),
    "form": (415, _header("Content-Type", "application/x-www-form-urlencoded")),
    "JSON in Latin-1": (415, _header("Content-Type", "application/json; charset=latin-1")),
    "JSON-like": (415, _header("Content-Type", "application/jsonp")),
    "gzip": (415, _header("Content-Encoding", "gzip")),
    "through a proxy, in loopback mode": (403, _header("X-Forwarded-For", "203.0.113.9")),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_hostile_request_gets_its_answer_and_never_reaches_the_bot(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Every hostile request is refused with its status, in one log line without content, and goes no
    further.
    """
    status, attack = ATTACKS[name]
    hosts = frozenset({"127.0.0.1", "smba.trafficmanager.net"})
    async with house(service_hosts=hosts) as home:
        request = attack(home)
        with caplog.at_level(logging.INFO, logger="bot"):
            answer, body = await home.post(**request)
        assert answer == status
        assert body == b""
        assert home.bot.turns == []
        assert home.connector.calls == []
    lines = [record for record in caplog.records if record.name.startswith("bot.teams")]
    assert [line.status for line in lines] == [status]  # type: ignore[attr-defined]
    assert lines[0].exc_info is None
    said = json.dumps({name: str(value) for name, value in lines[0].__dict__.items()})
    assert "hello" not in said
    assert ALICE not in said
    assert "eyJ" not in said


async def test_the_sound_request_of_the_table_is_let_in() -> None:
    """The request that all attacks are made from reaches the bot, which answers in the conversation."""
    async with house() as home:
        assert await home.post() == (201, b"")
        assert [turn.text for turn in home.bot.turns] == ["hello"]
        [(method, path, sent)] = home.connector.calls
        assert (method, path) == ("POST", "/teams/v3/conversations/a%3Aconv/activities/1700000000001")
        assert sent["text"] == "echo: hello"
        assert home.connector.tokens == ["Bearer outgoing-token"]


@pytest.mark.parametrize("endorsements", [[], ["webchat", "directline"], ["MSTEAMS"]])
async def test_a_key_that_may_not_speak_for_teams_is_refused(endorsements: list[str]) -> None:
    """A14: a sound signature by a key that is not endorsed for Teams is worth nothing."""
    async with house() as home:
        home.metadata.keys = [jwk("k1"), jwk("web", endorsements)]
        home.clock.pass_(minutes=2)
        assert (await home.post(token=home.token("web")))[0] == 401
        assert home.bot.turns == []


async def test_a_second_authorization_header_is_refused() -> None:
    """A2: two Authorization headers, one of them sound, are refused."""
    async with house() as home:
        headers = [
            ("Content-Type", "application/json"),
            ("Authorization", f"Bearer {home.token()}"),
            ("Authorization", "Bearer x"),
        ]
        async with home.session.post(home.url, json=home.activity(), headers=headers) as answer:
            assert answer.status in (400, 401)
        assert home.bot.turns == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"])
async def test_only_post_is_answered(method: str) -> None:
    """A20: any other method gets 405, also with a sound token and also as a WebSocket upgrade."""
    async with house() as home:
        headers = {
            "Authorization": f"Bearer {home.token()}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
            "Sec-WebSocket-Version": "13",
        }
        async with home.session.request(method, home.url, headers=headers) as answer:
            assert answer.status == 405
            assert "Server" not in answer.headers
        assert home.bot.turns == []


async def test_a_sound_request_from_elsewhere_is_refused_in_production_rules_only_by_its_address() -> None:
    """Without loopback permission the loopback address is just another host that is not on the list."""
    async with house(allow_loopback=False, service_hosts=frozenset({"smba.trafficmanager.net"})) as home:
        assert (await home.post())[0] == 401
        url = "https://smba.trafficmanager.net/amer/"
        activity = home.activity(type="typing", serviceUrl=url)
        assert (await home.post(activity, home.token(serviceurl=url.rstrip("/"))))[0] == 201
        assert [turn.type for turn in home.bot.turns] == ["typing"]
