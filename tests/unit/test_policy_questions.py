"""`policy explain` and `policy replay`: what is answered, and that nothing is written or sent for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from asking import NEW, approve, ask, pending

from bot.domain import command as c
from bot.domain.people import Role, TargetKind
from bot.domain.phone import Slot
from bot.domain.policy import Action, Limits, Risk, Rule, Step, Token, TokenKind
from bot.ports import Conversation
from bot.workflow.policy_questions import NoQuestion, PolicyQuestions, Unasked
from bot.workflow.policy_replay import Difference, replay, replayed
from tests.doubles.house import ALICE, MARTA, SAM, House, house, policy

MANAGER, APPROVER = Token(TokenKind.MANAGER), Token(TokenKind.ROLE, "approver")
SECURE = Token(TokenKind.ROLE, "security")
TWO_STEPS = (Step((MANAGER,)), Step((SECURE,)))
ASK = f"set mobile for alice@contoso.example to {NEW}"


def rule(name: str, *steps: Step, **changed: object) -> Rule:
    values: dict[str, object] = {
        "name": name,
        "actions": frozenset({Action.SET, Action.REMOVE}),
        "targets": frozenset({TargetKind.ORDINARY}),
        "steps": steps or (Step((MANAGER,), 1, (APPROVER,)),),
    }
    return Rule(**{**values, **changed})  # type: ignore[arg-type]  # values of the fields above


USUAL = rule("ordinary change")
SEVERAL = policy(
    rules=(
        rule("office", slots=frozenset({Slot.OFFICE})),
        rule("by security", requesters=frozenset({Role.SECURITY})),
        rule(
            "abroad", Step((MANAGER,)), Step((SECURE,)), risks=frozenset({Risk.COUNTRY}), cooling_minutes=30
        ),
        USUAL,
        rule("never reached", targets=frozenset({TargetKind.VIP})),
    ),
    limits=Limits(changes_per_operator_per_hour=30, changes_per_target_per_day=1),
)


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, rules=SEVERAL) as made:
        yield made


async def explained(h: House, text: str = ASK, asker: str = "olivia@contoso.example") -> str:
    messenger = Unasked(h.store)
    parts = replace(h.parts, directory=h.directory, messenger=messenger)
    return "\n".join(await PolicyQuestions(parts, messenger).explain(asker, text))


async def test_it_names_the_rule_and_why_not_the_earlier_ones(h: House) -> None:
    """Each rule above the deciding one with the key that does not hold; those below are not gone into."""
    said = await explained(h)
    assert "Olivia Ode (olivia@contoso.example) has operator" in said
    assert "set mobile for Alice Anders to +1 •••••• 00 (alice@contoso.example), who is ordinary" in said
    assert "rule 1 “office” does not fit: it is about office only" in said
    assert "rule 2 “by security” does not fit: the requester does not have the role security" in said
    assert "rule 3 “abroad” does not fit: there is no signal country-change" in said
    assert "rule 4 “ordinary change” decides" in said
    assert "1 of: Marta Mink (manager)" in said
    assert "in their place, if need be: role:approver" in said
    assert "never reached" not in said
    assert "nothing else stands against it" in said
    assert "2065550100" not in said


async def test_signals_steps_and_waits_are_told(h: House) -> None:
    """A number from abroad is a signal; both steps have their people; the wait is said."""
    said = await explained(h, "set mobile for alice to +44 7400 123456")
    assert "country-change (new +44, held +1)" in said
    assert "rule 3 “abroad” decides" in said
    assert "step 1: 1 of: Marta Mink (manager)" in said
    assert "step 2: 1 of: Sam Sander (the role security)" in said
    assert "it waits 30 minutes" in said


async def test_without_a_number_it_says_what_is_not_known(h: House) -> None:
    """The question of the contract: `set mobile for alice`."""
    said = await explained(h, "set mobile for alice")
    assert "without the number its country and its holders are not known" in said
    assert "rule 4 “ordinary change” decides" in said


async def test_who_was_never_met_is_pointed_out(h: House) -> None:
    """Whether somebody can be reached is not tried; who spoke to the bot is known."""
    assert "never spoke to the bot, and perhaps cannot be reached: Marta Mink" in await explained(h)
    await h.store.remember_conversation(Conversation(MARTA, "t", "c", "https://example.com/"))
    assert "never spoke" not in await explained(h)


async def test_limits_are_counted(h: House) -> None:
    """What was asked lately stands beside the limit, and a full one is said."""
    assert "limit: 0 of 30 requests of Olivia Ode in this hour" in await explained(h)
    await pending(h)
    said = await explained(h)
    assert "limit: 1 of 30 requests of Olivia Ode in this hour" in said
    assert "limit: 1 of 1 requests for Alice Anders in 24 hours: no more until one is older" in said


@pytest.mark.parametrize(
    ("asker", "text", "code"),
    [
        ("ned@contoso.example", ASK, "access.not-allowed"),
        ("olivia@contoso.example", "set mobile for olivia@contoso.example", "policy.own-number"),
        ("olivia@contoso.example", "set mobile for sam@contoso.example", "policy.no-rule"),
        ("olivia@contoso.example", "remove office for alice", "policy.nothing-to-remove"),
    ],
)
async def test_refusals_are_all_told(h: House, asker: str, text: str, code: str) -> None:
    """The registered reasons, as they would be said."""
    assert f"it would be refused, {code}:" in await explained(h, text, asker)


async def test_an_emergency_is_for_security(tmp_path: Path) -> None:
    """Who is no operator may ask only where a break-glass rule decides; nobody is waited for."""
    emergency = rule("emergency", requesters=frozenset({Role.SECURITY}), break_glass=True)
    rules = policy(rules=(replace(emergency, steps=()), USUAL))
    async with house(tmp_path, rules=rules) as h:
        said = await explained(h, asker="sam@contoso.example")
        assert "rule 1 “emergency” decides" in said
        assert "break-glass: security is alarmed at once" in said
        assert "nothing else stands against it" in said
    async with house(tmp_path, rules=policy(rules=(USUAL,))) as h:
        assert "access.not-allowed" in await explained(h, asker="sam@contoso.example")


async def test_a_frozen_person_needs_more_people(h: House) -> None:
    """The freeze is said, and the rule is shown with the further step that it then has."""
    sam = h.envelope(SAM)
    await h.desk.handle(c.Freeze(c.Who(c.WhoKind.OID, ALICE), "seen in town"), sam)
    said = await explained(h)
    assert "it would be refused, policy.frozen:" in said
    assert "rule 4 “ordinary change” decides" in said
    assert "step 2: 1 of: Marta Mink (manager), Ada Ames (the role approver)" in said


async def test_the_protected_are_refused_whatever_the_rules_say(h: House) -> None:
    """With the facts that protect."""
    h.directory.facts[ALICE] = ("holds a directory role",)
    said = await explained(h)
    assert "it would be refused, policy.protected:" in said
    assert "holds a directory role" in said


@pytest.mark.parametrize(
    ("text", "asker", "why"),
    [
        ("help", "olivia@contoso.example", "ask about a request"),
        ("set mobile for nobody@contoso.example", "olivia@contoso.example", "I cannot find that person"),
        ("set mobile for alice to 12", "olivia@contoso.example", "not a possible phone number"),
        (ASK, "me", "--as wants"),
        (ASK, "nobody@contoso.example", "I cannot find that person"),
    ],
)
async def test_what_is_no_question_is_said(h: House, text: str, asker: str, why: str) -> None:
    """A mistake in the question is not an answer."""
    with pytest.raises(NoQuestion, match=why):
        await explained(h, text, asker)


async def test_nothing_is_written_or_sent(h: House) -> None:
    """No audit event, no message, no write to the directory, no index entry, no call but reads."""
    before = h.path.joinpath("ringfence.db").read_bytes()
    wal = h.path.joinpath("ringfence.db-wal")
    grown = wal.stat().st_size if wal.exists() else 0
    await explained(h)
    assert h.path.joinpath("ringfence.db").read_bytes() == before
    assert (wal.stat().st_size if wal.exists() else 0) == grown
    assert h.messenger.delivered == []
    assert h.directory.effects == []
    assert "write" not in h.directory.calls


# --- replay -------------------------------------------------------------------------------------------------
TWO = rule("two", *TWO_STEPS)
REPLAYED = [
    (rule("another name"), Difference.SAME),
    (rule("waits", cooling_minutes=30), Difference.WAIT),
    (TWO, Difference.MORE),
    (rule("security", Step((SECURE,))), Difference.OTHERS),
    (replace(rule("nobody"), steps=()), Difference.FEWER),
    (replace(rule("no"), steps=(), refuse=True), Difference.REFUSED),
    (rule("of guests", targets=frozenset({TargetKind.GUEST})), Difference.REFUSED),
    (rule("of coordinators", requesters=frozenset({Role.COORDINATOR})), Difference.DEPENDS),
]


@pytest.mark.parametrize(("now", "difference"), REPLAYED, ids=[now.name for now, _ in REPLAYED])
async def test_a_past_request_is_compared(h: House, now: Rule, difference: Difference) -> None:
    """What it had against what it would have needed."""
    sent = await pending(h)
    change = await h.store.change(sent.view.change.id)
    assert change is not None
    assert replayed(change, policy(rules=(now,))).difference is difference


async def test_the_signals_of_then_count(h: House) -> None:
    """A rule about a signal finds the requests that had it."""
    sent = await pending(h, ask(number="+44 7400 123456"))
    change = await h.store.change(sent.view.change.id)
    assert change is not None
    refuses = replace(rule("no", risks=frozenset({Risk.COUNTRY})), steps=(), refuse=True)
    found = replayed(change, policy(rules=(refuses, USUAL)))
    assert (found.difference, found.now) == (Difference.REFUSED, "“no” refuses")


async def test_replay_counts_and_lists(h: House) -> None:
    """Previews are none; what is older is left out; numbers never show."""
    old = await pending(h)
    await approve(h, old)
    await h.jobs.drain()
    h.clock.pass_by(days=3)
    recent = await pending(h, ask(number="+1 206 555 0177"))
    file = policy(rules=(TWO,))
    everything = await replay(h.store, file, h.clock.now() - timedelta(days=30))
    assert everything[0].startswith("2 requests since")
    assert "     2  more approvals" in everything[1]
    text = "\n".join(everything)
    assert old.view.change.printed_id in text
    assert recent.view.change.printed_id in text
    assert "then “ordinary change”: manager-of-target" in text
    assert "now  “two”: manager-of-target, then role:security" in text
    assert "0177" not in text
    lately = await replay(h.store, file, h.clock.now() - timedelta(days=1))
    assert lately[0].startswith("1 requests since")


async def test_many_pages_are_read_whole(tmp_path: Path) -> None:
    """Each request once, also those of one moment."""
    async with house(tmp_path) as h:
        for slot, number in zip(Slot, ("+1 206 555 0100", "+1 206 555 0110", "+1 206 555 0120"), strict=True):
            await pending(h, ask(number=number, slot=slot))
        since = h.clock.now() - timedelta(days=1)
        first = await h.store.submitted(since, None, 2)
        assert first[-1].submitted_at is not None
        rest = await h.store.submitted(since, (first[-1].submitted_at, first[-1].id), 2)
        assert len({change.id for change in (*first, *rest)}) == 3
