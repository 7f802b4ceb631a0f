"""Fetching a file that somebody sent, and putting one where they want it: two calls, and where they may go.

Knows hosts, addresses and bounds. Must not know activities, cards or what is in a file. No token of ours is
attached, no redirect followed, no proxy used; the address that was judged is the one that is connected to.
Source: Microsoft Learn, "Send and receive files using a bot" (the links are authorised by themselves).
"""

from __future__ import annotations

import asyncio
import io
import ipaddress
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bot.domain import file_reasons, sheet_reasons
from bot.domain.reason import Refusal
from bot.teams.activity_rules import is_loopback

_PLAIN = re.compile(r"[!-~]{8,4096}")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_MIB = 1024 * 1024
_CHUNK = 64 * 1024


class NotTransferred(Exception):
    """The file did not come or go. refusal: why, for whoever sent or wanted it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class FileRules:
    """Where files may lie. hosts: bare names, exactly these; where none is named: suffix, with one label
    before it, "" = nowhere. allow_loopback: this machine and nothing else. most_bytes, seconds: of one file.
    """

    hosts: frozenset[str] = frozenset()
    suffix: str = ""
    allow_loopback: bool = False
    most_bytes: int = 5 * _MIB
    seconds: float = 20.0


def address_problem(url: str, rules: FileRules) -> str | None:
    """Why nothing is fetched from this address, or None."""
    if not _PLAIN.fullmatch(url) or "\\" in url:
        return "not a plain address"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        return "not an address"
    if "@" in parts.netloc or parts.fragment:
        return "an address with a user or a fragment"
    if rules.allow_loopback:
        here = is_loopback(host) and parts.scheme in ("http", "https")
        return None if here else "not on this machine"
    if parts.scheme != "https" or port not in (None, 443):
        return "not https on its own port"
    if rules.hosts:
        return None if host in rules.hosts else "the host is not on the list"
    first, _, rest = host.partition(".")
    return (
        None if rules.suffix and first and f".{rest}" == rules.suffix else "no host where files of Teams lie"
    )


def may_connect(address: str, *, loopback: bool) -> bool:
    """Only to the public internet; in a sandbox only to this machine. A mapped address is what it maps."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.is_loopback if loopback else ip.is_global and not ip.is_multicast


class Pinned(AbstractResolver):
    """Looks a name up once, judges every address, and gives only judged ones to the connection."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM
        )
        if not found or not all(may_connect(str(each[4][0]), loopback=self._loopback) for each in found):
            # One address that is none of ours to visit makes the whole name suspect.
            raise OSError(f"{len(found)} addresses, not all of them public")
        return [
            ResolveResult(
                hostname=host,
                host=str(at[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, at in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Transfers:
    """One session for files, apart from the one that carries our token."""

    def __init__(self, rules: FileRules) -> None:
        self._rules = rules
        self._session: aiohttp.ClientSession | None = None

    @property
    def anywhere(self) -> bool:
        """Whether there is any place for files: some clouds have none for bots."""
        return bool(self._rules.hosts or self._rules.suffix or self._rules.allow_loopback)

    async def fetch(self, url: str) -> bytes:
        """The bytes of a file. Raises NotTransferred."""
        async with self._bounded(), self._asked("GET", url, None, {"Accept-Encoding": "identity"}) as answer:
            if answer.status != 200:
                raise NotTransferred(file_reasons.FILE_GONE.refuse(status=str(answer.status)))
            if (answer.content_length or 0) > self._rules.most_bytes:
                raise self._too_big(answer.content_length or 0)
            content = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                content += chunk
                if len(content) > self._rules.most_bytes:
                    raise self._too_big(len(content))
            return bytes(content)

    async def put(self, url: str, content: bytes, command: str) -> None:
        """Upload to an upload session in one piece. command: how it can be asked for again. Raises
        NotTransferred.
        """
        whole = len(content)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"bytes 0-{whole - 1}/{whole}",
        }
        async with self._bounded(), self._asked("PUT", url, io.BytesIO(content), headers) as answer:
            if answer.status not in (200, 201):
                raise NotTransferred(
                    file_reasons.FILE_NOT_SENT.refuse(what=f"it answered {answer.status}", command=command)
                )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        """Within its time, from the name to the last byte."""
        broke = file_reasons.FILE_BROKE_OFF.refuse(seconds=f"{self._rules.seconds:g}")
        try:
            async with asyncio.timeout(self._rules.seconds):
                yield
        except aiohttp.InvalidURL as error:
            raise NotTransferred(file_reasons.FILE_HOST.refuse()) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotTransferred(broke) from error

    @asynccontextmanager
    async def _asked(
        self, method: str, url: str, body: io.BytesIO | None, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if address_problem(url, self._rules) is not None:
            raise NotTransferred(file_reasons.FILE_HOST.refuse())
        if self._session is None:
            loopback = self._rules.allow_loopback
            connector = aiohttp.TCPConnector(
                limit=8, force_close=True, use_dns_cache=False, resolver=Pinned(loopback=loopback)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=10),
            )
        async with self._session.request(
            method, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
        ) as answer:
            yield answer

    def _too_big(self, count: int) -> NotTransferred:
        size, most = (f"{each / _MIB:.1f} MB" for each in (count, self._rules.most_bytes))
        return NotTransferred(sheet_reasons.FILE_TOO_BIG.refuse(size=size, most=most))
