"""A process that sends the same kind of message many times over kept-alive connections.

Reads a line `{"port", "token", "activity", "turns", "together", "first"}`, answers `{"statuses": {code:
count}, "seconds"}`. Every message gets an id of its own, counted from `first`. Requests are put together
before the first is sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

_HEAD = (
    "POST /api/messages HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Microsoft-SkypeBotApi\r\n"
    "Authorization: Bearer {token}\r\nContent-Type: application/json; charset=utf-8\r\n"
    "Content-Length: {length}\r\n\r\n"
)


class Sender(asyncio.Protocol):
    """One connection: sends the next message when the answer to the last one is complete."""

    def __init__(self, waiting: list[bytes], statuses: Counter[str], done: asyncio.Future[None]) -> None:
        self._waiting, self._statuses, self._done = waiting, statuses, done
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._next()

    def data_received(self, data: bytes) -> None:
        self._held += data
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            return
        _, _, rest = self._held[:end].lower().partition(b"content-length:")
        if len(self._held) < end + 4 + int(rest.partition(b"\r\n")[0] or 0):
            return
        self._statuses[self._held[9:12].decode("ascii", "replace")] += 1
        self._held = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _next(self) -> None:
        if self._transport is None:
            return
        if self._waiting:
            self._transport.write(self._waiting.pop())
        else:
            self._transport.close()


async def send(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order."""
    loop = asyncio.get_running_loop()
    waiting = [_request(order, number) for number in range(order["turns"])]
    statuses: Counter[str] = Counter()
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(order["together"])]
    started = time.perf_counter()
    for end in ends:
        await loop.create_connection(
            lambda done=end: Sender(waiting, statuses, done),  # type: ignore[misc]
            "127.0.0.1",
            order["port"],
        )
    await asyncio.gather(*ends)
    return {"statuses": dict(statuses), "seconds": time.perf_counter() - started}


def _request(order: dict[str, Any], number: int) -> bytes:
    body = json.dumps({**order["activity"], "id": str(order["first"] + number)}).encode()
    head = _HEAD.format(port=order["port"], token=order["token"], length=len(body))
    return head.encode("ascii") + body


def main() -> None:
    """One order a line, until the input ends."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asyncio.run(send(json.loads(line)))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
