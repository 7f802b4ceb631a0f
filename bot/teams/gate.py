"""Who may speak to the bot at all: method, size, token, tenant, shape. Nothing else runs before it.

Knows the channel's token and the shape of an activity. Must not know commands, people's rights, or the SDK.
Every refusal is one log line with rule, peer and status: no content, no token, no stack trace.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError

from . import strict_json
from .activity_rules import (
    ACTIVITY_RULES,
    CHANNEL,
    GateRules,
    guid,
    is_loopback,
    normalised,
    service_url_problem,
    tenants_named,
    why_ignored,
)
from .bearer import CLAIM_RULES, BadToken, proven, take_apart
from .signing_keys import Clock, SigningKey

__all__ = ["Admitted", "Gate", "GateRules", "Ignored", "Refused", "explain", "service_url_problem"]

log = logging.getLogger(__name__)

Status = Literal[400, 401, 403, 405, 413, 415]
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
_BROKEN_BODY = (RequestPayloadError, HttpProcessingError, aiohttp.ClientError, ConnectionError)


class Keys(Protocol):
    """Where signing keys come from (see signing_keys.SigningKeys)."""

    async def find(self, kid: str) -> SigningKey | None: ...


class Headers(Protocol):
    """The request's headers, case-insensitive, with repeats."""

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]: ...
    def __contains__(self, key: object) -> bool: ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """The bot shall see it. `body_hash` is sha256 of the raw body, hex; ids are GUIDs in lower case.

    `sender` is None only for installation and conversation updates.
    """

    activity: dict[str, Any]
    claims: dict[str, Any]
    body_hash: str
    tenant_id: str
    sender: str | None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Genuine, but nothing for us: answered 200."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Answered with `status`; `rule` names the check that said no."""

    status: Status
    rule: str
    why: str


class Gate:
    """The strict check in front of the SDK."""

    def __init__(
        self,
        rules: GateRules,
        keys: Keys,
        clock: Clock,
        *,
        body_seconds: float = 5.0,
        count: Callable[[str, str], None] = lambda name, label: None,
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock
        self._body_seconds = body_seconds
        self._count = count

    async def admit(
        self,
        method: str,
        headers: Headers,
        peer: str | None,
        read_body: Callable[[], AsyncIterator[bytes]],
    ) -> Admitted | Ignored | Refused:
        """Judge one request. Never raises for anything that a stranger can send.

        The token is proven before the body is read, so that an unknown caller cannot make us hold one.
        """
        verdict = await self._judge(method, headers, peer, read_body)
        if isinstance(verdict, Refused):
            self._count("gate_refusals", verdict.rule)
            log.warning(
                "gate refused a request",
                extra={"rule": verdict.rule, "why": verdict.why, "status": verdict.status, "peer": peer},
            )
        return verdict

    async def _judge(
        self,
        method: str,
        headers: Headers,
        peer: str | None,
        read_body: Callable[[], AsyncIterator[bytes]],
    ) -> Admitted | Ignored | Refused:
        if refused := self._envelope(method, headers, peer):
            return refused
        proof = await self._token(headers)
        if isinstance(proof, Refused):
            return proof
        body = await self._body(read_body)
        if isinstance(body, Refused):
            return body
        try:
            activity = strict_json.loads(body, self._rules.max_depth)
        except strict_json.NotStrict as error:
            return Refused(400, "json", str(error))
        for rule, status, check in ACTIVITY_RULES:
            if (why := check(activity, proof, self._rules)) is not None:
                return Refused(cast(Status, status), rule, why)
        if (why := why_ignored(activity)) is not None:
            return Ignored(why)
        normalised(activity)
        return Admitted(
            activity=activity,
            claims=proof,
            body_hash=hashlib.sha256(body).hexdigest(),
            tenant_id=guid(tenants_named(activity)[0]) or "",
            sender=(activity.get("from") or {}).get("aadObjectId"),
        )

    def _envelope(self, method: str, headers: Headers, peer: str | None) -> Refused | None:
        if method != "POST":
            return Refused(405, "method", "only POST")
        # Without TLS in front of us nobody but this machine may come in, also not through a proxy.
        if self._rules.allow_loopback and (
            not is_loopback(peer) or any(name in headers for name in _FORWARDED)
        ):
            return Refused(403, "loopback", "not from this machine")
        kinds = headers.getall("Content-Type", ())
        if len(kinds) != 1 or not _is_json(kinds[0]):
            return Refused(415, "content-type", "only application/json in UTF-8")
        if any(value.strip().lower() != "identity" for value in headers.getall("Content-Encoding", ())):
            return Refused(415, "content-encoding", "no compressed bodies")
        for length in headers.getall("Content-Length", ()):
            if not (length.isascii() and length.isdigit()):
                return Refused(400, "size", "a length that is no number")
            if len(length) > 12 or int(length) > self._rules.max_body:
                return Refused(413, "size", "the body is too large")
        return None

    async def _token(self, headers: Headers) -> dict[str, Any] | Refused:
        try:
            token = take_apart(headers.getall("Authorization", ()))
            key = await self._keys.find(token.kid)
            if key is None:
                raise BadToken("key", "signed with a key that we do not know")
            claims = proven(token, key)
        except BadToken as error:
            return Refused(401, f"token.{error.rule}", error.why)
        now = self._clock.now().timestamp()
        for rule, check in CLAIM_RULES:
            if (why := check(claims, self._rules, now)) is not None:
                return Refused(401, rule, why)
        if CHANNEL not in key.endorsements:
            return Refused(401, "token.endorsement", "the key may not speak for Teams")
        return claims

    async def _body(self, read_body: Callable[[], AsyncIterator[bytes]]) -> bytes | Refused:
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_seconds):
                async for chunk in read_body():
                    size += len(chunk)
                    if size > self._rules.max_body:
                        return Refused(413, "size", "the body is too large")
                    chunks.append(chunk)
        except TimeoutError:
            return Refused(400, "body", "the body took too long")
        except _BROKEN_BODY:
            return Refused(400, "body", "the body is broken")
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _is_json(value: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in value.split(";"))
    return kind == "application/json" and all(
        part in ("", "charset=utf-8", 'charset="utf-8"') for part in parameters
    )


def explain(
    recorded: bytes | dict[str, Any],
    rules: GateRules,
    claims: Mapping[str, Any] | None = None,
    now: float = 0.0,
) -> list[str]:
    """What the gate thinks of a recorded activity, one line for each rule, in the order of judgement.

    `recorded` is the activity, or `{"activity": ..., "claims": ...}`. Without claims, token rules are
    named as not checked. `now` is seconds since 1970; 0 leaves out `exp` and `nbf`. Shows no content of
    the activity.
    """
    if isinstance(recorded, bytes):
        lines = [_line("size", 413, "the body is too large" if len(recorded) > rules.max_body else None)]
        try:
            activity = strict_json.loads(recorded, rules.max_depth + 1)
        except strict_json.NotStrict as error:
            return [*lines, _line("json", 400, str(error))]
        lines.append(_line("json", 400, None))
    else:
        activity, lines = recorded, []
    if isinstance(activity.get("activity"), dict):
        recorded_claims = activity.get("claims")
        claims = claims if claims is not None or not isinstance(recorded_claims, dict) else recorded_claims
        activity = activity["activity"]
    lines += _explain_claims(claims, rules, now)
    broken = False
    for rule, status, check in ACTIVITY_RULES:
        if rule == "service-url.claim" and claims is None:
            lines.append(f"{rule}: not checked (no token claims given)")
            continue
        why = check(activity, claims or {}, rules)
        broken = broken or why is not None
        lines.append(_line(rule, status, why))
    if not broken:
        why = why_ignored(activity)
        lines.append(f"handling: {f'ignored with 200, {why}' if why else 'ok (the bot would see it)'}")
    return lines


def _explain_claims(claims: Mapping[str, Any] | None, rules: GateRules, now: float) -> list[str]:
    lines = ["token.signature: not checked (a recording holds no token)"]
    for rule, check in CLAIM_RULES:
        if claims is None or (not now and rule in ("token.exp", "token.nbf")):
            lines.append(f"{rule}: not checked ({'no token claims' if claims is None else 'no time'} given)")
        else:
            lines.append(_line(rule, 401, check(claims, rules, now)))
    return lines


def _line(rule: str, status: int, why: str | None) -> str:
    return f"{rule}: ok" if why is None else f"{rule}: refused with {status}, {why}"
