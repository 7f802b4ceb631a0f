"""Tables over the life cycle, the hash an approval binds to, nonces and number keys, rules and rights."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest

from bot.domain import command as c
from bot.domain.access import ALLOWED, may
from bot.domain.change import (
    LOCKING,
    TERMINAL,
    Change,
    Operation,
    OpKind,
    State,
    card_nonce,
    content_hash,
    may_move,
    number_key,
)
from bot.domain.people import PersonRef, Role, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Policy, Rule, Step, Token, TokenKind

S = State
# Written a second time on purpose: from the life cycle in words, not from the table in the code.
ARROWS = {
    S.PREVIEWED: "pending cancelled expired blocked",
    S.PENDING: "approved cancelled expired rejected blocked",
    S.APPROVED: "cooling applying pending cancelled expired rejected blocked",
    S.COOLING: "applying pending cancelled expired rejected blocked",
    S.APPLYING: "applied failed unconfirmed approved blocked",
    S.UNCONFIRMED: "applied failed applying conflict",
}
NUMBER = PhoneNumber("1", "2065550100")
OTHER = PhoneNumber("1", "2065550101")


def change() -> Change:
    operation = Operation(1, OpKind.SET, Slot.MOBILE, "", "+1 •••••• 00", "before", "after")
    return Change(
        id="A00001",
        tenant_id="tenant",
        origin="chat",
        action=Action.SET,
        requester=PersonRef("o-1", "Olivia", "olivia@contoso.example"),
        target=PersonRef("o-2", "Alice", "alice@contoso.example"),
        target_kind=TargetKind.ORDINARY,
        operations=(operation,),
        reason="lost phone",
        ticket="INC1",
        rule="ordinary",
        policy_hash="p",
        content_hash="",
        correlation_id="cid",
        state=State.PREVIEWED,
        row_version=1,
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
        expire_minutes=1440,
        execute_minutes=240,
    )


@pytest.mark.parametrize(("was", "to"), list(itertools.product(State, State)))
def test_a_state_leads_only_where_the_diagram_says(was: State, to: State) -> None:
    """Every pair of states, both ways."""
    assert may_move(was, to) == (to.value in ARROWS.get(was, "").split())


def test_final_is_final_and_open_requests_hold_their_slot() -> None:
    """What has no arrow is terminal; previews and ended requests lock nothing."""
    assert frozenset(State) - ARROWS.keys() == TERMINAL
    assert TERMINAL.isdisjoint(LOCKING)
    assert frozenset(State) - TERMINAL - LOCKING == {State.PREVIEWED}


def _with_operation(**fields: object) -> Change:
    one = change()
    return replace(one, operations=(replace(one.operations[0], **fields),))  # type: ignore[arg-type]


DIFFERENT = {
    "id": replace(change(), id="A00002"),
    "tenant": replace(change(), tenant_id="another"),
    "action": replace(change(), action=Action.REMOVE),
    "requester": replace(change(), requester=PersonRef("o-3", "Olivia", "olivia@contoso.example")),
    "target": replace(change(), target=PersonRef("o-4", "Alice", "alice@contoso.example")),
    "reason": replace(change(), reason="lost phone "),
    "ticket": replace(change(), ticket="INC2"),
    "operation number": _with_operation(n=2),
    "kind": _with_operation(kind=OpKind.REMOVE),
    "slot": _with_operation(slot=Slot.OFFICE),
    "value before": _with_operation(before_key="another"),
    "two operations": replace(change(), operations=change().operations * 2),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_an_approval_binds_to_everything_that_was_shown(what: str) -> None:
    """Any field that the approver sees gives another hash."""
    assert content_hash(DIFFERENT[what]) != content_hash(change())


def test_an_approval_binds_to_the_number_without_holding_it() -> None:
    """Another number with the same masked form is another content; so is none."""
    keys = [number_key(b"k" * 32, number) for number in (NUMBER, OTHER, None)]
    assert len({content_hash(_with_operation(after_key=key)) for key in keys}) == 3


def test_what_happens_to_a_change_leaves_its_content_alone() -> None:
    """State, version and votes are not content: the hash still holds at the write."""
    later = replace(change(), state=State.APPROVED, row_version=7, rule="another", notes=("x",))
    assert content_hash(later) == content_hash(change())
    assert content_hash(change()).startswith("v1:")


def test_a_nonce_belongs_to_one_key_change_content_and_reader() -> None:
    """Any other part gives another nonce, and parts cannot be shifted into each other."""
    given = (b"k" * 32, "A00001", "v1:aa", "o-1")
    others = [(b"j" * 32, *given[1:]), (given[0], "A00002", *given[2:])]
    others += [(*given[:2], "v1:ab", given[3]), (*given[:3], "o-2")]
    nonces = [card_nonce(*parts) for parts in (given, *others)]
    assert len(set(nonces)) == len(nonces)
    assert all(len(nonce) == 32 for nonce in nonces)


def test_number_keys_compare_numbers_without_telling_them() -> None:
    """Same number same key, another number or key another, an empty slot is empty."""
    key = number_key(b"k" * 32, NUMBER)
    assert key == number_key(b"k" * 32, PhoneNumber("1", "2065550100"))
    assert len({key, number_key(b"k" * 32, OTHER), number_key(b"j" * 32, NUMBER)}) == 3
    assert "2065550100" not in key
    assert number_key(b"k" * 32, None) == ""


def _rule(name: str, actions: set[Action], targets: set[TargetKind]) -> Rule:
    return Rule(name, frozenset(actions), frozenset(targets), (Step((Token(TokenKind.MANAGER),)),))


POLICY = Policy(
    roles={Role.OPERATOR: frozenset({"g1"}), Role.APPROVER: frozenset({"g2", "g3"})},
    rules=(
        _rule("removals", {Action.REMOVE}, {TargetKind.ORDINARY}),
        _rule("all", {Action.SET, Action.REMOVE}, {TargetKind.ORDINARY, TargetKind.GUEST}),
        _rule("staff", {Action.SET}, {TargetKind.OPERATOR}),
    ),
)


@pytest.mark.parametrize(
    ("action", "target", "name"),
    [
        (Action.REMOVE, TargetKind.ORDINARY, "removals"),
        (Action.SET, TargetKind.ORDINARY, "all"),
        (Action.REMOVE, TargetKind.GUEST, "all"),
        (Action.SET, TargetKind.OPERATOR, "staff"),
        (Action.REMOVE, TargetKind.OPERATOR, None),
        (Action.SET, TargetKind.PROTECTED, None),
        (Action.SWAP, TargetKind.ORDINARY, None),
    ],
)
def test_the_first_rule_that_matches_decides_and_no_rule_is_a_no(
    action: Action, target: TargetKind, name: str | None
) -> None:
    """In the order of the file; what no rule names is refused."""
    found = POLICY.rule_for(action, target)
    assert (found.name if found else None) == name


def test_roles_come_from_groups_and_from_nothing_else() -> None:
    """Each role by its own groups; an unknown group gives none."""
    assert POLICY.roles_from(frozenset({"g3", "g9"})) == {Role.APPROVER}
    assert POLICY.roles_from(frozenset()) == frozenset()
    assert POLICY.groups_of(Token(TokenKind.ROLE, "approver")) == {"g2", "g3"}
    assert POLICY.groups_of(Token(TokenKind.ROLE, "security")) == frozenset()
    assert POLICY.groups_of(Token(TokenKind.MANAGER)) == frozenset()


# Security asks for frozen people and in emergencies; that it may not otherwise is judged with the request.
WRITING = {
    **dict.fromkeys((c.SetPhone, c.RemovePhone, c.Show), frozenset({Role.OPERATOR, Role.SECURITY})),
    **dict.fromkeys((c.SmsSignIn, c.Repeat, c.OpenRequests), frozenset({Role.OPERATOR})),
}


@pytest.mark.parametrize(("kind", "role"), list(itertools.product(WRITING, Role)))
def test_only_those_roles_ask_for_changes(kind: type[object], role: Role) -> None:
    """No other role gives it, alone or together with all others."""
    assert may(kind, frozenset({role})) == (role in WRITING[kind])
    assert not may(kind, frozenset(Role) - WRITING[kind])


def test_what_is_not_listed_is_denied() -> None:
    """Default deny, and every command has its line."""
    assert not may(int, frozenset(Role))
    assert set(get_args(c.Command)) == set(ALLOWED)
