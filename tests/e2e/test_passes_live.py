"""Temporary Access Passes over HTTP: shown once, to one person, where nothing of them stays."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
from onboarding_drive import invited
from stage import Stage

from bot.sandbox.people import GLOBAL_ADMIN
from tests.doubles.crashing import PowerCut, Watched

Json = dict[str, Any]
Opened = Callable[..., AbstractAsyncContextManager[Stage]]
SHOW = "Make the pass and show it"
GUARD = {"GRAPH_PROFILE": "default-guard"}
RULE = """
[[approval]]
name = "passes"
action = ["pass"]
target = ["new-hire", "ordinary"]
steps = [{ approvers = ["manager-of-target"], need = 1, fallback = ["role:approver"] }]
execute_minutes = 60
"""


def with_passes(reader: str = "person", minutes: int = 60, rule: str = RULE) -> Callable[[str], str]:
    """The policy of the demo, with passes in it."""
    terms = f'[onboarding]\npass_minutes = {minutes}\npass_shown_to = "{reader}"\n'
    return lambda text: f"{text.replace('[numbers]', f'{rule}{terms}[numbers]', 1)}"


@pytest.fixture
def passes(opened: Opened) -> Callable[..., AbstractAsyncContextManager[Stage]]:
    """A company in which passes are issued, and Hugo is being onboarded."""

    @asynccontextmanager
    async def open_it(reader: str = "person", **more: Any) -> AsyncIterator[Stage]:
        async with opened(policy=with_passes(reader), more=GUARD, **more) as stage:
            await invited(stage)
            yield stage

    return open_it


async def asked(stage: Stage, who: str = "hugo") -> str:
    """Asked for and submitted; its printed id."""
    said = await stage.ask("cora", f"issue pass for {who} because he gets a security key")
    assert "Nobody else sees it" in said or "nobody else sees it" in said, said
    await stage.click("cora", "Submit for approval")
    return stage.printed_id(await stage.newest("cora"))


async def agreed(stage: Stage) -> str:
    """Approved, and its reader has been told."""
    printed = await asked(stage)
    await stage.click("marta", "Approve")
    await stage.settle()
    return printed


async def pressed(stage: Stage, who: str = "hugo") -> Json:
    """What the dialog shows; the answer to the press."""
    answer = await stage.click(who, SHOW)
    await stage.settle()
    task: Json = answer["body"]["task"]
    return task


def in_dialog(task: Json) -> str:
    """All that stands in a dialog."""
    return json.dumps(task, ensure_ascii=False)


async def is_nowhere(stage: Stage, secret: str) -> None:
    """Not in any chat, in what was sent to Teams, in the log, the database or the audit."""
    assert secret
    for who in ("cora", "marta", "hugo", "olivia", "sven"):
        kept = [entry for entry in await stage.view(who) if entry["kind"] != "dialog"]
        assert secret not in json.dumps(kept), who
    sent = [entry for entry in await stage.sent() if '"task"' not in json.dumps(entry)]
    assert secret not in json.dumps(sent)
    assert secret not in stage.log.getvalue()
    disguises = (secret, quote(secret), base64.b64encode(secret.encode()).decode())
    for file in stage.state.rglob("*"):
        kept_bytes = file.read_bytes() if file.is_file() else b""
        assert not any(each.encode() in kept_bytes for each in disguises), file.name
    for table in ("changes", "operations", "outbox", "inbox", "audit", "posted_cards", "sealed_numbers"):
        assert secret not in str(await stage.sql(f"SELECT * FROM {table}")), table  # noqa: S608 - constants


async def state_of(stage: Stage) -> str:
    """Of the request for a pass."""
    found = await stage.sql("SELECT state FROM changes WHERE action = 'pass'")
    return str(found[-1][0])


async def test_a_pass_is_shown_once_to_the_person(any_stage_with_passes: Stage) -> None:
    """Asked for, approved, made at the press, seen in the dialog and nowhere else; not a second time."""
    stage = any_stage_with_passes
    await invited(stage)
    await agreed(stage)
    assert await stage.effects() == []
    task = await pressed(stage)
    secret = (await stage.person("hugo"))["temporary_pass"]
    assert task["type"] == "continue"
    assert secret in in_dialog(task)
    assert await state_of(stage) == "applied"
    assert "was made and shown to Hugo Hazelwood" in await stage.text("cora")
    assert "was made and shown" in await stage.all_text("hugo")
    await is_nowhere(stage, secret)
    names = await stage.audit_names()
    assert [name for name in names if name.startswith("pass:")] == [
        "pass:previewed", "pass:submitted", "pass:approved", "pass:ready", "pass:attempted", "pass:applied",
    ]  # fmt: skip
    assert len(await stage.effects()) == 1
    assert (await stage.parts.store.verify_audit()).bad == ()


@pytest.fixture(params=["sqlite", "postgresql"])
async def any_stage_with_passes(opened: Opened, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("migrated_schema")
    given: Json = {"policy": with_passes(), "more": GUARD, "log_level": "DEBUG"}
    async with opened(**given, **({"database_url": url} if url else {})) as stage:
        yield stage


async def test_the_manager_hands_it_over(passes: Opened) -> None:
    """Where the policy says so the manager reads it, and nobody else: the person, the asker, security."""
    async with passes("manager") as stage:
        printed = await agreed(stage)
        assert SHOW not in str([e["actions"] for e in await stage.from_bot("hugo")])
        assert SHOW not in str([e["actions"] for e in await stage.from_bot("cora")])
        card = await stage.card_with("marta", SHOW)
        data = dialog_data(card)
        for other in ("hugo", "cora", "sven", "alice", "mallory"):
            answer = await stage.invoke(other, "task/fetch", {"data": data, "context": {"theme": "default"}})
            assert answer["body"]["task"]["type"] == "message", other
        assert await stage.effects() == []
        task = await pressed(stage, "marta")
        secret = (await stage.person("hugo"))["temporary_pass"]
        assert secret in in_dialog(task)
        assert "Hugo Hazelwood in person" in in_dialog(task)
        assert "shown to Marta Mayfair" in await stage.ask("cora", f"status {printed}")
        await is_nowhere(stage, secret)


def dialog_data(card: Json) -> Json:
    """What the button that opens the dialog carries."""
    found = _with_dialog(card["card"])
    assert found is not None
    return found


def _with_dialog(node: Any) -> Json | None:
    if isinstance(node, dict):
        if node.get("type") == "Action.Submit" and "msteams" in (node.get("data") or {}):
            return dict(node["data"])
        node = list(node.values())
    if isinstance(node, list):
        return next((found for each in node if (found := _with_dialog(each)) is not None), None)
    return None


async def test_no_other_way_makes_one(passes: Opened) -> None:
    """The same button as a card action, as a message of an old client, typed, or changed: nothing is made."""
    async with passes() as stage:
        printed = await agreed(stage)
        data = dialog_data(await stage.card_with("hugo", SHOW))
        plain = {key: data[key] for key in ("v", "change_id", "nonce")}
        await stage.forged("hugo", "show-pass", plain)
        await stage.activity({"type": "message", "from": "hugo", "value": plain | {"verb": "show-pass"}})
        assert "Temporary Access Pass" in await stage.ask("hugo", f"status {printed}")
        for wrong in ({"nonce": "0" * 32}, {"change_id": "ZZZZZZ"}, {"v": 2}, {"verb": "approve"}):
            answer = await stage.invoke("hugo", "task/fetch", {"data": data | wrong})
            assert answer["body"]["task"]["type"] == "message", wrong
        for value in (None, [], {"data": None}, {"data": data | {"more": 1}}):
            answer = await stage.invoke("hugo", "task/fetch", value)
            assert answer["body"]["task"]["type"] == "message", value
        await stage.ends_with()


async def test_a_second_press_shows_nothing(passes: Opened) -> None:
    """Once is once, also for a press that Teams delivers again."""
    async with passes() as stage:
        await agreed(stage)
        data = dialog_data(await stage.card_with("hugo", SHOW))
        await pressed(stage)
        answer = await stage.invoke("hugo", "task/fetch", {"data": data})
        assert "conflict.pass-not-ready" in in_dialog(answer["body"]["task"])
        assert len(await stage.effects()) == 1
        printed = stage.printed_id(await stage.newest("cora"))
        assert "conflict.undo-not-done" in await stage.ask("sven", f"undo {printed}")


async def test_what_nobody_saw_is_made_void(passes: Opened) -> None:
    """A lost answer: nothing is shown, and that is said; the next press makes one that takes its place."""
    async with passes() as stage:
        await agreed(stage)
        await stage.fault(kind="reset_after", verb="POST", path="temporaryAccessPassMethods", times=1)
        first = await pressed(stage)
        unseen = (await stage.person("hugo"))["temporary_pass"]
        assert "directory.pass-not-shown" in in_dialog(first)
        assert unseen not in in_dialog(first)
        assert await state_of(stage) == "unconfirmed"
        assert "Nobody has seen a pass" in await stage.text("hugo")
        second = await pressed(stage)
        secret = (await stage.person("hugo"))["temporary_pass"]
        assert secret != unseen
        assert secret in in_dialog(second)
        assert await state_of(stage) == "applied"
        await is_nowhere(stage, unseen)


async def test_what_nobody_saw_in_time_is_told(passes: Opened) -> None:
    """At the end of its time an unseen pass ends the request as failed, saying what may be left."""
    async with passes() as stage:
        await agreed(stage)
        await stage.fault(kind="reset_after", verb="POST", path="temporaryAccessPassMethods", times=1)
        await pressed(stage)
        await stage.later(minutes=61)
        assert await state_of(stage) == "failed"
        assert "directory.pass-unseen" in await stage.text("cora")
        assert (await stage.parts.store.verify_audit()).bad == ()


async def test_not_sent_is_as_before(passes: Opened) -> None:
    """Throttled: nothing was made, the button stays; not pressed in time: it expires, with no write."""
    async with passes() as stage:
        await agreed(stage)
        throttled = {"kind": "status", "status": 429, "retry_after": 5}
        await stage.fault(**throttled, verb="POST", path="temporaryAccessPassMethods", times=1)
        task = await pressed(stage)
        assert "directory.unavailable" in in_dialog(task)
        assert await state_of(stage) == "approved"
        await stage.later(minutes=61)
        assert await state_of(stage) == "expired"
        await stage.ends_with()


async def test_a_process_that_dies_in_between(passes: Opened) -> None:
    """Dead between the intent and its result: a minute later it is known that nobody saw one."""
    cut = {"at": ""}

    def moment(name: str) -> Awaitable[None] | None:
        if name == cut["at"]:
            cut["at"] = ""
            raise PowerCut(name)
        return None

    between = {"wrap_directory": lambda inner: Watched(inner, moment)}
    async with passes(between=between) as stage:
        await agreed(stage)
        cut["at"] = "after issue_pass"
        await stage.click("hugo", SHOW)
        assert await state_of(stage) == "applying"
        await stage.later(seconds=61)
        assert await state_of(stage) == "unconfirmed"
        task = await pressed(stage)
        assert (await stage.person("hugo"))["temporary_pass"] in in_dialog(task)
        assert (await stage.parts.store.verify_audit()).bad == ()


async def test_whoever_was_held_up_makes_none(passes: Opened) -> None:
    """Asleep between the intent and the call: nothing is sent, because another may have been shown since."""
    asleep: list[Stage] = []

    def moment(name: str) -> Awaitable[None] | None:
        if name == "after commit attempted" and asleep:
            asleep.pop().clock.pass_by(seconds=5)
        return None

    async with passes(between={"wrap_store": lambda inner: Watched(inner, moment)}) as stage:
        await agreed(stage)
        asleep.append(stage)
        task = await pressed(stage)
        assert "directory.unavailable" in in_dialog(task)
        assert await state_of(stage) == "approved"
        await stage.ends_with()


async def test_three_times_and_no_more(passes: Opened) -> None:
    """The third lost answer takes the button away."""
    async with passes() as stage:
        await agreed(stage)
        await stage.fault(kind="reset_after", verb="POST", path="temporaryAccessPassMethods", times=3)
        for _ in range(3):
            await pressed(stage)
        assert SHOW not in str([e["actions"] for e in await stage.from_bot("hugo")])
        assert len(await stage.effects()) == 3


MEANWHILE: dict[str, tuple[Callable[[Stage], Awaitable[Any]], str]] = {
    "frozen": (lambda s: s.say("sven", "freeze hugo because odd call"), "policy.frozen"),
    "a phone came": (
        lambda s: s.patch("hugo", phones={"mobile": "+1 2065550155"}),
        "conflict.pass-has-method",
    ),
    "an administrator now": (lambda s: s.patch("hugo", roles=[GLOBAL_ADMIN]), "policy.protected"),
    "disabled": (lambda s: s.patch("hugo", enabled=False), "access.not-allowed"),
    "paused": (lambda s: s.say("adam", "pause because of an incident"), "conflict.pass-held"),
    "the asker lost the role": (lambda s: s.leave("coordinator", "cora"), "policy.rights-lost"),
}


@pytest.mark.parametrize("what", MEANWHILE)
async def test_everything_is_checked_again_at_the_press(what: str, passes: Opened) -> None:
    """What came after the approval stops it, as it stops every write."""
    happens, code = MEANWHILE[what]
    async with passes() as stage:
        await agreed(stage)
        await happens(stage)
        await stage.settle()
        task = await pressed(stage)
        assert code in in_dialog(task), in_dialog(task)
        assert [e for e in await stage.effects() if e["what"] == "pass"] == []


async def test_another_manager_is_another_reader(passes: Opened) -> None:
    """The approval is bound to one reader: after a change of managers neither of them sees it."""
    async with passes("manager") as stage:
        await agreed(stage)
        await stage.patch("hugo", manager="vera")
        task = await pressed(stage, "marta")
        assert task["type"] == "message"
        await stage.ends_with()


@pytest.mark.parametrize(
    ("who", "text", "code"),
    [
        ("cora", "issue pass for alice because lost phone", "policy.pass-not-onboarded"),
        ("olivia", "issue pass for hugo because he asked", "access."),
        ("hugo", "issue pass for me", "access."),
        ("sven", "issue pass for hugo", "access."),
        ("cora", "issue pass for +1 206 555 0100", "usage."),
    ],
)
async def test_who_may_not_have_one(who: str, text: str, code: str, passes: Opened) -> None:
    """Only coordinators ask, only for somebody new without a method; an operator is no coordinator."""
    async with passes() as stage:
        assert code in await stage.ask(who, text)
        await stage.ends_with()


async def test_off_unless_the_policy_says_so(stage: Stage) -> None:
    """Without pass_minutes nobody gets one."""
    await invited(stage)
    assert "policy.pass-off" in await stage.ask("cora", "issue pass for hugo because he asked")
    await stage.ends_with()


async def test_whoever_has_no_phone_may_have_one(passes: Opened) -> None:
    """The way out of the card leads here: a pass to register a security key with."""
    async with passes() as stage:
        await stage.click("hugo", "I have no phone")
        await agreed(stage)
        task = await pressed(stage)
        assert task["type"] == "continue"


async def test_unreadable_methods_are_no_methods_to_trust(passes: Opened) -> None:
    """Whether somebody has a passkey must be known: without that no pass."""
    async with passes() as stage:
        hidden = {"kind": "status", "status": 403, "verb": "GET", "path": "authentication/methods"}
        await stage.fault(**hidden, times=None)
        said = await stage.ask("cora", "issue pass for hugo because he asked")
        assert "directory.pass-methods-unread" in said
        await stage.ends_with()


async def test_a_pass_cools_like_any_change(opened: Opened) -> None:
    """Where the rule wants a wait after the last vote the button comes when it is over."""
    rule = RULE.replace("execute_minutes = 60", "cooling_minutes = 30\nexecute_minutes = 60")
    async with opened(policy=with_passes(rule=rule), more=GUARD) as stage:
        await invited(stage)
        await agreed(stage)
        assert SHOW not in str([e["actions"] for e in await stage.from_bot("hugo")])
        await stage.later(minutes=31)
        task = await pressed(stage)
        assert task["type"] == "continue"


async def test_what_is_on_record(passes: Opened) -> None:
    """Lists and the history say what it was, in words, without the pass."""
    async with passes() as stage:
        await agreed(stage)
        assert "Temporary Access Pass for Hugo Hazelwood" in await stage.ask("olivia", "open")
        await pressed(stage)
        said = await stage.ask("audra", "history hugo")
        assert "pass: sent to the directory" in said
        assert "pass: done" in said
        assert "onboarding: begun" in said
        assert (await stage.person("hugo"))["temporary_pass"] not in said
