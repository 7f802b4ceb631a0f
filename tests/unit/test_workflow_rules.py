"""Which rule decides: its keys are judged on what is known at that moment, before anybody is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from asking import approve, ask, pending, previewed, refusal, state

from bot.domain import command as c
from bot.domain.change import State
from bot.domain.people import Role, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Policy, Risk, Rule, Step, Token, TokenKind
from tests.doubles.directory import Group
from tests.doubles.house import (
    ALICE,
    HELD,
    OLIVIA,
    OPERATORS,
    SECURITY,
    group_id,
    house,
    policy,
)

BOSSES = group_id(9)
MANAGER = (Step((Token(TokenKind.MANAGER),)),)
EVERY_ACTION = frozenset({Action.SET, Action.REMOVE, Action.SWAP, Action.SMS})
ABROAD = "+44 7400 123456"


def rule(name: str, *steps: Step, **changed: object) -> Rule:
    """A rule for ordinary people that the manager decides, unless it says otherwise."""
    values: dict[str, object] = {
        "name": name,
        "actions": EVERY_ACTION,
        "targets": frozenset({TargetKind.ORDINARY}),
        "steps": steps or MANAGER,
    }
    return Rule(**{**values, **changed})  # type: ignore[arg-type]  # values of the fields above


def rules(*first: Rule, **changed: object) -> Policy:
    """A policy with these rules, and one at the end that the manager decides."""
    return policy(rules=(*first, rule("the usual")), **changed)


OFFICE = rule("office", slots=frozenset({Slot.OFFICE}))
ALTERNATE = rule("alternate", slots=frozenset({Slot.ALTERNATE}))
BY_SECURITY = rule("by security", requesters=frozenset({Role.SECURITY}))
COUNTRY = rule("abroad", risks=frozenset({Risk.COUNTRY}))
NOT_ABROAD = rule("not abroad", steps=(), risks=frozenset({Risk.COUNTRY, Risk.SHARED}), refuse=True)
BOSS = rule("bosses", targets=frozenset({TargetKind.VIP}))


@pytest.mark.parametrize(
    ("first", "slot", "number", "named"),
    [
        (OFFICE, Slot.MOBILE, "+1 206 555 0100", "the usual"),
        (OFFICE, Slot.OFFICE, "+1 206 555 0100", "office"),
        (ALTERNATE, Slot.ALTERNATE, "+1 206 555 0100", "alternate"),
        (COUNTRY, Slot.MOBILE, ABROAD, "abroad"),
        (COUNTRY, Slot.MOBILE, "+1 206 555 0100", "the usual"),
    ],
)
async def test_slot_and_signals_pick_the_rule(
    tmp_path: Path, first: Rule, slot: Slot, number: str, named: str
) -> None:
    """The rule stands in the change, and right before the write the same rule is found again."""
    async with house(tmp_path, rules=rules(first)) as h:
        sent = await pending(h, ask(number=number, slot=slot))
        assert sent.view.change.rule == named
        await approve(h, sent)
        await h.jobs.drain()
        assert await state(h, sent) is State.APPLIED


async def test_a_swap_touches_both_mobiles(tmp_path: Path) -> None:
    """A rule about the alternate mobile decides a swap, though the card speaks of the mobile."""
    async with house(tmp_path, rules=rules(ALTERNATE)) as h:
        h.directory.phones_of[ALICE] = {Slot.MOBILE: HELD, Slot.ALTERNATE: PhoneNumber("1", "2065550113")}
        who = c.Who(c.WhoKind.OID, ALICE)
        shown = await previewed(h, c.Swap(who, "lost phone", "INC1234"))
        assert shown.view.change.rule == "alternate"


async def test_the_role_of_the_requester_picks_the_rule(tmp_path: Path) -> None:
    """Roles are those that the requester holds at that moment."""
    async with house(tmp_path, rules=rules(BY_SECURITY)) as h:
        assert (await previewed(h)).view.change.rule == "the usual"
        h.directory.groups[SECURITY].members.add(OLIVIA)
        assert (await previewed(h)).view.change.rule == "by security"


async def test_a_rule_that_refuses_is_named(tmp_path: Path) -> None:
    """The refusal has the rule's name and the signal that made it fit; without the signal it is as usual."""
    async with house(tmp_path, rules=rules(NOT_ABROAD)) as h:
        said = refusal(await h.desk.handle(ask(number=ABROAD), h.envelope(OLIVIA)))
        assert said.code == "policy.rule-refuses"
        assert said.facts["rule"] == "not abroad"
        assert said.facts["signals"] == ", because of: country-change"
        assert (await previewed(h)).view.change.rule == "the usual"


async def test_a_rule_without_steps_needs_nobody(tmp_path: Path) -> None:
    """Nobody is asked or votes; it is done, and the audit names the rule that let it pass."""
    nobody = replace(rule("nobody is needed"), steps=())
    async with house(tmp_path, rules=policy(rules=(nobody,))) as h:
        sent = await pending(h)
        await h.jobs.drain()
        assert await state(h, sent) is State.APPLIED
        records, _ = await h.store.history(ALICE, 100)
        said = next(r.event.facts for r in records if r.event.name == "change:mobile:agreed")
        assert said["rule"] == "nobody is needed"
        assert not any(":ask:" in message.key for message in h.messenger.delivered)


async def test_members_of_a_vip_group_are_vips(tmp_path: Path) -> None:
    """Nested members too; a role of ours comes first, and protection before both."""
    async with house(tmp_path, rules=rules(BOSS, vip=frozenset({BOSSES}))) as h:
        inner = group_id(10)
        h.directory.groups[BOSSES] = Group(BOSSES, "Bosses", nested={inner})
        h.directory.groups[inner] = Group(inner, "The board")
        assert (await previewed(h)).view.change.target_kind is TargetKind.ORDINARY
        h.directory.groups[inner].members.add(ALICE)
        shown = await previewed(h)
        assert (shown.view.change.rule, shown.view.change.target_kind) == ("bosses", TargetKind.VIP)
        assert Risk.VIP in {signal.risk for signal in shown.view.change.risks}
        h.directory.groups[OPERATORS].members.add(ALICE)
        said = refusal(await h.desk.handle(ask(), h.envelope(OLIVIA)))
        assert said.facts["kind"] == "operator"
        h.directory.facts[ALICE] = ("is somebody to be careful with",)
        assert refusal(await h.desk.handle(ask(), h.envelope(OLIVIA))).code == "policy.protected"


async def test_what_became_a_vip_meanwhile_is_judged_as_one(tmp_path: Path) -> None:
    """The kind is looked at again right before the write: no rule for it means that nothing is written."""
    usual = policy(rules=(rule("the usual"),), vip=frozenset({BOSSES}))
    async with house(tmp_path, rules=usual) as h:
        h.directory.groups[BOSSES] = Group(BOSSES, "Bosses")
        sent = await pending(h)
        await approve(h, sent)
        h.directory.groups[BOSSES].members.add(ALICE)
        await h.jobs.drain()
        assert await state(h, sent) is State.BLOCKED
        assert h.directory.effects == []
