"""HTTP to Microsoft Graph: tokens, limits, retries of reads, lane pauses and paging.

Knows how a call travels and when it may be made again. Must not know people, phones or what an answer means:
it hands back status and body. It never retries a write, and it never puts a body or a path into an error.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar
from urllib.parse import quote

import httpx
import orjson
from pydantic import BaseModel

from bot.graph.decode import GraphError, read_error
from bot.graph.lanes import Lanes
from bot.graph.rows import Page, read_row
from bot.ports import Clock, DirectoryUnavailable, DirectoryUncertain

_LOG = logging.getLogger(__name__)
_CONNECTIONS = 8  # httpx's pool scan grows with its size; more makes each call dearer, not faster
_CONNECT_SECONDS = 3.0
_TRIES = 3
_MOST_PAGES = 100
_Shape = TypeVar("_Shape", bound=BaseModel)
_Item = TypeVar("_Item")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Tokens(Protocol):
    """Bearer tokens by scope. Whatever it raises becomes DirectoryUnavailable (`.code` is kept in words)."""

    async def get(self, scope: str) -> str: ...

    async def refresh(self, scope: str) -> str:
        """A new token even when the old one looks good."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of Graph below 500, other than 401 and 429. request_id: Graph's own, "" when it gave none."""

    status: int
    request_id: str
    body: bytes = field(repr=False)


class ReadRefused(DirectoryUnavailable):
    """Graph answered a read with a no."""

    def __init__(self, error: GraphError) -> None:
        super().__init__(f"Graph answered {error.brief}")
        self.error = error


@dataclass(frozen=True, slots=True)
class GraphTiming:
    """Limits in seconds: of a read with its token, waits and retries; of the one request of a write."""

    read: float = 5.0
    write: float = 20.0


class GraphClient:
    """One tenant's Graph. Not for sharing between event loops; close it with `aclose`."""

    def __init__(
        self,
        graph_root: str,
        tenant_id: str,
        tokens: Tokens,
        clock: Clock,
        lanes: Lanes,
        jitter: Callable[[], float],
        *,
        timing: GraphTiming | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        count: Callable[[str, str], None] = lambda name, label: None,
    ) -> None:
        """graph_root: scheme and host, e.g. `https://graph.microsoft.com`. jitter: numbers from 0 to 1."""
        self._root = graph_root.rstrip("/")
        self._scope = f"{self._root}/.default"
        self._reads, self._writes = f"{tenant_id}/reads", f"{tenant_id}/writes"
        self._tokens, self._clock, self._lanes, self._jitter = tokens, clock, lanes, jitter
        self._timing = timing or GraphTiming()
        self._sleep, self._count = sleep, count
        self._http = httpx.AsyncClient(
            transport=transport,
            http1=True,
            http2=False,
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            timeout=httpx.Timeout(self._timing.write, connect=_CONNECT_SECONDS, pool=self._timing.read),
            follow_redirects=False,
            headers={"Accept": "application/json", "User-Agent": "Ringfence"},
        )
        self._origin = _origin(httpx.URL(self._root))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def read(
        self,
        path: str,
        shape: type[_Shape],
        query: Mapping[str, str] | None = None,
        *,
        advanced: bool = False,
        body: object = None,
    ) -> _Shape:
        """A call that changes nothing: GET, or POST when there is a body. Tried three times at most.

        path: after `/v1.0`, made of literals and checked object ids. query: without `$`, values unescaped.
        advanced: adds $count and ConsistencyLevel (Graph docs "aad-advanced-queries").
        Raises ReadRefused for an answer from 400 to 499, else DirectoryUnavailable.
        """
        options = {**(query or {}), **({"count": "true"} if advanced else {})}
        tail = "&".join(f"${name}={quote(value, safe='')}" for name, value in options.items())
        url = f"{self._root}/v1.0{path}" + (f"?{tail}" if tail else "")
        return read_row(shape, await self._read(url, advanced, body))

    async def rows(
        self,
        path: str,
        shape: type[Page[_Item]],
        query: Mapping[str, str] | None = None,
        *,
        advanced: bool = False,
        most: int | None = None,
    ) -> list[_Item]:
        """A list over all its pages, or its first `most` items. Each page is a read of its own.

        Raises like `read`, also when a page points to another origin or there is no end to them.
        """
        page = await self.read(path, shape, query, advanced=advanced)
        found = list(page.value)
        for _ in range(_MOST_PAGES):
            if page.next is None or (most is not None and len(found) >= most):
                return found[:most]
            page = read_row(shape, await self._read(self._same_origin(page.next), advanced, None))
            found.extend(page.value)
        raise DirectoryUnavailable("more pages than can be right")

    async def write(self, verb: str, path: str, body: object, call_id: str) -> Reply:
        """Exactly one request, sent at most once. call_id becomes client-request-id.

        Raises DirectoryUnavailable (not sent, throttled, not signed in) or DirectoryUncertain.
        """
        self.may_write()
        token = await self._signed_in(self._tokens.get)
        request = self._request(verb, f"{self._root}/v1.0{path}", token, call_id, body)
        try:
            async with asyncio.timeout(self._timing.write):
                response = await self._http.send(request)
        except _NOT_SENT as error:
            self._count("graph_calls", "not sent")
            raise DirectoryUnavailable(f"not sent: {type(error).__name__}") from None
        except (httpx.HTTPError, TimeoutError) as error:
            self._count("graph_calls", "no answer")
            raise DirectoryUncertain(f"sent, no answer: {type(error).__name__}") from None
        reply = self._reply(verb, response)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            # Refused before anything was done. The next try, by whoever asked, finds a new token.
            await self._signed_in(self._tokens.refresh)
            raise DirectoryUnavailable("Graph did not accept the token")
        if self._throttled(self._writes, response):
            raise DirectoryUnavailable("throttled", self._lanes.left(self._writes, self._clock.now()))
        if response.is_server_error or response.status_code == httpx.codes.REQUEST_TIMEOUT:
            raise DirectoryUncertain(f"Graph answered {response.status_code}", reply.request_id)
        self._lanes.served(self._writes)
        return reply

    def may_write(self) -> None:
        """Raises DirectoryUnavailable while the lane of writes is paused."""
        left = self._lanes.left(self._writes, self._clock.now())
        if left:
            raise DirectoryUnavailable("throttled", left)

    async def _read(self, url: str, advanced: bool, body: object) -> bytes:
        deadline = self._clock.now() + timedelta(seconds=self._timing.read)
        try:
            async with asyncio.timeout(self._timing.read):
                reply = await self._tried(url, advanced, body, deadline)
        except TimeoutError:
            self._count("graph_calls", "no answer")
            raise DirectoryUnavailable("no answer in time") from None
        if reply.status != httpx.codes.OK:
            raise ReadRefused(read_error(reply.status, reply.body, reply.request_id))
        return reply.body

    async def _tried(self, url: str, advanced: bool, body: object, deadline: datetime) -> Reply:
        verb = "GET" if body is None else "POST"
        token = await self._signed_in(self._tokens.get)
        refreshed, what = False, ""
        tries = 0
        while tries < _TRIES:
            await self._wait_for_lane(deadline)
            request = self._request(verb, url, token, str(uuid.uuid4()), body)
            if advanced:
                request.headers["ConsistencyLevel"] = "eventual"
            try:
                response = await self._http.send(request)
            except httpx.HTTPError as error:
                what = type(error).__name__
                self._count("graph_calls", "no answer")
            else:
                reply = self._reply(verb, response)
                what = f"Graph answered {response.status_code}"
                if response.status_code == httpx.codes.UNAUTHORIZED:
                    if refreshed:
                        break
                    token, refreshed = await self._signed_in(self._tokens.refresh), True
                    continue
                if not self._throttled(self._reads, response) and not response.is_server_error:
                    self._lanes.served(self._reads)
                    return reply
            tries += 1
            if tries < _TRIES:
                await self._sleep(0.1 * 3 ** (tries - 1) * (0.5 + self._jitter()))
        raise DirectoryUnavailable(what, self._lanes.left(self._reads, self._clock.now()) or None)

    async def _wait_for_lane(self, deadline: datetime) -> None:
        """Wait out a pause of the reads, if this call can still end in time; else say until when it lasts."""
        while left := self._lanes.left(self._reads, now := self._clock.now()):
            if now + left >= deadline:
                raise DirectoryUnavailable("throttled", left)
            await self._sleep(left.total_seconds())

    def _throttled(self, lane: str, response: httpx.Response) -> bool:
        """Pause the lane when this answer says so. 503 counts only with Retry-After (Graph docs "errors")."""
        retry_after = _retry_after(response.headers.get("Retry-After"), self._clock.now())
        busy = response.status_code == httpx.codes.SERVICE_UNAVAILABLE and retry_after is not None
        if response.status_code != httpx.codes.TOO_MANY_REQUESTS and not busy:
            return False
        self._lanes.throttled(lane, self._clock.now(), retry_after)
        _LOG.warning("Graph asks us to slow down", extra={"lane": lane.rpartition("/")[2]})
        return response.status_code == httpx.codes.TOO_MANY_REQUESTS

    def _request(self, verb: str, url: str, token: str, call_id: str, body: object) -> httpx.Request:
        headers = {"Authorization": f"Bearer {token}", "client-request-id": call_id}
        if body is None:
            return self._http.build_request(verb, url, headers=headers)
        headers["Content-Type"] = "application/json"
        return self._http.build_request(verb, url, headers=headers, content=orjson.dumps(body))

    def _reply(self, verb: str, response: httpx.Response) -> Reply:
        status = response.status_code
        self._count("graph_calls", str(status))
        request_id = response.headers.get("request-id", "")
        if status >= httpx.codes.BAD_REQUEST:
            error = read_error(status, response.content, request_id)
            request_id = error.request_id
            _LOG.info("Graph refused", extra={"answer": error.brief, "graph_request_id": request_id})
        return Reply(status, request_id, response.content)

    async def _signed_in(self, ask: Callable[[str], Awaitable[str]]) -> str:
        try:
            async with asyncio.timeout(self._timing.write):
                return await ask(self._scope)
        except Exception as error:
            # The token source has errors of its own, which this layer must not import.
            code = getattr(error, "code", type(error).__name__)
            raise DirectoryUnavailable(f"not signed in: {code}") from None

    def _same_origin(self, link: str) -> str:
        """A next-page address, only when it stays where our token may go."""
        try:
            same = _origin(httpx.URL(link)) == self._origin
        except httpx.InvalidURL:
            same = False
        if not same:
            raise DirectoryUnavailable("a page points elsewhere")
        return link


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"https": 443, "http": 80}.get(url.scheme)


def _retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date; None when it is missing or makes no sense."""
    if not text:
        return None
    try:
        return timedelta(seconds=max(float(text), 0.0))
    except (ValueError, OverflowError):
        pass
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((when if when.tzinfo else when.replace(tzinfo=UTC)) - now, timedelta())
