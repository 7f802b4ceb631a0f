"""C6 and C8: a vote against a cancel, an expiry, a change of approvers, a rejection: exactly one wins.

With the worker right behind the vote, on the real workflow and a real database, with a pretend directory; the
same over HTTP, a handful of times, is in test_attacks_c.py, and two thousand pairs on each database without
the worker in test_pairs.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from bot.domain import command as c
from bot.domain.change import Change, How, State
from bot.domain.outcome import AwaitingApproval, Outcome, Preview, Refused
from bot.domain.phone import Slot
from tests.doubles.house import ADA, ALICE, MARTA, OLIVIA, House, house
from tests.doubles.race import Race

TRIES, LAPS = 250, 25
Step = Callable[[House, Change], Coroutine[Any, Any, Any]]


async def _pending(home: House, number: int) -> Change:
    """A submitted request for Alice's mobile; a new number each time, or there would be nothing to do."""
    who = c.Who(c.WhoKind.OID, ALICE)
    ask = c.SetPhone(who, Slot.MOBILE, f"+1 206 555 {number:04d}", "lost phone")
    preview = await home.desk.handle(ask, home.envelope(OLIVIA))
    assert isinstance(preview, Preview), preview
    sent = await home.desk.handle(c.Submit(preview.view.card), home.envelope(OLIVIA))
    assert isinstance(sent, AwaitingApproval), sent
    return sent.view.change


def _card(home: House, change: Change, oid: str) -> c.CardRef:
    return home.parts.card_ref(change, oid)


def _request(change: Change) -> c.RequestId:
    return c.RequestId(change.id, change.tail)


async def approve(home: House, change: Change) -> Outcome:
    command = c.Approve(_request(change), _card(home, change, MARTA), How.IN_PERSON)
    return await home.desk.handle(command, home.envelope(MARTA))


async def approve_and_work(home: House, change: Change) -> None:
    """The vote, and the worker right behind it."""
    await approve(home, change)
    await home.jobs.drain()


async def cancel(home: House, change: Change) -> Outcome:
    return await home.desk.handle(
        c.Cancel(_request(change), _card(home, change, OLIVIA)), home.envelope(OLIVIA)
    )


async def expire(home: House, change: Change) -> None:
    """The deadline passes while the vote is under way, and the worker comes by."""
    home.clock.pass_by(hours=24, seconds=1)
    await home.jobs.drain()


async def reroute(home: House, change: Change) -> None:
    """Teams says that the manager cannot be reached: others are asked, the row moves under the voter."""
    await home.desk.deciding.unreachable(change.id, MARTA, "left Teams")


async def reject(home: House, change: Change) -> Outcome:
    """After a re-routing the stand-in may decide too; before it this is refused."""
    await home.desk.deciding.unreachable(change.id, MARTA, "left Teams")
    command = c.Reject(_request(change), "not verified", _card(home, change, ADA))
    return await home.desk.handle(command, home.envelope(ADA))


RACES: dict[str, tuple[Step, frozenset[State]]] = {
    "cancel": (cancel, frozenset({State.CANCELLED, State.APPLIED})),
    # A day between intent and call is a worker that was held up: it sends nothing, and that is found out.
    "expiry": (expire, frozenset({State.EXPIRED, State.APPLIED, State.FAILED})),
    "re-routing": (reroute, frozenset({State.APPLIED})),
    "rejection": (reject, frozenset({State.REJECTED, State.APPLIED})),
}


async def _settled(home: House, change: Change) -> Change:
    """What is not certain yet is found out as the seconds pass."""
    for _ in range(6):
        after = await home.store.change(change.id)
        assert after is not None
        if after.state is not State.UNCONFIRMED:
            break
        home.clock.pass_by(seconds=30)
        await home.jobs.drain()
    return after


@pytest.mark.parametrize("name", RACES)
async def test_of_two_who_come_at_once_exactly_one_wins(name: str, tmp_path: Path) -> None:
    """Some hundred tries each: one final state, one decision, a write if and only if it was applied."""
    other, allowed = RACES[name]
    ended: Counter[State] = Counter()
    race = Race(LAPS)
    async with house(tmp_path) as home:
        for number in range(TRIES):
            before = len(home.directory.effects)
            change = await _pending(home, before % 100 + 100)
            await race.run(number, approve_and_work(home, change), other(home, change))
            await home.jobs.drain()
            after = await _settled(home, change)
            assert after.state in allowed, after.state
            ended[after.state] += 1
            assert len(home.directory.effects) - before == (after.state is State.APPLIED)
            assert len({vote.person.oid for vote in after.votes}) == len(after.votes)
            if after.state is State.REJECTED:
                assert [vote.person.oid for vote in after.votes] == [ADA]
            home.clock.pass_by(minutes=1)
        assert (await home.store.verify_audit()).bad == ()
    assert sum(ended.values()) == TRIES
    # Being held up between intent and call takes a chance; the ways a race can end must all have been seen.
    assert allowed - {State.FAILED} <= set(ended) <= allowed, ended


async def test_the_loser_of_a_race_is_told_who_decided(tmp_path: Path) -> None:
    """A vote that comes second names the decision that was first."""
    async with house(tmp_path) as home:
        change = await _pending(home, 100)
        await cancel(home, change)
        late = await approve(home, change)
        assert isinstance(late, Refused)
        assert late.refusals[0].code == "conflict.cancelled"
        assert home.directory.effects == []
