"""A cohort of fifty, 3 % of each kind of failure: nobody twice, nobody lost, the report adds up, and Teams is
never spoken to faster than it allows.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import sqlalchemy as sa
from cohort import Cohort, until
from onboarding_drive import SEND
from stage import Stage

from bot.store import tables as t

SIZE = int(os.environ.get("COHORT", "50"))
PATIENCE = 60.0 + 2.0 * SIZE
OPEN_ROWS = sa.select(t.onboardings.c.stage, sa.func.count()).group_by(t.onboardings.c.stage)


def stages(stage: Stage) -> dict[str, int]:
    """How many onboardings are in which stage."""
    engine = sa.create_engine(stage.database_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        found = {name: int(number) for name, number in connection.execute(OPEN_ROWS)}
    engine.dispose()
    return found


async def test_a_cohort(opened: Callable[..., AbstractAsyncContextManager[Stage]]) -> None:
    """From one command to the report, with a list of new people for the manager."""
    cohort = Cohort(SIZE)
    async with opened(spec=cohort.spec(), more={"SEND_PACE": "teams"}) as stage:
        await stage.control("POST", "ways", {"limits": True}, teams=True)
        begun = await stage.ask("cora", "onboard everybody created in the last 14 days")
        assert f"{SIZE + 1} people are invited" in begun  # and Hugo
        for alias in cohort.of("left"):
            await stage.patch(alias, enabled=False)

        async def all_looked_at() -> bool:
            return "waiting" not in stages(stage)

        await until(all_looked_at, stage, PATIENCE)
        await _settled(stage)
        reached = cohort.of("well", "no phone", "prefer not", "silent", "rejected", "slip")
        for alias in reached:
            cards = [e for e in await stage.from_bot(alias) if SEND in str(e["actions"])]
            assert len(cards) == 1, f"{alias} has {len(cards)} cards"
            await cohort.answer(stage, alias)
        await _decided(stage, cohort)
        await _judge(stage, cohort)


async def _settled(stage: Stage) -> None:
    """Nothing is due any more, though some of it had to wait for its second."""

    async def quiet() -> bool:
        store, now = stage.parts.store, stage.clock.now()
        due = [await store.next_change(), await store.next_message()]
        return all(each is None or (each - now).total_seconds() > 60 for each in due)

    await until(quiet, stage, PATIENCE)


async def _decided(stage: Stage, cohort: Cohort) -> None:
    """The manager rejects some and approves all others from the list, page by page."""
    for alias in cohort.of("rejected"):
        request = stage.printed_id(await stage.newest(alias))
        await stage.say("marta", f"reject {request} left because they never started here")
    for _ in range(SIZE):
        said = await stage.ask("marta", "new people")
        if "No new people wait for you" in said:
            break
        await stage.click("marta", "Approve all but those chosen", inputs={"how": "in-person"})
        await _settled(stage)
    await _settled(stage)


async def _judge(stage: Stage, cohort: Cohort) -> None:
    well = cohort.of("well", "slip")
    effects = await stage.effects()
    assert Counter(e["oid"] for e in effects) == Counter(stage.oid(alias) for alias in well)
    await stage.later(days=15)
    await _settled(stage)
    found = stages(stage)
    assert found == {
        "registered": len(well),
        "unreachable": len(cohort.of("not installed")),
        "refused": len(cohort.of("has a phone", "protected", "left", "rejected")),
        "no-phone": len(cohort.of("no phone")),
        "prefers-not": len(cohort.of("prefer not")),
        "silent": len(cohort.of("silent")) + 1,  # Hugo never looked
    }
    assert sum(found.values()) == SIZE + 1
    report = await stage.ask("cora", "onboarding report")
    assert f"Onboarding: {SIZE + 1} people" in report
    ways = await stage.control("POST", "ways", {}, teams=True)
    print(f"\n{SIZE} new people: peaks of calls to Teams {ways['peaks']}, refused {ways['refused']}")  # noqa: T201
    assert ways["refused"] == 0
    assert ways["peaks"]["send 1 s"] <= 7
    assert ways["peaks"]["send 30 s"] <= 60
    assert ways["peaks"]["tenant 1 s"] <= 50
    assert (await stage.parts.store.verify_audit()).bad == ()
