"""Entra tokens for one identity of the bot's own, through MSAL, never on the event loop.

Knows the three credentials (secret, certificate, managed identity) and how long a token lasts. Must not know
what a token is used for.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import msal

from bot.telemetry import alarm

_RENEW_BEFORE = timedelta(minutes=5)
_STILL_USABLE = timedelta(seconds=30)
_LOGIN_SECONDS = 10.0
_AADSTS = re.compile(r"AADSTS\d{3,9}")
_PLAIN = re.compile(r"[^A-Za-z0-9_.-]")
_log = logging.getLogger(__name__)
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


class Clock(Protocol):
    """The time, as an aware UTC datetime."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Secret:
    """A client secret."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A PEM file with a private key and its certificate first, then the chain.

    It is read again for each token, so that a renewed file counts without a restart.
    """

    path: Path


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """A user-assigned managed identity of Azure, named by the client id. Nothing to keep secret.

    MSAL finds the endpoint (App Service, Functions, Container Apps, virtual machines) in the environment.
    """


Credential = Secret | Certificate | ManagedIdentity


class TokenUnavailable(Exception):
    """No token could be had.

    code: Entra's AADSTS code, its OAuth error word, `unreachable`, or `credential` (our file is unusable).
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"no token from Entra: {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class _Held:
    token: str
    expires: datetime


class EntraTokens:
    """Tokens by scope, kept in memory until five minutes before they end.

    One request per scope is in flight at a time. When renewal fails, a token that is still valid is used on.
    Source of the five minutes: Microsoft's advice on token lifetimes, and MSAL's own margin.
    """

    def __init__(
        self,
        client_id: str,
        tenant_id: str,
        login_base_url: str,
        credential: Credential,
        *,
        custom_host: bool,
        clock: Clock,
        count: Callable[[str, str], None] = lambda name, label: None,
    ) -> None:
        """`login_base_url` is a root without tenant. `custom_host` turns MSAL's instance discovery off."""
        self._client_id = client_id
        self._authority = f"{login_base_url.rstrip('/')}/{tenant_id}"
        self._credential = credential
        self._made_of: object = None
        self._custom_host = custom_host
        self._clock = clock
        self._count = count
        self._app: Any = None
        self._held: dict[str, _Held] = {}
        self._running: dict[str, asyncio.Task[_Held]] = {}

    async def get(self, scope: str) -> str:
        """A token that lasts. Raises TokenUnavailable. Touches no thread while the one in memory is good."""
        held = self._held.get(scope)
        if held is not None and self._clock.now() < held.expires - _RENEW_BEFORE:
            return held.token
        try:
            return await self.refresh(scope)
        except TokenUnavailable:
            if held is not None and self._clock.now() < held.expires - _STILL_USABLE:
                return held.token
            raise

    async def refresh(self, scope: str) -> str:
        """A new token even when the old one looks good (after a 401, say). Raises TokenUnavailable."""
        task = self._running.get(scope)
        if task is None:
            task = asyncio.create_task(self._renew(scope))
            self._running[scope] = task
            task.add_done_callback(lambda done: self._landed(scope, done))
        # Shielded: one caller giving up must not take the token away from the others.
        return (await asyncio.shield(task)).token

    def _landed(self, scope: str, done: asyncio.Task[_Held]) -> None:
        self._running.pop(scope, None)
        if not done.cancelled():
            done.exception()  # marks it as seen when every caller has gone

    async def _renew(self, scope: str) -> _Held:
        asked = self._clock.now()
        try:
            answer = await asyncio.to_thread(self._ask, scope)
        except TokenUnavailable:
            self._count("token_requests", "credential")
            alarm(_log, "credential", "the file with our certificate cannot be used")
            raise
        except Exception as error:
            # MSAL raises whatever its HTTP client raises, and ValueError for a bad authority.
            self._count("token_requests", "unreachable")
            raise TokenUnavailable("unreachable") from _without_secret(error)
        if "access_token" not in answer:
            self._count("token_requests", "refused")
            alarm(_log, "credential", f"Entra refuses our credential: {_code(answer)}")
            raise TokenUnavailable(_code(answer))
        self._count("token_requests", "ok")
        held = _Held(answer["access_token"], asked + timedelta(seconds=int(answer.get("expires_in", 0))))
        self._held[scope] = held
        return held

    def _ask(self, scope: str) -> dict[str, Any]:
        """Runs in a thread: building the application already calls the login host."""
        if isinstance(self._credential, ManagedIdentity):
            return self._ask_machine(scope)
        given = self._given(self._credential)
        if self._app is None or self._made_of != given:
            self._app = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=given,
                authority=self._authority,
                instance_discovery=not self._custom_host,
                timeout=_LOGIN_SECONDS,
            )
            self._made_of = given
        # Ours is the cache; MSAL's would hand the same token back on a forced refresh.
        self._app.remove_tokens_for_client()
        answer: dict[str, Any] = self._app.acquire_token_for_client(scopes=[scope])
        return answer

    def _given(self, credential: Secret | Certificate) -> object:
        """The credential as MSAL takes it: of a certificate it makes x5t#S256 and x5c by itself."""
        if isinstance(credential, Secret):
            return credential.value
        try:
            pem = credential.path.read_text("ascii")
        except (OSError, ValueError):
            raise TokenUnavailable("credential") from None
        blocks = [(found[1], found[0]) for found in _PEM.finditer(pem)]
        keys = [text for kind, text in blocks if kind.endswith("PRIVATE KEY")]
        chain = [text for kind, text in blocks if kind == "CERTIFICATE"]
        if not keys or not chain:
            raise TokenUnavailable("credential")
        return {"private_key": keys[0], "public_certificate": "\n".join(chain)}

    def _ask_machine(self, scope: str) -> dict[str, Any]:
        """A new client each time, because MSAL's own cache would hand the same token back."""
        identity = msal.UserAssignedManagedIdentity(client_id=self._client_id)
        # The endpoint is on this machine: no proxy may stand between.
        with httpx.Client(timeout=_LOGIN_SECONDS, trust_env=False) as http:
            client = msal.ManagedIdentityClient(identity, http_client=http)
            resource = scope.removesuffix("/.default")
            answer: dict[str, Any] = client.acquire_token_for_client(resource=resource)
        return answer


def _code(answer: dict[str, Any]) -> str:
    found = _AADSTS.search(str(answer.get("error_description", "")))
    return found[0] if found else _PLAIN.sub("", str(answer.get("error", "unknown")))[:64]


def _without_secret(error: Exception) -> Exception:
    """The cause by type only: errors of HTTP and PEM libraries may print what was sent or read."""
    return RuntimeError(type(error).__name__)
