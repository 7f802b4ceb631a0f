"""The public keys with which the Bot Framework channel signs its requests.

Knows where keys are published and how long they may be trusted. Must not know tokens or activities.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

log = logging.getLogger(__name__)

_BETWEEN_FETCHES = timedelta(minutes=1)
_BETWEEN_COLD_FETCHES = timedelta(seconds=5)
_REFRESH_AFTER = timedelta(hours=24)
_KEEP_PAST_REFRESH = timedelta(hours=24)
_MAX_DOCUMENT = 1024 * 1024
_MAX_KEYS = 200
_MIN_BITS = 2048


class Clock(Protocol):
    """The time, as an aware UTC datetime."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One published key. `endorsements` are the channel ids it may speak for."""

    kid: str
    public: RSAPublicKey
    endorsements: frozenset[str]


class KeysUnreadable(Exception):
    """The metadata host answered something that holds no usable key. The text is a short word."""


class SigningKeys:
    """Keys by `kid`, refreshed daily and when an unknown `kid` turns up, at most once a minute.

    While the metadata host is down, slow or talks nonsense, the last good keys serve for 24 hours past the
    daily refresh. A fetch never delays a request whose key is known. Addresses and the daily refresh:
    Microsoft Learn, "Authenticate requests from the Bot Connector service".
    """

    def __init__(
        self,
        metadata_url: str,
        session: aiohttp.ClientSession | Callable[[], aiohttp.ClientSession],
        clock: Clock,
        *,
        limit_seconds: float = 3.0,
        count: Callable[[str, str], None] = lambda name, label: None,
    ) -> None:
        """`session` may be a factory, because a session wants a running loop. The limit covers both
        fetches.
        """
        self._metadata_url = metadata_url
        self._session = session
        self._clock = clock
        self._limit = limit_seconds
        self._count = count
        self._keys: dict[str, SigningKey] = {}
        self._fetched: datetime | None = None
        self._tried: datetime | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """There is at least one key to check tokens with."""
        return bool(self._keys)

    async def warm(self) -> None:
        """Fetch once at start. Never raises: without keys every request is refused until a fetch succeeds."""
        await asyncio.shield(self._refresh())

    async def find(self, kid: str) -> SigningKey | None:
        """The key, or None when it is unknown after a refresh that was due."""
        now = self._clock.now()
        age = None if self._fetched is None else now - self._fetched
        if age is not None and age >= _REFRESH_AFTER + _KEEP_PAST_REFRESH:
            self._keys, self._fetched = {}, None
        key = self._keys.get(kid)
        if key is not None:
            if age is not None and age >= _REFRESH_AFTER and self._may_fetch(now):
                self._refresh()
            return key
        if self._running is not None or self._may_fetch(now):
            # Shielded: a caller that goes away must not stop the fetch for the others.
            await asyncio.shield(self._refresh())
        return self._keys.get(kid)

    def _may_fetch(self, now: datetime) -> bool:
        if self._tried is None:
            return True
        return now - self._tried >= (_BETWEEN_FETCHES if self._keys else _BETWEEN_COLD_FETCHES)

    def _refresh(self) -> asyncio.Task[None]:
        if self._running is None:
            self._tried = self._clock.now()
            self._running = asyncio.create_task(self._fetch())
            self._running.add_done_callback(self._landed)
        return self._running

    def _landed(self, _: asyncio.Task[None]) -> None:
        self._running = None

    async def _fetch(self) -> None:
        started = self._clock.now()
        try:
            async with asyncio.timeout(self._limit):
                metadata = await self._document(self._metadata_url)
                keys = _usable(await self._document(_keys_url(metadata, self._metadata_url)))
        except (aiohttp.ClientError, TimeoutError, OSError, KeysUnreadable) as error:
            self._count("key_refreshes", "failed")
            log.warning(
                "signing keys not refreshed",
                extra={"why": str(error) if isinstance(error, KeysUnreadable) else type(error).__name__},
            )
            return
        self._keys, self._fetched = keys, started
        self._count("key_refreshes", "ok")

    async def _document(self, url: str) -> dict[str, Any]:
        session = self._session if isinstance(self._session, aiohttp.ClientSession) else self._session()
        async with session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise KeysUnreadable(f"status {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > _MAX_DOCUMENT:
                    raise KeysUnreadable("too large")
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise KeysUnreadable("not JSON") from None
        if not isinstance(document, dict):
            raise KeysUnreadable("not an object")
        return document


def _keys_url(metadata: dict[str, Any], metadata_url: str) -> str:
    """The address of the keys; it must live on the metadata's own host, or a wrong page could lend us
    keys.
    """
    url = metadata.get("jwks_uri")
    if not isinstance(url, str):
        raise KeysUnreadable("no jwks_uri")
    try:
        here, there = urlsplit(metadata_url), urlsplit(url)
    except ValueError:
        raise KeysUnreadable("bad jwks_uri") from None
    if (here.scheme, here.netloc.lower()) != (there.scheme, there.netloc.lower()):
        raise KeysUnreadable("jwks_uri on another host")
    return url


def _usable(document: dict[str, Any]) -> dict[str, SigningKey]:
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise KeysUnreadable("no keys")
    keys = {key.kid: key for key in map(_key, entries[:_MAX_KEYS]) if key is not None}
    if not keys:
        raise KeysUnreadable("no usable keys")
    return keys


def _key(entry: object) -> SigningKey | None:
    if not isinstance(entry, dict) or entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig":
        return None
    kid, endorsements = entry.get("kid"), entry.get("endorsements")
    if not isinstance(kid, str) or not kid:
        return None
    try:
        public = RSAPublicNumbers(e=_number(entry["e"]), n=_number(entry["n"])).public_key()
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if public.key_size < _MIN_BITS:
        return None
    named = endorsements if isinstance(endorsements, list) else []
    return SigningKey(kid, public, frozenset(item for item in named if isinstance(item, str)))


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
