"""The pretend Entra sign-in service: client credentials in, signed access tokens out; and their check.

Sources: "Microsoft identity platform and the OAuth 2.0 client credentials flow", "Entra authentication error
codes". One signing key per process; tokens live by the real clock, as the caches of token libraries do.
Must not know what a token is used for.
"""

from __future__ import annotations

import functools
import hmac
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.types import Options

from .journal import Seen
from .world import World
from .worlds import Worlds

BOT_RESOURCE = "https://api.botframework.com"
_KEY_ID = "sandbox-login"
_KEPT_TOKENS = 10_000
_checked: dict[str, dict[str, Any]] = {}


class TokenError(Exception):
    """A token is no good; `reason` is "missing", "bad", "audience" or "expired"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def mint(world: World, audience: str, seconds: float | None = None) -> str:
    """A signed app-only token for this world's app; `seconds` may be negative (already expired)."""
    now = int(time.time())
    lifetime = world.rules.token_seconds if seconds is None else seconds
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{world.tenant_id}/",
        "iat": now,
        "nbf": now,
        "exp": int(now + lifetime),
        "appid": world.app_id,
        "tid": world.tenant_id,
        "idtyp": "app",
        "roles": sorted(world.permissions),
        "uti": uuid.uuid4().hex,
        "ver": "1.0",
    }
    return jwt.encode(claims, _key(), algorithm="RS256", headers={"kid": _KEY_ID})


def claims_of(token: str, audiences: Iterable[str]) -> dict[str, Any]:
    """The claims of a token that this process issued; TokenError when it is not good here and now."""
    if not token:
        raise TokenError("missing")
    claims = _checked.get(token)
    if claims is None:
        try:
            public = _key().public_key()
            unchecked: Options = {"verify_aud": False, "verify_exp": False}
            claims = jwt.decode(token, public, algorithms=["RS256"], options=unchecked)
        except jwt.PyJWTError:
            raise TokenError("bad") from None
        if len(_checked) >= _KEPT_TOKENS:
            _checked.clear()
        _checked[token] = claims
    if claims["aud"].rstrip("/") not in audiences:
        raise TokenError("audience")
    if claims["exp"] <= time.time():
        raise TokenError("expired")
    return claims


def app_of_token(token: str, audience: str) -> str | None:
    """The app id of a good token for this audience, else None."""
    try:
        return str(claims_of(token, (audience,))["appid"])
    except TokenError:
        return None


class Login:
    """The HTTP face. `base` is our own https root, `graph_bases` the roots a Graph scope may name."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self.base = ""
        self.graph_bases: tuple[str, ...] = ()

    def add_routes(self, app: web.Application) -> None:
        """Metadata, keys and token endpoint of every tenant."""
        app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", self.metadata)
        app.router.add_get("/{tenant}/discovery/v2.0/keys", self.keys)
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self.token)

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        """GET openid-configuration."""
        tenant = request.match_info["tenant"]
        world = self._worlds.by_tenant(tenant)
        if world is None:
            return _refuse(_UNKNOWN_TENANT, tenant)
        early = await world.faults.apply("login", request)
        self._note(world, request, "/v2.0/.well-known/openid-configuration", early.status if early else 200)
        root = f"{self.base}/{world.tenant_id}"
        document = {
            "issuer": f"{root}/v2.0",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "token_endpoint": f"{root}/oauth2/v2.0/token",
            "jwks_uri": f"{root}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "tenant_region_scope": "NA",
        }
        return early or web.json_response(document)

    async def keys(self, request: web.Request) -> web.StreamResponse:
        """GET the public key that signs tokens."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_key().public_key()))
        return web.json_response({"keys": [{**key, "kid": _KEY_ID, "use": "sig"}]})

    async def token(self, request: web.Request) -> web.StreamResponse:
        """POST the client credentials; 200 with a token, or an AADSTS refusal."""
        tenant = request.match_info["tenant"]
        world = self._worlds.by_tenant(tenant)
        if world is None:
            return _refuse(_UNKNOWN_TENANT, tenant)
        form = {key: str(value) for key, value in (await request.post()).items()}
        early = await world.faults.apply("login", request)
        answer = early or self._decide(world, form)
        self._note(world, request, "/oauth2/v2.0/token", answer.status)
        return answer if early else await world.faults.after(request, answer)

    def _decide(self, world: World, form: Mapping[str, str]) -> web.Response:
        app_id, scope = form.get("client_id", ""), form.get("scope", "")
        if form.get("grant_type") != "client_credentials":
            return _refuse(_GRANT, form.get("grant_type", ""))
        if app_id.casefold() != world.app_id:
            return _refuse(_UNKNOWN_APP, app_id)
        if not hmac.compare_digest(form.get("client_secret", "").encode(), world.secret.encode()):
            return _refuse(_WRONG_SECRET, app_id)
        resource = next((s.removesuffix("/.default") for s in scope.split() if s.endswith("/.default")), None)
        if resource is None:
            return _refuse(_BAD_SCOPE, scope)
        if resource.rstrip("/") not in (BOT_RESOURCE, *self.graph_bases):
            return _refuse(_UNKNOWN_RESOURCE, resource)
        seconds = world.rules.token_seconds
        body = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
        return web.json_response({**body, "access_token": mint(world, resource)})

    def _note(self, world: World, request: web.Request, route: str, status: int) -> None:
        at = world.now().isoformat()
        world.journal.request(Seen(at, "login", request.method, route, request.raw_path, status, {}))


#: status, OAuth error, AADSTS number, text ({} = what was wrong).
_Refusal = tuple[int, str, int, str]
_UNKNOWN_TENANT: _Refusal = (
    *(400, "invalid_request", 90002),
    "Tenant '{}' not found. Check to make sure you have the correct tenant ID.",
)
_GRANT: _Refusal = (400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '{}'.")
_UNKNOWN_APP: _Refusal = (
    *(400, "unauthorized_client", 700016),
    "Application with identifier '{}' was not found in the directory.",
)
_WRONG_SECRET: _Refusal = (
    *(401, "invalid_client", 7000215),
    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
    "not the client secret ID, for a secret added to app '{}'.",
)
_BAD_SCOPE: _Refusal = (
    *(400, "invalid_scope", 1002012),
    "The provided value for scope {} is not valid. Client credential flows must have a scope value with "
    "/.default suffixed to the resource identifier (application ID URI).",
)
_UNKNOWN_RESOURCE: _Refusal = (
    *(400, "invalid_resource", 500011),
    "The resource principal named {} was not found in the tenant.",
)


def _refuse(refusal: _Refusal, what: str) -> web.Response:
    status, error, number, text = refusal
    trace, stamp = str(uuid.uuid4()), time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {text.format(what)} Trace ID: {trace} "
        f"Correlation ID: {trace} Timestamp: {stamp}",
        "error_codes": [number],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": trace,
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }
    return web.json_response(body, status=status)
