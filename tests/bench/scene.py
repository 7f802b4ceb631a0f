"""The pretend company behind the bench, the bot's settings in it, and one signed Teams message.

Knows the sandbox. Must not know how anything is measured.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi

from bot.sandbox.channel import add_routes
from bot.sandbox.child import free_port
from bot.sandbox.conversations import AllChats
from bot.sandbox.delivery import activity
from bot.sandbox.demo import policy_of, settings_of
from bot.sandbox.server import Running, start
from bot.sandbox.signing import DEFAULT_ISSUER, METADATA_PATH, Keys
from bot.sandbox.world import World
from tests.doubles.limits import without_limits

PEOPLE = 200
#: Approvers of the people whose requests are measured: nobody gets so many that one card tells of all.
BOSSES = tuple(f"boss{number}" for number in range(8))
REPORTS = 96


@dataclass(frozen=True, slots=True)
class Scene:
    """A running sandbox with one world: the company, `PEOPLE` more, `BOSSES`, `REPORTS` (r00, r01, ...)."""

    running: Running
    world: World
    keys: Keys
    state: Path
    port: int

    @property
    def trust(self) -> dict[str, str]:
        """Certificates to trust: as many as an installation has, and the sandbox's own.

        A list of one would flatter whoever reads it on every turn.
        """
        bundle = self.state / "trust.pem"
        if not bundle.exists():
            bundle.write_text(certifi.contents() + self.running.ca_file.read_text("ascii"), encoding="utf-8")
        return {"REQUESTS_CA_BUNDLE": str(bundle), "SSL_CERT_FILE": str(bundle)}

    @property
    def settings(self) -> dict[str, str]:
        """The environment of the bot."""
        return (
            settings_of(self.running, self.world, self.state, self.port) | self.trust | {"SEND_PACE": "none"}
        )

    @property
    def ready_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/readyz"

    def act(self, what: str) -> str:
        """The address at which people of this world do something in Teams."""
        return f"{self.running.teams}/_sandbox/worlds/{self.world.tenant_id}/{what}"

    def token(self, service_url: str) -> str:
        """What the channel sends with its messages."""
        return self.keys.inbound(self.world.app_id, service_url)

    def floor_order(self, reply: dict[str, Any]) -> dict[str, Any]:
        """What a bot written by hand needs to know."""
        pem = self.keys.key("current").public_pem.decode()
        return {"public_pem": pem, "issuer": DEFAULT_ISSUER, "app_id": self.world.app_id, "reply": reply}

    def stock_order(self, reply: dict[str, Any]) -> dict[str, Any]:
        """What the SDK wants to know, by its own names, and the reply."""
        return {
            "reply": reply,
            "APP_TYPE": "SingleTenant",
            "APP_ID": self.world.app_id,
            "APP_PASSWORD": self.world.secret,
            "APP_TENANTID": self.world.tenant_id,
            "TO_CHANNEL_FROM_BOT_LOGIN_URL": f"{self.running.login}/{self.world.tenant_id}",
            "TO_CHANNEL_FROM_BOT_OAUTH_SCOPE": "https://api.botframework.com",
            "TO_BOT_FROM_CHANNEL_TOKEN_ISSUER": DEFAULT_ISSUER,
            "TO_BOT_FROM_CHANNEL_OPENID_METADATA_URL": self.running.teams + METADATA_PATH,
            "OAUTH_URL": self.running.login,
        }

    def message(self, text: str, service_url: str) -> dict[str, Any]:
        """A message of an operator as Teams writes it, about 1.2 kB."""
        olivia = self.world.find("olivia")
        if olivia is None:
            raise RuntimeError("the company has no olivia")
        chats = AllChats().of(self.world)
        written = {"contentType": "text/html", "content": f"<p>{text}</p>"}
        about = {"source": {"name": "message"}, "legacy": {"replyToId": "1:" + "q" * 43}, "settings": {}}
        return activity(
            chats,
            olivia,
            chats.personal(olivia),
            service_url,
            type="message",
            text=text,
            textFormat="plain",
            attachments=[written],
            channelData=about,
            conversation={"id": "a:1" + "Qx7" * 40},
        )


@contextlib.asynccontextmanager
async def company(state: Path) -> AsyncIterator[Scene]:
    """The sandbox in this process, over fresh files in `state`."""
    made: list[Keys] = []

    def mount(app: Any, worlds: Any) -> None:
        made.append(Keys(now=lambda: worlds.now().timestamp()))
        add_routes(app, worlds, made[0])

    running = await start(state / "sandbox", mount_channel=mount)
    try:
        port = free_port()
        staff = [{"alias": boss} for boss in BOSSES]
        staff += [{"alias": f"r{n:02}", "manager": BOSSES[n % len(BOSSES)]} for n in range(REPORTS)]
        world = running.worlds.create(
            {
                "name": "bench",
                "size": PEOPLE,
                "people": staff,
                "bot_url": f"http://127.0.0.1:{port}/api/messages",
            }
        )
        (state / "policy.toml").write_text(without_limits(policy_of(world)), encoding="utf-8")
        yield Scene(running, world, made[0], state, port)
    finally:
        await running.close()
