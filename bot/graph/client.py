"""HTTP to Microsoft Graph: tokens, limits, retries of reads, lane pauses and paging.

Knows how a call travels and when it may be made again. Must not know people, phones or what an answer means:
it hands back status and body. It never retries a write, and it never puts a body or a path into an error.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import httpx
import orjson
from pydantic import BaseModel

from bot.graph.decode import GraphError, read_error
from bot.graph.lanes import Lanes
from bot.graph.rows import BatchAnswer, BatchItem, Page, read_row
from bot.graph.wire import Wire
from bot.ports import Clock, DirectoryUnavailable, DirectoryUncertain, LaneBook, StoreUnavailable

_LOG = logging.getLogger(__name__)
_TRIES = 3
_PRESSURE = "x-ms-throttle-limit-percentage"
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
    """An answer of Graph below 500, other than 401 and 429. request_id: Graph's own, "" when it gave none.

    body: bytes of JSON, or what stood inside a batch. pressure: see `BatchReply`.
    """

    status: int
    request_id: str
    body: Any = field(repr=False)
    pressure: float | None = None


@dataclass(frozen=True, slots=True)
class BatchReply:
    """Answers by place in what was asked; a place may be missing. pressure: how much of the allowance is
    used, as Graph tells above 0.8 (`x-ms-throttle-limit-percentage`), None = below, or not told."""

    items: Mapping[int, BatchItem]
    pressure: float | None


@dataclass(frozen=True, slots=True)
class Inner:
    """One read inside a batch. path: after the version, whole. advanced: as of `read`."""

    path: str
    advanced: bool = False
    body: object = None

    def request(self, n: int) -> dict[str, object]:
        """Graph docs "json-batching": headers of their own, Content-Type wherever there is a body."""
        headers = {"ConsistencyLevel": "eventual"} if self.advanced else {}
        whole: dict[str, object] = {"id": str(n), "method": "GET", "url": self.path}
        if self.body is not None:
            headers["Content-Type"] = "application/json"
            whole |= {"method": "POST", "body": self.body}
        return {**whole, "headers": headers} if headers else whole


class NotSignedIn(DirectoryUnavailable):
    """No token could be had: nothing was asked."""


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
        book: LaneBook | None = None,
    ) -> None:
        """graph_root: scheme and host, e.g. `https://graph.microsoft.com`. jitter: numbers from 0 to 1.

        book: where pauses are kept over a restart; `resume` takes them back.
        """
        self._root = graph_root.rstrip("/")
        self._scope = f"{self._root}/.default"
        self._tenant = tenant_id
        self._reads, self._writes = f"{tenant_id}/reads", f"{tenant_id}/writes"
        self._tokens, self._clock, self._lanes, self._jitter = tokens, clock, lanes, jitter
        self._timing = timing or GraphTiming()
        self.sleep, self._count, self._book = sleep, count, book
        self._http = Wire(
            call_seconds=self._timing.write, pool_seconds=self._timing.read, transport=transport
        )
        self._origin = _origin(httpx.URL(self._root))

    async def aclose(self) -> None:
        await self._http.aclose()

    def now(self) -> datetime:
        return self._clock.now()

    @property
    def root(self) -> str:
        """Scheme and host of Graph, for addresses inside a body."""
        return self._root

    async def resume(self) -> None:
        """Take back the pauses of an earlier process. Raises StoreUnavailable."""
        if self._book is not None:
            self._lanes.restore(await self._book.lane_pauses())

    async def granted(self) -> frozenset[str] | None:
        """The app permissions named in our own token (`roles`), None when it cannot be read.

        A hint for explaining a refusal, never a ground for one: Entra docs "access-tokens" call the content
        of a token the business of the API it is for.
        """
        return _roles_of(await self._signed_in(self._tokens.get))

    async def read(
        self,
        path: str,
        shape: type[_Shape],
        query: Mapping[str, str] | None = None,
        *,
        advanced: bool = False,
        body: object = None,
        beta: bool = False,
        lane: str = "",
    ) -> _Shape:
        """A call that changes nothing: GET, or POST when there is a body. Tried three times at most.

        path: after `/v1.0`, made of literals and checked object ids. query: without `$`, values unescaped.
        advanced: adds $count and ConsistencyLevel (Graph docs "aad-advanced-queries"). lane: a name where
        the call has an allowance of its own, so that its throttling holds up nothing else.
        Raises ReadRefused for an answer from 400 to 499, else DirectoryUnavailable.
        """
        options = {**(query or {}), **({"count": "true"} if advanced else {})}
        tail = "&".join(f"${name}={quote(value, safe='')}" for name, value in options.items())
        url = f"{self._root}/{'beta' if beta else 'v1.0'}{path}" + (f"?{tail}" if tail else "")
        lane = f"{self._tenant}/{lane}" if lane else self._reads
        return read_row(shape, (await self._read(url, advanced, body, lane)).body)

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
            page = await self._page(self._same_origin(page.next), shape, advanced)
            found.extend(page.value)
        raise DirectoryUnavailable("more pages than can be right")

    async def follow(
        self, link: str, shape: type[_Shape], *, advanced: bool = False, lane: str = ""
    ) -> _Shape:
        """One further page, by the address that the page before gave. lane: as in `read`. Raises like
        `rows`.
        """
        lane = f"{self._tenant}/{lane}" if lane else self._reads
        return read_row(shape, (await self._read(self._same_origin(link), advanced, None, lane)).body)

    async def batch(self, paths: Sequence[str]) -> BatchReply:
        """Up to 20 GETs in one request, tried like a read; each item has its own answer, 429 among them.

        paths: after `/v1.0`, whole. An inner 429 pauses the lane of reads, for the longest time asked for
        (Graph docs "json-batching"). Raises like `read`.
        """
        return await self._batched([Inner(path) for path in paths])

    async def _batched(self, asked: Sequence[Inner]) -> BatchReply:
        requests = [inner.request(n) for n, inner in enumerate(asked)]
        url = f"{self._root}/v1.0/$batch"
        reply = await GraphClient._read(self, url, False, {"requests": requests}, self._reads)
        answers = read_row(BatchAnswer, reply.body).responses
        items = {int(item.id): item for item in answers if item.answers(requests)}
        slow = [item for item in items.values() if item.status == httpx.codes.TOO_MANY_REQUESTS]
        waits = [wait_told(item.header("Retry-After"), self._clock.now()) for item in slow]
        if slow:
            self._count("graph_calls", "429 in a batch")
            longest = max((wait for wait in waits if wait is not None), default=None)
            await self._slowed(len(slow) / len(asked), longest)
        told = [_figure(item.header(_PRESSURE)) for item in items.values()] + [reply.pressure]
        return BatchReply(items, max((each for each in told if each is not None), default=None))

    async def _slowed(self, share: float, longest: timedelta | None) -> None:
        """That share of a batch was throttled. longest: of the pauses that were asked for."""
        await self._pause(self._reads, longest)

    def paused(self) -> timedelta:
        """How long the lane of reads still waits."""
        return self._lanes.left(self._reads, self._clock.now())

    async def write(self, verb: str, path: str, body: object, call_id: str, *, beta: bool = False) -> Reply:
        """Exactly one request, sent at most once. call_id becomes client-request-id.

        Raises DirectoryUnavailable (not sent, throttled, not signed in) or DirectoryUncertain.
        """
        self.may_write()
        token = await self._signed_in(self._tokens.get)
        request = self._request(
            verb, f"{self._root}/{'beta' if beta else 'v1.0'}{path}", token, call_id, body
        )
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
        if await self._throttled(self._writes, response):
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

    async def _page(self, url: str, shape: type[_Shape], advanced: bool) -> _Shape:
        return read_row(shape, (await self._read(url, advanced, None, self._reads)).body)

    async def _read(self, url: str, advanced: bool, body: object, lane: str) -> Reply:
        deadline = self._clock.now() + timedelta(seconds=self._timing.read)
        try:
            async with asyncio.timeout(self._timing.read):
                reply = await self._tried(url, advanced, body, lane, deadline)
        except TimeoutError:
            self._count("graph_calls", "no answer")
            raise DirectoryUnavailable("no answer in time") from None
        if reply.status != httpx.codes.OK:
            raise ReadRefused(read_error(reply.status, reply.body, reply.request_id))
        return reply

    async def _tried(self, url: str, advanced: bool, body: object, lane: str, deadline: datetime) -> Reply:
        verb = "GET" if body is None else "POST"
        token = await self._signed_in(self._tokens.get)
        refreshed, what = False, ""
        tries = 0
        while tries < _TRIES:
            await self._wait_for_lane(lane, deadline)
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
                if not await self._throttled(lane, response) and not response.is_server_error:
                    self._lanes.served(lane)
                    return reply
            tries += 1
            if tries < _TRIES:
                await self.sleep(0.1 * 3 ** (tries - 1) * (0.5 + self._jitter()))
        raise DirectoryUnavailable(what, self._lanes.left(lane, self._clock.now()) or None)

    async def _wait_for_lane(self, lane: str, deadline: datetime) -> None:
        """Wait out a pause of the lane, if this call can still end in time; else say until when it lasts."""
        while left := self._lanes.left(lane, now := self._clock.now()):
            if now + left >= deadline:
                raise DirectoryUnavailable("throttled", left)
            await self.sleep(left.total_seconds())

    async def _throttled(self, lane: str, response: httpx.Response) -> bool:
        """Pause the lane when this answer says so. 503 counts only with Retry-After (Graph docs "errors")."""
        retry_after = wait_told(response.headers.get("Retry-After"), self._clock.now())
        busy = response.status_code == httpx.codes.SERVICE_UNAVAILABLE and retry_after is not None
        if response.status_code != httpx.codes.TOO_MANY_REQUESTS and not busy:
            return False
        await self._pause(lane, retry_after)
        return response.status_code == httpx.codes.TOO_MANY_REQUESTS

    async def _pause(self, lane: str, retry_after: timedelta | None) -> None:
        """Hold up the lane, and keep that over a restart where there is a book for it."""
        until = self._lanes.throttled(lane, self._clock.now(), retry_after)
        _LOG.warning("Graph asks us to slow down", extra={"lane": lane.rpartition("/")[2]})
        if self._book is None or until is None:
            return
        try:
            await self._book.keep_lane_pause(lane, until)
        except StoreUnavailable:
            # The pause holds in this process all the same.
            _LOG.warning("a pause could not be kept", extra={"lane": lane.rpartition("/")[2]})

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
        return Reply(status, request_id, response.content, _figure(response.headers.get(_PRESSURE)))

    async def _signed_in(self, ask: Callable[[str], Awaitable[str]]) -> str:
        try:
            async with asyncio.timeout(self._timing.write):
                return await ask(self._scope)
        except Exception as error:
            # The token source has errors of its own, which this layer must not import.
            code = getattr(error, "code", type(error).__name__)
            raise NotSignedIn(f"not signed in: {code}") from None

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


def wait_told(text: str | None, now: datetime) -> timedelta | None:
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


def _figure(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _roles_of(token: str) -> frozenset[str] | None:
    part = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims: Any = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return None
    roles = claims.get("roles") if isinstance(claims, dict) else None
    return frozenset(map(str, roles)) if isinstance(roles, list) else None
