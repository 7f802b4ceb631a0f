"""Sending to Teams over HTTP: paths, ids, and which failure means what."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from botbuilder.schema import Activity
from fake_channel import ALICE, APP, TENANT, ConnectorHost

from bot.teams.connector import Connector, Connectors, SendLater, SendRefused, SendUnknown
from bot.teams.turn import TurnConnectors


async def _token() -> str:
    return "outgoing-token"


@contextlib.asynccontextmanager
async def _teams() -> AsyncIterator[tuple[ConnectorHost, Connector, aiohttp.ClientSession]]:
    host = ConnectorHost()
    await host.server.start_server()
    try:
        async with aiohttp.ClientSession() as session:
            yield host, Connector(session, host.url, _token, lambda url: True), session
    finally:
        await host.server.close()


async def test_calls_go_to_the_right_place_with_our_token() -> None:
    """Post, reply, update and delete use the REST paths, with ids encoded so that none can leave its
    place.
    """
    async with _teams() as (host, teams, _):
        assert await teams.send("a:1/../x", {"text": "hi"}) == "sent-1"
        await teams.send("19:x@thread.v2;messageid=1", {"text": "hi"}, reply_to="17")
        assert await teams.update("a:1", "17?x", {"text": "new"}) == "sent-3"
        await teams.delete("a:1", "17#")
        base = "/teams/v3/conversations"
        assert [(method, path) for method, path, _ in host.calls] == [
            ("POST", f"{base}/a%3A1%2F..%2Fx/activities"),
            ("POST", f"{base}/19%3Ax%40thread.v2%3Bmessageid%3D1/activities/17"),
            ("PUT", f"{base}/a%3A1/activities/17%3Fx"),
            ("DELETE", f"{base}/a%3A1/activities/17%23"),
        ]
        assert set(host.tokens) == {"Bearer outgoing-token"}


async def test_a_conversation_is_opened_by_object_id() -> None:
    """Creating a chat names tenant, bot and person, and uses the address Teams answers with."""
    async with _teams() as (host, teams, _):
        host.answers = [
            (201, {}, {"id": "a:new", "serviceUrl": "https://other.example/"}),
            (200, {}, {"id": "a:2"}),
        ]
        created = await teams.create_conversation(TENANT, f"28:{APP}", ALICE)
        assert (created.conversation_id, created.service_url) == ("a:new", "https://other.example/")
        assert (await teams.create_conversation(TENANT, f"28:{APP}", ALICE)).service_url == host.url
        assert host.calls[0][2] == {
            "isGroup": False,
            "bot": {"id": f"28:{APP}"},
            "members": [{"id": ALICE}],
            "tenantId": TENANT,
            "channelData": {"tenant": {"id": TENANT}},
        }


@pytest.mark.parametrize("status", [412, 429, 502, 503, 504])
async def test_what_teams_wants_later_is_named_later(status: int) -> None:
    """These five answers are worth another try, after the time that Teams names."""
    async with _teams() as (host, teams, _):
        host.answers = [(status, {"Retry-After": "7"}, {}), (status, {}, {})]
        with pytest.raises(SendLater) as caught:
            await teams.send("a:1", {})
        assert (caught.value.retry_after, caught.value.retryable) == (7.0, True)
        with pytest.raises(SendLater) as caught:
            await teams.send("a:1", {})
        assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Mon, 02 Mar 2026 09:01:30 GMT", 90.0),
        ("Mon, 02 Mar 2026 08:00:00 GMT", 0.0),
        ("999999", 3600.0),
        ("soon", None),
        ("-5", None),
    ],
)
async def test_retry_after_in_any_form(header: str, seconds: float | None) -> None:
    """A date counts from the answer's own date; nonsense counts as not said; an hour is the most we wait."""
    async with _teams() as (host, teams, _):
        host.answers = [(429, {"Retry-After": header, "Date": "Mon, 02 Mar 2026 09:00:00 GMT"}, {})]
        with pytest.raises(SendLater) as caught:
            await teams.send("a:1", {})
        assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body", "code", "sub_code"),
    [
        (403, {"error": {"code": "BotDisabledByAdmin", "message": "x"}}, "BotDisabledByAdmin", ""),
        (403, {"error": {"code": "Forbidden", "message": '{"subCode":"MessageWritesBlocked"}'}}, "Forbidden",
         "MessageWritesBlocked"),
        (404, {"error": {"code": "ConversationNotFound"}}, "ConversationNotFound", ""),
        (400, {"error": "Bad Argument"}, "", ""),
        (401, [], "", ""),
        (500, {"error": {"code": "call +1 206 555 0100"}}, "", ""),
        (302, {}, "", ""),
    ],
)  # fmt: skip
async def test_a_no_is_final_and_has_a_code(status: int, body: Any, code: str, sub_code: str) -> None:
    """Other answers are final; the codes are taken only when they look like codes."""
    async with _teams() as (host, teams, _):
        host.answers = [(status, {"Location": "https://evil.example/"}, body)]
        with pytest.raises(SendRefused) as caught:
            await teams.send("a:1", {})
        error = caught.value
        assert (error.status, error.code, error.sub_code) == (status, code, sub_code)
        assert not error.retryable
        assert len(host.calls) == 1


async def test_no_connection_means_not_sent() -> None:
    """A refused connection is worth another try: nothing went out."""
    async with _teams() as (host, teams, _):
        await host.server.close()
        with pytest.raises(SendLater):
            await teams.send("a:1", {})


async def test_a_lost_answer_means_unknown() -> None:
    """When the line drops after the request was sent, nobody may claim that it was not delivered."""

    async def drop(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", drop)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        teams = Connector(session, str(server.make_url("/")), _token, lambda url: True)
        with pytest.raises(SendUnknown):
            await teams.send("a:1", {})


async def test_no_token_means_later() -> None:
    """Without a token nothing is sent, and it is worth another try."""

    async def none() -> str:
        raise RuntimeError("login is down")

    async with _teams() as (host, _, session):
        with pytest.raises(SendLater):
            await Connector(session, host.url, none, lambda url: True).send("a:1", {})
        assert host.calls == []


async def test_the_token_never_goes_to_a_host_off_the_list() -> None:
    """A service address that is not allowed gets no client, and a created chat cannot smuggle one in."""
    async with _teams() as (host, _, session):
        connectors = Connectors(session, _token, lambda url: url == host.url)
        with pytest.raises(SendRefused):
            connectors.at("https://evil.example/")
        host.answers = [(201, {}, {"id": "a:new", "serviceUrl": "https://evil.example/"})]
        created = await connectors.at(host.url).create_conversation(TENANT, "28:x", ALICE)
        assert created.service_url == host.url


async def test_clients_are_kept_and_bounded() -> None:
    """One client for an address, and not more clients than the limit, however many addresses come by."""
    async with _teams() as (host, _, session):
        connectors = Connectors(session, _token, lambda url: True, limit=2)
        first = connectors.at(host.url)
        connectors.at("https://two.example/")
        assert connectors.at(host.url) is first
        connectors.at("https://three.example/")
        assert connectors.at(host.url) is first
        assert len(connectors._held) == 2


class Waits:
    """Counts sleeps instead of sleeping."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def test_within_a_turn_a_send_is_tried_twice_and_then_given_up() -> None:
    """A short wait named by Teams is waited once; a long one is not, because a person is waiting too."""
    async with _teams() as (host, _, session):
        waits = Waits()
        factory = TurnConnectors(Connectors(session, _token, lambda url: True), waits)
        client = await factory.create(host.url, "app")
        throttled = (429, {"Retry-After": "1"}, {})
        host.answers = [throttled]
        sent = await client.conversations.send_to_conversation("a:1", Activity(type="message", text="hi"))
        assert (sent.id, waits.seconds) == ("sent-2", [1.0])
        host.answers = [(502, {}, {}), (502, {}, {})]
        with pytest.raises(SendLater):
            await client.conversations.update_activity("a:1", "17", Activity(type="message"))
        assert len(host.calls) == 4
        host.answers = [(429, {"Retry-After": "30"}, {})]
        with pytest.raises(SendLater):
            await client.conversations.reply_to_activity("a:1", "17", Activity(type="message"))
        assert len(host.calls) == 5
        await client.conversations.delete_activity("a:1", "17")
        assert host.calls[-1][0] == "DELETE"


async def test_sends_share_connections() -> None:
    """Forty messages in parallel and twenty in a row all arrive, on one session."""
    async with _teams() as (host, teams, _):
        await asyncio.gather(*(teams.send(f"a:{n}", {"n": n}) for n in range(40)))
        for n in range(20):
            await teams.send("a:1", {"n": n})
        assert len(host.calls) == 60
