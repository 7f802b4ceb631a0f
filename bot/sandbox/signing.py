"""The issuer of channel tokens: what the Bot Framework's login host does for a bot's front door.

Knows: RSA keys, the OpenID metadata and key set documents, how an inbound token looks, and how to
forge every wrong one. Must not know: worlds, conversations, people, the directory.

Sources: "Authentication with the Bot Connector API" (claims, endorsements, metadata addresses),
RFC 7515 and RFC 7517 (tokens and key sets).

HTTP (on the Teams port):
- `GET /v1/.well-known/openidconfiguration` and `GET /v1/.well-known/keys`.
- `POST /_sandbox/keys/rotate` `{"forget_previous": bool=false}`: a new signing key; answers `{"kid"}`.
- `POST /_sandbox/keys/fault` `{"kind": "status|html|empty|not-json", "status": 500, "seconds": 0.0}`:
  what both documents answer from now on (`seconds` = delay before it); `{}` heals them.
- `GET /_sandbox/keys` `{"fetches", "kids": {label: kid}}`: how often a document was asked for.
- `POST /_sandbox/sign` `{"claims", "key", "alg", "kid", "headers"}`: answers `{"token"}`, see `Keys.sign`.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

DEFAULT_ISSUER = "https://api.botframework.com"
METADATA_PATH = "/v1/.well-known/openidconfiguration"
KEYS_PATH = "/v1/.well-known/keys"
LABELS = ("current", "previous", "stranger", "unendorsed")
Interfere = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass(slots=True)
class SigningKey:
    """One RSA key with its published name (`kid`) and the channels it may speak for."""

    private: rsa.RSAPrivateKey
    endorsements: tuple[str, ...]
    kid: str = ""

    def __post_init__(self) -> None:
        der = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = self.kid or _b64(hashlib.sha256(der).digest()[:20])

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def published(self, now: float) -> dict[str, Any]:
        """The key as the key set shows it (RFC 7517 with the `endorsements` of the Bot Connector)."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": _number(numbers.n),
            "e": _number(numbers.e),
            "x5c": [self._certificate(now)],
            "endorsements": list(self.endorsements),
        }

    def _certificate(self, now: float) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox channel")])
        start = dt.datetime.fromtimestamp(now - 86_400, dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=365))
            .sign(self.private, hashes.SHA256())
        )
        return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode("ascii")


@dataclass(slots=True)
class _Trouble:
    """What the two documents answer instead of the truth; empty kind = healthy."""

    kind: str = ""
    status: int = 500
    seconds: float = 0.0


@dataclass(slots=True)
class Keys:
    """All signing keys of the simulated channel service. `now` gives Unix seconds."""

    issuer: str = DEFAULT_ISSUER
    now: Callable[[], float] = time.time
    fetches: int = 0
    trouble: _Trouble = field(default_factory=_Trouble)
    _keys: dict[str, SigningKey] = field(default_factory=dict)
    _set: list[dict[str, Any]] | None = None

    def key(self, label: str) -> SigningKey:
        """The key called `current`, `previous`, `stranger` (never published) or `unendorsed`
        (published, but not for Teams). Made at first use. ValueError for another label."""
        if label not in LABELS:
            raise ValueError(f"key must be one of {', '.join(LABELS)}")
        if label not in self._keys:
            channels = () if label in ("unendorsed", "stranger") else ("msteams",)
            # 2048 bits: what the real service uses; smaller ones are refused by libraries.
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            self._keys[label] = SigningKey(private, channels or ("webchat",))
            self._set = None
        return self._keys[label]

    def kids(self) -> dict[str, str]:
        """The published name of every key made so far, by label."""
        return {label: key.kid for label, key in self._keys.items()}

    def rotate(self, forget_previous: bool = False) -> str:
        """A new current key; the old one stays published as `previous` unless forgotten."""
        old = self.key("current")
        del self._keys["current"]
        self._keys.pop("previous", None)
        if not forget_previous:
            self._keys["previous"] = old
        self._set = None
        return self.key("current").kid

    def published(self) -> list[dict[str, Any]]:
        """The key set as it is served now."""
        if self._set is None:
            self.key("current")
            shown = [self._keys[label] for label in LABELS if label != "stranger" and label in self._keys]
            self._set = [key.published(self.now()) for key in shown]
        return self._set

    def inbound(self, app_id: str, service_url: str) -> str:
        """The bearer token that the channel sends with an activity."""
        return self.sign({"aud": app_id, "serviceurl": service_url})

    def sign(
        self,
        claims: Mapping[str, Any],
        *,
        key: str = "current",
        alg: str = "RS256",
        kid: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> str:
        """Any token, right or wrong.

        `claims` are laid over iss, nbf, iat, exp (one hour); a null removes one. `kid` may be a label of
        another key, or any text; "" leaves it out. `alg`: RS256/384/512, PS256/384/512, HS256/384/512
        (the public key's PEM is the secret: the classic confusion), or none. `headers` go over the
        header, null removes. ValueError for another alg or label."""
        signer = self.key(key)
        now = int(self.now())
        full = {"iss": self.issuer, "nbf": now - 5, "iat": now, "exp": now + 3600, **claims}
        shown = signer.kid if kid is None else (self.key(kid).kid if kid in LABELS else kid)
        header = {"typ": "JWT", "alg": alg, "kid": shown or None, "x5t": shown or None, **(headers or {})}
        parts = [
            _b64(json.dumps({k: v for k, v in part.items() if v is not None}).encode())
            for part in (header, full)
        ]
        signed = ".".join(parts)
        return f"{signed}.{_b64(_signature(signer, alg, signed.encode('ascii')))}"


def _signature(key: SigningKey, alg: str, data: bytes) -> bytes:
    if alg.lower() == "none":
        return b""
    family, size = alg[:2], alg[2:]
    if size not in _HASHES or family not in ("RS", "PS", "HS"):
        raise ValueError(f"alg {alg} is not known here")
    if family == "HS":
        return hmac.new(key.public_pem, data, f"sha{size}").digest()
    digest = _HASHES[size]()
    if family == "PS":
        pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
        return key.private.sign(data, pss, digest)
    return key.private.sign(data, padding.PKCS1v15(), digest)


def add_routes(app: web.Application, keys: Keys, interfere: Interfere | None = None) -> None:
    """Serve the documents and the forge on `app` (the Teams port).

    `interfere(request)` may give another answer for a document (planned faults)."""
    serving = _Serving(keys, interfere)
    app.router.add_get(METADATA_PATH, serving.metadata)
    app.router.add_get(KEYS_PATH, serving.key_set)
    app.router.add_get("/_sandbox/keys", serving.state)
    app.router.add_post("/_sandbox/keys/rotate", serving.rotate)
    app.router.add_post("/_sandbox/keys/fault", serving.fault)
    app.router.add_post("/_sandbox/sign", serving.sign)


@dataclass(slots=True)
class _Serving:
    keys: Keys
    interfere: Interfere | None

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        root = f"{request.scheme}://{request.host}"
        return await self._document(
            request,
            {
                "issuer": self.keys.issuer,
                "authorization_endpoint": "https://invalid.botframework.com",
                "jwks_uri": root + KEYS_PATH,
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            },
        )

    async def key_set(self, request: web.Request) -> web.StreamResponse:
        return await self._document(request, {"keys": self.keys.published()})

    async def _document(self, request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
        self.keys.fetches += 1
        if self.interfere is not None and (instead := await self.interfere(request)) is not None:
            return instead
        trouble = self.keys.trouble
        if trouble.seconds:
            await asyncio.sleep(trouble.seconds)
        if trouble.kind == "status":
            return web.json_response({"error": {"code": "ServiceError"}}, status=trouble.status)
        if trouble.kind == "html":
            return web.Response(text="<html><body>Sign in</body></html>", content_type="text/html")
        if trouble.kind == "not-json":
            return web.Response(text="{", content_type="application/json")
        if trouble.kind == "empty":
            document = {**document, "keys": []} if "keys" in document else {}
        return web.json_response(document)

    async def state(self, _request: web.Request) -> web.Response:
        return web.json_response({"fetches": self.keys.fetches, "kids": self.keys.kids()})

    async def rotate(self, request: web.Request) -> web.Response:
        wish = await request.json() if request.can_read_body else {}
        return web.json_response({"kid": self.keys.rotate(bool(wish.get("forget_previous")))})

    async def fault(self, request: web.Request) -> web.Response:
        wish = await request.json() if request.can_read_body else {}
        self.keys.trouble = _Trouble(
            str(wish.get("kind", "")), int(wish.get("status", 500)), float(wish.get("seconds", 0.0))
        )
        return web.json_response({})

    async def sign(self, request: web.Request) -> web.Response:
        wish = await request.json()
        try:
            token = self.keys.sign(
                wish.get("claims", {}),
                key=wish.get("key", "current"),
                alg=wish.get("alg", "RS256"),
                kid=wish.get("kid"),
                headers=wish.get("headers"),
            )
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"token": token})
