"""HTTP: three routes, limits on connections and headers, health, the metrics listener, an orderly end.

Knows sockets and routes. Must not know activities, tokens or the store: handlers and checks are passed in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import web

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Ready = Callable[[], Awaitable[dict[str, bool]]]
Count = Callable[[str, str], None]

# aiohttp wants an access logger; this one never speaks, because paths and addresses are nobody's business.
_SILENT = logging.getLogger("bot.web.access")
_SILENT.setLevel(logging.CRITICAL)
_MAX_BODY = 512 * 1024
_JSON = {"Content-Type": "application/json"}
_LEAVING: web.AppKey[asyncio.Event] = web.AppKey("leaving", asyncio.Event)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the listener. Times are in seconds, the header size in bytes for each line.

    `idle_seconds` also bounds the reading of the request's head: whoever has not sent a whole one by then is
    cut off. `leave_seconds`: told to stop, the door stays open so long while /readyz says no already, so that
    whoever sends requests here learns of it. `finish_seconds` is what running turns get after that.
    """

    connections: int = 1000
    idle_seconds: float = 20.0
    header_line: int = 8190
    headers: int = 64
    drain_seconds: float = 2.0
    leave_seconds: float = 0.0
    finish_seconds: float = 25.0
    ready_seconds: float = 2.0


def build_app(
    messages: Handler, ready: Ready, *, limits: Limits | None = None, refuse_forwarded: bool = False
) -> web.Application:
    """POST /api/messages, GET /healthz (the process), GET /readyz (each check by name; 503 when one is
    false).
    """
    wait = (limits or Limits()).ready_seconds

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(wait):
                checks = dict(await ready())
        except Exception as error:
            # A check that breaks is a check that fails; the reason belongs in the log, not in the answer.
            log.warning("the readiness check failed", extra={"why": type(error).__name__})
            checks = {"check": False}
        if app[_LEAVING].is_set():
            checks["staying"] = False
        status = 200 if checks and all(checks.values()) else 503
        return web.Response(status=status, body=orjson.dumps(checks), headers=_JSON)

    app = web.Application(client_max_size=_MAX_BODY, middlewares=[_no_proxy] if refuse_forwarded else [])
    app[_LEAVING] = asyncio.Event()
    app.router.add_post("/api/messages", messages)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.on_response_prepare.append(_leaving)
    return app


@web.middleware
async def _no_proxy(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A sandbox has no proxy before it: whoever says otherwise came from somewhere else."""
    if any(name.lower().startswith(("forwarded", "x-forwarded")) for name in request.headers):
        log.warning(
            "http refused a request", extra={"status": 403, "why": "forwarded", "peer": request.remote}
        )
        return web.Response(status=403)
    return await handler(request)


async def _leaving(request: web.Request, response: web.StreamResponse) -> None:
    """The last word on every answer of a route: no banner, and a line in the log for the router's
    refusals.
    """
    response.headers.popall("Server", None)
    if (leaving := request.app.get(_LEAVING)) and leaving.is_set():
        # Nobody shall send the next request on this connection at the moment when it closes.
        response.force_close()
        response.headers["Connection"] = "close"
    if isinstance(response, web.HTTPException):
        log.warning("http refused a request", extra={"status": response.status, "peer": request.remote})


class _Bare(web.Response):
    """An answer without banner for requests that never reached a route."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self._headers.popall("Server", None)


@dataclass(slots=True)
class _Doorkeeper:
    """Counts connections. When all places are taken the one idle for longest leaves, so idling blocks
    nobody.
    """

    places: int
    count: Count
    inside: dict[_Connection, None] = field(default_factory=dict)

    def admit(self, newcomer: _Connection) -> None:
        if len(self.inside) >= self.places:
            longest = next((one for one in self.inside if one.is_idle()), newcomer)
            self.inside.pop(longest, None)
            longest.force_close()
            if longest is newcomer:
                return
        self.inside[newcomer] = None

    def served(self, connection: _Connection) -> None:
        """Moves to the end of the queue: it has just done something."""
        if connection in self.inside:
            del self.inside[connection]
            self.inside[connection] = None


class _Connection(web.RequestHandler):
    """aiohttp's protocol with a place at the door and quiet answers to what it cannot parse."""

    __slots__ = ("_keeper", "_seen")

    def __init__(self, keeper: _Doorkeeper, server: web.Server, limits: Limits) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=_SILENT,
            keepalive_timeout=limits.idle_seconds,
            max_line_size=limits.header_line,
            max_field_size=limits.header_line,
            max_headers=limits.headers,
            lingering_time=limits.drain_seconds,
            auto_decompress=False,
            logger=log,
        )
        self._keeper = keeper
        self._seen = 0

    def is_idle(self) -> bool:
        """No request is running on it."""
        return not self._request_in_progress

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._keeper.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._keeper.inside.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Only a whole request counts as doing something: bytes that drip do not keep a place.
        if self._request_count != self._seen:
            self._seen = self._request_count
            self._keeper.served(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp's answer to a bad request line, a header too long, or a handler that raised."""
        self._keeper.count("http_refusals", str(status))
        peer = self.peername[0] if isinstance(self.peername, tuple) else None
        if status >= 500:
            log.error("a request failed", extra={"status": status, "peer": peer}, exc_info=exc)
        else:
            log.warning("http refused a request", extra={"status": status, "peer": peer})
        response = _Bare(status=status)
        response.force_close()
        return response


@dataclass(frozen=True, slots=True)
class Door:
    """A listener that is open. `port` is the one that was really bound."""

    port: int


@contextlib.asynccontextmanager
async def listening(
    app: web.Application,
    host: str,
    port: int,
    *,
    limits: Limits | None = None,
    count: Count = lambda name, label: None,
) -> AsyncIterator[Door]:
    """Serve `app` while the block runs; then stop listening and let running requests finish.

    Raises OSError when the address is taken.
    """
    bounds = limits or Limits()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=bounds.finish_seconds)
    await runner.setup()
    server = runner.server
    if server is None:
        raise RuntimeError("the HTTP server did not start")
    keeper = _Doorkeeper(bounds.connections, count)
    try:
        listener = await asyncio.get_running_loop().create_server(
            lambda: _Connection(keeper, server, bounds), host, port, backlog=512, reuse_address=True
        )
        try:
            yield Door(listener.sockets[0].getsockname()[1])
        finally:
            listener.close()
    finally:
        await runner.cleanup()


def _metrics_app(render: Callable[[], bytes]) -> web.Application:
    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=render(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.on_response_prepare.append(_leaving)
    return app


async def serve(
    app: web.Application,
    host: str,
    port: int,
    metrics_port: int,
    *,
    render: Callable[[], bytes] = bytes,
    stop: asyncio.Event | None = None,
    opened: Callable[[int], None] = lambda port: None,
    limits: Limits | None = None,
    count: Count = lambda name, label: None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; then leave in order and finish what runs (25 s by default).

    Metrics have a listener of their own on 127.0.0.1; 0 = off. Raises OSError when a port is taken.
    """
    ending = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        if metrics_port:
            await stack.enter_async_context(listening(_metrics_app(render), "127.0.0.1", metrics_port))
        door = await stack.enter_async_context(listening(app, host, port, limits=limits, count=count))
        if stop is None:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, ending.set)
                stack.callback(loop.remove_signal_handler, number)
        opened(door.port)
        await ending.wait()
        app[_LEAVING].set()
        ending.clear()
        with contextlib.suppress(TimeoutError):
            # Told twice is told to hurry.
            async with asyncio.timeout((limits or Limits()).leave_seconds):
                await ending.wait()
