"""Sending to Teams: the few calls of the Bot Connector REST API that we use, by hand, on one shared session.

Knows addresses, answers and which of them are worth another try. Must not know the SDK, cards or the outbox.
Sources: Microsoft Learn, "Bot Connector REST API reference" and "Handle rate limiting / error codes" for
Teams bots.
"""

from __future__ import annotations

import contextlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from .codec import dumps
from .pacing import CREATING, Pace

_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5, sock_connect=5)
_LATER = frozenset({412, 429, 502, 503, 504})
_MAX_ANSWER = 64 * 1024
_MAX_WAIT = 3600.0
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class SendError(Exception):
    """A message that was not delivered, or perhaps not. `status` is the HTTP status, 0 when there was
    none.
    """

    retryable = False

    def __init__(self, status: int, code: str, sub_code: str = "") -> None:
        super().__init__(f"{status} {code} {sub_code}".strip())
        self.status = status
        self.code = code
        self.sub_code = sub_code


class SendRefused(SendError):
    """Teams said no; trying again would get the same answer. `code` such as `ForbiddenOperationException`."""


class SendLater(SendError):
    """Not now: throttled, unavailable, no connection, no token. `retry_after` in seconds when Teams named
    it.
    """

    retryable = True

    def __init__(self, status: int, code: str, retry_after: float | None = None) -> None:
        super().__init__(status, code)
        self.retry_after = retry_after


class SendTooEarly(SendLater):
    """Not sent: Teams would not have allowed it yet."""


class SendUnknown(SendError):
    """The request went out and no answer came: it may have been delivered."""


@dataclass(frozen=True, slots=True)
class CreatedConversation:
    """A personal chat with the bot, and the address that serves it."""

    conversation_id: str
    service_url: str


class Connector:
    """The calls to one service address. Every method raises SendRefused, SendLater or SendUnknown."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        service_url: str,
        token: Callable[[], Awaitable[str]],
        allowed: Callable[[str], bool],
        pace: Pace | None = None,
        *,
        answers: bool = False,
    ) -> None:
        """`allowed` judges addresses, so that our token never goes to a host off the list (else
        SendRefused). pace: shared by all that speak to one tenant.
        answers: what is sent answers somebody who has just spoken.
        """
        if not allowed(service_url):
            raise SendRefused(0, "ServiceUrlNotAllowed")
        self.service_url = service_url
        self._session = session
        self._base = f"{service_url.rstrip('/')}/v3/conversations"
        self._token = token
        self._allowed = allowed
        self._pace = pace
        self._answers = answers

    async def create_conversation(self, tenant_id: str, bot_id: str, member_oid: str) -> CreatedConversation:
        """Open (or find) the personal chat with a person by object id. `bot_id` is `28:<app id>`.

        Works only where the app is installed for that person; else SendRefused 403.
        """
        body = {
            "isGroup": False,
            "bot": {"id": bot_id},
            "members": [{"id": member_oid}],
            "tenantId": tenant_id,
            "channelData": {"tenant": {"id": tenant_id}},
        }
        answer = await self._call("POST", self._base, body, CREATING)
        found = answer.get("id")
        if not isinstance(found, str) or not found:
            raise SendUnknown(200, "NoConversationId")
        url = answer.get("serviceUrl")
        better = isinstance(url, str) and self._allowed(url)
        return CreatedConversation(found, str(url) if better else self.service_url)

    async def send(self, conversation_id: str, activity: dict[str, Any], reply_to: str | None = None) -> str:
        """Post an activity; returns its id (empty when Teams gave none)."""
        url = f"{self._base}/{_quoted(conversation_id)}/activities"
        if reply_to:
            url = f"{url}/{quote(reply_to, safe='')}"
        answer = await self._call("POST", url, activity, conversation_id)
        sent = answer.get("id")
        return sent if isinstance(sent, str) else ""

    async def update(self, conversation_id: str, activity_id: str, activity: dict[str, Any]) -> str:
        """Replace a posted activity; returns its id."""
        url = self._activity(conversation_id, activity_id)
        answer = await self._call("PUT", url, activity, conversation_id)
        sent = answer.get("id")
        return sent if isinstance(sent, str) else activity_id

    async def delete(self, conversation_id: str, activity_id: str) -> None:
        """Remove a posted activity."""
        await self._call("DELETE", self._activity(conversation_id, activity_id), None, conversation_id)

    def _activity(self, conversation_id: str, activity_id: str) -> str:
        return f"{self._base}/{_quoted(conversation_id)}/activities/{quote(activity_id, safe='')}"

    async def _call(self, method: str, url: str, body: dict[str, Any] | None, thread: str) -> dict[str, Any]:
        early = await self._pace.admit(thread, answer=self._answers) if self._pace is not None else 0.0
        if early:
            raise SendTooEarly(0, "Paced", early)
        try:
            token = await self._token()
        except Exception as error:
            raise SendLater(0, "NoToken") from error
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method,
                # Encoded by us above; the library would undo %2F.
                URL(url, encoded=True),
                data=None if body is None else dumps(body),
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as answer:
                return await _read(answer)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise SendLater(0, "NoConnection") from error
        except aiohttp.InvalidURL as error:
            raise SendRefused(0, "InvalidUrl") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SendUnknown(0, type(error).__name__) from error


async def _read(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    status = answer.status
    if 200 <= status < 300:
        # Delivered, whatever the body says; a body that cannot be read only loses us the id.
        try:
            return _object(await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError):
            return {}
    if status in _LATER:
        answer.release()
        raise SendLater(status, "Throttled" if status == 429 else "Unavailable", _wait(answer))
    raw = b""
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
        raw = await answer.content.read(_MAX_ANSWER)
    error = _object(raw).get("error")
    details = error if isinstance(error, dict) else {}
    raise SendRefused(status, _word(details.get("code")), _sub_code(details.get("message")))


@lru_cache(maxsize=1024)
def _quoted(conversation_id: str) -> str:
    """One path segment. Conversation ids are long and come again with every message."""
    return quote(conversation_id, safe="")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _word(value: object) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _sub_code(message: object) -> str:
    """Teams hides a second code in a JSON string inside the message
    (`{"subCode":"MessageWritesBlocked",...}`).
    """
    return _word(_object(message.encode()).get("subCode")) if isinstance(message, str) else ""


def _wait(answer: aiohttp.ClientResponse) -> float | None:
    """Retry-After in seconds; a date is measured against the answer's own Date, which needs no clock of
    ours.
    """
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 9:
        return min(float(value), _MAX_WAIT)
    try:
        until = parsedate_to_datetime(value)
        since = parsedate_to_datetime(answer.headers.get("Date", ""))
        return min(max((until - since).total_seconds(), 0.0), _MAX_WAIT)
    except (TypeError, ValueError):
        return None


class Connectors:
    """One Connector for each service address, at most `limit` of them, all on one session."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        token: Callable[[], Awaitable[str]],
        allowed: Callable[[str], bool],
        *,
        limit: int = 32,
        pace: Pace | None = None,
    ) -> None:
        """pace: None = as fast as it goes."""
        self._session = session
        self._token = token
        self._allowed = allowed
        self._limit = limit
        self._pace = pace
        self._held: OrderedDict[tuple[str, bool], Connector] = OrderedDict()

    def at(self, service_url: str, *, answers: bool = False) -> Connector:
        """The client for this address. Raises SendRefused when the address is not allowed."""
        key = (service_url, answers)
        held = self._held.get(key)
        if held is None:
            held = Connector(
                self._session, service_url, self._token, self._allowed, self._pace, answers=answers
            )
            self._held[key] = held
            if len(self._held) > self._limit:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(key)
        return held
