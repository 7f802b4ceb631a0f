"""When the directory or Teams is slow, silent or loses an answer: one effect at most, and true cards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from stage import Stage

from bot.teams.handler import TURN_SECONDS

ALICE = ("alice", "mobile", "+1 2065550100")


async def _says(stage: Stage, who: str, words: str) -> bool:
    return words in await stage.all_text(who)


async def _approved(stage: Stage) -> str:
    request = await stage.pending()
    await stage.click("marta", "Approve")
    return request


@pytest.fixture
async def prompt_stage(opened: Callable[..., AbstractAsyncContextManager[Stage]]) -> AsyncIterator[Stage]:
    """A turn takes as long as in production, and no longer."""
    async with opened(turn_seconds=TURN_SECONDS) as there:
        yield there


async def test_a_slow_directory_is_answered_at_once_and_the_card_follows(prompt_stage: Stage) -> None:
    """A typed command waits 1.5 s at most; the same message then becomes the preview."""
    stage = prompt_stage
    await stage.fault(kind="latency", ms=1900, path="phoneMethods", times=1)
    typed = "set mobile for alice to +1 206 555 0100 because lost phone"
    answer = await stage.say("olivia", typed, at_once=True)
    assert answer["status"] == 201
    assert answer["seconds"] < 1.9
    before = await stage.newest("olivia")
    assert "One moment" in before["plain"]
    await stage.wait_for(lambda: _says(stage, "olivia", "Preview: nothing is sent yet"))
    assert (await stage.newest("olivia"))["activity_id"] == before["activity_id"]
    await stage.ends_with()


async def test_a_slow_directory_does_not_make_a_click_fail(prompt_stage: Stage) -> None:
    """A button is answered within 1.5 s too, and its card is redrawn when the answer is there."""
    stage = prompt_stage
    await stage.previewed()
    await stage.fault(kind="latency", ms=1900, path="phoneMethods", times=1)
    answer = await stage.click("olivia", "Submit for approval", at_once=True)
    assert answer["status"] == 200
    assert answer["seconds"] < 1.9
    await stage.wait_for(lambda: _says(stage, "olivia", "Waiting for approval"))
    await stage.click("marta", "Approve")
    await stage.wait_for(stage.effects)
    await stage.ends_with(ALICE)


@pytest.mark.parametrize("kind", ["reset_after", "timeout_after"])
async def test_a_lost_reply_is_found_out_by_reading(kind: str, stage: Stage) -> None:
    """The write landed, the answer did not: "not certain yet", then done; written once."""
    await stage.fault(kind=kind, ms=50, verb="PATCH", path="phoneMethods", times=1)
    await _approved(stage)
    await stage.wait_for(lambda: _says(stage, "olivia", "Not certain yet"))
    await stage.later(seconds=6)
    assert await _says(stage, "olivia", "The mobile of Alice Anders is now +1 •••••• 00")
    await stage.ends_with(ALICE, audited=("change:mobile:unconfirmed", "change:mobile:applied"))


async def test_a_lost_request_is_sent_again_once_and_only_after_repeated_reads(stage: Stage) -> None:
    """The connection broke before the effect: the earlier value, read for 65 s, and then attempt 2."""
    await stage.fault(kind="reset", verb="PATCH", path="phoneMethods", times=1)
    await _approved(stage)
    await stage.wait_for(lambda: _says(stage, "olivia", "Not certain yet"))
    for seconds in (6, 15, 30):
        await stage.later(seconds=seconds)
        assert await stage.effects() == []
    await stage.later(seconds=16)
    await stage.ends_with(ALICE)
    assert (await stage.audit_names()).count("change:mobile:attempted") == 2


async def test_a_third_value_is_left_for_a_person(stage: Stage) -> None:
    """Unknown outcome, and then a number that nobody of us wrote: not overwritten."""
    await stage.fault(kind="reset", verb="PATCH", path="phoneMethods", times=1)
    await _approved(stage)
    await stage.wait_for(lambda: _says(stage, "olivia", "Not certain yet"))
    await stage.patch("alice", phones={"mobile": "+1 2065550199"})
    await stage.later(seconds=6)
    assert await _says(stage, "olivia", "A person must look at this")
    await stage.ends_with(audited=("change:mobile:conflict",))


@pytest.mark.parametrize(("status", "times"), [(429, 2), (503, 1)])
async def test_a_busy_directory_delays_the_write_and_does_not_double_it(
    status: int, times: int, stage: Stage
) -> None:
    """Throttled is not sent; unavailable may have been, so it is read before it is sent again: one write."""
    path = "phoneMethods"
    await stage.fault(kind="status", status=status, retry_after=1, verb="PATCH", path=path, times=times)
    await _approved(stage)
    await stage.settle()
    for _ in range(6):
        await stage.later(seconds=40)
    await stage.ends_with(ALICE)


async def test_a_refusal_of_the_directory_is_told_with_its_request_id(stage: Stage) -> None:
    """Graph says no: failed, in our words, with the id that Microsoft's support asks for."""
    await stage.fault(
        kind="status", status=403, code="accessDenied", verb="PATCH", path="phoneMethods", times=None
    )
    await _approved(stage)
    await stage.wait_for(lambda: _says(stage, "olivia", "Failed"))
    said = await stage.all_text("olivia")
    assert "Code directory." in said
    assert "Graph request id" in said
    await stage.ends_with(audited=("change:mobile:failed",))


async def test_an_approver_who_left_teams_after_the_preview_is_replaced(stage: Stage) -> None:
    """Delivery finds nobody there: the fallback is asked at once and the requester is told who and why."""
    await stage.install("marta")
    await stage.previewed()
    await stage.patch("marta", installed=False)
    await stage.click("olivia", "Submit for approval")
    await stage.card_with("arthur", "Approve")
    await stage.wait_for(lambda: _says(stage, "olivia", "Arthur Appleby"))
    await stage.click("arthur", "Approve")
    await stage.wait_for(stage.effects)
    await stage.ends_with(ALICE)


@pytest.mark.parametrize("status", [412, 429, 502, 503, 504])
async def test_a_send_that_teams_postpones_is_tried_again(status: int, stage: Stage) -> None:
    """The approver's card fails twice and comes in the end, once."""
    await stage.say("marta", "hi")
    await stage.previewed()
    await stage.fault(
        server="teams", kind="status", status=status, verb="POST", path="/activities", times=4, retry_after=2
    )
    await stage.click("olivia", "Submit for approval")
    for _ in range(6):
        await stage.later(seconds=30)
    await stage.heal()
    cards = [e for e in await stage.from_bot("marta") if any(a["title"] == "Approve" for a in e["actions"])]
    assert len(cards) == 1
    await stage.ends_with()


async def test_a_deleted_card_stops_nothing(stage: Stage) -> None:
    """Cards that can no longer be redrawn are forgotten; the change goes on."""
    await stage.pending()
    await stage.card_with("marta", "Approve")
    await stage.fault(
        server="teams", kind="status", status=404, code="ActivityNotFoundInConversation", verb="PUT",
        path="/activities", times=None,
    )  # fmt: skip
    await stage.click("marta", "Approve")
    await stage.wait_for(stage.effects)
    await stage.ends_with(ALICE)


async def test_read_only_answers_questions_and_writes_nothing(
    opened: Callable[..., AbstractAsyncContextManager[Stage]],
) -> None:
    """READ_ONLY: refused at the preview with the reason."""
    async with opened(more={"READ_ONLY": "true"}) as stage:
        assert "+1 •••••• 10" in await stage.ask("olivia", "show alice")
        assert "policy.read-only" in await stage.ask("olivia", "set mobile for alice to +1 206 555 0100")
        await stage.ends_with()
