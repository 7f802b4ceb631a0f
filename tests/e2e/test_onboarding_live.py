"""Onboarding over HTTP on both databases, who cannot be reached, and the clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from onboarding_drive import SEND, WRITTEN, entered, fill_in, invited
from stage import Stage

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
HUGO = ("hugo", "mobile", WRITTEN)
TABLE = "[onboarding]\ninstall = true\n\n[numbers]"
GRANTED = ("TeamsAppInstallation.ReadWriteSelfForUser.All", "AppCatalog.Read.All")


async def test_the_whole_flow_on_both_databases(any_stage: Stage) -> None:
    """Begun, entered, approved, written once; what is missing is said; the chain of the audit holds."""
    await entered(any_stage)
    await any_stage.click("marta", "Approve")
    await any_stage.settle()
    assert "Password reset: 1 of 2 methods" in await any_stage.all_text("hugo")
    assert "Registered" in await any_stage.ask("cora", "onboarding report")
    await any_stage.ends_with(HUGO, audited=("onboarding:begun", "change:mobile:applied"))


@pytest.mark.parametrize("granted", [True, False], ids=["granted", "not granted"])
async def test_the_app_is_installed_through_graph(granted: bool, opened: Opened) -> None:
    """With the permission the card gets there; without it the report names the person and why."""
    async with opened(policy=lambda text: text.replace("[numbers]", TABLE, 1)) as stage:
        if granted:
            held = (await stage.control("GET", ""))["permissions"]
            await stage.control("PATCH", "", {"permissions": [*held, *GRANTED]})
        await stage.install("hugo", installed=False)
        await stage.say("cora", "onboard hugo")
        await stage.settle()
        await stage.later(seconds=30)
        if granted:
            await stage.card_with("hugo", SEND)
            await fill_in(stage)
            await stage.click("marta", "Approve")
            await stage.settle()
            await stage.ends_with(HUGO, audited=("onboarding:installing", "onboarding:installed"))
        else:
            assert "cannot be reached" in await stage.ask("cora", "onboarding report")
            await stage.ends_with(audited=("onboarding:not-installed",))


async def test_a_reminder_takes_the_place_of_the_card_before(stage: Stage) -> None:
    """One card asks at a time."""
    await invited(stage)
    await stage.settle()
    for _ in range(3):
        await stage.later(days=3, seconds=1)
    cards = [entry for entry in await stage.from_bot("hugo") if SEND in str(entry["actions"])]
    assert len([entry for entry in cards if not entry.get("deleted")]) == 1
    await stage.ends_with()


async def test_a_pass_that_is_due_comes_first(stage: Stage) -> None:
    """Read from the lifecycle workflows where we may; without the permission nothing is refused for it."""
    held = (await stage.control("GET", ""))["permissions"]
    await stage.control("PATCH", "", {"rules": {"pass_scope": [stage.oid("hugo")]}})
    await stage.control("PATCH", "", {"permissions": [*held, "LifecycleWorkflows.Read.All"]})
    assert "conflict.onboarding-pass-due" in await stage.ask("cora", "onboard hugo")
    await stage.control("PATCH", "", {"permissions": held})
    await stage.later(minutes=11)
    assert "Hugo Hazelwood is invited" in await stage.ask("cora", "onboard hugo")
    await stage.ends_with()
