"""The simulated issuer of channel tokens: documents, rotation, trouble, and the forge."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from bot.sandbox.signing import Keys, add_routes


class Desk:
    """One issuer and an HTTP client."""

    def __init__(self, base: str, http: aiohttp.ClientSession) -> None:
        self.base, self.http = base, http

    async def ask(self, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
        verb = "GET" if body is None else "POST"
        async with self.http.request(verb, self.base + path, json=body) as response:
            assert response.status == status, await response.text()
            return await response.json()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    app = web.Application()
    add_routes(app, Keys())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        yield Desk(f"http://127.0.0.1:{runner.addresses[0][1]}", http)
    await runner.cleanup()


async def test_keys_rotate_and_any_token_can_be_forged(desk: Desk) -> None:
    """A new key is published beside the old one; the forge makes wrong tokens of each kind."""
    before = (await desk.ask("/_sandbox/keys/rotate", {}))["kid"]
    after = (await desk.ask("/_sandbox/keys/rotate", {}))["kid"]
    kids = (await desk.ask("/_sandbox/keys"))["kids"]
    assert (kids["current"], kids["previous"]) == (after, before)
    for label in ("stranger", "unendorsed"):
        await desk.ask("/_sandbox/sign", {"key": label})
    async with desk.http.get(f"{desk.base}/v1/.well-known/keys") as response:
        published = {key["kid"]: key["endorsements"] for key in (await response.json())["keys"]}
    kids = (await desk.ask("/_sandbox/keys"))["kids"]
    assert published == {after: ["msteams"], before: ["msteams"], kids["unendorsed"]: ["webchat"]}

    async def forged(wish: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        token = (await desk.ask("/_sandbox/sign", wish))["token"]
        return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})

    header, claims = await forged({"claims": {"aud": ["a", "b"], "exp": None}, "key": "previous"})
    assert (header["kid"], claims["aud"], "exp" in claims) == (before, ["a", "b"], False)
    assert (await forged({"key": "stranger", "kid": "current"}))[0]["kid"] == after
    assert (await forged({"alg": "none"}))[0]["alg"] == "none"
    assert (await forged({"alg": "HS256"}))[0]["alg"] == "HS256"
    assert "kid" not in (await forged({"kid": ""}))[0]
    await desk.ask("/_sandbox/sign", {"alg": "XX"}, status=400)


async def test_the_key_documents_can_fail(desk: Desk) -> None:
    """Status, HTML, empty: as planned, until healed; every fetch is counted."""
    url = f"{desk.base}/v1/.well-known/keys"
    for kind, expected in (("status", 503), ("html", 200), ("empty", 200), ("", 200)):
        await desk.ask("/_sandbox/keys/fault", {"kind": kind, "status": 503})
        async with desk.http.get(url) as response:
            assert response.status == expected
            text = await response.text()
    assert json.loads(text)["keys"]
    assert (await desk.ask("/_sandbox/keys"))["fetches"] == 4
