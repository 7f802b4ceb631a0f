"""People who keep working while the bot is killed under them, and the bot's many lives.

Knows Teams' habits (the same bytes again until there is an answer) and the launcher's lines. Must not judge:
it only notes what it was told; the test compares that with the directory and the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from bot.domain.change import State
from bot.store.engine import read_url
from cards.phrases import STATES

Json = dict[str, Any]
RATE = 20.0
#: On the card that answers an approval, when it counts: not "one moment", and no refusal.
AGREED = [STATES[state][1] for state in (State.APPROVED, State.APPLYING, State.UNCONFIRMED, State.APPLIED)]
# What things take on a machine that starts the bot in START_SECONDS; a slower one gets more of everything.
START_SECONDS = 0.2
ANSWER_SECONDS = 3.0
LIFE_SECONDS, SECONDS_A_KILL = 1.2, 0.38
LANE_PATIENCE = 12.0
#: So many messages of a chat hold all that is said of one request.
NEWEST = 40
_LATEST = 9
FINAL = frozenset({"applied", "failed", "conflict", "cancelled", "expired", "rejected", "blocked"})
MOMENTS = tuple(
    f"{side} {what}"
    for side in ("before", "after")
    for what in (
        "write",
        "commit attempted",
        "commit applied",
        "commit unconfirmed",
        "commit previewed",
        "commit submitted",
        "commit approved",
        "claim_changes",
        "claim_messages",
        "message_done",
        "card_posted",
        "card_drawn",
    )
)


class Late(Exception):
    """Somebody waited too long for a card and gave up."""


@dataclass
class Clock:
    """The bot's time: faster than ours, one line through all its lives, moved on by `jump`."""

    base: datetime = field(default_factory=lambda: datetime.now(UTC))
    mono: float = field(default_factory=time.monotonic)
    rate: float = RATE
    jumps: list[tuple[datetime, timedelta]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._first = self.base

    def now(self) -> datetime:
        return self.base + timedelta(seconds=(time.monotonic() - self.mono) * self.rate)

    def jump(self, **delta: float) -> None:
        self.base += timedelta(**delta)
        self.jumps.append((datetime.now(UTC), timedelta(**delta)))

    def shown_at(self, moment: datetime) -> datetime:
        """What this clock showed when the machine's clock showed `moment`."""
        jumped = sum((by for when, by in self.jumps if when <= moment), timedelta())
        return self._first + (moment - self._first) * self.rate + jumped

    def order(self) -> Json:
        return {"base": self.base.isoformat(), "mono": self.mono, "rate": self.rate}


class Books:
    """The bot's database, read beside it. Times come as text, as SQLite keeps them."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(read_url(url))

    def rows(self, query: str, **values: object) -> list[Json]:
        with self._engine.connect() as connection:
            found = connection.execute(sa.text(query), values).mappings().all()
        return [{name: _plain(value) for name, value in row.items()} for row in found]

    def close(self) -> None:
        self._engine.dispose()


def _plain(value: Any) -> Any:
    return as_text(value) if isinstance(value, datetime) else value


def as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


class Lives:
    """Starts and ends the bot through the launcher; never two at once."""

    def __init__(self, settings: dict[str, str], port: int, log: Path, clock: Clock) -> None:
        self._order: Json = {"settings": settings, "port": port, "log": str(log)}
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._pid = 0
        self._told_to_stop = False
        self._handle = -1  # a pid may be somebody else's by the time it is used; this may not
        self.ready_seconds: list[float] = []

    @property
    def pace(self) -> float:
        """How many times slower than expected this machine is just now: 1 or more, by the latest starts."""
        latest = sorted(self.ready_seconds[-_LATEST:])
        return max(1.0, latest[len(latest) // 2] / START_SECONDS) if latest else 1.0

    async def open(self) -> None:
        launcher = Path(__file__).with_name("kill_launcher.py")
        pipe = asyncio.subprocess.PIPE
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(launcher), stdin=pipe, stdout=pipe, env=kept
        )

    async def close(self) -> None:
        if self._process is not None:
            if self._pid:
                await self.kill()
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._process.wait()

    async def begin(self, cut: Json | None = None) -> None:
        """A new life; returns when the process exists."""
        assert self._process is not None
        assert self._process.stdin is not None
        order = self._order | {"clock": self._clock.order(), "cut": cut}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._pid = int((await self._line()).split()[1])
        with contextlib.suppress(OSError):
            self._handle = os.pidfd_open(self._pid)
        self._began = time.monotonic()

    async def ready(self) -> bool:
        """True when it serves, False when it ended before."""
        line = await self._line()
        if line == "ready":
            self.ready_seconds.append(time.monotonic() - self._began)
            return True
        self._ended(line)
        return False

    async def ended(self, seconds: float) -> bool:
        """Wait so long for the life to end by itself."""
        try:
            async with asyncio.timeout(seconds):
                await self._end()
        except TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """kill -9, now."""
        with contextlib.suppress(OSError):  # it was faster
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        await self._end()

    async def stop(self) -> None:
        """SIGTERM: it finishes what is under way and ends by itself."""
        self._told_to_stop = True
        signal.pidfd_send_signal(self._handle, signal.SIGTERM)
        await self._end()

    async def _end(self) -> None:
        while self._pid:
            line = await self._line()
            if line != "ready":
                self._ended(line)

    def _ended(self, line: str) -> None:
        wanted = "ended 0" if self._told_to_stop else f"ended {-signal.SIGKILL}"
        assert line == wanted, f"the bot ended by itself: {line}"
        self._told_to_stop = False
        self._pid = 0
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()


@dataclass
class Asked:
    """One request as its people know it. told: the last thing that got an answer. said: to the approval."""

    target: str
    number: str
    id: str = ""
    told: str = "asked"
    said: str = ""
    resent: int = 0


class People:
    """Acts in Teams for many people; what gets no answer is sent again, byte for byte."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        root: str,
        bot_url: str,
        clock: Clock,
        books: Books,
        pace: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """root: the world's control address on the Teams port. books: of the bot. pace: see `Lives`."""
        self._http, self._root, self._bot_url, self._clock = http, root, bot_url, clock
        self._books, self._pace = books, pace
        self.over = asyncio.Event()
        self.asked: list[Asked] = []
        self.redelivered = 0
        self.statuses: dict[int, int] = {}

    async def work(self, lane: int) -> None:
        """One request after the other for the lane's person, until it is over."""
        turn = 0
        while not self.over.is_set():
            turn += 1
            one = Asked(f"t{lane}", f"206{600 + lane:03d}{turn:04d}")
            self.asked.append(one)
            with contextlib.suppress(Late):
                await self._carry(one, f"op{lane}", f"mg{lane}")

    async def _carry(self, one: Asked, operator: str, manager: str) -> None:
        text = f"set mobile for {one.target} to +1 {one.number} because lost phone INC1234"
        await self._act(one, "say", {"as": operator, "text": text})
        preview = await self._card(operator, "Submit for approval", one)
        one.told = "previewed"
        await self._click(one, operator, preview, "Submit for approval")
        one.told = "submitted"
        asking = await self._card(manager, "Approve", one)
        one.said = await self._click(one, manager, asking, "Approve")
        if any(words in one.said for words in AGREED):
            one.told = "approved"
        await self._until(lambda: self.state(one.id) in FINAL)
        one.told = "final"

    async def say(self, who: str, text: str) -> None:
        """Something that is no request."""
        await self._act(Asked("", ""), "say", {"as": who, "text": text})

    async def _click(self, one: Asked, who: str, card: Json, title: str) -> str:
        said = {"how": "in-person"} if title == "Approve" else {}
        wish = {"as": who, "activity_id": card["activity_id"], "action": title, "inputs": said}
        return await self._act(one, "click", wish)

    async def _act(self, one: Asked, what: str, wish: Json) -> str:
        """Built once by the client, then delivered until it is answered, even when it is over: the answer."""
        now = int(self._clock.now().timestamp())
        claims = {"iat": now, "nbf": now - 5, "exp": now + 80_000}
        built = await self._control("POST", what, wish | {"dry": True, "sign": {"claims": claims}})
        body = json.dumps(built["activity"]).encode()
        headers = {"Authorization": f"Bearer {built['token']}", "Content-Type": "application/json"}
        while True:
            limit = aiohttp.ClientTimeout(total=ANSWER_SECONDS * self._pace())
            try:
                data = io.BytesIO(body)
                async with self._http.post(
                    self._bot_url, data=data, headers=headers, timeout=limit
                ) as answer:
                    said = await answer.text()
                    self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
                    if answer.status < 500:
                        return said
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass
            self.redelivered += 1
            await asyncio.sleep(0.03)

    async def _card(self, who: str, title: str, one: Asked) -> Json:
        """The newest card of this request with that button in the person's chat."""
        shown = f"+1 {one.number}"

        async def find() -> Json | None:
            for entry in reversed(await self._control("GET", f"view?as={who}&last={NEWEST}")):
                if any(a["title"] == title for a in entry["actions"]):
                    named = one.id in entry["requests"] if one.id else shown in json.dumps(entry["card"])
                    if named:
                        found: Json = entry
                        return found
            return None

        card: Json = await self._until(find)
        one.id = one.id or next(r for r in card["requests"] if not r.startswith("R-"))
        return card

    async def _until(self, look: Any) -> Any:
        began = time.monotonic()
        while time.monotonic() < began + LANE_PATIENCE:
            found = look()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            if self.over.is_set():
                break
            await asyncio.sleep(0.1)
        raise Late

    def state(self, change_id: str) -> str:
        """What the database says, read beside the bot."""
        rows = self._books.rows("SELECT state FROM changes WHERE id = :id", id=change_id)
        return str(rows[0]["state"]) if rows else ""

    async def _control(self, verb: str, path: str, wish: Json | None = None) -> Any:
        async with self._http.request(verb, f"{self._root}/{path}", json=wish) as answer:
            assert answer.status == 200, (path, await answer.text())
            return await answer.json()


async def killed_so_often(
    lives: Lives, kills: int, chance: random.Random, *, alone: bool, most_seconds: float, stretch: float
) -> dict[str, int]:
    """Life after life, each ended by SIGKILL: at a chosen moment, or whenever. How they ended.

    alone: the machine is ours, so there is a time for it, and a slow start is made up for by shorter lives.
    Otherwise lives are as long as the machine is slow, and there are fewer when the time is up. stretch: of
    those lives.
    """
    ends: dict[str, int] = {}
    began = time.monotonic()
    for left in range(kills, 0, -1):
        # What a slow machine does at once is slower still than its starts, which are alone.
        longest = LIFE_SECONDS * stretch * (2 * lives.pace - 1)
        if alone:
            fair = (began + kills * SECONDS_A_KILL - time.monotonic()) / left
            longest = min(max(1.5 * fair, 0.1), LIFE_SECONDS)
        elif time.monotonic() - began > most_seconds:
            break
        how = await _one_life(lives, chance, longest)
        ends[how] = ends.get(how, 0) + 1
    return ends


async def _one_life(lives: Lives, chance: random.Random, longest: float) -> str:
    at = chance.choice(MOMENTS) if chance.random() < 0.7 else None
    await lives.begin(None if at is None else {"at": at, "count": chance.choice((1, 1, 1, 2, 3))})
    if at is None and chance.random() < 0.2:
        if await lives.ended(chance.uniform(0, 0.1)):
            return "starting"
        await lives.kill()
        return "starting"
    if not await lives.ready():
        return str(at)
    short = chance.random() < 0.5
    if await lives.ended(longest if at else chance.uniform(0.01, 0.1 if short else longest)):
        return str(at)
    await lives.kill()
    return "random"
