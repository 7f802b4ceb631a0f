"""The demo: a sandbox in this process, the bot beside it as a child, and a chat or a written play.

Knows: which addresses and which trust the bot must be given to meet the sandbox, and how to write its
policy file. Must not know: anything of the bot's code; it is started like anybody would start it.

    python -m bot.sandbox demo [--script FILE] [--keep DIR] [--port N] [--as ALIAS]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from .channel import add_routes
from .chat import chat
from .child import BotDied, Child, free_port
from .player import Addresses, ExpectationFailed, Player
from .server import Running, start
from .signing import DEFAULT_ISSUER, METADATA_PATH, Keys
from .world import World
from .worlds import Worlds

ROOT = Path(__file__).resolve().parents[2]
_INTRO = """
You are in a pretend company. Nothing leaves this machine; the bot beside it is the real one.
You can be anybody (/people lists them all), among them:
  olivia   works at the helpdesk and may ask for changes
  marta    is Alice's manager and decides about her people
  alice    gets a new number
  ned      is a manager who never installed the app
  mallory  may do nothing at all
Three things to try:
  1. set mobile for alice to +1 206 555 0100 because lost phone INC1234
     then /click Submit, /as marta, /fill how in-person, /click Approve, /as olivia
  2. set mobile for alice            (a form opens: /fill, then /click)
  3. set mobile for gabriel to +1 206 555 0100 because he asked on the phone
/help shows what you can type; /quit ends it.
"""
#: The two rules of the demo's policy; everything else in it follows from the world.
_RULES = """
[[approval]]
name = "ordinary change"
action = ["set", "remove", "swap", "sms", "undo", "onboard"]
target = ["ordinary", "new-hire"]
steps = [{ approvers = ["manager-of-target"], need = 1, fallback = ["role:approver"] }]
expire_minutes = 1440
execute_minutes = 240

[[approval]]
name = "our own staff"
action = ["set", "remove", "swap", "sms", "undo"]
target = ["operator", "vip"]
steps = [{ approvers = ["role:security"], need = 1 }]
expire_minutes = 1440
execute_minutes = 240

[[approval]]
name = "bulk"
action = ["bulk"]
target = ["ordinary", "new-hire"]
steps = [{ approvers = ["role:approver"], need = 2 }]

[numbers]
countries = []
mobile_line_types = ["mobile", "fixed_line_or_mobile"]
office_line_types = ["fixed_line", "fixed_line_or_mobile", "mobile", "voip", "uan"]
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running demo: the player's addresses, the bot, where its files are."""

    addresses: Addresses
    bot: Child
    state: Path


def main(argv: list[str]) -> int:
    """Run the demo; exit code 0, or 1 when an expectation failed or the bot died."""
    verb, rest = (argv[0], argv[1:]) if argv[:1] in (["demo"], ["play"]) else ("demo", argv)
    parser = argparse.ArgumentParser(prog=f"python -m bot.sandbox {verb}", description=__doc__)
    parser.add_argument("--script", type=Path, required=verb == "play", help="play this and exit")
    parser.add_argument("--keep", type=Path, help="folder for database, policy and log")
    parser.add_argument("--port", type=int, default=0, help="the bot's port (0 = any free one)")
    parser.add_argument("--as", dest="who", default="olivia", help="who you are at first")
    args = parser.parse_args(rest)
    try:
        with _state_folder(args.keep) as state:
            return asyncio.run(_run(args, state))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    except BotDied as died:
        print(died, file=sys.stderr)
        return 1


async def _run(args: argparse.Namespace, state: Path) -> int:
    me = asyncio.current_task()
    if me is not None:  # a SIGTERM must not leave the bot behind
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    async with stage(state, args.port) as there:
        player = Player(there.addresses, who=args.who, restart=there.bot.restart)
        async with player:
            if args.script is not None:
                return await _play(player, args.script, there.bot)
            print(_INTRO)
            failed = await chat(player, sys.stdin, sys.stdout)
            return 1 if failed or _mourned(there.bot) else 0


@contextlib.contextmanager
def _state_folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="ringfence-demo-") as name:
        yield Path(name).resolve()


@contextlib.asynccontextmanager
async def stage(
    state: Path, port: int = 0, command: Sequence[str] = (sys.executable, "app.py", "serve")
) -> AsyncIterator[Stage]:
    """Sandbox and bot, both ready; both gone afterwards. Raises BotDied with the tail of the log."""
    port = port or free_port()
    running = await start(state / "sandbox", mount_channel=_mount)
    bot: Child | None = None
    try:
        world = running.worlds.create({"name": "demo", "bot_url": f"http://127.0.0.1:{port}/api/messages"})
        policy = state / "policy.toml"
        policy.write_text(policy_of(world), encoding="utf-8")
        settings = settings_of(running, world, state, port)
        bot = Child(command, ROOT, settings, state / "bot.log", f"http://127.0.0.1:{port}/readyz")
        await bot.start()
        yield Stage(Addresses(running.teams, running.graph, world.tenant_id), bot, state)
    finally:
        if bot is not None:
            await bot.kill()
        await running.close()


def _mount(app: web.Application, worlds: Worlds) -> None:
    add_routes(app, worlds, Keys(now=lambda: worlds.now().timestamp()))


def settings_of(running: Running, world: World, state: Path, port: int) -> dict[str, str]:
    """What the bot is told: who it is, where everything is, whom to trust. Nothing else differs."""
    return {
        "MicrosoftAppId": world.app_id,
        "MicrosoftAppTenantId": world.tenant_id,
        "MicrosoftAppType": "SingleTenant",
        "MicrosoftAppPassword": world.secret,
        "BOT_OPENID_METADATA_URL": running.teams + METADATA_PATH,
        "BOT_TOKEN_ISSUER": DEFAULT_ISSUER,
        "SERVICE_URL_HOSTS": "127.0.0.1",
        "LOGIN_BASE_URL": running.login,
        "GRAPH_BASE_URL": running.graph,
        "DATABASE_URL": f"sqlite:///{state / 'ringfence.db'}",
        "POLICY_FILE": str(state / "policy.toml"),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "METRICS_PORT": "0",
        "ALLOW_LOOPBACK": "true",
        "REQUESTS_CA_BUNDLE": str(running.ca_file),
        "SSL_CERT_FILE": str(running.ca_file),
    }


def policy_of(world: World) -> str:
    """The policy file for this world: its role groups, two approval rules, the break-glass account."""
    breakglass = world.find("breakglass")
    people = f'["{breakglass.oid}"]' if breakglass else "[]"
    roles = "\n".join(f'{role} = ["{group}"]' for role, group in world.role_groups.items())
    strong = all(
        group is not None and (group.role_assignable or group.management_restricted)
        for group in map(world.find_group, world.role_groups.values())
    )
    weak = "false" if strong else "true"
    return f"accept_weak_groups = {weak}\n\n[roles]\n{roles}\n{_RULES}\n[protected]\npeople = {people}\n"


async def _play(player: Player, script: Path, bot: Child) -> int:
    lines = (await asyncio.to_thread(script.read_text, "utf-8")).splitlines()
    try:
        for text in lines:
            if text.strip():
                print(text if text.lstrip().startswith("#") else f"{player.who}> {text}", flush=True)
            for out in await player.line(text):
                print(out, flush=True)
    except ExpectationFailed as failure:
        print(f"\n{script}: {failure}", file=sys.stderr)
        if not _mourned(bot):
            print(f"--- the end of the bot's log ---\n{bot.tail(5)}", file=sys.stderr)
        return 1
    print(f"\n{script}: all {len(lines)} lines played.")
    return 1 if _mourned(bot) else 0


def _mourned(bot: Child) -> bool:
    """Say so when the bot has died meanwhile."""
    if bot.died:
        print(f"the bot has ended by itself\n{bot.tail()}", file=sys.stderr)
    return bot.died
