"""Every fault at every step of a request, on both databases: the outcome that the table promises, and after
it what must hold whatever happens.

The columns of files (a batch of rows) are not in it yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fault_judge import Judge
from fault_kinds import KINDS
from fault_site import BY_PEOPLE, STEPS, TWO_HOURS, Site, Step, Way, open_site
from stage import Sandbox

from bot.ports import StoreUnavailable
from tests.doubles.crashing import PowerCut

# What becomes of a request:
#   N nothing was kept, sending again is safe     R it goes on by itself after a restart
#   D the second one is absorbed, same answer     W it waits, with a time when it is looked at again
#   Q unknown; read before anything is sent again C refused with words, nothing done, later it works
#   E it stands, only the telling comes late      A as E, but that person cannot be told: alarm
#   F finished before the process ends            = as if nothing had happened
#   B blocked   V the vote is void, asked again   X expired, never done late   P put aside with an alarm
# Two letters: two ways in which the fault meets the step. "-": cannot be, see WHY_NOT.
TABLE = """
                               S1  S2  S3  S4  S5  S6  S7
f1 kill -9                     N   R   NR  R   Q   Q   E
f2 SIGTERM                     N   F   F   R   F   F   E
f3 database locked, failover   C   C   C   W   -   Q   E
f4 database full or read-only  C   C   C   W   -   Q   E
f5 delivered twice             D   D   D   D   D   D   D
f6 Graph 429                   -   C   C   W   W   -   -
f7 Graph 5xx, reset            -   C   C   W   Q   -   -
f8 reply lost                  -   -   -   -   Q   -   -
f9 token dead                  -   C   C   W   WR  -   -
f10 Teams refuses              E   E   E   -   -   -   EA
f11 clock off                  N   =   =   W   -   =   -
f12 two workers                D   D   D   D   D   D   D
f13 stale reads                -   -   -   B   -   Q   -
f14 rights or target change    C   C   V   B   -   -   -
f15 poison row                 C   C   C   P   -   -   P
f16 outage beyond expiry       -   X   X   X   Q   -   E
f17 paused for 5 minutes       D   -   -   D   D   D   D
f18 DNS, TLS, proxy            -   C   C   W   QW  -   E
"""
#: fault -> {steps: why the cell is empty}.
WHY_NOT = {
    "f3": {"5": "no transaction is open while the directory is asked"},
    "f4": {"5": "no transaction is open while the directory is asked"},
    "f6": {"1": "the gate asks no directory", "67": "nothing is asked of the directory any more"},
    "f7": {"1": "the gate asks no directory", "67": "nothing is asked of the directory any more"},
    "f8": {"123467": "only a write has a reply that matters"},
    "f9": {"1": "the gate asks no directory", "67": "nothing is asked of the directory any more"},
    "f10": {"456": "Teams is not spoken to there"},
    "f11": {
        "5": "the call has limits of its own, by no clock of ours",
        "7": "retries only come early or late",
    },
    "f13": {
        "123": "nothing was written yet",
        "5": "the reading comes behind the call",
        "7": "nothing is read",
    },
    "f14": {"567": "what is sent is sent: the re-check was before"},
    "f15": {"5": "no row is read during the call", "6": "the row was read when it was claimed"},
    "f16": {"1": "nothing lives yet", "6": "the result has no deadline"},
    "f17": {"23": "the guarded move decides, as in f12"},
    "f18": {"1": "the gate asks nobody", "6": "nothing is asked of the directory any more"},
}
LETTERS = frozenset("NRDWQCEAF=BVXP")
#: Faults that a person must come to know of, whatever became of the request.
ALARMED = ("f4", "f9")


def cells() -> Iterator[Any]:
    """(database, fault, step, letter) of every live cell, on both databases."""
    for database in ("sqlite", "postgresql"):
        for name, step, letter in live():
            place = f"{database}-{name.split()[0]}-{step[:2]}-{letter}"
            yield pytest.param(database, name, step, letter, id=place)


def live() -> Iterator[tuple[str, Step, str]]:
    """(fault, step, letter) of every live cell."""
    for line in TABLE.strip().splitlines()[1:]:
        name, letters = line[:31].strip(), line[31:].split()
        assert len(letters) == len(STEPS), line
        for step, ways in zip(STEPS, letters, strict=True):
            for letter in ways.replace("-", ""):
                assert letter in LETTERS, line
                yield name, step, letter


@dataclass
class Hall:
    """One site at a time, for one database: it stands in the environment of the process, which has one.

    Given up when it is spent, or the other database is wanted.
    """

    sandbox: Sandbox
    folder: Path
    migrated: Path
    schemas: Callable[[], AbstractContextManager[str]]
    _open: tuple[str, Site, AsyncExitStack] | None = None
    _made: int = 0

    async def site(self, database: str) -> Site:
        if self._open is not None and (self._open[0] != database or self._open[1].is_spent):
            await self.close()
        if self._open is None:
            self._made += 1
            stack = AsyncExitStack()
            url = "" if database == "sqlite" else stack.enter_context(self.schemas())
            opening = open_site(self.sandbox, self.folder / str(self._made), self.migrated, url)
            self._open = (database, await stack.enter_async_context(opening), stack)
        return self._open[1]

    async def close(self) -> None:
        if self._open is not None:
            open_now, self._open = self._open, None
            await open_now[2].aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hall(
    sandbox: Sandbox,
    migrated_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Hall]:
    made = Hall(
        sandbox,
        tmp_path_factory.mktemp("matrix"),
        migrated_file,
        lambda: request.getfixturevalue("new_schema")(),
    )
    yield made
    await made.close()


def test_every_cell_has_an_outcome_or_a_reason_why_it_cannot_be() -> None:
    """18 faults at 7 steps; nothing is left out in silence."""
    lines = TABLE.strip().splitlines()[1:]
    assert [line[:31].strip() for line in lines] == list(KINDS)
    empty = {
        f"{line.split()[0]} S{n}"
        for line in lines
        for n, letters in enumerate(line[31:].split(), 1)
        if letters == "-"
    }
    assert empty == {f"{fault} S{n}" for fault, why in WHY_NOT.items() for steps in why for n in steps}
    assert len(lines) * len(STEPS) - len(empty) == 88


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("database", "fault", "step", "letter"), list(cells()))
async def test_a_fault_ends_as_the_table_says(
    database: str, fault: str, step: Step, letter: str, hall: Hall
) -> None:
    """The outcome of the cell; then, whole again and two hours later: one effect or none, a true end, an
    intact audit, nothing stuck, nobody left untold in silence, no clear number.
    """
    site = await hall.site(database)
    site.broken = True
    judge = Judge(site)
    way = await site.way()
    kind = KINDS[fault](way, step, letter)
    await way.up_to(kind.stands(step))
    before = await way.kept()
    try:
        await kind.arm()
        with contextlib.suppress(StoreUnavailable, PowerCut):
            await kind.act()
        written = len(await way.effects())
    finally:
        await kind.heal()
    await way.name()
    wrong = await OUTCOMES[letter](way, before, written)
    if (fault.startswith(ALARMED) and letter != "R") or letter in "AP":
        wrong += [] if judge.alarmed() else ["no alarm in the log and the counters"]
    await go_on(way, step, letter)
    wrong += await judge.settle(way, kind.ends or ENDS.get(letter, "applied"))
    assert wrong == [], (wrong, way.answer, await way.row(), await way.events())
    site.broken = False


async def go_on(way: Way, step: Step, letter: str) -> None:
    """Who got no answer sends the same again, who was refused asks again; then all takes its course."""
    if letter == "N":
        way.answer = await way.post(step)
        assert way.answer.status == 201, way.answer
        await way.name()
    if letter == "D" and step in BY_PEOPLE:
        kept = await way.kept()
        await way.post(step)
        assert await way.kept() == kept, "the same again did something"
    nexts = {"": Step.RECEIVE, "previewed": Step.SAVE, "pending": Step.VOTE}
    for _ in range(4):
        await way.site.work()
        todo = nexts.get(await way.state())
        if todo is None or letter in "VX":
            break
        await way.do(todo)
        await way.name()
    await way.site.pass_by(*TWO_HOURS)


# --- outcomes ---------------------------------------------------------------------------------------------
Outcome = Callable[[Way, list[Any], int], Awaitable[list[str]]]
ENDS = {"B": "blocked", "V": "pending", "X": "expired"}


async def nothing_kept(way: Way, before: list[Any], written: int) -> list[str]:
    wrong = [] if await way.kept() == before else ["something was kept"]
    return wrong + (["written"] if written else [])


async def refused(way: Way, before: list[Any], written: int) -> list[str]:
    wrong = await nothing_kept(way, before, written)
    return wrong + ([] if "Code " in way.answer.said else [f"not told: {way.answer}"])


async def goes_on(way: Way, before: list[Any], written: int) -> list[str]:
    return [] if await way.state() in ("previewed", "pending", "approved", "applying") else ["lost"]


async def waits(way: Way, before: list[Any], written: int) -> list[str]:
    row = await way.row()
    wrong = await nothing_kept(way, before, written)
    return wrong + ([] if row is not None and row[2] is not None and row[3] is not None else ["no deadline"])


async def unknown(way: Way, before: list[Any], written: int) -> list[str]:
    state = await way.state()
    wrong = [] if state in ("applying", "unconfirmed") else [f"{state}, though nobody knows"]
    return wrong + ([] if await way.sends() <= 1 else ["sent again before reading"])


async def stands(way: Way, before: list[Any], written: int) -> list[str]:
    return [] if await way.kept() != before else ["lost with the telling"]


async def ended(way: Way, before: list[Any], written: int) -> list[str]:
    return ["written"] if written else []


async def anything(way: Way, before: list[Any], written: int) -> list[str]:
    return []


OUTCOMES: dict[str, Outcome] = {
    "N": nothing_kept,
    "R": goes_on,
    "D": stands,
    "W": waits,
    "Q": unknown,
    "C": refused,
    "E": stands,
    "A": stands,
    "F": stands,
    "=": stands,
    "B": ended,
    "V": ended,
    "X": ended,
    "P": anything,
}
