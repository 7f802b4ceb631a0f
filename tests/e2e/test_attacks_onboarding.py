"""Cases I10 and I11 of the security sheet, and groups B and C, on the cards of onboarding."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from onboarding_drive import NUMBER, SEND, WRITTEN, Json, data_of, entered, fill_in, invited
from stage import Stage

from bot.sandbox.people import GLOBAL_ADMIN

HUGO = ("hugo", "mobile", WRITTEN)
FIELDS = {"slot": "mobile", "region": "US", "number": NUMBER}


def said(answer: Json) -> str:
    return json.dumps(answer["body"])


async def test_a_card_works_only_for_whom_it_was_made(stage: Stage) -> None:
    """I10, C12: a colleague, his manager and a stranger press the button of Hugo's card: nothing, audited."""
    data = data_of(await invited(stage), "onboarding") | FIELDS
    for other in ("alice", "mallory"):
        assert "access.onboarding-not-yours" in said(await stage.forged(other, "onboarding", data))
    # The manager and the coordinator may enter a number, but not with a card drawn for somebody else.
    for other in ("marta", "cora"):
        assert "conflict.onboarding-used" in said(await stage.forged(other, "onboarding", data))
    for verb in ("onboarding.no-phone", "onboarding.prefers-not"):
        ref = {key: data[key] for key in ("v", "change_id", "nonce")}
        assert "access.onboarding-not-yours" in said(await stage.forged("alice", verb, ref))
    assert "Your answer is needed" in await stage.ask("hugo", "onboarding")
    await stage.ends_with(audited=("access:register:refused",))


async def test_a_card_works_once(stage: Stage) -> None:
    """I10: pressed twice, replayed with another number, and from an old copy: one request, one write."""
    data = data_of(await invited(stage), "onboarding") | FIELDS
    await fill_in(stage)
    again = await stage.forged("hugo", "onboarding", data | {"number": "(206) 555-0199"})
    assert "Waiting for approval" in said(again)
    await stage.click("marta", "Approve")
    await stage.settle()
    late = await stage.forged("hugo", "onboarding", data | {"number": "(206) 555-0199"})
    assert "conflict.onboarding-used" in said(late)
    await stage.ends_with(HUGO)
    assert (await stage.audit_names()).count("change:mobile:submitted") == 1


async def test_a_card_runs_out(stage: Stage) -> None:
    """I10: after its days it does nothing, the coordinator hears of it, and reminders have ended."""
    data = data_of(await invited(stage), "onboarding") | FIELDS
    await stage.settle()
    await stage.later(days=14, minutes=1)
    answer = said(await stage.forged("hugo", "onboarding", data))
    assert "conflict.onboarding-late" in answer
    assert "did not answer" in await stage.all_text("cora")
    await stage.ends_with(audited=("onboarding:silent",))


async def test_not_for_somebody_who_has_a_method(stage: Stage) -> None:
    """I10: an existing user is refused; so is one who got a phone after the invitation or the approval."""
    assert "policy.onboarding-not-new" in await stage.ask("cora", "onboard alice")
    await invited(stage)
    await stage.patch("hugo", phones={"office": "+1 2065550155"})
    assert "conflict.onboarding-has-method" in said(await fill_in(stage))
    await stage.patch("hugo", phones={})
    await fill_in(stage)
    await stage.patch("hugo", phones={"office": "+1 2065550155"})
    await stage.click("marta", "Approve")
    await stage.settle()
    assert "conflict.onboarding-has-method" in await stage.all_text("hugo")
    await stage.ends_with(audited=("change:mobile:blocked",))


MEANWHILE: dict[str, Callable[[Stage], object]] = {
    "he became an administrator": lambda stage: stage.patch("hugo", roles=[GLOBAL_ADMIN]),
    "his account was disabled": lambda stage: stage.patch("hugo", enabled=False),
    "his account was deleted": lambda stage: stage.patch("hugo", deleted=True),
}


@pytest.mark.parametrize("what", MEANWHILE)
async def test_what_happened_since_counts(what: str, stage: Stage) -> None:
    """Protected, or gone from the company, between approval and write: the write does not happen."""
    await stage.say("adam", "pause because we look into something")
    await entered(stage)
    await stage.click("marta", "Approve")
    await stage.settle()
    await MEANWHILE[what](stage)  # type: ignore[misc]  # each is a coroutine
    await stage.say("adam", "resume")
    await stage.settle()
    await stage.ends_with(audited=("change:mobile:blocked",))


async def test_protected_people_and_our_own_are_not_onboarded(stage: Stage) -> None:
    """B, I10: administrators, operators and guests cannot be begun; nothing is sent to them."""
    for who, code in (
        ("gabriel", "policy.protected"),
        ("gina", "policy.onboarding-kind"),
        ("omar", "policy"),
    ):
        assert code in await stage.ask("cora", f"onboard {who}"), who
    await stage.ends_with()


async def test_who_may_begin(stage: Stage) -> None:
    """B1, D18: an ordinary member, an operator and an auditor are refused alike, and learn nobody's name."""
    for who in ("mallory", "olivia", "audra"):
        assert "access.not-allowed" in await stage.ask(who, "onboard hugo")
    assert await stage.ask("mallory", "onboard hugo") == await stage.ask("mallory", "onboard nobody.known")
    asked = [r["path"] for r in await stage.requests()]
    assert not [path for path in asked if stage.oid("hugo") in path]
    # A manager may, for direct reports, and for nobody else.
    assert "access.not-allowed" in await stage.ask("marta", "onboard jonas2")
    assert "Hugo Hazelwood is invited" in await stage.ask("marta", "onboard hugo")
    assert "access.onboarding-yourself" in await stage.ask("cora", "onboard me")
    await stage.ends_with()


FORGED: dict[str, Callable[[Json], Json]] = {
    "another onboarding": lambda d: d | {"change_id": "7K2Q9M"},
    "another nonce": lambda d: d | {"nonce": "0" * 32},
    "a target": lambda d: d | {"target": "someone"},
    "an approval": lambda d: d | {"approved_by": "marta"},
    "another version": lambda d: d | {"v": 2},
    "a list as number": lambda d: d | {"number": ["+12065550147"]},
    "a flood as number": lambda d: d | {"number": "1" * 500},
    "letters as number": lambda d: d | {"number": "+1-800-CALL-NOW"},
    "full-width digits": lambda d: d | {"number": "+１２０６５５５０１４７"},
    "a turned number": lambda d: d | {"number": "+1 206 555\u202e 0147"},
    "an unknown slot": lambda d: d | {"slot": "alternateMobile"},
    "nothing at all": lambda d: {},
}


@pytest.mark.parametrize("name", FORGED)
async def test_forged_data_asks_for_nothing(name: str, stage: Stage) -> None:
    """C4, C5, C19: data that is not exactly the card's own, or a number that is none, becomes no request."""
    data = FORGED[name](data_of(await invited(stage), "onboarding") | FIELDS)
    answer = await stage.forged("hugo", "onboarding", data)
    assert answer["status"] == 200
    assert "Waiting for approval" not in said(answer)
    assert "change:mobile:submitted" not in await stage.audit_names()
    await stage.ends_with()


async def test_the_new_person_cannot_decide(stage: Stage) -> None:
    """C1, C2: their own card has no such button, a forged one and typed words are refused."""
    request = await entered(stage)
    card = await stage.newest("hugo")
    assert not {"Approve", "Reject"} & {action["title"] for action in card["actions"]}
    data = data_of(card, "cancel") | {"how": "in-person"}
    assert "access.own-request" in said(await stage.forged("hugo", "approve", data))
    assert "access.own-request" in await stage.ask("hugo", f"approve {request} in person")
    assert "usage.request-unknown" in await stage.ask("cora", f"approve {request} in person")
    await stage.ends_with()


async def test_a_refresh_sends_nothing(stage: Stage) -> None:
    """C14: the data of a filled card in an automatic refresh asks for nothing."""
    data = data_of(await invited(stage), "onboarding") | FIELDS
    value = {"action": {"type": "Action.Execute", "verb": "onboarding", "data": data}, "trigger": "automatic"}
    await stage.invoke("hugo", "adaptiveCard/action", value)
    assert "Your answer is needed" in await stage.ask("hugo", "onboarding")
    await stage.ends_with()


async def test_the_manager_sees_the_source(stage: Stage) -> None:
    """I11: whoever has the account can fill in the card, so the approver reads who began it, who entered it,
    and must have spoken to them; looks like fraud freezes, and the onboarding is over.
    """
    request = await entered(stage)
    card = await stage.card_with("marta", "Approve …")
    told = " ".join(card["plain"].split())
    assert "entered it in their own chat" in told
    assert "begun by Cora Copperfield" in told
    assert "5550147" not in json.dumps(card["card"])
    assert "policy.approver-must-know" in await stage.ask("marta", f"approve {request} did not")
    await stage.say("marta", f"reject {request} fraud because she rang me and knows nothing of it")
    assert "frozen" in await stage.ask("cora", "onboard hugo")
    await stage.ends_with()


async def test_the_list_of_a_manager_decides_only_what_stood_on_it(stage: Stage) -> None:
    """C4, C12: another's list, a forged id or an ordinary request on it approve nothing."""
    await entered(stage)
    await stage.pending()
    await stage.say("marta", "new people")
    data = data_of(await stage.card_with("marta", "Approve all but those chosen"), "onboarding.all-but")
    filled = data | {"how": "in-person"}
    assert "usage.card-stale" in said(await stage.forged("vera", "onboarding.all-but", filled))
    ordinary = data_of(await stage.card_with("marta", "Approve …"), "approve")
    mixed = f"{ordinary['change_id']}:{ordinary['nonce']}"
    if mixed == data["cards"]:
        mixed = f"{data['cards'][:6]}:{'0' * 32}"
    assert "usage.card-stale" in said(
        await stage.forged("marta", "onboarding.all-but", filled | {"cards": mixed})
    )
    without = await stage.forged("marta", "onboarding.all-but", data)
    assert "usage.how-missing" in said(without)
    await stage.ends_with()


async def test_sending_is_not_in_a_shared_chat(stage: Stage) -> None:
    """C12: the button pressed in a group chat answers with the way there, and reveals nothing."""
    data = data_of(await invited(stage), "onboarding") | FIELDS
    value = {"action": {"type": "Action.Execute", "verb": "onboarding", "data": data}}
    answer = await stage.invoke("hugo", "adaptiveCard/action", value, scope="groupChat")
    assert "usage.personal-chat-only" in said(answer) or answer["status"] != 200
    assert SEND in json.dumps((await stage.card_with("hugo", SEND))["card"])
    await stage.ends_with()
