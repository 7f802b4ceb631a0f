"""A Teams channel on loopback for tests: signing keys, metadata host, connector, and a front door.

Knows our public faces at the Teams edge. Must not patch them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from botbuilder.core import TurnContext
from botbuilder.core.teams import TeamsActivityHandler
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from bot.teams.adapter import RingfenceAdapter
from bot.teams.connector import Connectors
from bot.teams.gate import Gate, GateRules, service_url_problem
from bot.teams.signing_keys import SigningKeys
from bot.web import Limits, build_app, listening

APP = "0f0f0f0f-1111-4222-8333-444444444444"
TENANT = "aaaaaaaa-0000-4000-8000-00000000000a"
OTHER_TENANT = "bbbbbbbb-0000-4000-8000-00000000000b"
ALICE = "cccccccc-0000-4000-8000-00000000000c"
ISSUER = "https://api.botframework.com"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class HandClock:
    """A clock that moves when told."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def pass_(self, **delta: float) -> None:
        self.time += timedelta(**delta)


@functools.cache
def private_key(name: str) -> RSAPrivateKey:
    """One RSA key for each name, made once in a test run."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def jwk(name: str, endorsements: list[str] | None = None) -> dict[str, Any]:
    """The public half, as a metadata host shows it."""
    numbers = private_key(name).public_key().public_numbers()

    def text(number: int) -> str:
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    return {
        "kty": "RSA",
        "use": "sig",
        "kid": name,
        "n": text(numbers.n),
        "e": text(numbers.e),
        "endorsements": ["msteams"] if endorsements is None else endorsements,
    }


class MetadataHost:
    """The host of the keys. `mode`: ok, hang, html, empty, 500. Counts fetches of the first document."""

    def __init__(self) -> None:
        self.keys = [jwk("k1")]
        self.mode = "ok"
        self.fetches = 0
        self.go_on = asyncio.Event()
        self.hanging = asyncio.Event()
        self.asked = asyncio.Event()
        app = web.Application()
        app.router.add_get("/meta", self._meta)
        app.router.add_get("/keys", self._keys)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/meta"))

    async def _meta(self, request: web.Request) -> web.Response:
        self.fetches += 1
        self.asked.set()
        if self.mode == "hang":
            self.hanging.set()
            await self.go_on.wait()
        if self.mode == "html":
            return web.Response(text="<html>maintenance</html>", content_type="text/html")
        if self.mode == "500":
            return web.Response(status=500)
        return web.json_response({"jwks_uri": str(self.server.make_url("/keys"))})

    async def _keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [] if self.mode == "empty" else self.keys})


class ConnectorHost:
    """Teams' side of our sends: keeps what came, answers by a list of (status, headers, body) or 201."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.tokens: list[str | None] = []
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._call)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/teams/"))

    async def _call(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.calls.append((request.method, request.raw_path, json.loads(raw) if raw else {}))
        self.tokens.append(request.headers.get("Authorization"))
        if self.answers:
            status, headers, body = self.answers.pop(0)
            return web.json_response(body, status=status, headers=headers)
        return web.json_response({"id": f"sent-{len(self.calls)}"}, status=201)


class Bot(TeamsActivityHandler):
    """A bot that counts its turns and does what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Any] = []
        self.on_message: Callable[[TurnContext], Any] | None = None
        self.on_invoke: Callable[[TurnContext], Any] | None = None

    async def on_turn(self, turn_context: TurnContext) -> None:
        self.turns.append(turn_context.activity)
        await super().on_turn(turn_context)

    async def on_message_activity(self, turn_context: TurnContext) -> None:
        if self.on_message is None:
            await turn_context.send_activity(f"echo: {turn_context.activity.text}")
        else:
            await self.on_message(turn_context)

    async def on_invoke_activity(self, turn_context: TurnContext) -> Any:
        if self.on_invoke is None:
            return await super().on_invoke_activity(turn_context)
        return await self.on_invoke(turn_context)


@dataclass
class House:
    """A running front door with everything around it."""

    port: int
    clock: HandClock
    metadata: MetadataHost
    connector: ConnectorHost
    keys: SigningKeys
    bot: Bot
    session: aiohttp.ClientSession
    rules: GateRules
    counts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/messages"

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The channel's claims; a change of None drops the claim."""
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": APP,
            "nbf": now - 60,
            "exp": now + 3600,
            "serviceurl": self.connector.url,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key: str = "k1", kid: str | None = None, **changes: Any) -> str:
        """A token as the channel would sign it."""
        return jwt.encode(
            self.claims(**changes), private_key(key), algorithm="RS256", headers={"kid": kid or key}
        )

    def activity(self, **changes: Any) -> dict[str, Any]:
        """A personal message from Alice; a change of None drops the field."""
        activity = {
            "type": "message",
            "id": "1700000000001",
            "timestamp": "2026-03-02T09:00:00.1234567Z",
            "channelId": "msteams",
            "serviceUrl": self.connector.url,
            "from": {"id": "29:alice", "name": "Alice", "aadObjectId": ALICE},
            "conversation": {"conversationType": "personal", "tenantId": TENANT, "id": "a:conv"},
            "recipient": {"id": f"28:{APP}", "name": "Ringfence"},
            "text": "hello",
            "entities": [{"type": "clientInfo", "locale": "en-GB", "platform": "Windows"}],
            "channelData": {"tenant": {"id": TENANT}},
            "locale": "en-GB",
            **changes,
        }
        return {name: value for name, value in activity.items() if value is not None}

    async def post(
        self, body: Any = None, token: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Knock. A dict or list becomes JSON, bytes go as they are; status and body come back."""
        raw = (
            body
            if isinstance(body, bytes)
            else json.dumps(self.activity() if body is None else body).encode()
        )
        sent = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.token() if token is None else token}",
            **(headers or {}),
        }
        async with self.session.post(
            self.url, data=io.BytesIO(raw), headers={name: value for name, value in sent.items() if value}
        ) as answer:
            return answer.status, await answer.read()


@contextlib.asynccontextmanager
async def house(
    *, limits: Limits | None = None, limit_seconds: float = 3.0, body_seconds: float = 5.0, **changes: Any
) -> AsyncIterator[House]:
    """Open a front door on loopback, keys warmed, a bot behind it. `changes` go into the gate's rules."""
    async with contextlib.AsyncExitStack() as stack:
        metadata, connector, clock, bot = MetadataHost(), ConnectorHost(), HandClock(), Bot()
        for server in (metadata.server, connector.server):
            await server.start_server()
            stack.push_async_callback(server.close)
        stack.callback(metadata.go_on.set)
        rules = GateRules(
            **{
                "app_id": APP,
                "tenant_ids": frozenset({TENANT}),
                "issuer": ISSUER,
                "service_hosts": frozenset({"127.0.0.1"}),
                "allow_loopback": True,
                **changes,
            }
        )

        async def token() -> str:
            return "outgoing-token"

        async def messages(request: web.Request) -> web.Response:
            return await adapter.process(request, bot)

        async def ready() -> dict[str, bool]:
            return {"keys": True}

        counts: list[tuple[str, str]] = []
        session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        keys = SigningKeys(metadata.url, session, clock, limit_seconds=limit_seconds)
        await keys.warm()
        gate = Gate(
            rules,
            keys,
            clock,
            body_seconds=body_seconds,
            count=lambda name, label: counts.append((name, label)),
        )
        connectors = Connectors(session, token, lambda url: service_url_problem(url, rules) is None)
        adapter = RingfenceAdapter(gate, connectors, APP)
        door = await stack.enter_async_context(
            listening(build_app(messages, ready), "127.0.0.1", 0, limits=limits)
        )
        yield House(door.port, clock, metadata, connector, keys, bot, session, rules, counts)
