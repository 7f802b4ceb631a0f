"""Rules in words: what the owner of a policy is told about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.people import Role, TargetKind
from bot.domain.phone import Slot
from bot.domain.policy import Action, Limits, Method, Policy, Risk, Rule, Step, Token, TokenKind
from bot.domain.rule_words import in_words, scope_of, steps_in_short, warnings, why_not

MANAGER, SECOND = Token(TokenKind.MANAGER), Token(TokenKind.SECOND_MANAGER)
APPROVER, SECURITY = Token(TokenKind.ROLE, "approver"), Token(TokenKind.ROLE, "security")
SET, ORDINARY = frozenset({Action.SET}), frozenset({TargetKind.ORDINARY})
PLAIN = Rule("plain", SET, ORDINARY, (Step((MANAGER,), 1, (APPROVER,)),), escalate_minutes=60)
NARROW = Rule(
    "narrow",
    frozenset({Action.REMOVE, Action.SET}),
    frozenset({TargetKind.ORDINARY, TargetKind.GUEST}),
    (Step((MANAGER, SECOND), 2), Step((SECURITY,), None)),
    slots=frozenset({Slot.ALTERNATE, Slot.MOBILE}),
    requesters=frozenset({Role.SECURITY}),
    risks=frozenset({Risk.HOURS}),
    cooling_minutes=30,
)
REFUSES = Rule("no", SET, ORDINARY, (), refuse=True)


def policy(*rules: Rule, **changed: object) -> Policy:
    values: dict[str, object] = {"roles": {Role.OPERATOR: frozenset({"ops"})}, "rules": rules or (PLAIN,)}
    return Policy(**{**values, **changed})  # type: ignore[arg-type]  # values of the fields above


def test_a_rule_says_what_it_is_about_and_who_decides() -> None:
    """Every key that narrows it, each step with its need, the fallback, and the times."""
    lines = "\n".join(in_words(policy(NARROW, PLAIN, REFUSES)))
    assert "set, remove for guest, ordinary, mobile or alternate mobile only, requested by security" in lines
    assert "with out-of-hours" in lines
    assert "step 1: 2 of the manager or the manager's manager must agree" in lines
    assert "step 2: everybody of the role security must agree" in lines
    assert "then it waits 30 minutes" in lines
    assert "cannot be reached, and after 60 minutes: also the role approver" in lines
    assert "refused, by the name of this rule" in lines
    assert "limits: 30 changes per operator per hour, 2 changes per target per day" in lines
    assert "verified" not in lines
    assert lines.splitlines()[-1].startswith("everything else: refused (set for operator, vip, new-hire;")


def test_a_proof_that_is_required_is_said() -> None:
    """With the ways that count."""
    lines = "\n".join(in_words(policy(verification=frozenset({Method.IN_PERSON, Method.EXTERNAL}))))
    assert "a request must say how the caller was verified: in-person, external" in lines


def test_steps_in_short() -> None:
    """As they stand in a table."""
    assert steps_in_short(NARROW.steps) == (
        "2 of manager-of-target or second-manager-of-target, then all of role:security"
    )
    assert steps_in_short(()) == "nobody"


def test_why_a_rule_does_not_fit_names_each_key() -> None:
    """All that does not hold, not only the first; nothing when it fits."""
    mobile, office = frozenset({Slot.MOBILE}), frozenset({Slot.OFFICE})
    nothing: frozenset[Role] = frozenset()
    said = why_not(NARROW, Action.SWAP, TargetKind.VIP, office, nothing, frozenset())
    assert said == (
        "it is about set, remove, not swap",
        "it is for guest, ordinary, and the person is vip",
        "it is about mobile or alternate mobile only",
        "the requester does not have the role security",
        "there is no signal out-of-hours",
    )
    fits = why_not(
        NARROW, Action.SET, TargetKind.GUEST, mobile, frozenset({Role.SECURITY}), frozenset({Risk.HOURS})
    )
    assert fits == ()
    assert scope_of(PLAIN) == "set for ordinary"


def changed(**values: object) -> Rule:
    return replace(PLAIN, **values)  # type: ignore[arg-type]  # values of its fields


DOUBTFUL = [
    (policy(changed(steps=(Step((MANAGER,)),))), "only one approver, the manager, and no fallback"),
    (policy(changed(escalate_minutes=0)), "there is no escalate_minutes"),
    (policy(changed(steps=())), "nobody has to agree"),
    (policy(changed(targets=frozenset({TargetKind.PROTECTED}))), "protected people are refused"),
    (policy(changed(targets=frozenset({TargetKind.VIP}))), "[targets] vip is empty"),
    (policy(changed(risks=frozenset({Risk.SHARED}))), "refused before"),
    (policy(accept_weak_groups=True), "accept_weak_groups"),
    (policy(operator_may_approve=True), "operator_may_approve"),
    (policy(person_key=False), "person_key is off"),
    (policy(shared_number_max=0), "shared_number_max = 0"),
    (policy(limits=Limits(writes_per_hour=0)), "no limit: writes_per_hour"),
    (
        policy(roles={Role.OPERATOR: frozenset({"a", "b"}), Role.APPROVER: frozenset({"b"})}),
        "operators are approvers too (b)",
    ),
]


@pytest.mark.parametrize(("doubtful", "said"), DOUBTFUL, ids=[said for _, said in DOUBTFUL])
def test_what_may_not_be_meant_is_pointed_out(doubtful: Policy, said: str) -> None:
    """It starts, and `policy check` says what its owner should look at."""
    assert any(said in text for text in warnings(doubtful))


def test_a_careful_policy_has_no_warnings() -> None:
    """What is as it should be is not talked about."""
    assert list(warnings(policy())) == []
