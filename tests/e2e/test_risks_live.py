"""Signals of risk and what policy makes of them, limits, proofs and haste: played over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from stage import Stage

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
ABROAD = "+370 612 34567"
ALICE_ABROAD = ("alice", "mobile", "+370 61234567")
ALICE_00 = ("alice", "mobile", "+1 2065550100")


def first(risk: str, rest: str, more: str = "") -> Callable[[str], str]:
    """The demo's policy with a rule before all others for requests with this signal. more: further tables."""
    rule = (
        f'[[approval]]\nname = "when it is risky"\naction = ["set", "remove"]\n'
        f'target = ["ordinary"]\nrisk = ["{risk}"]\n{rest}\n\n'
    )
    return lambda text: text.replace("[[approval]]", rule + "[[approval]]", 1) + more


SECURITY_TOO = 'steps = [{ approvers = ["manager-of-target"] }, { approvers = ["role:security"] }]'
MANAGER = 'steps = [{ approvers = ["manager-of-target"] }]'


def closed_now() -> str:
    """Working hours of every day that begin in two hours, as the clock of the stage starts now."""
    begin = datetime.now(UTC) + timedelta(hours=2)
    hours = f"{begin:%H:%M}-{begin + timedelta(hours=1):%H:%M}"
    days = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'
    return f'\n[risk]\nhours = "{hours}"\nworkdays = {days}\n'


async def approve(stage: Stage, who: str) -> None:
    # A card is seen in the chat a moment before it is remembered as posted; the pace counts from then.
    await stage.settle()
    await stage.click(who, "Approve")
    await stage.settle()


async def facts_of(stage: Stage, name: str) -> dict[str, Any]:
    """What the audit says of the last event of that name."""
    found = [row["facts"] for each, row in await stage.audit_rows() if each == name]
    assert found, await stage.audit_names()
    return dict(found[-1])


async def test_another_country_needs_a_second_approval(opened: Opened) -> None:
    """E9: a rule of the policy adds a step of security; both who decide read why."""
    async with opened(policy=first("country-change", SECURITY_TOO)) as stage:
        await stage.pending(number=ABROAD)
        await stage.card_with("marta", "Approve")
        assert "another country (+370) than the phones held (+1)" in await stage.text("marta")
        await approve(stage, "marta")
        assert await stage.effects() == []
        await stage.card_with("sven", "Approve")
        assert "another country (+370)" in await stage.text("sven")
        await approve(stage, "sven")
        await stage.ends_with(ALICE_ABROAD, audited=("change:mobile:applied",))
        facts = await facts_of(stage, "change:mobile:submitted")
        assert "country-change" in facts["risks"]
        assert facts["rule"] == "when it is risky"


async def test_the_same_country_does_not(opened: Opened) -> None:
    """Nothing of it for an ordinary request: the manager is enough."""
    async with opened(policy=first("country-change", SECURITY_TOO)) as stage:
        await stage.pending()
        await approve(stage, "marta")
        await stage.ends_with(ALICE_00)
        assert "another country" not in await stage.all_text("marta")


async def test_out_of_hours_waits(opened: Opened) -> None:
    """A rule of the policy adds a wait after the approval, in which it can still be stopped."""
    rule = first("out-of-hours", f"{MANAGER}\ncooling_minutes = 30", closed_now())
    async with opened(policy=rule) as stage:
        await stage.pending()
        await stage.card_with("marta", "Approve")
        assert "It was asked outside working hours" in await stage.text("marta")
        await approve(stage, "marta")
        assert await stage.effects() == []
        await stage.later(minutes=29)
        assert await stage.effects() == []
        await stage.later(minutes=2)
        await stage.ends_with(ALICE_00, audited=("change:mobile:applied",))


async def test_a_reset_an_hour_ago_is_refused_by_policy(opened: Opened) -> None:
    """I6: a rule may refuse what carries a signal; the requester reads the rule."""
    async with opened(policy=first("recent-reset", "refuse = true")) as stage:
        await stage.patch("alice", password_changed=(stage.clock.now() - timedelta(hours=1)).isoformat())
        await stage.previewed()
        said = await stage.text("olivia")
        assert "when it is risky" in said
        assert "policy." in said
        await stage.patch("alice", password_changed=(stage.clock.now() - timedelta(hours=25)).isoformat())
        await stage.pending()
        await stage.ends_with()


async def test_a_pass_of_today_is_on_the_card(opened: Opened) -> None:
    """A Temporary Access Pass is read with the methods, where the permissions reach them."""
    async with opened(more={"GRAPH_PROFILE": "default-guard"}) as stage:
        issued = (stage.clock.now() - timedelta(minutes=5)).isoformat()
        methods = ["password", "temporaryAccessPass"]
        await stage.patch("alice", other_methods=methods, pass_issued=issued)
        await stage.pending()
        await stage.card_with("marta", "Approve")
        assert "A Temporary Access Pass was issued for Alice Anders recently" in await stage.text("marta")


async def test_a_second_change_goes_to_security_and_a_third_is_refused(opened: Opened) -> None:
    """I5: change, sign in, change back is seen by somebody else; more than policy allows is not sent."""
    limits = "\n[limits]\nchanges_per_target_per_day = 2\n"
    async with opened(policy=first("second-change", SECURITY_TOO, limits)) as stage:
        await stage.pending()
        await approve(stage, "marta")
        await stage.pending(number="+1 206 555 0134")
        await stage.card_with("marta", "Approve")
        assert "change number 2 for Alice Anders" in await stage.text("marta")
        await approve(stage, "marta")
        assert len(await stage.effects()) == 1
        await approve(stage, "sven")
        await stage.ends_with(ALICE_00, ("alice", "mobile", "+1 2065550134"))
        await stage.previewed(number="+1 206 555 0177")
        assert "policy.target-limit" in await stage.text("olivia")
        await stage.later(hours=24, minutes=1)
        await stage.previewed(number="+1 206 555 0177")
        assert "policy.target-limit" not in await stage.text("olivia")


async def test_an_operator_at_the_limit_is_stopped_and_security_told(opened: Opened) -> None:
    """I1: what a stolen account can do ends at the cap, and people who can end it hear of it."""
    limits = "\n[limits]\nchanges_per_operator_per_hour = 2\n"
    async with opened(policy=lambda text: text + limits) as stage:
        await stage.pending()
        await stage.pending("tessa", "+1 206 555 0178")
        await stage.previewed("fay", "+1 206 555 0177")
        assert "policy.operator-limit" in await stage.text("olivia")
        await stage.settle()
        for who in ("sven", "selma"):
            said = await stage.text(who)
            assert "Olivia Oakes has reached the limit of requests" in said
            assert said.count("Open") == 2
        await stage.later(minutes=61)
        await stage.previewed("fay", "+1 206 555 0177")
        assert "policy.operator-limit" not in await stage.text("olivia")
        await stage.ends_with(audited=("policy:setphone:refused",))


async def test_one_number_for_two_people(opened: Opened) -> None:
    """E7: refused while it is only asked for, and when somebody has it; security is alarmed."""
    async with opened() as stage:
        await stage.pending()
        await stage.previewed("tessa", "+1 206 555 0100")
        assert "policy.number-asked" in await stage.text("olivia")
        await stage.settle()
        assert "Olivia Oakes asked to give one number to too many people" in await stage.text("sven")
        await approve(stage, "marta")
        await stage.previewed("tessa", "+1 206 555 0100")
        assert "policy.number-shared" in await stage.text("olivia")
        await stage.ends_with(ALICE_00)


async def test_approvals_faster_than_reading(opened: Opened) -> None:
    """C18: the third in a row alarms security; all of them count."""
    async with opened() as stage:
        numbers = ("+1 206 555 0100", "+1 206 555 0134", "+1 206 555 0177")
        for n, number in enumerate(numbers):
            assert "approves faster" not in await stage.all_text("sven")
            await stage.pending(number=number)
            await approve(stage, "marta")
            assert len(await stage.effects()) == n + 1
        for who in ("sven", "selma"):
            assert "Marta Mayfair approves faster than one can read" in await stage.text(who)
        assert (await facts_of(stage, "change:mobile:approved-in-haste"))["count"] == "3"


async def test_how_the_caller_was_verified(opened: Opened) -> None:
    """I12: without it the form with the error beside the field; with it approver and audit have it."""
    wanted = '\n[verification]\nrequired = true\nmethods = ["call-back", "in-person"]\n'
    async with opened(policy=lambda text: text + wanted) as stage:
        await stage.previewed()
        assert "Say how you verified the caller" in await stage.text("olivia")
        form = await stage.newest("olivia")
        told = {"number": "+1 206 555 0100", "proof": "call-back", "evidence": "rang +1 206 555 0155 of HR"}
        inputs = {"who": stage.oid("alice"), "slot": "mobile", "reason": "lost phone", "ticket": "", **told}
        wrong = {**inputs, "proof": "birthday"}
        await stage.click("olivia", "Show the preview", activity_id=form["activity_id"], inputs=wrong)
        assert "Say how you verified the caller" in await stage.text("olivia")
        await stage.click("olivia", "Show the preview", inputs=inputs)
        await stage.click("olivia", "Submit for approval")
        await stage.card_with("marta", "Approve")
        assert "Identity: call-back, rang" in await stage.text("marta")
        assert "0155" not in await stage.all_text("marta") + await stage.all_text("olivia")
        assert (await facts_of(stage, "change:mobile:submitted"))["proof"].startswith("call-back, rang")
        await approve(stage, "marta")
        await stage.ends_with(ALICE_00)


async def test_a_proof_is_typed(opened: Opened) -> None:
    """The documented line, with the ticket as the evidence."""
    wanted = "\n[verification]\nrequired = true\n"
    async with opened(policy=lambda text: text + wanted) as stage:
        line = "set mobile for alice to +1 206 555 0100 because lost phone verified call-back INC1234"
        said = await stage.ask("olivia", line)
        assert "Identity: call-back" in said
        assert "Ticket: INC1234" in said
