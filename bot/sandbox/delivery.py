"""From a person's act to an HTTP call at the bot: builds true Teams activities, signs and posts them.

Knows: the shape of activities as Teams sends them, how deliveries go wrong (twice, out of order, late).
Must not know: what a reply means for what people see (acts.py), the connector's answers (channel.py).

Sources: "Conversation basics" (activity fields, clientInfo, channelData), "Universal Actions for
Adaptive Cards" (card invokes), "Receive events in Teams" (installation and membership events).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import aiohttp
from aiohttp import web

from .conversations import Chats, Conversation, Json
from .signing import Keys
from .world import Person

#: How long the channel waits for the bot before it gives up (seconds).
PATIENCE = 15.0


def laid_over(base: Json, changes: Mapping[str, Any]) -> Json:
    """`base` with `changes` merged in deeply; a null removes a key."""
    merged = dict(base)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            merged[key] = laid_over(merged[key], value)
        else:
            merged[key] = value
    return merged


def service_url(request: web.Request) -> str:
    """The address bots are told to answer to (the host that was asked), with its trailing slash."""
    return f"{request.scheme}://{request.host}/teams/"


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def activity(chats: Chats, person: Person, chat: Conversation, service_url: str, **fields: Any) -> Json:
    """A Teams activity from this person in this chat; `fields` (type, text, value, ...) are laid over."""
    moment = chats.world.now().astimezone(UTC)
    tenant = chats.world.tenant_id
    conversation: Json = {"id": chat.id, "conversationType": chat.kind, "tenantId": tenant}
    channel_data: Json = {"tenant": {"id": tenant}}
    if chat.kind != "personal":
        conversation["isGroup"] = True
    if chat.kind == "channel":
        channel_data |= {"team": {"id": chat.id}, "channel": {"id": chat.id}, "teamsTeamId": chat.id}
    language, _, country = person.locale.partition("-")
    return laid_over(
        {
            "id": chats.new_id(),
            "timestamp": _stamp(moment),
            "localTimestamp": _stamp(moment.astimezone(ZoneInfo(person.timezone))),
            "localTimezone": person.timezone,
            "channelId": "msteams",
            "serviceUrl": service_url,
            "from": {"id": person.mri, "name": person.display_name, "aadObjectId": person.oid},
            "conversation": conversation,
            "recipient": {"id": chats.bot_id, "name": "Ringfence"},
            "locale": person.locale,
            "entities": [
                {
                    "type": "clientInfo",
                    "locale": person.locale,
                    "country": country or language.upper(),
                    "platform": "Windows",
                    "timezone": person.timezone,
                }
            ],
            "channelData": channel_data,
        },
        fields,
    )


@dataclass(slots=True)
class Answer:
    """What the bot answered: `status` 0 means no answer (`error` says why)."""

    status: int
    body: Any = None
    error: str | None = None
    seconds: float = 0.0

    def as_json(self) -> Json:
        """For the control API."""
        shown = {"status": self.status, "body": self.body, "seconds": round(self.seconds, 4)}
        return shown | ({"error": self.error} if self.error else {})


@dataclass(slots=True)
class Ways:
    """How deliveries of one world go: `double` = every activity is posted that many extra times;
    `reorder` = activities wait until so many are there, then go out last first; `delay` seconds before."""

    double: int = 0
    reorder: int = 0
    delay: float = 0.0
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class Delivery:
    """Posts activities to bots over one client session. Close it at the end."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.ways: dict[str, Ways] = {}
        self._session: aiohttp.ClientSession | None = None

    def token(self, chats: Chats, service_url: str, sign: Mapping[str, Any] | bool | None) -> str | None:
        """The bearer token for one activity; `sign` = fields of `/_sandbox/sign`, or False for none."""
        if sign is False:
            return None
        wish = dict(sign) if isinstance(sign, Mapping) else {}
        claims = {"aud": chats.world.app_id, "serviceurl": service_url, **wish.pop("claims", {})}
        return self.keys.sign(claims, **wish)

    async def deliver(
        self, chats: Chats, built: Json, token: str | None, *, again: int = 0, together: bool = False
    ) -> list[Answer]:
        """Post one activity 1 + `again` times (one after another, or at once); all answers in order."""
        ways = self.ways.get(chats.world.tenant_id, Ways())
        if ways.delay:
            await asyncio.sleep(ways.delay)
        await self._take_turn(ways)
        times = 1 + again + ways.double

        async def once() -> Answer:
            return await self.post(chats, json.dumps(built).encode(), token)

        if together:
            return list(await asyncio.gather(*(once() for _ in range(times))))
        return await _one_after_another(once, times)

    async def _take_turn(self, ways: Ways) -> None:
        """Wait for the batch to fill; the last to come goes first, each gets a head start of 20 ms."""
        if ways.reorder < 2:
            return
        if len(ways.waiting) + 1 < ways.reorder:
            gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            ways.waiting.append(gate)
            await gate
            return
        held, ways.waiting = ways.waiting[::-1], []
        loop = asyncio.get_running_loop()
        for place, gate in enumerate(held, start=1):
            loop.call_later(0.02 * place, _open, gate)

    async def post(
        self, chats: Chats, body: bytes, token: str | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTP POST of these bytes to the bot."""
        url = chats.world.bot_url
        if not url:
            return Answer(0, error="this world has no bot_url")
        if urlsplit(url).path in ("", "/"):
            url = url.rstrip("/") + "/api/messages"
        sent = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Microsoft-SkypeBotApi"}
        sent |= {"Authorization": f"Bearer {token}"} if token is not None else {}
        sent |= headers or {}
        started = asyncio.get_running_loop().time()
        try:
            answer = await self._exchange(url, body, sent)
        except TimeoutError:
            answer = Answer(0, error=f"no answer within {PATIENCE:g} s")
        except aiohttp.ClientError as problem:
            answer = Answer(0, error=type(problem).__name__)
        answer.seconds = asyncio.get_running_loop().time() - started
        if answer.body is not None:
            chats.record("reply", urlsplit(url).path, answer.status, answer.body)
        return answer

    async def _exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._session is None:
            # Not kept alive: a bot that is killed and started again must not meet a dead socket.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0),
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
                trust_env=False,
            )
        async with self._session.post(url, data=body, headers=headers) as response:
            text = await response.text()
            return Answer(response.status, _parsed(text))

    async def close(self) -> None:
        """Let go of the sockets and of whoever still waits for a turn."""
        for ways in self.ways.values():
            for gate in ways.waiting:
                gate.cancel()
        if self._session is not None:
            await self._session.close()


def _parsed(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _open(gate: asyncio.Future[None]) -> None:
    if not gate.done():
        gate.set_result(None)


async def _one_after_another(act: Callable[[], Awaitable[Answer]], times: int) -> list[Answer]:
    return [await act() for _ in range(times)]
