"""The SDK's own adapter with authentication, as its samples build it; its bot always posts the same card.

For comparison only. One thing is not stock: MSAL is told not to ask Microsoft about the login host, which
does not exist there; that saves the SDK work. Reads its order, says `{"port": n}`.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from botbuilder.core import ActivityHandler, TurnContext
from botbuilder.integration.aiohttp import CloudAdapter, ConfigurationBotFrameworkAuthentication
from botbuilder.schema import Activity, Attachment
from botframework.connector.auth import microsoft_app_credentials
from msal import ConfidentialClientApplication


class Speaker(ActivityHandler):  # type: ignore[misc]  # the SDK ships no types
    """Answers every message with the same card."""

    def __init__(self, reply: dict[str, Any]) -> None:
        self._card = reply["attachments"][0]["content"]

    async def on_message_activity(self, turn_context: TurnContext) -> None:
        card = Attachment(content_type="application/vnd.microsoft.card.adaptive", content=self._card)
        await turn_context.send_activity(Activity(type="message", attachments=[card]))


async def main() -> None:
    """Serve until the input ends. The order holds the settings by their names in the SDK, and the reply."""
    order = json.loads(sys.stdin.readline())
    microsoft_app_credentials.ConfidentialClientApplication = functools.partial(
        ConfidentialClientApplication, instance_discovery=False
    )
    adapter = CloudAdapter(ConfigurationBotFrameworkAuthentication(SimpleNamespace(**order)))
    bot = Speaker(order["reply"])

    async def messages(request: web.Request) -> web.StreamResponse:
        answer: web.StreamResponse = await adapter.process(request, bot)
        return answer

    app = web.Application()
    app.router.add_post("/api/messages", messages)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(json.dumps({"port": runner.addresses[0][1]}) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main())
