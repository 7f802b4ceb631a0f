"""A small written language for conversations: one line in, what the person sees out.

Knows: the sandbox's control addresses and nothing else, so it plays from inside or outside the process.
Must not know: the bot, the worlds' insides, terminals.

The lines (people are named by alias):
    # a remark                 /as olivia                 anything else is said to the bot
    /click 1 | /click Submit   press a button of the newest card (by title: the newest card that has it)
    /fill id value             fill a field (by id or label) for the next click; people by alias
    /card [N]                  list the cards with buttons, newest first; choose one for the next click
    /expect TEXT               the bot's newest messages to this person show TEXT (waits up to 10 s)
    /expect-not TEXT           they do not
    /expect-all TEXT           every copy of the current request's card shows it, in everybody's chat
    /writes N                  exactly N effects in the directory so far
    /number alias slot TEXT    the directory holds this number there ("none" = nothing)
    /seen                      all that came so far is old, for everybody
    /upload PATH               send a file of this machine; /accept, /decline: a file that the bot offers
    /expect-file TEXT          the newest file that was taken holds TEXT; /save PATH: keep it
    /in personal|groupChat|channel    where to speak from now on
    /install on|off            add or remove the app for this person
    /restart  /people  /view  /help  /quit
"Newest" means: new or changed since this person last said or clicked something. Case counts,
white space does not count at all ("+1 206" is "+1206"). `{id}` in a line is the request id that this
person saw last (with its tail). A copy is a card of one request with buttons that act on it, or one that
came unasked; answers to typed questions are not copies.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp

from .playfiles import FileLines
from .screen import is_copy, of_one_request, person_line, shown, told

Json = dict[str, Any]
_PRINTED_ID = re.compile(r"\bR-[0-9A-Z]{6}(?:-[0-9A-F]{4})?\b")
_HELP = (__doc__ or "").split("\n\n")[2]
_QUIET_LOOKS = 5


class ExpectationFailed(AssertionError):
    """What was expected in which line did not come; `seen` is what was there instead."""

    def __init__(self, line_no: int, what: str, seen: str) -> None:
        super().__init__(f"line {line_no}: {what}\n--- seen instead ---\n{seen}")
        self.line_no, self.what, self.seen = line_no, what, seen


class Finished(Exception):
    """The line was /quit."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the control routes are: `teams` (say, click, view), `control` (people, journal); the world."""

    teams: str
    control: str
    world: str

    def acts(self, what: str) -> str:
        """The address of one Teams-side route."""
        return f"{self.teams.rstrip('/')}/_sandbox/worlds/{self.world}/{what}"

    def directory(self, what: str) -> str:
        """The address of one directory-side route."""
        return f"{self.control.rstrip('/')}/_sandbox/worlds/{self.world}/{what}"


class Player:
    """Plays lines as one person after another. Use `async with`, or `close()` at the end.

    `restart` kills the bot and starts it again (only where somebody can); `patience` in seconds."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        who: str = "olivia",
        restart: Callable[[], Awaitable[None]] | None = None,
        patience: float = 10.0,
    ) -> None:
        self.who = who
        self.line_no = 0
        self._at = addresses
        self._restart = restart
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None
        self._marks: dict[str, int] = {}
        self._all_seen = 0
        self._printed: dict[str, dict[str, int]] = {}
        self._fields: dict[str, str] = {}
        self._card: str | None = None
        self._scope = "personal"
        self._request: Json | None = None
        self._commands = self._all_commands()

    def _all_commands(self) -> dict[str, Callable[[str], Awaitable[list[str]]]]:
        """What a line that begins with a slash does, by its first word."""
        own: dict[str, Callable[[str], Awaitable[list[str]]]] = {
            "as": self._as,
            "click": self._click,
            "fill": self._fill,
            "card": self._choose,
            "expect": self._expect,
            "expect-not": self._expect_not,
            "expect-all": self._expect_all,
            "writes": self._writes,
            "number": self._number,
            "in": self._in,
            "seen": self._seen_all,
            "install": self._install,
            "restart": self._restart_bot,
            "people": self._people,
            "view": self._view,
            "help": self._help,
            "quit": self._quit,
        }
        files = FileLines(self._act, self._look, self._until, self._failure)
        return own | files.commands

    async def __aenter__(self) -> Player:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the sockets."""
        if self._session is not None:
            await self._session.close()

    async def line(self, text: str) -> list[str]:
        """Play one line; what to print. Raises ExpectationFailed; Finished after /quit."""
        self.line_no += 1
        text = text.strip()
        if not text or text.startswith("#"):
            return []
        if "{id}" in text:
            text = text.replace("{id}", await self._newest_id())
        if not text.startswith("/"):
            return await self._say(text)
        name, _, rest = text[1:].partition(" ")
        command = self._commands.get(name)
        if command is None:
            raise ExpectationFailed(self.line_no, f"/{name} is not a line I know", _HELP)
        return await command(rest.strip())

    async def play(self, lines: Iterable[str]) -> AsyncIterator[tuple[str, list[str]]]:
        """Play many lines; yields each with what it printed. Ends at /quit."""
        for text in lines:
            try:
                yield text.rstrip("\n"), await self.line(text)
            except Finished:
                return

    async def news(self) -> list[str]:
        """What came in for the current person and was not printed yet."""
        printed = self._printed.setdefault(self.who, {})
        out: list[str] = []
        for entry in sorted(await self._see(self.who), key=_changed):
            if printed.get(entry["activity_id"], 0) < entry["changed"]:
                again = entry["activity_id"] in printed
                printed[entry["activity_id"]] = entry["changed"]
                out += shown(entry, again) if entry["from"] != self.who else []
        return out

    # What people do.

    async def _say(self, text: str) -> list[str]:
        return await self._act("say", {"text": text, "scope": self._scope})

    async def _click(self, wanted: str) -> list[str]:
        # An answer that takes longer than a turn comes as a card without buttons first.
        await self._until(lambda: self._offers(wanted or "1"))
        cards = await self._cards()
        if self._card is not None:
            cards = [card for card in cards if card["activity_id"] == self._card]
        number = wanted or "1"
        key = _flat(number).casefold()
        with_it = [c for c in cards if any(_flat(a["title"]).casefold() == key for a in c["actions"])]
        chosen = next(iter(cards if number.isdecimal() else with_it), None)
        if chosen is None:
            offered = "\n".join(line for card in cards for line in shown(card)) or "no card with buttons"
            raise ExpectationFailed(self.line_no, f"no button {number!r} to click", offered)
        fields, self._fields, self._card = self._by_id(chosen), {}, None
        wish = {"activity_id": chosen["activity_id"], "action": number, "inputs": fields, "checks": True}
        return await self._act("click", wish)

    async def _offers(self, button: str) -> bool:
        cards, key = await self._cards(), _flat(button).casefold()
        titles = {_flat(action["title"]).casefold() for card in cards for action in card["actions"]}
        return key in titles or (button.isdecimal() and bool(cards))

    def _by_id(self, card: Json) -> dict[str, str]:
        names = {i["id"].casefold(): i["id"] for i in card["inputs"]}
        names |= {str(i["label"]).casefold(): i["id"] for i in card["inputs"] if i["label"]}
        return {names.get(key.casefold(), key): value for key, value in self._fields.items()}

    async def _act(self, what: str, wish: Json) -> list[str]:
        answer = await self._post(self._at.acts(what), {"as": self.who, **wish})
        self._marks[self.who] = answer.get("step", self._mark)
        said = []
        if answer.get("error"):
            said = [f"! {answer['error']}"]
        elif answer.get("status", 200) >= 400:
            said = [f"! the bot answered {answer['status']}"]
        return said + await self.news()

    async def _as(self, alias: str) -> list[str]:
        await self._see(alias)
        self.who, self._fields, self._card = alias, {}, None
        return [f"You are {alias}.", *await self.news()]

    async def _fill(self, rest: str) -> list[str]:
        name, _, value = rest.partition(" ")
        self._fields[name] = value.strip()
        return []

    async def _choose(self, number: str) -> list[str]:
        cards = await self._cards()
        if not number:
            return [line for n, card in enumerate(cards, 1) for line in (f"card {n}:", *shown(card))]
        if not number.isdecimal() or not 1 <= int(number) <= len(cards):
            raise ExpectationFailed(self.line_no, f"there is no card {number}", f"{len(cards)} cards")
        self._card = cards[int(number) - 1]["activity_id"]
        return shown(cards[int(number) - 1])

    async def _in(self, scope: str) -> list[str]:
        self._scope = scope
        return [f"You speak in: {scope}."]

    async def _seen_all(self, _: str) -> list[str]:
        self._all_seen = (await self._get(self._at.acts("step")))["step"]
        return []

    async def _install(self, how: str) -> list[str]:
        return await self._act("install", {"installed": how != "off"})

    async def _restart_bot(self, _: str) -> list[str]:
        if self._restart is None:
            raise ExpectationFailed(self.line_no, "/restart works only where the demo runs the bot", "")
        await self._quiet()
        await self._restart()
        return ["The bot was killed and is back."]

    async def _quiet(self) -> None:
        """Nothing new for half a second: a play must end the same each time, wherever the bot is killed.

        Killed between sending a card and remembering it, the bot sends that card again.
        """
        still, before = 0, -1
        while still < _QUIET_LOOKS:
            now = (await self._get(self._at.acts("step")))["step"]
            still, before = (still + 1, now) if now == before else (0, now)
            await asyncio.sleep(0.1)

    async def _people(self, _: str) -> list[str]:
        return [person_line(person) for person in await self._everybody()]

    async def _view(self, _: str) -> list[str]:
        return [line for entry in await self._see(self.who) for line in shown(entry)]

    async def _help(self, _: str) -> list[str]:
        return _HELP.splitlines()

    async def _quit(self, _: str) -> list[str]:
        raise Finished

    # What is expected.

    async def _expect(self, text: str) -> list[str]:
        async def there() -> bool:
            return any(_bare(text) in _bare(told(entry)) for entry in await self._fresh())

        if not await self._until(there):
            raise ExpectationFailed(self.line_no, f"{self.who} does not see {text!r}", await self._seen())
        return await self.news()

    async def _expect_not(self, text: str) -> list[str]:
        before = await self._fresh()
        for _ in range(10):  # until it is quiet, at most two seconds
            await asyncio.sleep(0.2)
            now = await self._fresh()
            if now == before:
                break
            before = now
        if any(_bare(text) in _bare(told(entry)) for entry in before):
            raise ExpectationFailed(self.line_no, f"{self.who} sees {text!r}", await self._seen())
        return await self.news()

    async def _expect_all(self, text: str) -> list[str]:
        copies: list[tuple[str, Json]] = []

        async def there() -> bool:
            copies[:] = await self._copies()
            return bool(copies) and all(_bare(text) in _bare(told(entry)) for _, entry in copies)

        if not await self._until(there):
            seen = "\n".join(line for who, entry in copies for line in (f"{who} sees:", *shown(entry)))
            raise ExpectationFailed(
                self.line_no, f"not every copy shows {text!r}", seen or "no card of a current request"
            )
        return [f"{len(copies)} copies show it: {', '.join(sorted({who for who, _ in copies}))}"]

    async def _writes(self, number: str) -> list[str]:
        effects: list[Json] = []

        async def there() -> bool:
            effects[:] = (await self._get(self._at.directory("journal")))["effects"]
            return len(effects) >= int(number)

        await self._until(there)
        if len(effects) != int(number):
            seen = "\n".join(f"{e['method']} {e['what']} {e['phone_type'] or ''}" for e in effects)
            raise ExpectationFailed(self.line_no, f"{len(effects)} writes, not {number}", seen)
        return [f"{number} writes in the directory."]

    async def _number(self, rest: str) -> list[str]:
        alias, slot, wanted = [*rest.split(" ", 2), "", ""][:3]
        held = ""

        async def there() -> bool:
            nonlocal held
            person = next((p for p in await self._everybody() if p["alias"] == alias), None) or {}
            held = str((person.get("phones") or {}).get(slot) or "none")
            return "".join(held.split()) == "".join(wanted.split())

        if not await self._until(there):
            raise ExpectationFailed(self.line_no, f"{alias}'s {slot} is not {wanted}", held)
        return [f"The directory holds it: {alias}, {slot}."]

    async def _look(self, what: str) -> Json:
        """One of the routes that show something of the current person."""
        found: Json = await self._get(self._at.acts(what), {"as": self.who})
        return found

    def _failure(self, what: str, seen: str) -> ExpectationFailed:
        return ExpectationFailed(self.line_no, what, seen)

    # What is seen.

    @property
    def _mark(self) -> int:
        """The step after which a message is new to the current person."""
        return max(self._all_seen, self._marks.get(self.who, 0))

    async def _see(self, alias: str) -> list[Json]:
        seen: list[Json] = await self._get(self._at.acts("view"), {"as": alias})
        return seen

    async def _fresh(self) -> list[Json]:
        entries = await self._see(self.who)
        return [e for e in entries if e["from"] == "bot" and e["changed"] > self._mark]

    async def _seen(self) -> str:
        return "\n".join(line for entry in await self._fresh() for line in shown(entry)) or "nothing new"

    async def _cards(self) -> list[Json]:
        """The cards with buttons of the current person, the last changed one first."""
        entries = await self._see(self.who)
        return sorted((e for e in entries if e["actions"]), key=_changed, reverse=True)

    async def _copies(self) -> list[tuple[str, Json]]:
        """Every copy of the card of the request that the current person saw last."""
        mine = [e for e in sorted(await self._see(self.who), key=_changed) if of_one_request(e)]
        if not mine:
            return []
        keys = set(mine[-1]["requests"])
        return [
            (person["alias"], entry)
            for person in await self._everybody()
            if person["alias"]
            for entry in await self._see(person["alias"])
            if is_copy(entry) and keys & set(entry["requests"])
        ]

    async def _newest_id(self) -> str:
        for entry in sorted(await self._see(self.who), key=_changed, reverse=True):
            if found := _PRINTED_ID.findall(told(entry)):
                return str(max(found, key=len))
        raise ExpectationFailed(self.line_no, f"{self.who} has seen no request id", await self._seen())

    async def _everybody(self) -> list[Json]:
        people: dict[str, Json] = (await self._get(self._at.directory("people")))["people"]
        return list(people.values())

    async def _until(self, there: Callable[[], Awaitable[bool]]) -> bool:
        deadline = asyncio.get_running_loop().time() + self._patience
        while not await there():
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    async def _get(self, url: str, query: dict[str, str] | None = None) -> Any:
        return await self._ask("GET", url, params=query)

    async def _post(self, url: str, body: Json) -> Json:
        answer: Json = await self._ask("POST", url, json=body)
        return answer

    async def _ask(self, verb: str, url: str, **more: Any) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        async with self._session.request(verb, url, **more) as response:
            answer = await response.json()
            if response.status not in (200, 201, 409):
                raise ExpectationFailed(self.line_no, "the sandbox refused this line", str(answer))
            return answer


def _changed(entry: Json) -> int:
    return int(entry["changed"])


def _bare(text: str) -> str:
    return "".join(text.split())


def _flat(text: str) -> str:
    return " ".join(text.split())
