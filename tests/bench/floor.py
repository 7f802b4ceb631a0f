"""The floor: the least that a bot can do in Python, written by hand for this one purpose.

aiohttp's server; the token checked on every turn with PyJWT (the key parsed once); json; the reply posted on
a shared aiohttp session, and its id read. No roles, no store, no cards of its own: it posts the bytes that
the bot posts, so that both hand the same work to the network. Says `{"port": n}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_public_key


class Floor:
    """One handler. `order` is `{"public_pem", "issuer", "app_id", "reply"}`."""

    def __init__(self, order: dict[str, Any], session: aiohttp.ClientSession) -> None:
        self._key: Any = load_pem_public_key(order["public_pem"].encode())
        self._order = order
        self._session = session

    async def messages(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            return web.Response(status=401)
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["RS256"],
                audience=self._order["app_id"],
                issuer=self._order["issuer"],
                leeway=300,
                options={"require": ["exp", "nbf", "iss", "aud"]},
            )
        except jwt.PyJWTError:
            return web.Response(status=401)
        activity = await request.json()
        if claims.get("serviceurl") != activity["serviceUrl"]:
            return web.Response(status=401)
        base, conversation = activity["serviceUrl"].rstrip("/"), activity["conversation"]["id"]
        url = f"{base}/v3/conversations/{conversation}/activities/{activity['id']}"
        reply = {
            **self._order["reply"],
            "conversation": activity["conversation"],
            "from": activity["recipient"],
            "recipient": activity["from"],
            "replyToId": activity["id"],
        }
        headers = {"Authorization": "Bearer made-up", "Content-Type": "application/json"}
        async with self._session.post(url, data=json.dumps(reply), headers=headers) as answer:
            await answer.json()
        return web.Response(status=201)


async def main() -> None:
    """Serve until the input ends."""
    order = json.loads(sys.stdin.readline())
    async with aiohttp.ClientSession() as session:
        app = web.Application()
        app.router.add_post("/api/messages", Floor(order, session).messages)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        sys.stdout.write(json.dumps({"port": runner.addresses[0][1]}) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
