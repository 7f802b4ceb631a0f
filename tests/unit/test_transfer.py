"""Where files are fetched from and put to, and where never: attacks F7 and F8 of the threat model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.teams.transfer import FileRules, NotTransferred, Pinned, Transfers, address_problem, may_connect

REAL = FileRules(suffix=".sharepoint.com")
HERE = FileRules(allow_loopback=True, most_bytes=1_000, seconds=2.0)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Trap:
    """A server that remembers what reached it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    @asynccontextmanager
    async def serving(self, handler: Handler) -> AsyncIterator[str]:
        async def remember(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            self.seen.append((request.method, request.path, dict(request.headers), body))
            return await handler(request)

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", remember)
        async with TestServer(app, host="127.0.0.1") as server:
            yield str(server.make_url("/")).rstrip("/")


async def fetched(url: str, rules: FileRules = HERE) -> bytes | str:
    """The bytes, or the code of the refusal."""
    transfers = Transfers(rules)
    try:
        return await transfers.fetch(url)
    except NotTransferred as error:
        return error.refusal.code
    finally:
        await transfers.close()


async def ok(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"a,b\r\n")


@pytest.mark.parametrize(
    "url",
    [
        "https://contoso.sharepoint.com/sites/x/_layouts/download.aspx?UniqueId=1&tempauth=abc",
        "https://contoso-my.sharepoint.com:443/personal/alice/x.xlsx",
    ],
)
def test_the_companys_sharepoint_is_allowed(url: str):
    """With the long links that Teams makes."""
    assert address_problem(url, REAL) is None
    named = replace(REAL, hosts=frozenset({"contoso.sharepoint.com", "contoso-my.sharepoint.com"}))
    assert address_problem(url, named) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/",
        "https://localhost/x",
        "http://contoso.sharepoint.com/x",
        "https://contoso.sharepoint.com:8443/x",
        "https://contoso.sharepoint.com@evil.example/x",
        "https://evil.example/contoso.sharepoint.com",
        "https://contoso.sharepoint.com.evil.example/x",
        "https://evilsharepoint.com/x",
        "https://sharepoint.com/x",
        "https://.sharepoint.com/x",
        "https://a.b.sharepoint.com/x",
        "https://contoso.sharepoint.com./x",
        "https://contoso.sharepoint.com\\@evil.example/x",
        "https://contoso.shаrepoint.com/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "file:///etc/passwd",
        "ftp://contoso.sharepoint.com/x",
        "//contoso.sharepoint.com/x",
        "https://contoso.sharepoint.com/x#y",
        "https://contoso.sharepoint.com/" + "x" * 5_000,
        "https://contoso.sharepoint.com:99999/",
        "",
    ],
)
def test_everything_else_is_not(url: str):
    """F7: other hosts, other schemes, other ports, look-alikes, addresses, users in front."""
    assert address_problem(url, REAL)
    assert address_problem(url, replace(REAL, suffix=""))


def test_another_company_is_not_when_hosts_are_named():
    """With FILE_HOSTS only the named ones count."""
    named = replace(REAL, hosts=frozenset({"contoso.sharepoint.com"}))
    assert address_problem("https://fabrikam.sharepoint.com/x", named)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1", "100.64.0.1"),
        *("::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "224.0.0.1"),
        *("64:ff9b::a00:1", "64:ff9b::7f00:1", "ff02::1", "255.255.255.255", "not an address"),
    ],
)
def test_only_public_addresses_are_connected_to(address: str):
    """F7: whatever a name resolves to, mapped and translated addresses included."""
    assert not may_connect(address, loopback=False)


def test_public_addresses_are_connected_to_and_loopback_only_in_the_sandbox():
    """The two rules exclude each other."""
    assert may_connect("13.107.136.10", loopback=False)
    assert may_connect("2620:1ec:8f8::10", loopback=False)
    assert may_connect("64:ff9b::0d6b:880a", loopback=False)
    assert may_connect("127.0.0.1", loopback=True)
    assert not may_connect("13.107.136.10", loopback=True)


async def test_a_name_that_leads_to_this_machine_is_not_followed():
    """F7, rebinding: the addresses of a name are judged where the connection takes them from."""
    with pytest.raises(OSError, match="not all of them public"):
        await Pinned(loopback=False).resolve("localhost", 443)
    assert [found["host"] for found in await Pinned(loopback=True).resolve("127.0.0.1", 80)] == ["127.0.0.1"]


async def test_a_file_is_fetched_without_any_token_or_cookie():
    """The link is authorised by itself; nothing that identifies us leaves."""
    trap = Trap()
    async with trap.serving(ok) as url:
        assert await fetched(f"{url}/f.csv?tempauth=a%2Fb") == b"a,b\r\n"
    ((method, path, headers, _),) = trap.seen
    assert (method, path) == ("GET", "/f.csv")
    assert not {"authorization", "cookie", "proxy-authorization"} & {name.lower() for name in headers}


async def test_a_redirect_is_not_followed():
    """F7: not even on the same host."""
    trap = Trap()

    async def away(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/elsewhere")

    async with trap.serving(away) as url:
        assert await fetched(url + "/f") == "conflict.file-gone"
    assert [path for _, path, _, _ in trap.seen] == ["/f"]


async def test_outside_the_sandbox_the_trap_is_never_reached():
    """F7: a server of this machine sees nothing, by address and by name."""
    trap = Trap()
    async with trap.serving(ok) as url:
        for tried in (url, url.replace("127.0.0.1", "localhost"), url.replace("http", "https")):
            assert await fetched(tried, REAL) == "policy.file-host"
    assert trap.seen == []


async def test_what_is_too_big_is_not_read_to_its_end():
    """F8: by its own word, and when it says nothing or lies."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 500)

    async def big(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 2_000)

    for handler in (endless, big):
        async with Trap().serving(handler) as url:
            assert await fetched(url) == "usage.file-too-big"


async def test_what_is_too_slow_or_breaks_off_is_refused():
    """F8: a trickle, a length that is not kept, a dead link, a closed door."""

    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    async def short(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"x")
        assert request.transport is not None
        request.transport.close()
        return response

    async def gone(request: web.Request) -> web.StreamResponse:
        return web.Response(status=410)

    for handler, code in (
        (slow, "internal.file-broke-off"),
        (short, "internal.file-broke-off"),
        (gone, "conflict.file-gone"),
    ):
        async with Trap().serving(handler) as url:
            assert await fetched(url, replace(HERE, seconds=0.3)) == code
    assert await fetched("http://127.0.0.1:1/") == "internal.file-broke-off"


async def test_a_file_is_put_in_one_piece():
    """As an upload session of OneDrive wants it."""
    trap, transfers = Trap(), Transfers(HERE)

    async def made(request: web.Request) -> web.StreamResponse:
        return web.Response(status=201)

    async with trap.serving(made) as url:
        await transfers.put(url + "/up", b"hello", "bulk")
    await transfers.close()
    ((method, _, headers, body),) = trap.seen
    assert (method, headers["Content-Range"], body) == ("PUT", "bytes 0-4/5", b"hello")
    assert "Authorization" not in headers


async def test_a_place_that_does_not_take_the_file_is_told():
    """With the words that offer it again."""
    transfers = Transfers(HERE)

    async def full(request: web.Request) -> web.StreamResponse:
        return web.Response(status=507)

    async with Trap().serving(full) as url:
        with pytest.raises(NotTransferred) as caught:
            await transfers.put(url, b"hello", "bulk csv")
    await transfers.close()
    assert dict(caught.value.refusal.facts) == {"what": "it answered 507", "command": "bulk csv"}
    with pytest.raises(NotTransferred):
        await Transfers(REAL).put("https://evil.example/up", b"hello", "bulk")
