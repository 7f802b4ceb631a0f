"""A client whose reads travel together: what is asked for many people at one moment goes 20 to a request.

Knows `$batch`, and that equal questions of one moment have one answer. Must not know what is asked, so that
every reading that exists for one person works for thousands. Writes go singly, as everywhere. Source: Graph
docs "json-batching" (20 items; each is throttled alone, inside a 200, and only it is asked again).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson

from bot.graph.client import BatchReply, GraphClient, Inner, NotSignedIn, ReadRefused, Reply, wait_told
from bot.graph.decode import read_error
from bot.graph.rows import BatchItem
from bot.graph.scan import Pace
from bot.ports import DirectoryUnavailable

_SIZE = 20
#: Calls in ten seconds that every tenant is granted, whatever was refused before.
_LEAST = 1_000.0
_IN_FLIGHT = 8
_TRIES = 4
#: From this share of refused questions on an allowance is taken to be used up.
_FULL = 0.5
#: How long a throttled question rests when nothing is said.
_MOMENT = timedelta(seconds=1)
_PATIENCE = timedelta(seconds=60)
#: A longer pause of the directory is not waited for here: whoever asked comes again.
_PATIENT = timedelta(seconds=10)


@dataclass(slots=True)
class _Asked:
    inner: Inner
    deadline: datetime
    answer: asyncio.Future[Reply]
    tries: int = 0
    key: tuple[str, bool, bytes] = field(default=("", False, b""))


class TogetherClient(GraphClient):
    """Reads of v1.0 wait for the end of the loop's round and are sent together. Raises as the other does."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._todo: deque[_Asked] = deque()
        self._open: dict[tuple[str, bool, bytes], _Asked] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._resting: set[asyncio.Task[None]] = set()
        self._woken = False
        self._pace = Pace()

    async def aclose(self) -> None:
        while under_way := self._running | self._resting:
            await asyncio.wait(under_way)
        await super().aclose()

    async def _read(self, url: str, advanced: bool, body: object, lane: str) -> Reply:
        start = f"{self._root}/v1.0/"
        if lane != self._reads or not url.startswith(start) or url.endswith("/$batch"):
            return await super()._read(url, advanced, body, lane)
        inner = Inner(url[len(start) - 1 :], advanced, body)
        reply = await asyncio.shield(self._ask(inner).answer)
        if reply.status != httpx.codes.OK:
            raise ReadRefused(read_error(reply.status, reply.body, reply.request_id))
        return reply

    async def batch(self, paths: Sequence[str]) -> BatchReply:
        """The same questions among all others. A throttled item is asked again before anybody hears of it."""
        asked = [asyncio.shield(self._ask(Inner(path)).answer) for path in paths]
        replies = await asyncio.gather(*asked)
        items = {
            n: BatchItem(id=str(n), status=reply.status, body=reply.body) for n, reply in enumerate(replies)
        }
        return BatchReply(items, None)

    def _ask(self, inner: Inner) -> _Asked:
        key = (inner.path, inner.advanced, orjson.dumps(inner.body) if inner.body is not None else b"")
        asked = self._open.get(key)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = _Asked(inner, self.now() + _PATIENCE, loop.create_future(), key=key)
            # Whoever asked may be gone by then: an answer that nobody waits for is no error.
            asked.answer.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._open[key] = asked
            self._queue(asked)
        return asked

    def _wake(self) -> None:
        """Send at the end of the loop's round, when everybody has asked."""
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._woken = False
        while self._todo and len(self._running) < _IN_FLIGHT:
            some = [self._todo.popleft() for _ in range(min(_SIZE, len(self._todo)))]
            task = asyncio.create_task(self._send(some))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._todo:
            self._wake()

    async def _send(self, some: list[_Asked]) -> None:
        try:
            left = self.paused()
            if left > _PATIENT:
                raise DirectoryUnavailable("throttled", left)
            if left:
                await self.sleep(left.total_seconds())
            while wait := self._pace.take(len(some), _elapsed()):
                await self.sleep(wait.total_seconds())
            mark = self._pace.mark
            reply = await self._batched([asked.inner for asked in some])
            slowed = sum(item.status == httpx.codes.TOO_MANY_REQUESTS for item in reply.items.values())
            # A full allowance refuses all that comes; a few of many only want to be asked again later.
            slowed = slowed if slowed >= _FULL * _SIZE else 0
            # What an earlier life of ours has used is not the allowance: pressure alone does not slow us.
            self._pace.ended(mark, slowed, None, _elapsed())
            self._pace.limit = max(self._pace.limit, _LEAST)
        except NotSignedIn as error:
            for asked in some:
                self._fail(asked, error)
        except DirectoryUnavailable as error:
            for asked in some:
                self._again(asked, error, throttled=error.retry_after is not None)
        except BaseException as error:
            for asked in some:
                self._fail(asked, DirectoryUnavailable(type(error).__name__))
            raise
        else:
            for n, asked in enumerate(some):
                self._judge(asked, reply.items.get(n))

    def _judge(self, asked: _Asked, item: BatchItem | None) -> None:
        if item is None:
            self._again(asked, DirectoryUnavailable("no answer in the batch"), throttled=False)
        elif item.status == httpx.codes.TOO_MANY_REQUESTS:
            own = wait_told(item.header("Retry-After"), self.now())
            self._again(
                asked, DirectoryUnavailable("throttled", max(own or _MOMENT, self.paused())), throttled=True
            )
        elif item.status >= httpx.codes.INTERNAL_SERVER_ERROR or item.status == httpx.codes.UNAUTHORIZED:
            what = DirectoryUnavailable(f"Graph answered {item.status}")
            self._again(asked, what, throttled=False)
        else:
            self._close(asked)
            if not asked.answer.done():
                request_id = item.header("request-id") or ""
                asked.answer.set_result(Reply(item.status, request_id, item.body))

    def _again(self, asked: _Asked, error: DirectoryUnavailable, *, throttled: bool) -> None:
        """A throttled question is asked until its time is over, another one a few times."""
        asked.tries += not throttled
        long = error.retry_after is not None and error.retry_after > _PATIENT
        if long or asked.tries >= _TRIES or self.now() >= asked.deadline:
            self._fail(asked, error)
            return
        if throttled and error.retry_after:
            rest = asyncio.create_task(self._rest(asked, error.retry_after))
            self._resting.add(rest)
            rest.add_done_callback(self._resting.discard)
            return
        self._queue(asked)

    async def _rest(self, asked: _Asked, wait: timedelta) -> None:
        await self.sleep(wait.total_seconds())
        self._queue(asked)

    def _queue(self, asked: _Asked) -> None:
        self._todo.append(asked)
        self._wake()

    async def _slowed(self, share: float, longest: timedelta | None) -> None:
        """A full allowance refuses all that comes and holds up all; a few of many wait by themselves."""
        if share >= _FULL:
            await super()._slowed(share, longest)

    def _fail(self, asked: _Asked, error: DirectoryUnavailable) -> None:
        self._close(asked)
        if not asked.answer.done():
            asked.answer.set_exception(error)

    def _close(self, asked: _Asked) -> None:
        self._open.pop(asked.key, None)


def _elapsed() -> datetime:
    """The loop's own time: an allowance is about how much real time passes, whatever our clock shows."""
    return datetime.fromtimestamp(asyncio.get_running_loop().time(), UTC)
