"""The channel's token: one RS256 JWS, its signature and its claims.

Knows tokens. Must not know activities or HTTP. Source of the claims: Microsoft Learn, "Authenticate
requests from the Bot Connector service". The SDK's own check accepts "emulator" tokens, tokens without
`exp`, and others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from .signing_keys import SigningKey

_MAX_TOKEN = 6144
_PADDING = PKCS1v15()
_HASH = SHA256()
# Base64url without padding; decoding first swaps the two letters that differ, so the originals must be
# absent.
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Expected(Protocol):
    """What a claim is compared with."""

    @property
    def app_id(self) -> str: ...
    @property
    def issuer(self) -> str: ...
    @property
    def leeway_seconds(self) -> int: ...


class BadToken(Exception):
    """The token proves nothing. `rule` names the check; `why` says what was missed, without content."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(f"{rule}: {why}")
        self.rule = rule
        self.why = why


@dataclass(frozen=True, slots=True)
class Unproven:
    """A token taken apart. Nothing in it is true until `proven` has returned its claims."""

    kid: str
    signed: bytes
    signature: bytes
    payload: bytes


def take_apart(headers: Sequence[str]) -> Unproven:
    """The token of exactly one `Authorization: Bearer` header. Raises BadToken."""
    if len(headers) != 1:
        raise BadToken("bearer", "there must be exactly one Authorization header")
    scheme, _, text = headers[0].partition(" ")
    if scheme.lower() != "bearer" or not text or len(text) > _MAX_TOKEN:
        raise BadToken("bearer", "not a bearer token")
    try:
        raw = text.encode("ascii")
        signed, _, signature = raw.rpartition(b".")
        head, _, payload = signed.partition(b".")
        header = orjson.loads(_decode(head))
        token = Unproven("", signed, _decode(signature), _decode(payload))
    except (ValueError, binascii.Error):
        raise BadToken("bearer", "not a signed token") from None
    if not isinstance(header, dict) or header.get("alg") != "RS256" or "crit" in header:
        raise BadToken("algorithm", "only RS256 is accepted")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise BadToken("key", "the token names no key")
    return Unproven(kid, token.signed, token.signature, token.payload)


def proven(token: Unproven, key: SigningKey) -> dict[str, Any]:
    """The claims, once the signature holds. Raises BadToken. Computed for every request: nothing is
    remembered.
    """
    try:
        key.public.verify(token.signature, token.signed, _PADDING, _HASH)
    except InvalidSignature:
        raise BadToken("signature", "the signature does not fit the key") from None
    try:
        claims = orjson.loads(token.payload)
    except orjson.JSONDecodeError:
        raise BadToken("claims", "the claims are not JSON") from None
    if not isinstance(claims, dict):
        raise BadToken("claims", "the claims are not an object")
    return claims


def _decode(part: bytes) -> bytes:
    if not part or b"+" in part or b"/" in part or b"=" in part:
        raise ValueError("not base64url")
    return base64.b64decode(part.translate(_URL_SAFE) + b"=" * (-len(part) % 4), validate=True)


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _expired(claims: Mapping[str, Any], expected: Expected, now: float) -> str | None:
    until = _moment(claims.get("exp"))
    if until is None:
        return "the token has no end (exp)"
    return None if now < until + expected.leeway_seconds else "the token has expired"


def _early(claims: Mapping[str, Any], expected: Expected, now: float) -> str | None:
    since = _moment(claims.get("nbf"))
    if since is None:
        return "the token has no beginning (nbf)"
    return None if now >= since - expected.leeway_seconds else "the token is not valid yet"


def _issuer(claims: Mapping[str, Any], expected: Expected, now: float) -> str | None:
    return None if claims.get("iss") == expected.issuer else "issued by somebody else"


def _audience(claims: Mapping[str, Any], expected: Expected, now: float) -> str | None:
    # A list is refused too: the channel sends one string.
    return None if claims.get("aud") == expected.app_id else "meant for another app"


def _service_url(claims: Mapping[str, Any], expected: Expected, now: float) -> str | None:
    url = claims.get("serviceurl")
    return None if isinstance(url, str) and url else "the token has no serviceurl"


CLAIM_RULES: tuple[tuple[str, Callable[[Mapping[str, Any], Expected, float], str | None]], ...] = (
    ("token.exp", _expired),
    ("token.nbf", _early),
    ("token.iss", _issuer),
    ("token.aud", _audience),
    ("token.serviceurl", _service_url),
)
"""Name and check; a check returns why it says no, or None. `now` is in seconds since 1970."""
