"""The written conversation language, the terminal chat and the demo's child, against a small pretend bot."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from bot.sandbox import demo
from bot.sandbox.channel import add_routes
from bot.sandbox.chat import chat
from bot.sandbox.child import BotDied, free_port
from bot.sandbox.login import mint
from bot.sandbox.player import Addresses, ExpectationFailed, Finished, Player
from bot.sandbox.server import Running, start
from bot.sandbox.signing import DEFAULT_ISSUER, Keys
from bot.sandbox.world import World

CARD = "application/vnd.microsoft.card.adaptive"
REQUEST = "R-7K2Q9M-4F3A"


def _card(text: str, *buttons: str) -> dict[str, Any]:
    return {
        "type": "AdaptiveCard",
        "version": "1.5",
        "body": [
            {"type": "TextBlock", "text": f"{text} {REQUEST}"},
            {"type": "Input.Text", "id": "note", "label": "Note"},
        ],
        "actions": [
            {
                "type": "Action.Execute",
                "title": b,
                "verb": b.lower(),
                "data": {"change_id": "c1", "nonce": "n"},
            }
            for b in buttons
        ],
    }


def _message(card: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "attachments": [{"contentType": CARD, "content": card}]}


class SmallBot:
    """Previews to the asker, asks marta, tells alice, redraws every copy, writes one number."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.world: World | None = None
        self.keys_url = ""
        self.notes: list[str] = []
        self.copies: list[tuple[str, str]] = []
        self.forgets_alice = False

    async def messages(self, request: web.Request) -> web.Response:
        heard = await request.json()
        if not await self._trusted(request.headers["Authorization"].removeprefix("Bearer ")):
            return web.Response(status=401)
        if heard["type"] == "message":
            preview = _card("Preview", "Submit", "Cancel")
            cards = {"set": _message(preview), "status": _message(_card("Status"))}
            known = cards.get(heard["text"].split()[0])
            unknown = {"type": "message", "text": "I do not know that."}
            posted = await self._send(heard["conversation"]["id"], known or unknown, heard["id"])
            if heard["text"].startswith("set"):
                self.copies.append((heard["conversation"]["id"], posted))
            return web.json_response()
        action = heard["value"]["action"]
        self.notes.append(action["data"].get("note", ""))
        shown = await (self._submit() if action["verb"] == "submit" else self._approve())
        return web.json_response({"statusCode": 200, "type": CARD, "value": shown})

    async def _trusted(self, token: str) -> bool:
        async with self.http.get(self.keys_url) as response:
            (key,) = (await response.json())["keys"]
        assert self.world is not None
        app_id = self.world.app_id
        jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], audience=app_id, issuer=DEFAULT_ISSUER)
        return True

    async def _submit(self) -> dict[str, Any]:
        for alias, card in (("marta", _card("Decide", "Approve")), ("alice", _card("Asked for you"))):
            assert self.world is not None
            person = self.world.find(alias)
            assert person is not None
            chat_id = (await self._call("POST", "", {"members": [{"id": person.oid}]}))["id"]
            self.copies.append((chat_id, await self._send(chat_id, _message(card))))
        return _card("Waiting for Marta")

    async def _approve(self) -> dict[str, Any]:
        assert self.world is not None
        alice = self.world.find("alice")
        assert alice is not None
        alice.phones["mobile"] = "+1 2065550100"
        self.world.journal.effect(
            at="",
            tenant="",
            oid=alice.oid,
            method="PATCH",
            what="phone",
            phone_type="mobile",
            before=None,
            after="+1 2065550100",
            client_request_id=None,
            request_id="1",
        )
        for chat_id, posted in self.copies[: -1 if self.forgets_alice else None]:
            await self._call("PUT", f"/{chat_id}/activities/{posted}", _message(_card("Applied")))
        return _card("Applied")

    async def _send(self, chat_id: str, body: dict[str, Any], reply_to: str = "unasked") -> str:
        return str((await self._call("POST", f"/{chat_id}/activities/{reply_to}", body))["id"])

    async def _call(self, verb: str, path: str, body: dict[str, Any]) -> Any:
        assert self.world is not None
        base = self.keys_url.split("/v1/")[0]
        headers = {"Authorization": f"Bearer {mint(self.world, 'https://api.botframework.com')}"}
        url = f"{base}/teams/v3/conversations{path}"
        async with self.http.request(verb, url, json=body, headers=headers) as response:
            return await response.json()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Running]:
    running = await start(tmp_path, mount_channel=lambda app, worlds: add_routes(app, worlds, Keys()))
    yield running
    await running.close()


@pytest.fixture
async def bot(sandbox: Running) -> AsyncIterator[SmallBot]:
    async with aiohttp.ClientSession() as http:
        small, app = SmallBot(http), web.Application()
        app.router.add_post("/api/messages", small.messages)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        small.world = sandbox.worlds.create({"name": "play", "bot_url": url})
        small.keys_url = f"{sandbox.teams}/v1/.well-known/keys"
        yield small
        await runner.cleanup()


@pytest.fixture
async def player(sandbox: Running, bot: SmallBot) -> AsyncIterator[Player]:
    async with Player(Addresses(sandbox.teams, sandbox.graph, "play"), patience=0.3) as player:
        yield player


MAIN_JOB = f"""
# the main job
set mobile for alice to +1 206 555 0100
/expect Preview
/expect-not Applied
/fill Note from the ticket
/click Submit
/expect Waiting for Marta
status {{id}}
/expect Status
/as alice
/expect Asked for you
/as marta
/expect {REQUEST}
/click 1
/expect-all Applied
/as alice
/expect Applied
/writes 1
/number alice mobile +12065550100
approve {{id}}
/expect I do not know
""".splitlines()


async def test_a_written_conversation_plays_the_main_job(player: Player, bot: SmallBot) -> None:
    """Say, fill, click, switch, expect in one and in every copy, count writes, read the directory."""
    printed = [line async for _, out in player.play(MAIN_JOB) for line in out]
    assert "3 copies show it: alice, marta, olivia" in printed
    assert "  | [1] Submit  [2] Cancel" in printed
    assert bot.notes == ["from the ticket", ""]


@pytest.mark.parametrize(
    ("line", "what", "seen"),
    [
        ("/expect Nonsense", "does not see", "Preview"),
        ("/expect-not Preview", "sees", "Preview"),
        ("/expect-all Applied", "not every copy", "olivia sees:"),
        ("/writes 1", "0 writes, not 1", ""),
        ("/number alice mobile none", "is not none", "+1 2065550110"),
        ("/click Approve", "no button 'Approve'", "[1] Submit"),
        ("/fly", "not a line I know", "/click"),
        ("/as nobody", "refused", "nobody"),
        ("/restart", "only where the demo", ""),
    ],
)
async def test_what_is_not_so_fails_with_line_and_what_was_seen(
    player: Player, line: str, what: str, seen: str
) -> None:
    """Each failing expectation names its line, what was expected and what was there instead."""
    await player.line("set mobile for alice")
    with pytest.raises(ExpectationFailed) as failure:
        await player.line(line)
    assert failure.value.line_no == 2
    assert what in failure.value.what
    assert seen in failure.value.seen


async def test_one_copy_left_behind_is_found(player: Player, bot: SmallBot) -> None:
    """/expect-all fails when a single person still sees the earlier card, and shows whose it is."""
    bot.forgets_alice = True
    for line in ("set it", "/click Submit", "/as marta", "/click Approve"):
        await player.line(line)
    with pytest.raises(ExpectationFailed) as failure:
        await player.line("/expect-all Applied")
    assert "alice sees:" in failure.value.seen


async def test_earlier_answers_do_not_satisfy_a_later_expectation(player: Player) -> None:
    """Only what came after the person's own last act, or after /seen, counts."""
    await player.line("nonsense")
    await player.line("/expect I do not know")
    await player.line("set it")
    with pytest.raises(ExpectationFailed):
        await player.line("/expect I do not know")
    await player.line("/seen")
    with pytest.raises(ExpectationFailed):
        await player.line("/expect Preview")


async def test_older_cards_people_and_help(player: Player) -> None:
    """/card lists and chooses; /people shows who has no app; /help lists the lines; /quit ends."""
    for line in ("set one", "set two"):
        await player.line(line)
    assert [line for line in await player.line("/card") if line.startswith("card ")] == ["card 1:", "card 2:"]
    await player.line("/card 2")
    await player.line("/click Submit")
    assert any("ned" in line and "not installed" in line for line in await player.line("/people"))
    assert any("/expect-all" in line for line in await player.line("/help"))
    with pytest.raises(Finished):
        await player.line("/quit")


async def test_the_chat_works_from_a_pipe(player: Player) -> None:
    """Lines from a pipe are echoed with who speaks; failed expectations are counted, not fatal."""
    out = io.StringIO()
    script = "nonsense\n/expect Gold\n/as marta\nhello\n"
    assert await chat(player, io.StringIO(script), out) == 1
    text = out.getvalue()
    assert "olivia> nonsense\nbot: I do not know that." in text
    assert "line 2: olivia does not see 'Gold'" in text
    assert "marta> hello" in text


READY = """
import asyncio, os, sys
from aiohttp import web
print("hello from the bot", os.environ["GRAPH_BASE_URL"])
async def ready(request): return web.json_response({})
async def die(request): os._exit(3)
app = web.Application()
app.router.add_get("/readyz", ready)
app.router.add_post("/api/messages", die)
web.run_app(app, host=os.environ["HOST"], port=int(os.environ["PORT"]), print=None)
"""


async def test_the_demo_starts_kills_and_revives_its_bot(tmp_path: Path) -> None:
    """The child gets addresses only, is killed and started by /restart, and is gone at the end."""
    port = free_port()
    async with demo.stage(tmp_path, port, (sys.executable, "-c", READY)) as there:
        async with Player(there.addresses, restart=there.bot.restart) as player:
            assert await player.line("/restart") == ["The bot was killed and is back."]
            assert (await player.line("help"))[0].startswith("! ServerDisconnected")
            await player.line("/restart")
        assert there.bot.tail().count("hello from the bot http://127.0.0.1:") == 3
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_bot_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The tail of the bot's log is in the message."""
    broken = (sys.executable, "-c", "raise SystemExit('POLICY_FILE is missing')")
    with pytest.raises(BotDied, match="POLICY_FILE is missing"):
        async with demo.stage(tmp_path, 0, broken):
            pass


async def test_the_policy_names_the_worlds_groups(sandbox: Running, bot: SmallBot) -> None:
    """The written policy holds all roles, both rules and the break-glass account, and is valid TOML."""
    import tomllib

    world = bot.world
    assert world is not None
    policy = tomllib.loads(demo.policy_of(world))
    assert policy["roles"] == {role: [group] for role, group in world.role_groups.items()}
    assert [rule["name"] for rule in policy["approval"]] == ["ordinary change", "our own staff", "bulk"]
    breakglass = world.find("breakglass")
    assert breakglass is not None
    assert policy["protected"]["people"] == [breakglass.oid]
    assert policy["accept_weak_groups"] is False
