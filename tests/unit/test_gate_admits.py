"""What the gate lets in, what it ignores, what it hands on, and how it reads a body."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from fake_channel import ALICE, TENANT, House, house

from bot.teams.activity_rules import guid
from bot.teams.gate import Admitted, GateRules, explain
from bot.teams.turn import admitted


async def _verdict(home: House, body: dict[str, Any]) -> Admitted:
    seen: list[Admitted] = []

    async def keep(context: Any) -> None:
        seen.append(admitted(context))

    home.bot.on_message = keep
    assert (await home.post(body))[0] == 201
    return seen[0]


async def test_the_turn_knows_who_where_and_the_hash_of_the_body() -> None:
    """A handler gets tenant, sender and the sha256 of the raw body from the gate."""
    async with house() as home:
        body = home.activity()
        verdict = await _verdict(home, body)
        assert (verdict.tenant_id, verdict.sender) == (TENANT, ALICE)
        assert verdict.body_hash == hashlib.sha256(json.dumps(body).encode()).hexdigest()


async def test_an_object_id_in_capitals_and_braces_is_the_same_person() -> None:
    """B8: however the id is written, the bot sees its one normal form."""
    async with house() as home:
        body = home.activity(
            **{"from": {"id": "29:a", "aadObjectId": "{" + ALICE.upper() + "}"}},
            channelData={"tenant": {"id": TENANT.upper()}},
        )
        verdict = await _verdict(home, body)
        assert (verdict.sender, verdict.tenant_id) == (ALICE, TENANT)
        assert home.bot.turns[0].from_property.aad_object_id == ALICE


@pytest.mark.parametrize(
    "where",
    [
        {"channelData": None},
        {"channelData": {}},
        {"conversation": {"id": "a:conv"}},
        {"conversation": {"id": "a:conv", "tenantId": None}},
    ],
)
async def test_one_place_for_the_tenant_is_enough(where: dict[str, Any]) -> None:
    """Teams does not always fill both places."""
    async with house() as home:
        assert (await home.post(home.activity(**where)))[0] == 201


async def test_one_trailing_slash_makes_no_difference_and_two_do() -> None:
    """serviceUrl and claim are compared after one trailing slash is cut."""
    async with house() as home:
        bare = home.connector.url.rstrip("/")
        assert (await home.post(token=home.token(serviceurl=bare)))[0] == 201
        assert (await home.post(token=home.token(serviceurl=bare + "//")))[0] == 401


@pytest.mark.parametrize("minutes", [0.5, -0.5])
async def test_clocks_may_differ_by_a_minute(minutes: float) -> None:
    """Half a minute past the end, or before the beginning, is still accepted."""
    async with house() as home:
        now = home.clock.now().timestamp()
        edge = {"exp": now - 30} if minutes > 0 else {"nbf": now + 30}
        assert (await home.post(token=home.token(**edge)))[0] == 201


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"type": "somethingNew"}, False),
        ({"type": "typing", "from": None}, False),
        ({"type": "messageReaction", "from": {"id": "29:x"}}, False),
        ({"type": "event", "from": {"id": "29:x"}}, False),
        ({"type": "installationUpdate", "action": "add", "from": None}, True),
        ({"type": "conversationUpdate", "from": {"id": "29:x"}}, True),
        ({"type": "messageReaction"}, True),
    ],
)
async def test_what_means_nothing_is_answered_200_and_dropped(changes: dict[str, Any], seen: bool) -> None:
    """Unknown types and senderless noise get 200 and no turn; install and roster updates get through."""
    async with house() as home:
        status, body = await home.post(home.activity(**changes))
        assert (status, body) == ((201 if seen else 200), b"")
        assert len(home.bot.turns) == int(seen)


async def _raw(home: House, head: str, *chunks: bytes) -> bytes:
    """Send bytes by hand and return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(
        (
            "POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {home.token()}\r\n{head}\r\n\r\n"
        ).encode()
    )
    for chunk in chunks:
        writer.write(chunk)
    line = await reader.readline()
    writer.close()
    return line


async def test_a_chunked_body_without_end_is_cut_off() -> None:
    """A17: a body that never says its length is refused as soon as it is too large."""
    async with house(max_body=4096) as home:
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        assert b" 413 " in await _raw(home, "Transfer-Encoding: chunked", *([chunk] * 8))
        assert home.bot.turns == []


async def test_a_body_that_does_not_come_is_given_up() -> None:
    """A body must arrive within its limit (5 seconds, shorter here)."""
    async with house(body_seconds=0.05) as home:
        assert b" 400 " in await _raw(home, "Content-Length: 500", b'{"type":')
        assert home.bot.turns == []


async def test_a_broken_chunk_is_bad_input() -> None:
    """A chunk size that is no number is 400, not an internal error."""
    async with house() as home:
        assert b" 400 " in await _raw(home, "Transfer-Encoding: chunked", b"zz\r\n{}\r\n")


async def test_a_body_without_token_is_not_even_read() -> None:
    """Whoever has no token gets the answer before the body is sent."""
    async with house() as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(
            b"POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n"
        )
        assert b" 401 " in await reader.readline()
        writer.close()


async def test_a_refusal_is_counted_by_rule() -> None:
    """Operators can see which rule refuses how much."""
    async with house() as home:
        await home.post(token="x")
        await home.post(home.activity(channelId="webchat"))
        assert home.counts == [("gate_refusals", "token.bearer"), ("gate_refusals", "activity.channel")]


def _rules() -> GateRules:
    return GateRules(
        app_id="app", tenant_ids=frozenset({TENANT}), issuer="iss", service_hosts=frozenset({"good.example"})
    )


def _recorded(**changes: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "channelId": "msteams",
        "serviceUrl": "https://good.example/",
        "conversation": {"id": "a:1", "tenantId": TENANT},
        "from": {"aadObjectId": ALICE},
        "text": "secret text",
        **changes,
    }


def test_explain_says_ok_for_every_rule_of_a_sound_recording() -> None:
    """With claims, every rule that can be judged from a recording is judged, and nothing is quoted."""
    claims = {"iss": "iss", "aud": "app", "serviceurl": "https://good.example", "exp": 100, "nbf": 0}
    lines = explain(json.dumps({"activity": _recorded(), "claims": claims}).encode(), _rules(), now=50.0)
    assert [line for line in lines if not line.endswith(": ok")] == [
        "token.signature: not checked (a recording holds no token)",
        "handling: ok (the bot would see it)",
    ]
    assert "secret" not in "".join(lines)


def test_explain_names_every_rule_that_says_no() -> None:
    """All refusals are listed, not only the first one, with status and reason."""
    bad = _recorded(channelId="webchat", serviceUrl="http://good.example/", **{"from": {}})
    lines = explain(bad, _rules(), {"iss": "other", "aud": "app"})
    refused = [line for line in lines if "refused" in line]
    assert [line.split(":")[0] for line in refused] == [
        "token.iss",
        "token.serviceurl",
        "activity.channel",
        "service-url.claim",
        "service-url.host",
        "sender",
    ]
    assert "service-url.host: refused with 401, not https" in lines


def test_explain_says_what_it_cannot_check() -> None:
    """Without claims, the token's rules and the comparison with it are named as not checked."""
    lines = explain(json.dumps(_recorded()).encode(), _rules())
    assert sum("not checked" in line for line in lines) == 7
    assert explain(b"[1]", _rules())[-1] == "json: refused with 400, not an object"
    ignored = explain(_recorded(type="somethingNew"), _rules())[-1]
    assert ignored == "handling: ignored with 200, a type of activity that means nothing to us"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (ALICE, ALICE),
        (ALICE.upper(), ALICE),
        ("{" + ALICE + "}", ALICE),
        (ALICE + "\n", None),
        (ALICE.replace("-", ""), None),
        ("00000000-0000-0000-0000-000000000000", None),
        (None, None),
        (5, None),
    ],
)
def test_guids_have_one_form(written: object, read: str | None) -> None:
    """Case and braces do not make another person."""
    assert guid(written) == read
