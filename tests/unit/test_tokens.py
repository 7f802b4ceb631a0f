"""Entra tokens against a login host on loopback, over https, with the real MSAL."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import json
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fake_channel import APP, TENANT, HandClock, private_key

from bot.tokens import Certificate, EntraTokens, ManagedIdentity, Secret, TokenUnavailable

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


def _certificate(folder: Path, key_name: str = "tls") -> tuple[str, str]:
    key = private_key(key_name)
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
    return EntraTokens(APP, TENANT, host.root, Secret(SECRET), custom_host=True, clock=clock)


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
        tokens = EntraTokens(
            APP, TENANT, "https://127.0.0.1:1/", Secret(SECRET), custom_host=True, clock=HandClock()
        )
        with pytest.raises(TokenUnavailable, match="unreachable"):
            await tokens.get(SCOPE)
        assert host.asked == []


# --- other credentials ------------------------------------------------------------------------------------
def _pem(folder: Path, key_name: str) -> Path:
    """Key and certificate in one file, as it is configured."""
    place = folder / key_name
    place.mkdir()
    certificate, key = _certificate(place, key_name)
    file = folder / "app.pem"
    file.write_text(Path(key).read_text() + Path(certificate).read_text())
    return file


async def test_a_certificate_signs_instead_of_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entra gets a signed assertion with the certificate and its SHA-256 thumbprint, and no secret at all."""
    async with _login(tmp_path, monkeypatch) as host:
        file = _pem(tmp_path, "first")
        tokens = EntraTokens(APP, TENANT, host.root, Certificate(file), custom_host=True, clock=HandClock())
        assert await tokens.get(SCOPE) == "token-1"
        form = host.asked[0]
        assert "client_secret" not in form
        head = jwt.get_unverified_header(form["client_assertion"])
        leaf = x509.load_pem_x509_certificate(file.read_bytes())
        thumbprint = base64.urlsafe_b64encode(leaf.fingerprint(SHA256())).decode().rstrip("=")
        assert head["x5t#S256"].rstrip("=") == thumbprint
        assert base64.b64decode(head["x5c"][0]) == leaf.public_bytes(Encoding.DER)
        claims = jwt.decode(
            form["client_assertion"],
            leaf.public_key(),
            algorithms=[head["alg"]],
            options={"verify_aud": False},
        )
        assert claims["iss"] == claims["sub"] == APP


async def test_a_renewed_certificate_counts_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is read for each token; while it is unusable there is none, and its content stays in it."""
    async with _login(tmp_path, monkeypatch) as host:
        file = _pem(tmp_path, "first")
        clock = HandClock()
        tokens = EntraTokens(APP, TENANT, host.root, Certificate(file), custom_host=True, clock=clock)
        assert await tokens.get(SCOPE) == "token-1"
        file.write_text("half a file")
        with pytest.raises(TokenUnavailable) as caught:
            await tokens.refresh(SCOPE)
        assert caught.value.code == "credential"
        assert "half a file" not in repr(caught.value)
        _pem(tmp_path, "second")
        assert await tokens.refresh(SCOPE) == "token-2"
        first, second = (
            jwt.get_unverified_header(form["client_assertion"])["x5t#S256"] for form in host.asked
        )
        assert first != second


class Machine:
    """The endpoints for managed identities: App Service (/msi) and virtual machines (/metadata/...)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.answer: tuple[int, dict[str, Any]] | None = None
        machine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                values = {name: found[0] for name, found in parse_qs(query).items()}
                machine.asked.append((path, values, {k.lower(): v for k, v in self.headers.items()}))
                number = len(machine.asked)
                ends = str(int(datetime.now(UTC).timestamp()) + 86400)
                token = {"access_token": f"machine-{number}", "expires_on": ends, "expires_in": "86400"}
                status, body = machine.answer or (200, token | {"token_type": "Bearer"})
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        self.root = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "IMDS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    made = Machine()
    yield made
    made.close()


def _managed(clock: HandClock) -> EntraTokens:
    return EntraTokens(APP, TENANT, "https://127.0.0.1:1/", ManagedIdentity(), custom_host=False, clock=clock)


async def test_a_managed_identity_on_app_service(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform's endpoint is asked for our client id and the resource; a forced refresh asks again."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.root}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "from-the-platform")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    tokens = _managed(HandClock())
    assert await tokens.get(SCOPE) == "machine-1"
    assert await tokens.get(SCOPE) == "machine-1"
    assert await tokens.refresh(SCOPE) == "machine-2"
    path, query, headers = machine.asked[0]
    assert (path, query["client_id"], query["resource"]) == ("/msi/token", APP, "https://graph.example")
    assert headers["x-identity-header"] == "from-the-platform"


async def test_a_managed_identity_on_a_virtual_machine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metadata service is asked with its header; its refusal carries its own error word."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", machine.root)
    tokens = _managed(HandClock())
    assert await tokens.get(SCOPE) == "machine-1"
    path, query, headers = machine.asked[0]
    assert path == "/metadata/identity/oauth2/token"
    assert (query["client_id"], headers["metadata"]) == (APP, "true")
    machine.answer = (400, {"error": "invalid_request", "error_description": "Identity not found"})
    with pytest.raises(TokenUnavailable, match="invalid_request"):
        await _managed(HandClock()).get(SCOPE)
