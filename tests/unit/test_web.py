"""The HTTP listener: routes, refusals of its own, idle sockets, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from bot.web import Limits, build_app, listening, serve


class Checks:
    """Readiness that tests can change."""

    def __init__(self) -> None:
        self.answer: dict[str, bool] | None = {"store": True, "keys": True}

    async def __call__(self) -> dict[str, bool]:
        if self.answer is None:
            await asyncio.Event().wait()
        assert self.answer is not None
        return self.answer


async def _messages(request: web.Request) -> web.Response:
    if request.headers.get("X-Break"):
        raise RuntimeError("+1 206 555 0100")
    return web.Response(status=201)


@contextlib.asynccontextmanager
async def _open(limits: Limits | None = None, checks: Checks | None = None) -> AsyncIterator[str]:
    bounds = limits or Limits(finish_seconds=0.5, drain_seconds=0.1)
    app = build_app(_messages, checks or Checks(), limits=bounds)
    async with listening(app, "127.0.0.1", 0, limits=bounds) as door:
        yield f"http://127.0.0.1:{door.port}"


async def _raw(url: str, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    writer.write(request)
    with contextlib.suppress(ConnectionError):
        answer = await reader.read()
        writer.close()
        return answer
    return b""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("POST", "/api/messages", 201),
        ("GET", "/api/messages", 405),
        ("POST", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/metrics", 404),
        ("POST", "/api/messages/", 404),
        ("GET", "/%2e%2e/etc/passwd", 404),
    ],
)
async def test_three_routes_and_nothing_else(method: str, path: str, status: int) -> None:
    """Everything that is not one of the three is 404 or 405, and no answer names the server."""
    async with (
        _open() as url,
        aiohttp.ClientSession() as session,
        session.request(method, url + path) as answer,
    ):
        assert answer.status == status
        assert "Server" not in answer.headers


async def test_readiness_names_each_check() -> None:
    """One failing check makes 503; so does a check that breaks or hangs."""
    checks = Checks()
    async with _open(Limits(ready_seconds=0.05), checks) as url, aiohttp.ClientSession() as session:
        checks.answer = {"store": True, "keys": False}
        async with session.get(f"{url}/readyz") as answer:
            assert (answer.status, await answer.json()) == (503, {"store": True, "keys": False})
        checks.answer = None
        async with session.get(f"{url}/readyz") as answer:
            assert (answer.status, await answer.json()) == (503, {"check": False})


@pytest.mark.parametrize(
    "request_",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /secret-path\x00 HTTP/1.1\r\n\r\n",
        b"POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"secret-path" * 2000 + b"\r\n\r\n",
        b"GET /" + b"secret-path" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: secret-path\r\n" * 10_000 + b"\r\n",
    ],
)
async def test_what_cannot_be_parsed_is_400_and_one_quiet_line(
    request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Broken requests and giant headers are refused, without banner, content or stack trace."""
    async with _open() as url:
        answer = await _raw(url, request_)
        assert answer.startswith(b"HTTP/1.") or answer == b""
        assert b" 400 " in answer.split(b"\r\n")[0] or answer == b""
        assert b"Server:" not in answer
        assert b"aiohttp" not in answer
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert lines[0].exc_info is None
    assert "secret-path" not in lines[0].getMessage()


async def test_a_handler_that_breaks_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error is a bare 500 for the caller and one record for us."""
    async with (
        _open() as url,
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/messages", headers={"X-Break": "1"}) as answer,
    ):
        assert (answer.status, await answer.read()) == (500, b"")
        assert "Server" not in answer.headers
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        "a request failed"
    ]


async def _hang(url: str, count: int, opening: bytes = b"") -> list[asyncio.StreamWriter]:
    port = int(url.rsplit(":", 1)[1])
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    for _, writer in pairs:
        if opening:
            writer.write(opening)
    return [writer for _, writer in pairs]


@pytest.mark.parametrize("opening", [b"", b"POST /api/messages HTTP/1.1\r\nHost: x\r\nA: "])
async def test_good_traffic_is_served_beside_200_idle_sockets(opening: bytes) -> None:
    """A17: sockets that say nothing, or drip a header, do not keep others out, even past the limit."""
    async with _open(Limits(connections=100, finish_seconds=0.5)) as url, aiohttp.ClientSession() as session:
        idle = await _hang(url, 200, opening)
        for _ in range(20):
            async with session.post(f"{url}/api/messages") as answer:
                assert answer.status == 201
        for writer in idle:
            writer.close()


async def test_a_busy_connection_is_not_thrown_out() -> None:
    """At the limit the idle leave, not those whose request is running."""
    started, finish = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        started.set()
        await finish.wait()
        return web.Response(status=201)

    limits = Limits(connections=3, finish_seconds=0.5)
    async with listening(build_app(slow, Checks()), "127.0.0.1", 0, limits=limits) as door:
        url = f"http://127.0.0.1:{door.port}"
        async with aiohttp.ClientSession() as session:
            running = asyncio.create_task(session.post(f"{url}/api/messages"))
            await started.wait()
            idle = await _hang(url, 20)
            finish.set()
            assert (await running).status == 201
            for writer in idle:
                writer.close()


async def test_a_socket_that_never_sends_a_request_is_closed() -> None:
    """The head of a request must come within the idle time."""
    async with _open(Limits(idle_seconds=0.05)) as url:
        assert await asyncio.wait_for(_raw(url, b"POST /api/messages HTTP/1.1\r\nHost:"), 5) == b""


async def test_the_end_waits_for_running_turns() -> None:
    """When told to stop, the door closes for new requests and the running one gets its answer."""
    started, finish, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def slow(request: web.Request) -> web.Response:
        started.set()
        await finish.wait()
        return web.Response(status=201)

    serving = asyncio.create_task(
        serve(build_app(slow, Checks()), "127.0.0.1", 0, 0, stop=stop, opened=opened.set_result)
    )
    url = f"http://127.0.0.1:{await opened}"
    async with aiohttp.ClientSession() as session:
        running = asyncio.create_task(session.post(f"{url}/api/messages"))
        await started.wait()
        stop.set()
        # One round trip on the loop is enough for the listener to close before the answer is asked for.
        await asyncio.sleep(0.01)
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{url}/healthz")
        finish.set()
        assert (await running).status == 201
    await serving


async def test_metrics_have_their_own_door() -> None:
    """/metrics answers on its own loopback port; a port that is taken stops the start."""
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    app = build_app(_messages, Checks())
    with pytest.raises(OSError, match="in use"):
        await serve(app, "127.0.0.1", 0, port, stop=asyncio.Event())
    taken.close()
    await taken.wait_closed()
    stop = asyncio.Event()
    opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = build_app(_messages, Checks())
    serving = asyncio.create_task(
        serve(app, "127.0.0.1", 0, port, render=lambda: b"turns 1\n", stop=stop, opened=opened.set_result)
    )
    main = await opened
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert await answer.read() == b"turns 1\n"
        async with session.get(f"http://127.0.0.1:{main}/metrics") as answer:
            assert answer.status == 404
    stop.set()
    await serving


async def test_told_to_stop_it_says_so_and_still_answers() -> None:
    """While others learn that it leaves, each request is answered, on a connection that then ends."""
    stop, opened = asyncio.Event(), asyncio.get_running_loop().create_future()
    limits = Limits(leave_seconds=30, finish_seconds=0.5)
    app = build_app(_messages, Checks(), limits=limits)
    serving = asyncio.create_task(
        serve(app, "127.0.0.1", 0, 0, stop=stop, opened=opened.set_result, limits=limits)
    )
    url = f"http://127.0.0.1:{await opened}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/readyz") as answer:
            assert (answer.status, answer.headers.get("Connection")) == (200, None)
        stop.set()
        await asyncio.sleep(0)
        async with session.get(f"{url}/readyz") as answer:
            said = await answer.json()
            assert (answer.status, said) == (503, {"store": True, "keys": True, "staying": False})
        for _ in range(3):
            async with session.post(f"{url}/api/messages") as answer:
                assert (answer.status, answer.headers.get("Connection")) == (201, "close")
        assert not serving.done()
        # Told once more it does not wait any longer.
        stop.set()
        async with asyncio.timeout(5):
            await serving
