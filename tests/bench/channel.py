"""A process that stands in for the Bot Connector: takes every message at once and gives it an id.

Says `{"port": n}`, then answers each line on its input with what it has got: `{"messages"}`. It
parses no more of HTTP than the clients under measurement send, so that it costs as little as possible.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import ClassVar

_BODY = b'{"id":"1732366800000"}'
_CREATED = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class Channel(asyncio.Protocol):
    """One kept-alive connection."""

    messages: ClassVar[int] = 0

    def __init__(self) -> None:
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0 and self._transport is not None:
            _, _, rest = self._held[:end].lower().partition(b"content-length:")
            whole = end + 4 + int(rest.partition(b"\r\n")[0] or 0)
            if len(self._held) < whole:
                return
            self._held = self._held[whole:]
            Channel.messages += 1
            self._transport.write(_CREATED)


async def main() -> None:
    """Serve until the input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Channel, "127.0.0.1", 0)
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    while await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(json.dumps({"messages": Channel.messages}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
