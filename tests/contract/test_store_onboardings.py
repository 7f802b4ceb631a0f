"""Onboardings: guarded steps, one open for a person, and what the end of a request does; both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from store_desk import AGENT, MANAGER, MINUTE, START, change, created, moved

from bot.domain.change import State
from bot.domain.decision_reasons import REJECTED_LEFT
from bot.domain.onboarding import Bridge, Onboarding, OnboardingStep, Stage
from bot.domain.people import PersonRef
from bot.domain.policy import Action
from bot.ports import Commit, Lost, LostBecause, Won
from bot.store import SqlStore

NEW = PersonRef("c0000000-0000-0000-0000-000000000001", "Nia New", "nia@contoso.example")


def onboarding(key: str = "ONB001", **given: object) -> Onboarding:
    first = Onboarding(
        id=key,
        tenant_id=change("AAAAA1").tenant_id,
        person=NEW,
        starter=AGENT,
        cohort="COH001",
        stage=Stage.INVITED,
        row_version=1,
        created_at=START,
        until=START + 1000 * MINUTE,
    )
    return replace(first, **given)  # type: ignore[arg-type]  # values of the fields


async def kept(store: SqlStore, *steps: OnboardingStep) -> Won | Lost:
    return await store.commit(Commit(at=START, onboardings=steps))


async def test_it_comes_back_as_it_was(store: SqlStore) -> None:
    """Every field, both ways."""
    whole = onboarding(
        round=3,
        reminders=2,
        invited_at=START,
        ended_at=START + MINUTE,
        change_id="AAAAA1",
        entered_by=MANAGER,
        confirmed_at=START + MINUTE,
        why=REJECTED_LEFT.refuse(id="R-AAAAA1", name="Mona", target="Nia", because="gone"),
        bridge=Bridge.PROPOSED,
        installed=True,
        stage=Stage.REGISTERED,
    )
    assert isinstance(await kept(store, OnboardingStep(None, whole)), Won)
    assert await store.onboarding("ONB001") == whole
    assert await store.onboarding_of(NEW.oid) == whole
    assert await store.onboardings_of([NEW.oid, AGENT.oid]) == {NEW.oid: whole}


async def test_a_step_needs_the_row_as_it_was(store: SqlStore) -> None:
    """The loser of a race keeps nothing; the winner raises the version."""
    before = onboarding()
    await kept(store, OnboardingStep(None, before))
    ends = [replace(before, stage=Stage.NO_PHONE), replace(before, stage=Stage.PREFERS_NOT)]
    done = await asyncio.gather(*(kept(store, OnboardingStep(before, after)) for after in ends))
    assert sorted(type(each).__name__ for each in done) == ["Lost", "Won"]
    lost = next(each for each in done if isinstance(each, Lost))
    assert lost.because is LostBecause.MOVED
    found = await store.onboarding("ONB001")
    assert found is not None
    assert found.row_version == 2


async def test_a_person_has_one_open_onboarding(store: SqlStore) -> None:
    """A second is left out, whoever begins it when; after the first has ended a new one may begin."""
    await asyncio.gather(*(kept(store, OnboardingStep(None, onboarding(f"ONB00{n}"))) for n in range(4)))
    first = await store.onboarding_of(NEW.oid)
    assert first is not None
    assert sum((await store.onboarding_counts(START)).values()) == 1
    await kept(store, OnboardingStep(first, replace(first, stage=Stage.SILENT)))
    await kept(store, OnboardingStep(None, onboarding("ONB009", created_at=START + MINUTE)))
    now = await store.onboarding_of(NEW.oid)
    assert now is not None
    assert now.id == "ONB009"
    assert await store.onboarding_counts(START) == {Stage.SILENT: 1, Stage.INVITED: 1}
    assert await store.onboarding_counts(START, starter=MANAGER.oid) == {}
    listed, more = await store.onboardings(START, (Stage.SILENT, Stage.INVITED), 1)
    assert ([each.id for each in listed], more) == (["ONB009"], 1)


@pytest.mark.parametrize(
    ("state", "stage"),
    [(State.CANCELLED, Stage.INVITED), (State.EXPIRED, Stage.INVITED), (State.REJECTED, Stage.REFUSED)],
)
async def test_the_end_of_its_request_moves_it(store: SqlStore, state: State, stage: Stage) -> None:
    """In the same transaction: the card is theirs again, or it is over."""
    await kept(store, OnboardingStep(None, onboarding(stage=Stage.SUBMITTED, change_id="AAAAA1")))
    draft = await created(store, "AAAAA1", action=Action.ONBOARD, target=NEW)
    pending = await moved(store, draft, State.PENDING)
    left = REJECTED_LEFT.refuse(**dict.fromkeys(REJECTED_LEFT.facts, "x"))
    await moved(store, pending, state, ending=left if state is State.REJECTED else None)
    found = await store.onboarding("ONB001")
    assert found is not None
    assert found.stage is stage
    assert found.change_id == ("" if stage is Stage.INVITED else "AAAAA1")
