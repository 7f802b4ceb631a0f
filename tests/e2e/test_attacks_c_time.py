"""Group C of the security sheet, the part about time: deadlines, clocks, and who comes first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from stage import Stage
from test_attacks_c import ALICE, audited, data_of, slow_worker, yes_of


@pytest.mark.parametrize("round_", range(5))
async def test_approve_and_reject_at_once_end_in_one_decision(round_: int, stage: Stage) -> None:
    """C9: two approvers of the fallback decide at the same instant: one wins, the other is told who."""
    await stage.pending("nora", "+1 206 555 0145")
    yes = yes_of(await stage.card_with("arthur", "Approve"))
    no = data_of(await stage.card_with("astrid", "Approve"), "reject") | {"because": "not verified"}
    await asyncio.gather(stage.forged("arthur", "approve", yes), stage.forged("astrid", "reject", no))
    await stage.settle()
    names = await stage.audit_names()
    decided = [n for n in names if n in ("change:mobile:approved", "change:mobile:rejected")]
    assert len(decided) == 1
    if decided == ["change:mobile:approved"]:
        await stage.ends_with(("nora", "mobile", "+1 2065550145"))
    else:
        await stage.ends_with()


@pytest.mark.parametrize("round_", range(5))
async def test_cancel_and_approve_at_once_end_in_one_of_both(round_: int, stage: Stage) -> None:
    """C8: over HTTP: either it is cancelled and nothing is written, or it is approved and written once.

    A cancel after the vote and before the write still counts, so the vote may be there in both cases.
    """
    await stage.pending()
    yes = yes_of(await stage.card_with("marta", "Approve"))
    back = data_of(await stage.newest("olivia"), "cancel")
    await asyncio.gather(stage.forged("olivia", "cancel", back), stage.forged("marta", "approve", yes))
    await stage.settle()
    names = await stage.audit_names()
    if "change:mobile:cancelled" in names:
        assert "change:mobile:attempted" not in names
        await stage.ends_with()
    else:
        await stage.ends_with(ALICE)


@pytest.mark.parametrize("how", ["button", "typed"])
async def test_an_expired_request_cannot_be_approved(how: str, stage: Stage) -> None:
    """C10: the deadline is part of the guarded move; a second later is too late."""
    request = await stage.pending()
    data = yes_of(await stage.card_with("marta", "Approve"))
    stage.clock.pass_by(hours=24, seconds=1)
    if how == "button":
        said = json.dumps((await stage.forged("marta", "approve", data))["body"])
    else:
        said = await stage.ask("marta", f"approve {request} in person")
    assert "conflict.expired" in said
    await stage.later(seconds=1)
    await stage.ends_with(audited=("change:mobile:expired",))


async def test_the_last_minute_still_counts(stage: Stage) -> None:
    """C10: a vote a minute before the deadline is a vote."""
    request = await stage.pending()
    await stage.settle()
    stage.clock.pass_by(hours=23, minutes=59)
    await stage.say("marta", f"approve {request} in person")
    await stage.wait_for(stage.effects)
    await stage.ends_with(ALICE)


@pytest.mark.parametrize("minutes", [10, -10])
async def test_a_clock_ten_minutes_off_does_not_lengthen_a_request(minutes: int, stage: Stage) -> None:
    """C10: the request lives its 24 h by our clock; channel tokens that disagree are refused at the door."""
    request = await stage.pending()
    await stage.settle()
    stage.clock.pass_by(minutes=minutes)
    refused = await stage.say("marta", f"approve {request} in person", sign={})
    assert refused["status"] == (201 if minutes > 0 else 401)
    if minutes < 0:
        await stage.say("marta", f"approve {request} in person")
    await stage.wait_for(stage.effects)
    await stage.ends_with(ALICE)


async def test_an_approved_request_that_could_not_start_in_time_is_dropped(stage: Stage) -> None:
    """C10: four hours after the vote the start is too late, also when the directory was the cause."""
    await stage.pending()
    await stage.card_with("marta", "Approve")
    await slow_worker(stage)
    await stage.click("marta", "Approve")
    await stage.wait_for(lambda: audited(stage, "change:mobile:approved"))
    await stage.settle()
    await stage.heal()
    await stage.later(hours=4, minutes=1)
    await stage.ends_with(audited=("change:mobile:expired",))


async def test_cancelling_while_it_is_carried_out_is_too_late(stage: Stage) -> None:
    """C21: the claim wins; the requester is told so, and then the truth about the outcome."""
    request = await stage.pending()
    await stage.card_with("marta", "Approve")
    await stage.fault(kind="latency", ms=700, verb="PATCH", path="phoneMethods", times=1)
    await stage.click("marta", "Approve")
    await stage.wait_for(lambda: audited(stage, "change:mobile:attempted"))
    assert "conflict.too-late" in await stage.ask("olivia", f"cancel {request}")
    await stage.wait_for(stage.effects)
    await stage.ends_with(ALICE)
    assert "Done" in await stage.ask("olivia", f"status {request}")


async def test_one_bot_for_one_database(
    stage: Stage, opened: Callable[..., AbstractAsyncContextManager[Stage]]
) -> None:
    """C8: a second process on the same SQLite file does not start, so there is never a second worker."""
    with pytest.raises(Exception, match=r"in use|another"):
        async with opened(database_url=stage.database_url):
            pass
