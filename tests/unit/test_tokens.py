"""Entra tokens against a login host on loopback, over https, with the real MSAL."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import ssl
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fake_channel import APP, TENANT, HandClock, private_key

from bot.tokens import EntraTokens, TokenUnavailable

SCOPE = "https://graph.example/.default"
SECRET = "very-secret-value"


class LoginHost:
    """Entra's token endpoint, in threads of its own because MSAL calls from one. `answer` is (status,
    body).
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer: tuple[int, dict[str, Any]] | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self.arrived = threading.Event()
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.reply(self, 200, host.metadata())

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                host.asked.append({name: values[0] for name, values in form.items()})
                number = len(host.asked)
                host.arrived.set()
                host.go_on.wait(5)
                token = {"token_type": "Bearer", "expires_in": 3600, "access_token": f"token-{number}"}
                host.reply(self, *(host.answer or (200, token)))

            def log_message(self, format: str, *args: Any) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def root(self) -> str:
        return f"https://127.0.0.1:{self.server.server_address[1]}/"

    def metadata(self) -> dict[str, str]:
        base = f"{self.root}{TENANT}"
        return {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
        }

    def reply(self, handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    def close(self) -> None:
        if self.thread.is_alive():
            self.go_on.set()
            self.server.shutdown()
            self.server.server_close()
            self.thread.join(5)


def _certificate(folder: Path) -> tuple[str, str]:
    key = private_key("tls")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, SHA256())
    )
    certificate_file, key_file = folder / "cert.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(certificate_file), str(key_file)


@contextlib.asynccontextmanager
async def _login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LoginHost]:
    certificate, key = _certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    host = LoginHost(context)
    try:
        yield host
    finally:
        await asyncio.to_thread(host.close)


def _tokens(host: LoginHost, clock: HandClock) -> EntraTokens:
    return EntraTokens(APP, TENANT, host.root, SECRET, custom_host=True, clock=clock)


async def test_a_token_is_used_until_five_minutes_before_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request buys 55 minutes; the next one gets a new token, also from MSAL's own cache's point of
    view.
    """
    clock = HandClock()
    async with _login(tmp_path, monkeypatch) as host:
        tokens = _tokens(host, clock)
        assert await tokens.get(SCOPE) == "token-1"
        clock.pass_(minutes=54)
        assert await tokens.get(SCOPE) == "token-1"
        clock.pass_(minutes=2)
        assert await tokens.get(SCOPE) == "token-2"
        assert await tokens.refresh(SCOPE) == "token-3"
        assert await tokens.get(SCOPE) == "token-3"
        assert {form["scope"] for form in host.asked} == {SCOPE}


async def test_many_callers_share_one_request_and_scopes_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty callers at once cost one request for each scope, and giving up takes nothing from the others."""
    async with _login(tmp_path, monkeypatch) as host:
        tokens = _tokens(host, HandClock())
        host.go_on.clear()
        impatient = asyncio.create_task(tokens.get(SCOPE))
        callers = [asyncio.create_task(tokens.get(SCOPE)) for _ in range(50)]
        assert await asyncio.to_thread(host.arrived.wait, 5)
        impatient.cancel()
        host.go_on.set()
        assert set(await asyncio.gather(*callers)) == {"token-1"}
        assert await tokens.get("other/.default") == "token-2"


async def test_the_hot_path_starts_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in memory is handed out without leaving the loop."""
    async with _login(tmp_path, monkeypatch) as host:
        tokens = _tokens(host, HandClock())
        await tokens.get(SCOPE)
        before = threading.active_count()
        hot = tokens.get(SCOPE)
        with pytest.raises(StopIteration):  # the coroutine ends at once: it never waits for anything
            hot.send(None)
        assert threading.active_count() == before


async def test_a_refusal_carries_entras_code_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong secret is reported by its AADSTS code; what Entra quotes is not repeated."""
    async with _login(tmp_path, monkeypatch) as host:
        host.answer = (
            401,
            {"error": "invalid_client", "error_description": f"AADSTS7000215: bad secret {SECRET}."},
        )
        with pytest.raises(TokenUnavailable) as caught:
            await _tokens(host, HandClock()).get(SCOPE)
        assert caught.value.code == "AADSTS7000215"
        assert SECRET not in str(caught.value)
        host.answer = (400, {"error": "temporarily unavailable"})
        with pytest.raises(TokenUnavailable, match="temporarilyunavailable"):
            await _tokens(host, HandClock()).get(SCOPE)


async def test_a_login_outage_is_survived_while_the_old_token_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the last five minutes a failed renewal falls back to the old token; after that it is an
    error.
    """
    clock = HandClock()
    async with _login(tmp_path, monkeypatch) as host:
        tokens = _tokens(host, clock)
        await tokens.get(SCOPE)
        await asyncio.to_thread(host.close)
        clock.pass_(minutes=57)
        assert await tokens.get(SCOPE) == "token-1"
        clock.pass_(minutes=3)
        with pytest.raises(TokenUnavailable) as caught:
            await tokens.get(SCOPE)
        assert caught.value.code == "unreachable"


async def test_an_unreachable_login_host_is_named_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer at all is TokenUnavailable too, and it recovers without a restart."""
    async with _login(tmp_path, monkeypatch) as host:
        tokens = EntraTokens(APP, TENANT, "https://127.0.0.1:1/", SECRET, custom_host=True, clock=HandClock())
        with pytest.raises(TokenUnavailable, match="unreachable"):
            await tokens.get(SCOPE)
        assert host.asked == []
