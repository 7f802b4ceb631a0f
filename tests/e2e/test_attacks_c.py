"""Group C of the security sheet: an approval means exactly what was shown, by somebody who may, once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from stage import Stage

from bot.settings.policy_file import load_policy
from bot.settings.problems import Refused

Json = dict[str, Any]
ALICE = ("alice", "mobile", "+1 2065550100")
EXECUTE = "Action.Execute"


def data_of(entry: Json, verb: str) -> Json:
    """What the button with this verb carries, wherever on the card it is."""
    found = _find(entry["card"], verb)
    assert found is not None, entry["plain"]
    return dict(found)


def yes_of(entry: Json) -> Json:
    """What a press on Approve sends, by somebody who spoke in person."""
    return data_of(entry, "approve") | {"how": "in-person"}


def _find(node: Any, verb: str) -> Json | None:
    if isinstance(node, dict):
        if node.get("type") == EXECUTE and node.get("verb") == verb:
            return dict(node.get("data") or {})
        node = list(node.values())
    if isinstance(node, list):
        return next((found for each in node if (found := _find(each, verb)) is not None), None)
    return None


async def _still_waits(stage: Stage, request: str) -> None:
    assert "Waiting for approval" in await stage.ask("olivia", f"status {request}")
    await stage.ends_with()


async def _told(stage: Stage, who: str, words: str) -> bool:
    return words in await stage.all_text(who)


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_the_requester_cannot_decide_by_any_button(verb: str, stage: Stage) -> None:
    """C1, C2: the own card has no such button; a forged one with the own card's nonce is refused."""
    request = await stage.pending()
    card = await stage.newest("olivia")
    assert not {"Approve", "Reject"} & {a["title"] for a in card["actions"]}
    data = data_of(card, "cancel") | ({"because": "no"} if verb == "reject" else {})
    answer = await stage.forged("olivia", verb, data)
    assert answer["status"] == 200
    assert "access.own-request" in json.dumps(answer["body"])
    await _still_waits(stage, request)


async def test_an_approver_counts_once(stage: Stage) -> None:
    """C3: the same person's second click and typed vote find a decided request: one vote, one write."""
    request = await stage.pending()
    card = await stage.card_with("marta", "Approve")
    data = yes_of(card)
    await asyncio.gather(*(stage.forged("marta", "approve", data) for _ in range(4)))
    await stage.wait_for(stage.effects)
    # The outcome is drawn on whatever Marta holds by then, on this refusal too.
    await stage.settle()
    assert "conflict.already-decided" in await stage.ask("marta", f"approve {request} in person")
    await stage.ends_with(ALICE)
    assert (await stage.audit_names()).count("change:mobile:approved") == 1


FORGED: dict[str, Callable[[Json], Json]] = {
    "another request's id": lambda d: d | {"change_id": "7K2Q9M"},
    "the next id": lambda d: (
        d | {"change_id": d["change_id"][:-1] + ("A" if d["change_id"][-1] != "A" else "B")}
    ),
    "another nonce": lambda d: d | {"nonce": "0" * 32},
    "an id too long": lambda d: d | {"change_id": d["change_id"] + "0"},
    "an id in small letters": lambda d: d | {"change_id": d["change_id"].lower() + "x"},
    "no nonce": lambda d: {k: v for k, v in d.items() if k != "nonce"},
    "another version": lambda d: d | {"v": 2},
    "version as text": lambda d: d | {"v": "1"},
    "a list as id": lambda d: d | {"change_id": [d["change_id"]]},
    "phone": lambda d: d | {"phone": "+12065550199"},
    "number": lambda d: d | {"number": "+12065550199"},
    "target": lambda d: d | {"target": "someone"},
    "approved_by": lambda d: d | {"approved_by": "marta"},
    "role": lambda d: d | {"role": "approver"},
    "state": lambda d: d | {"state": "approved"},
    "another way of knowing": lambda d: d | {"how": "by mail"},
    "a list as way of knowing": lambda d: d | {"how": ["in-person"]},
    "a way of knowing in capitals": lambda d: d | {"how": "IN-PERSON"},
    "a kind of refusal": lambda d: d | {"kind": "fraud"},
    "nothing at all": lambda d: {},
}


@pytest.mark.parametrize("name", FORGED)
async def test_forged_button_data_decides_nothing_and_isaudited(name: str, stage: Stage) -> None:
    """C4, C5: an approver who sends other data than their card's gets a refusal; the request is untouched."""
    request = await stage.pending()
    data = FORGED[name](yes_of(await stage.card_with("marta", "Approve")))
    answer = await stage.forged("marta", "approve", data)
    assert answer["status"] == 200
    said = json.dumps(answer["body"])
    words = ("usage.card-tampered", "This card is not the current one", "usage.request-unknown")
    assert any(each in said for each in words)
    assert any(name.startswith("usage:") and name.endswith(":refused") for name in await stage.audit_names())
    await _still_waits(stage, request)


@pytest.mark.parametrize(
    "verb", ["APPROVE", "approve ", "applied", "form.approve", "", None, 7, ["approve"], {"a": 1}]
)
async def test_a_verb_that_is_not_ours_does_nothing(verb: object, stage: Stage) -> None:
    """C5: also with sound data."""
    request = await stage.pending()
    data = yes_of(await stage.card_with("marta", "Approve"))
    answer = await stage.forged("marta", verb, data)
    assert answer["status"] == 200
    await _still_waits(stage, request)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "approve",
        {},
        {"action": None},
        {"action": []},
        {"action": {"type": "Action.Submit", "verb": "approve"}},
    ],
)
async def test_a_card_action_of_another_shape_does_nothing(value: Any, stage: Stage) -> None:
    """C5: malformed invokes get a well-formed answer and decide nothing."""
    request = await stage.pending()
    await stage.card_with("marta", "Approve")
    answer = await stage.invoke("marta", "adaptiveCard/action", value)
    assert answer["status"] == 200
    assert set(answer["body"]) == {"statusCode", "type", "value"}
    await _still_waits(stage, request)


async def test_a_form_with_foreign_fields_is_rejected_whole(stage: Stage) -> None:
    """C5: an operator's form cannot carry an approval or a target of its own."""
    data = {
        "v": 1,
        "who": stage.oid("alice"),
        "slot": "mobile",
        "number": "+1 206 555 0100",
        "approved": True,
    }
    answer = await stage.forged("olivia", "form.set", data)
    assert "usage.card-tampered" in json.dumps(answer["body"])
    await stage.ends_with()
    assert "change:mobile:previewed" not in await stage.audit_names()


async def slow_worker(stage: Stage) -> None:
    """The worker's next look at the person fails, so that an approved request waits."""
    await stage.fault(kind="status", status=503, path="phoneMethods", times=None)


EDITED = {
    "reason": "UPDATE changes SET reason = 'another reason'",
    "ticket": "UPDATE changes SET ticket = 'INC9999'",
    "requester": "UPDATE changes SET requester_oid = '{other}'",
    "target": "UPDATE changes SET target_oid = '{other}'",
}


@pytest.mark.parametrize("what", EDITED)
async def test_a_row_edited_behind_our_back_is_not_carried_out(what: str, stage: Stage) -> None:
    """C7: the hash is computed again before the write; what is stored is not what was approved."""
    await stage.pending()
    await stage.card_with("marta", "Approve")
    await slow_worker(stage)
    await stage.click("marta", "Approve")
    await stage.wait_for(lambda: audited(stage, "change:mobile:approved"))
    await stage.settle()
    _behind(stage, EDITED[what].format(other=stage.oid("tessa")))
    await stage.heal()
    await stage.later(minutes=3)
    await stage.ends_with(audited=("change:mobile:blocked",))
    assert "conflict.content-changed" in json.dumps([facts["facts"] for _, facts in await stage.audit_rows()])


async def audited(stage: Stage, name: str) -> bool:
    return name in await stage.audit_names()


def _behind(stage: Stage, statement: str) -> None:
    engine = sa.create_engine(stage.database_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


@pytest.mark.parametrize("who", ["mallory", "omar", "vera", "arthur", "alice", "gustav"])
async def test_a_forwarded_card_decides_nothing(who: str, stage: Stage) -> None:
    """C12: a copy of the approver's card, pressed by anybody else, is refused."""
    request = await stage.pending()
    card = await stage.card_with("marta", "Approve")
    await stage.click(who, "Approve", activity_id=card["activity_id"])
    await stage.settle()
    assert not {"change:mobile:approved"} & set(await stage.audit_names())
    await _still_waits(stage, request)


@pytest.mark.parametrize("scope", ["groupChat", "channel"])
async def test_a_card_pressed_in_a_group_decides_nothing(scope: str, stage: Stage) -> None:
    """C12: also not by the approver: what is about sign-in is decided in the own chat."""
    request = await stage.pending()
    data = yes_of(await stage.card_with("marta", "Approve"))
    value = {"action": {"type": EXECUTE, "verb": "approve", "data": data}}
    answer = await stage.invoke("marta", "adaptiveCard/action", value, scope=scope)
    assert "usage.personal-chat-only" in json.dumps(answer["body"])
    await _still_waits(stage, request)


async def test_the_manager_of_today_decides(stage: Stage) -> None:
    """C13: approvers are resolved again at the vote: the former manager may not, the new one may."""
    request = await stage.pending()
    data = yes_of(await stage.card_with("marta", "Approve"))
    await stage.patch("alice", manager="vera")
    said = json.dumps((await stage.forged("marta", "approve", data))["body"])
    assert "access.not-approver" in said
    await _still_waits(stage, request)
    await stage.say("vera", f"approve {request} in person")
    await stage.wait_for(stage.effects)
    await stage.ends_with(ALICE)


@pytest.mark.parametrize(
    ("who", "missing"),
    [("mina", "has no manager"), ("dora", "has a disabled account"), ("paul", "made the request")],
)
async def test_a_manager_who_cannot_decide_is_replaced_by_the_fallback(
    who: str, missing: str, stage: Stage
) -> None:
    """C13: missing, disabled, or the requester in person: the fallback is asked, never the requester."""
    said = await stage.ask("olivia", f"set mobile for {who} to +1 206 555 0100 because lost phone")
    assert missing in said
    assert "Arthur Appleby" in said
    await stage.click("olivia", "Submit for approval")
    request = stage.printed_id(await stage.newest("olivia"))
    assert "access.own-request" in await stage.ask("olivia", f"approve {request} in person")
    await stage.click("arthur", "Approve")
    await stage.wait_for(stage.effects)
    await stage.ends_with((who, "mobile", "+1 2065550100"))


async def test_a_fallback_approver_does_not_decide_while_the_manager_can(stage: Stage) -> None:
    """C13: no silent widening: the approver group stands in only when it was asked."""
    request = await stage.pending()
    assert "usage.request-unknown" in await stage.ask("arthur", f"approve {request} in person")
    await _still_waits(stage, request)


@pytest.mark.parametrize("verb", ["refresh", "approve"])
async def test_a_refresh_is_read_only_whatever_it_carries(verb: str, stage: Stage) -> None:
    """C14: an automatic refresh with the data, or even the verb, of an approval changes nothing."""
    request = await stage.pending()
    card = await stage.card_with("marta", "Approve")
    data = data_of(card, "approve")
    before = await stage.audit_names()
    for trigger in ("automatic", "automatic"):
        answer = await stage.forged("marta", verb, data, trigger=trigger)
        assert answer["status"] == 200
        assert answer["body"]["type"] == "application/vnd.microsoft.card.adaptive"
    assert (await stage.refresh("marta", card["activity_id"], force=True))["status"] == 200
    assert await stage.audit_names() == before
    await _still_waits(stage, request)


@pytest.mark.parametrize(
    "line",
    ['on_expiry = "approve"', 'timeout = "approve"', "auto_approve_minutes = 30", "need = 0"],
)
async def test_a_policy_that_lets_time_decide_is_refused(line: str, stage: Stage) -> None:
    """C15: there is no such key, and an unknown key stops the start."""
    file = stage.state / "policy.toml"
    text = file.read_text("utf-8").replace('name = "ordinary change"', f'name = "ordinary change"\n{line}')
    changed = stage.state / "changed.toml"
    changed.write_text(text, encoding="utf-8")
    with pytest.raises(Refused):
        load_policy(changed)


TRICKS = {
    "brackets and dashes": "+1 (206) 555-0100",
    "no spaces": "+12065550100",
    "dots": "+1.206.555.0100",
    "no-break spaces": "+1\u00a0206\u00a0555\u00a00100",
    "full-width digits": "+1 \uff12\uff10\uff16 555 0100",
    "Arabic digits": "+1 206 555 \u0660\u0661\u0660\u0660",
    "right-to-left override": "+1 206 555 \u202e0010\u202c",
    "zero-width space": "+1 206 555\u200b 0100",
    "two numbers": "+1 206 555 0100 +1 206 555 0199",
    "an extension": "+1 206 555 0100;ext=99",
    "a context": "+12065550100;phone-context=+44",
    "tel": "tel:+12065550100",
    "two plus": "++12065550100",
    "plus inside": "+1206+5550100",
    "double zero": "0012065550100",
    "trunk zero": "+44 (0) 7400 123456",
    "a letter O": "+1 206 555 O1OO",
}


CANONICAL = {"trunk zero": "+447400123456"}


@pytest.mark.parametrize("name", TRICKS)
async def test_the_directory_gets_exactly_what_was_shown_and_hashed(name: str, stage: Stage) -> None:
    """C19, E3, E4, E5: a number written as a trick is refused, or it is the same number on the card, in the
    hash and in the directory.
    """
    await stage.say("olivia", f"set mobile for alice to {TRICKS[name]} because lost phone")
    card = await stage.newest("olivia")
    if not any(a["title"] == "Submit for approval" for a in card["actions"]):
        assert (
            "Code usage." in card["plain"]
            or "Change a phone" in card["plain"]
            or "Code policy." in card["plain"]
        )
        await stage.ends_with()
        return
    shown = next(line for line in card["plain"].splitlines() if re.fullmatch(r"\+[0-9 ]{9,}", line)).replace(
        " ", ""
    )
    await stage.click("olivia", "Submit for approval")
    approver = await stage.card_with("marta", "Approve")
    assert f"•••••• {shown[-2:]}" in approver["plain"]
    await stage.click("marta", "Approve")
    await stage.wait_for(stage.effects)
    [effect] = await stage.effects()
    assert effect["after"].replace(" ", "") == shown == CANONICAL.get(name, "+12065550100")
    await stage.ends_with(("alice", "mobile", effect["after"]))


async def test_the_text_beside_a_click_is_ignored(stage: Stage) -> None:
    """C20: an old client's button sends data and text; the text never runs as a command."""
    request = await stage.pending()
    card = await stage.card_with("marta", "Approve")
    await stage.click(
        "marta", "Reject", activity_id=card["activity_id"], old_client=True,
        inputs={"because": "not verified"}, raw={"text": f"approve {request} in person"},
    )  # fmt: skip
    await stage.settle()
    names = await stage.audit_names()
    assert "change:mobile:approved" not in names
    await stage.ends_with()


async def test_message_back_text_in_button_data_is_no_command(stage: Stage) -> None:
    """C20: reserved keys smuggled into the data make the whole press void."""
    request = await stage.pending()
    spoken = {"type": "messageBack", "text": f"approve {request} in person", "value": {}}
    await stage.forged("marta", "run", {"v": 1, "command": "help", "msteams": spoken})
    assert "usage.card-tampered" in await stage.all_text("marta")
    await stage.say(
        "marta", f"approve {request} in person", raw={"value": {"verb": "run", "v": 1, "command": "help"}}
    )
    await _still_waits(stage, request)


async def test_an_old_clients_button_does_what_the_new_one_does(stage: Stage) -> None:
    """C20: the fallback of a button (Action.Submit) decides by its data."""
    await stage.pending()
    card = await stage.card_with("marta", "Approve")
    await stage.click("marta", "Approve", activity_id=card["activity_id"], old_client=True)
    await stage.wait_for(stage.effects)
    await stage.ends_with(ALICE)
