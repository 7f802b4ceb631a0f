"""What a batch costs us ourselves: a run against a directory that answers at once, in this process.

`python -m tests.bench.batch_engine 50000` plans, approves and carries out so many rows; the pace is taken
out, so that what is left is the engine and its store. Gives processor seconds; judges nothing.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import State
from bot.domain.people import Listed, Person, Phones, Protection, Role, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Policy, Rule, Step, Token, TokenKind
from bot.domain.sheets import FileKind, FileTable, Sheet, SheetRow
from bot.jobs import Jobs
from bot.ports import Receipt
from bot.workflow.desk import Desk
from bot.workflow.pacing import WritePace
from bot.workflow.parts import Envelope
from tests.doubles import house as h


class AtOnce:
    """A directory of plain members whose phones are kept in a dictionary; the rest is the usual double."""

    def __init__(self, inner: object, people: dict[str, Person]) -> None:
        self._inner, self._people = inner, people
        self.held: dict[str, PhoneNumber | None] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def person(self, oid: str) -> Any:
        return self._people.get(oid) or await self.__getattr__("person")(oid)

    async def protection(self, *_given: object) -> Protection:
        return Protection()

    async def member_of(self, oid: str, groups: frozenset[str]) -> Any:
        return frozenset() if oid in self._people else await self.__getattr__("member_of")(oid, groups)

    async def phones(self, oid: str) -> Phones:
        number = self.held.get(oid)
        return Phones({Slot.MOBILE: number} if number else {})

    async def phones_of_many(self, oids: Sequence[str]) -> AsyncIterator[tuple[str, Phones]]:
        for oid in oids:
            yield oid, await self.phones(oid)

    async def write(
        self, oid: str, _op: object, number: PhoneNumber | None, _call: str, **_more: object
    ) -> Receipt:
        self.held[oid] = number
        return Receipt("r")


class NoPace(WritePace):
    """Everything may be written at once."""

    def room(self, seconds: float) -> int:
        return 10_000

    async def take(self) -> None:
        return None


class OneSheet:
    """A sheet that was read already, and everybody in it."""

    def __init__(self, sheet: Sheet, people: dict[str, Person]) -> None:
        self._sheet, self._people = sheet, people

    async def read(self, _name: str, _content: bytes) -> Sheet:
        return self._sheet

    async def template(self, _kind: FileKind) -> bytes:
        return b""

    async def write(self, _table: FileTable, _kind: FileKind) -> bytes:
        return b""

    async def roster(self) -> tuple[Listed, ...]:
        return tuple(map(Listed, self._people.values()))


def policy() -> Policy:
    step = Step((Token(TokenKind.ROLE, "approver"),))
    rule = Rule("bulk", frozenset({Action.BULK}), frozenset({TargetKind.ORDINARY}), (step,))
    usual = h.policy()
    roles = {**usual.roles, Role.BULK: frozenset({h.OPERATORS})}
    return replace(usual, rules=(*usual.rules, rule), roles=roles)


async def run(count: int) -> None:
    oids = [f"dddddddd-0000-4000-8000-{n:012d}" for n in range(count)]
    people = {oid: Person(oid, f"Person {n}", f"p{n}@contoso.example") for n, oid in enumerate(oids)}
    rows = tuple(
        SheetRow(n + 2, oid, "mobile", f"+1 212 {200 + n // 10_000:03} {n % 10_000:04}")
        for n, oid in enumerate(oids)
    )
    with tempfile.TemporaryDirectory(prefix="ringfence-engine-") as folder:
        async with h.house(Path(folder), rules=policy()) as house:
            sheet: Any = OneSheet(Sheet("phones.xlsx", rows, "d" * 64), people)
            wide: Any = AtOnce(house.directory, people)
            desk = Desk(replace(house.parts, wide=wide, sheets=sheet, reports=sheet), pace=NoPace())
            jobs = Jobs(desk, house.store, house.messenger, house.clock, house.tally, "w", check_skew=False)
            began = time.process_time()
            plan = await desk.handle(c.BulkFile("phones.xlsx", b""), Envelope(h.OLIVIA))
            assert isinstance(plan, o.Preview), plan
            say(f"plan: {time.process_time() - began:.1f} CPU seconds for {count} rows")
            change = plan.view.change
            await desk.handle(c.Submit(plan.view.card), Envelope(h.OLIVIA))
            await desk.handle(c.Approve(c.RequestId(change.id, change.tail)), Envelope(h.ADA))
            house.clock.pass_by(seconds=1)
            began, wall = time.process_time(), time.monotonic()
            await _to_the_end(house, jobs, change.id)
            spent = time.process_time() - began
            a_row, took = 1000 * spent / count, time.monotonic() - wall
            say(f"run: {spent:.1f} CPU seconds, {took:.1f} s, {a_row:.2f} ms a row")
            say(f"written: {len(wide.held)}; {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


async def _to_the_end(house: h.House, jobs: Jobs, head: str) -> None:
    """Slice after slice, without delivering news."""
    while True:
        started = await jobs._changes.round()
        await jobs._changes.settle()
        found = await house.store.change(head)
        if found is None or found.state is not State.APPLYING:
            return
        if not started:
            house.clock.pass_by(seconds=2)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1])))
