"""The one HTTP client to Graph: its limits, and an end that leaves no connection behind.

Knows httpx. Must not know tokens, lanes, or what is asked.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

_CONNECTIONS = 8  # httpx's pool scan grows with its size; more makes each call dearer, not faster
_CONNECT_SECONDS = 3.0


class Wire(httpx.AsyncClient):
    """Closes when nothing is under way; whoever asks afterwards hears that nothing was sent (ConnectError).

    A pool that is closed while a connection is being made forgets that connection: it is used, and stays open
    (seen with httpcore 1.0.9). And a write that was cut off by our own end would be one more unknown.
    """

    def __init__(
        self, *, call_seconds: float, pool_seconds: float, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        """call_seconds: the longest silence of the other side. pool_seconds: to get a connection."""
        super().__init__(
            transport=transport,
            http1=True,
            http2=False,
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            timeout=httpx.Timeout(call_seconds, connect=_CONNECT_SECONDS, pool=pool_seconds),
            follow_redirects=False,
            headers={"Accept": "application/json", "User-Agent": "Ringfence"},
        )
        self._under_way = 0
        self._nothing_under_way = asyncio.Event()
        self._nothing_under_way.set()
        self._ending = False

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        if self._ending:
            raise httpx.ConnectError("the client was closed", request=request)
        self._under_way += 1
        self._nothing_under_way.clear()
        try:
            return await super().send(request, **options)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._nothing_under_way.set()

    async def aclose(self) -> None:
        """Every call has a limit of its own, so that this comes to an end."""
        self._ending = True
        await self._nothing_under_way.wait()
        await super().aclose()
