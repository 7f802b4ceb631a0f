"""Two who come at once, on both databases: approve, reject, cancel and expire against each other, for real.

On PostgreSQL the two are two bots with connections of their own over one database; on SQLite, where only one
process may use the file, two desks over one store. RACES in the environment makes a longer run by hand
(20,000 pairs on each database before a release).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations, count
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest

from bot.domain import command as c
from bot.domain.change import Change, How, State, Verdict, content_hash
from bot.domain.outcome import AwaitingApproval, Outcome, Preview, Refused
from bot.domain.people import Person, PersonRef
from bot.domain.phone import PhoneNumber, Slot
from bot.ports import Commit, Move, Won
from bot.store.engine import read_url
from bot.workflow.desk import Desk
from tests.doubles.house import ALICE, HELD, MARTA, OLIVIA, HandClock, House, directory, house, oid, policy

RACES = int(os.environ.get("RACES", "2000"))
TOGETHER = 20
#: Turns of the loop by which one side may be ahead: none, or up to six times this.
STARTS = (0, 20, 100, 20, 300, 0)
# Memory, so that a full synchronous write costs nothing.
SHM = "/dev/shm" if Path("/dev/shm").is_dir() else ""  # noqa: S108
ACTIVITIES = count(1)
PEOPLE = [oid(1000 + n) for n in range(40)]
MOVES = ("approve", "reject", "cancel", "expire")
PAIRS = [*combinations(MOVES, 2), ("approve", "approve"), ("cancel", "cancel")]
#: What each move makes of a request that waits.
MAKES = {
    "approve": State.APPROVED,
    "reject": State.REJECTED,
    "cancel": State.CANCELLED,
    "expire": State.EXPIRED,
}

# Every request here is for the same number, and some come as far as the directory.
RULES = policy(shared_number_max=0)
DECIDED = ("approved", "rejected", "cancelled", "expired")


@dataclass
class Ring:
    """Two places at one database from which people act. left and right are the two."""

    left: House
    right: House
    template: Change
    made: int = 0

    async def pending(self) -> Change:
        """A request that waits for its approver: the first one again, for another person."""
        self.made += 1
        target = self.left.directory.people[PEOPLE[self.made % len(PEOPLE)]]
        self.left.directory.phones_of[target.oid] = {Slot.MOBILE: HELD}
        digits, slots = f"R{self.made:05d}", ("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
        now = self.left.clock.now()
        fresh = replace(
            self.template,
            id=digits.translate(str.maketrans("ILOU", slots[:4])),
            target=PersonRef.of(target),
            state=State.PREVIEWED,
            row_version=1,
            created_at=now,
            submitted_at=None,
            expires_at=now + timedelta(minutes=10),
            due_at=now + timedelta(minutes=10),
        )
        fresh = replace(fresh, content_hash=content_hash(fresh))
        number = PhoneNumber("1", "2065550100")
        created = await self.left.store.commit(Commit(at=now, create=fresh, numbers={(fresh.id, 1): number}))
        assert isinstance(created, Won), created
        until = now + timedelta(hours=24)
        after = replace(fresh, state=State.PENDING, submitted_at=now, expires_at=until, due_at=until)
        waiting = await self.left.store.commit(Commit(at=now, moves=(Move(created.changes[0], after),)))
        assert isinstance(waiting, Won), waiting
        return waiting.changes[0]


async def act(home: House, what: str, change: Change) -> Outcome | None:
    """What a person does, from one of the two places."""
    request = c.RequestId(change.id, change.tail)
    if what == "approve":
        who, command = MARTA, c.Approve(request, home.parts.card_ref(change, MARTA), How.IN_PERSON)
    elif what == "reject":
        who, command = MARTA, c.Reject(request, "not verified", home.parts.card_ref(change, MARTA))
    else:
        who, command = OLIVIA, c.Cancel(request, home.parts.card_ref(change, OLIVIA))
    # The two places count their activities apart, Teams does not.
    activity = f"race-{next(ACTIVITIES)}"
    return await home.desk.handle(command, home.envelope(who, activity))


async def late(turns: int, racer: Coroutine[Any, Any, Any]) -> Any:
    """A head start for the other, different each time."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return await racer


@contextlib.asynccontextmanager
async def ring(folder: Path, url: str) -> AsyncIterator[Ring]:
    outside, clock = directory(), HandClock()
    for n, each in enumerate(PEOPLE):
        outside.people[each] = Person(each, f"Racer {n}", f"racer{n}@contoso.example")
        outside.managers[each] = MARTA
    if url:
        # Nothing here is worth a wait for the disk: what is raced for is decided before it.
        options = read_url(url).query.get("options", "")
        quick = {"options": f"{options} -c synchronous_commit=off"}
        url = read_url(url).update_query_dict(quick).render_as_string(hide_password=False)
    async with contextlib.AsyncExitStack() as stack:
        opening = house(folder, rules=RULES, outside=outside, clock=clock, url=url or None, worker="left")
        left = await stack.enter_async_context(opening)
        if url:
            second = house(folder, rules=RULES, outside=outside, clock=clock, url=url, worker="right")
            right = await stack.enter_async_context(second)
        else:
            right = replace(left, desk=Desk(left.parts))
        who = c.Who(c.WhoKind.OID, ALICE)
        shown = await left.desk.handle(
            c.SetPhone(who, Slot.MOBILE, "+1 206 555 0100", "lost phone"), left.envelope(OLIVIA)
        )
        assert isinstance(shown, Preview), shown
        sent = await left.desk.handle(c.Submit(shown.view.card), left.envelope(OLIVIA))
        assert isinstance(sent, AwaitingApproval), sent
        await left.desk.handle(c.Cancel(c.RequestId(sent.view.change.id)), left.envelope(OLIVIA))
        await left.jobs.drain()
        yield Ring(left, right, sent.view.change)


def won(answer: Outcome | None, change: Change, what: str) -> bool:
    """Were they told that it is done as they wanted?"""
    view = getattr(answer, "view", None)
    if answer is None or view is None:
        return False
    if isinstance(answer, Refused) and answer.refusals[0].code.startswith("conflict.already"):
        return False
    return bool(view.change.state is MAKES[what])


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_of_two_who_come_at_once_one_wins_and_both_are_told_the_truth(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """One decision for each request, by one person, told as it is; the chain of the audit is whole."""
    url = "" if database == "sqlite" else request.getfixturevalue("empty_schema")
    ended: dict[tuple[str, str], Counter[State]] = {pair: Counter() for pair in PAIRS}
    folder = Path(mkdtemp(prefix="ringfence-", dir=SHM)) if SHM else tmp_path
    request.addfinalizer(lambda: rmtree(folder, ignore_errors=True))
    async with ring(folder, url) as there:
        for n in range(-(-RACES // TOGETHER)):
            pair = PAIRS[n % len(PAIRS)]
            ended[pair] += await rush(there, pair, n // len(PAIRS))
        assert (await there.left.store.verify_audit()).bad == ()
        for key, words in (await decisions(there)).items():
            assert len(set(words)) == len(words), (key, words)
    assert sum(map(Counter.total, ended.values())) >= RACES
    for pair, states in ended.items():
        # Somebody who cancels behind an approval wins as well; everywhere else both were first at times.
        ends = 1 if pair[0] == pair[1] or pair == ("approve", "cancel") else 2
        assert RACES < 2000 or len(states) == ends, (pair, states)


async def rush(there: Ring, pair: tuple[str, str], n: int) -> Counter[State]:
    """The same two moves for many requests at once; how each ended. What was left open is put away.

    n: who is on which side, who has how much of a start, and on which side of the deadline it happens.
    """
    changes = [await there.pending() for _ in range(TOGETHER)]
    if "expire" in pair:
        there.left.clock.pass_by(hours=24, seconds=-1 if n % 2 else 1)
    first, second = pair if n // 2 % 2 else pair[::-1]
    answers = await asyncio.gather(
        everyone(there.left, first, changes, 0),
        everyone(there.right, second, changes, STARTS[n % len(STARTS)]),
    )
    if any(change.state is State.PENDING for change in await now(there, changes)):
        # Nobody was late and nobody expired it yet: the deadline comes a moment later.
        there.left.clock.pass_by(seconds=5)
        await there.left.jobs.drain()
    after = await now(there, changes)
    for change, *told in zip(after, *answers, strict=True):
        judge(
            change, [what for what, one in zip((first, second), told, strict=True) if won(one, change, what)]
        )
        assert {MAKES[first], MAKES[second]} >= {change.state}, (pair, change.state)
    approved = [change for change in after if change.state is State.APPROVED]
    await everyone(there.left, "cancel", approved, 0)
    return Counter(change.state for change in after)


async def everyone(home: House, what: str, changes: Sequence[Change], turns: int) -> list[Outcome | None]:
    """One move on each of them, with a head start for the other side that is different each time."""
    if what == "expire":
        # The worker takes all that are due by itself.
        await late(turns, home.jobs.drain())
        return [None] * len(changes)
    racers = (late(n % 7 * turns, act(home, what, change)) for n, change in enumerate(changes))
    return list(await asyncio.gather(*racers))


async def now(there: Ring, changes: Sequence[Change]) -> list[Change]:
    """As they stand in the database. What the worker made of an approval by then is the approval still."""
    found = [await there.left.store.change(change.id) for change in changes]
    assert None not in found
    return [
        replace(change, state=State.APPROVED) if change.state is State.APPLIED else change
        for change in found
        if change is not None
    ]


def judge(after: Change, wins: list[str]) -> None:
    """One decision by one person, and nobody was told another."""
    verdicts = [vote.verdict for vote in after.votes]
    assert len(verdicts) <= 1, "two votes of one person"
    if after.state is State.REJECTED:
        assert verdicts == [Verdict.REJECT]
    if after.state is State.APPROVED:
        assert verdicts == [Verdict.APPROVE]
    if after.state is not State.CANCELLED:
        # An approval that was true for a moment may be cancelled; nothing else may have been said as well.
        assert len(wins) <= 1 or len(set(wins)) == 1, (wins, after.state)
        assert {MAKES[what] for what in wins} <= {after.state}, (wins, after.state)


async def decisions(there: Ring) -> dict[str, list[str]]:
    """What the audit says was decided, by request."""
    found: dict[str, list[str]] = {}
    for each in PEOPLE:
        records, _ = await there.left.store.history(each, 100_000)
        for record in records:
            word = record.event.name.rsplit(":", 1)[-1]
            if word in DECIDED:
                found.setdefault(record.event.change_id, []).append(word)
    return found
