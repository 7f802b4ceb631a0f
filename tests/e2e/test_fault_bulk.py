"""Column S8 of the fault matrix: every fault in the middle of a batch, on both databases. Afterwards each row
is written once or not at all, everything is accounted for, and the audit holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from fault_kinds import Locked, ReadOnly
from fault_site import TWO_HOURS, Site, Step, open_site
from stage import Sandbox

from bot.domain import command as c
from bot.domain import outcome as o
from bot.ports import StoreUnavailable
from bot.workflow.parts import Envelope
from tests.doubles.crashing import PowerCut

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
ROWS = 8


@dataclass
class Play:
    """One batch of eight people at a site, agreed to and not begun."""

    site: Site
    people: list[dict[str, Any]]
    printed: str
    key: str
    numbers: dict[str, str] = field(default_factory=dict)

    async def states(self) -> Counter[str]:
        rows = await self.site.sql(
            "SELECT state, count(*) FROM changes WHERE batch_id = :key AND id <> :key GROUP BY state",
            key=self.key,
        )
        return Counter({str(state): int(count) for state, count in rows})

    async def head(self) -> str:
        return str((await self.site.sql("SELECT state FROM changes WHERE id = :key", key=self.key))[0][0])

    async def held(self) -> str:
        return str(
            (await self.site.sql("SELECT held FROM batches WHERE id = :key", key=self.key))[0][0] or ""
        )

    async def effects(self) -> Counter[str]:
        """Writes by person, of the people of this batch."""
        own = {person["oid"] for person in self.people}
        found = [e for e in await self.site.stage.effects() if e["oid"] in own and e["what"] == "phone"]
        assert all(e["after"].replace(" ", "") == self.numbers[e["oid"]] for e in found)
        return Counter(e["oid"] for e in found)


async def begun(site: Site) -> Play:
    """Eight new people without a phone, their file planned, submitted and approved by two."""
    site.requests += 1
    people = []
    for n in range(ROWS):
        alias = f"b{site.requests:02}{n:02}"
        made = {"alias": alias, "display_name": f"Batch {alias}", "manager": "marta"}
        people.append(await site.stage.control("POST", "people", made))
    texts = {p["oid"]: f"+1 646 555 {site.requests:02}{n:02}" for n, p in enumerate(people)}
    out = io.StringIO()
    csv.writer(out).writerows(
        [("user", "slot", "number"), *((p["upn"], "mobile", texts[p["oid"]]) for p in people)]
    )
    stage = site.stage
    await stage.say("bruno", "hi")
    envelope = Envelope(stage.oid("bruno"), "files", f"file-{site.requests}", "hash", f"cid{site.requests}")
    plan = await stage.parts.desk.handle(c.BulkFile("phones.csv", out.getvalue().encode()), envelope)
    assert isinstance(plan, o.Preview), plan
    change = plan.view.change
    await stage.ask("bruno", f"submit {change.printed_id}")
    for approver in ("arthur", "astrid"):
        await stage.ask(approver, f"approve {change.printed_id}")
    numbers = {oid: text.replace(" ", "") for oid, text in texts.items()}
    return Play(site, people, change.printed_id, change.id, numbers)


async def run(play: Play) -> None:
    """The worker does what is due; a cut of the power ends it there."""
    with contextlib.suppress(PowerCut, TimeoutError, StoreUnavailable):
        async with asyncio.timeout(30):
            await play.site.work()


async def all_done(play: Play, *, applied: int = ROWS) -> None:
    """Two hours later everything is settled: each row once, none twice, nothing under way."""
    await play.site.pass_by(*TWO_HOURS)
    states = await play.states()
    assert states["applied"] == applied, (states, await play.head(), await play.held())
    assert not set(states) & {"applying", "unconfirmed", "approved", "cooling"}, states
    effects = await play.effects()
    assert sorted(effects.values()) == [1] * applied, effects
    assert (await play.site.stage.parts.store.verify_audit()).bad == ()
    assert play.site.unintended == 0


class Fault:
    """What happens to one batch, agreed to and not begun. applied: rows that are done in the end."""

    applied = ROWS

    def __init__(self, play: Play) -> None:
        self.play, self.site = play, play.site
        self.paths = "authentication/phoneMethods"

    async def strike(self) -> None:
        await run(self.play)

    async def heal(self) -> None:
        await self.site.stage.heal()


class Killed(Fault):
    """f1: killed at a moment of the loop; the next life goes on from the last row."""

    moment = "after write"

    async def strike(self) -> None:
        self.site.at(self.moment, self.site.die)
        await run(self.play)

    async def heal(self) -> None:
        await self.site.restart()


class KilledBeforeIntents(Killed):
    moment = "before commit attempted"


class KilledAfterIntents(Killed):
    moment = "after commit attempted"


class KilledBeforeResults(Killed):
    moment = "before commit applied"


class KilledAfterResults(Killed):
    moment = "after commit applied"


class Stopped(Fault):
    """f2: SIGTERM between two writes: the slice is finished, nothing new begins, the next life goes on."""

    async def strike(self) -> None:
        async def stop() -> None:
            self.site.stage.parts.jobs.stop()

        self.site.at("before write", stop)
        await asyncio.wait_for(self.site.stage.parts.jobs.run(), 20)

    async def heal(self) -> None:
        await self.site.restart()


class Database(Fault):
    """f3, f4: the database takes nothing at the intents, or at the results."""

    kind: type[Locked] | type[ReadOnly] = Locked
    moment = "before commit attempted"

    async def strike(self) -> None:
        way: Any = type("Way", (), {"site": self.site, "oid": ""})()
        self.fault = self.kind(way, Step.CLAIM, "W")
        self.site.at(self.moment, self.fault.strike)
        await run(self.play)

    async def heal(self) -> None:
        await self.fault.heal()


class LockedAtResults(Database):
    moment = "before commit applied"


class Full(Database):
    kind = ReadOnly


class FullAtResults(Full):
    moment = "before commit applied"


class SaidTwice(Fault):
    """f5: hold and go on, each said twice; a double click changes nothing more."""

    async def strike(self) -> None:
        async def hold() -> None:
            for _ in range(2):
                await self.site.stage.ask("bruno", f"pause {self.play.printed}")

        self.site.at("before commit applied", hold)
        await run(self.play)
        assert "bulk-held" in await self.play.held()
        for _ in range(2):
            await self.site.stage.ask("bruno", f"resume {self.play.printed}")


class Answers(Fault):
    """f6 to f9: answers of the directory to writes in the middle of the batch."""

    how: ClassVar[dict[str, Any]] = {
        "kind": "status",
        "status": 429,
        "retry_after": 30,
        "skip": 6,
        "times": 1,
    }

    async def strike(self) -> None:
        await self.site.stage.fault(**self.how, verb="POST", path=f"{self.paths}$")
        await run(self.play)


class Broken(Answers):
    how: ClassVar[dict[str, Any]] = {"kind": "status", "status": 500, "skip": 2, "times": 1}


class Lost(Answers):
    how: ClassVar[dict[str, Any]] = {"kind": "reset_after", "skip": 6, "times": 1}


class SignedOut(Answers):
    """A token that is refused once, with a secret that is dead for a while."""

    how: ClassVar[dict[str, Any]] = {"kind": "token_expired", "skip": 6, "times": 1}


class Unread(Fault):
    """f7, f9: no reading is answered before the slice: nothing is written, it comes again."""

    async def strike(self) -> None:
        await self.site.stage.fault(kind="status", status=504, path="", times=None)
        await run(self.play)
        assert await self.play.effects() == Counter()


class Speechless(Fault):
    """f10: Teams takes nothing that we say meanwhile."""

    async def strike(self) -> None:
        await self.site.stage.fault(
            server="teams", kind="status", status=503, verb="POST", path="/activities", times=None
        )
        await run(self.play)


class ClockOff(Fault):
    """f11: time jumps ten minutes ahead between intents and writes: what is late is not sent, but again."""

    async def strike(self) -> None:
        async def jump() -> None:
            self.site.stage.clock.pass_by(minutes=10)

        self.site.at("after commit attempted", jump)
        await run(self.play)


class TwoWorkers(Fault):
    """f12: a second worker has the same work at the same time."""

    async def strike(self) -> None:
        async with self.site.second() as (jobs, _):
            self.site.at("before write", jobs.drain)
            await asyncio.gather(self.site.work(), jobs.drain())


class Stale(Fault):
    """f13: readings show what was there before: settled by reading later."""

    async def strike(self) -> None:
        oid = self.play.people[6]["oid"]
        await self.site.stage.fault(kind="stale_reads", ms=60_000, path=f"{oid}/{self.paths}", times=3)
        await run(self.play)


class Protected(Fault):
    """f14: one of the people is protected by the time of its row: that row only."""

    applied = ROWS - 1

    async def strike(self) -> None:
        await self.site.stage.patch(self.play.people[6]["alias"], roles=[GLOBAL_ADMINISTRATOR])
        await run(self.play)


class RightsLost(Fault):
    """f14: the requester is no operator any more: nothing begins; the batch is blocked."""

    applied = 0

    async def strike(self) -> None:
        await self.site.stage.leave("operator", "bruno")
        await run(self.play)

    async def heal(self) -> None:
        await self.site.stage.join("operator", "bruno")


class Poisoned(Fault):
    """f15: what is stored of one row makes no sense: that row only, with an alarm."""

    applied = ROWS - 1

    async def strike(self) -> None:
        sheet = "(SELECT sheet_id FROM batches WHERE id = :key)"
        last = f"(SELECT max(line) FROM batch_rows WHERE sheet_id = {sheet})"  # noqa: S608 - constants
        query = f"UPDATE batch_rows SET operations = 'gone' WHERE sheet_id = {sheet} AND line = {last}"  # noqa: S608
        await self.site.sql(query, key=self.play.key)
        await run(self.play)
        assert any("alarm" in line for line in self.site.stage.log_lines())


class Away(Fault):
    """f16: away for longer than the batch may take: what was not begun never runs."""

    applied = 5

    async def strike(self) -> None:
        self.site.at("after commit applied", self.site.die)
        await run(self.play)
        await self.site.sql("UPDATE batches SET finish_minutes = 60 WHERE id = :key", key=self.play.key)
        await self.site.sql("UPDATE batches SET finish_at = started_at WHERE id = :key", key=self.play.key)

    async def heal(self) -> None:
        await self.site.restart()


class Asleep(Fault):
    """f17: five minutes pass for everybody else between intents and writes; a second worker goes on."""

    async def strike(self) -> None:
        async with self.site.second() as (jobs, _):

            async def sleep() -> None:
                self.site.stage.clock.pass_by(minutes=5)
                await jobs.drain()

            self.site.at("before write", sleep)
            await run(self.play)


class NoWay(Fault):
    """f18: no connection to the directory from the first write on: it goes on when it is back."""

    async def strike(self) -> None:
        async def dark() -> None:
            await self.site.relay.turn("dark")

        self.site.at("before write", dark)
        await run(self.play)

    async def heal(self) -> None:
        await self.site.relay.turn("open")


CELLS: dict[str, type[Fault]] = {
    "f1 kill -9 before intents": KilledBeforeIntents,
    "f1 kill -9 after intents": KilledAfterIntents,
    "f1 kill -9 after a write": Killed,
    "f1 kill -9 before results": KilledBeforeResults,
    "f1 kill -9 after results": KilledAfterResults,
    "f2 SIGTERM": Stopped,
    "f3 database locked at intents": Database,
    "f3 database locked at results": LockedAtResults,
    "f4 database full at intents": Full,
    "f4 database full at results": FullAtResults,
    "f5 said twice": SaidTwice,
    "f6 Graph 429": Answers,
    "f7 Graph 500": Broken,
    "f7 no reading": Unread,
    "f8 reply lost": Lost,
    "f9 token expired": SignedOut,
    "f10 Teams refuses": Speechless,
    "f11 clock off": ClockOff,
    "f12 two workers": TwoWorkers,
    "f13 stale reads": Stale,
    "f14 protected meanwhile": Protected,
    "f14 rights lost": RightsLost,
    "f15 poison row": Poisoned,
    "f16 outage beyond the end": Away,
    "f17 paused for 5 minutes": Asleep,
    "f18 no way to Graph": NoWay,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def site(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    migrated_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    new_schema: Callable[[], AbstractContextManager[str]],
) -> AsyncIterator[Site]:
    """One company and database for the whole column."""
    async with AsyncExitStack() as stack:
        url = "" if request.param == "sqlite" else stack.enter_context(new_schema())
        folder = tmp_path_factory.mktemp("bulk")
        yield await stack.enter_async_context(open_site(sandbox, folder / "site", migrated_file, url))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CELLS)
async def test_a_batch_survives(site: Site, name: str) -> None:
    """Each row once or not at all, whatever happens in between; what could not run says so."""
    play = await begun(site)
    fault = CELLS[name](play)
    await fault.strike()
    await fault.heal()
    site.hooks.clear()
    await all_done(play, applied=fault.applied)
