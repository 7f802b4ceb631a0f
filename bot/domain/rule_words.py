"""Rules in words: what each one does, who decides, why one does not fit, and what its owner should look at.

Knows policies as values, for the people who write them. Must not know files, directories or anybody's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bot.domain.people import Role, TargetKind
from bot.domain.phone import Slot
from bot.domain.policy import Action, Method, Policy, Risk, Rule, Step, Token, TokenKind

_MANAGERS = frozenset({TokenKind.MANAGER, TokenKind.SECOND_MANAGER})
_TOKENS = {
    TokenKind.MANAGER: "the manager",
    TokenKind.SECOND_MANAGER: "the manager's manager",
    TokenKind.ROLE: "the role",
    TokenKind.GROUP: "the group",
}
_ANYBODY = tuple(kind for kind in TargetKind if kind is not TargetKind.PROTECTED)
#: Whom each action can be about; protected people are refused before any rule.
ABOUT = {
    **dict.fromkeys(Action, _ANYBODY),
    Action.ONBOARD: (TargetKind.NEW_HIRE,),
    Action.PASS: (TargetKind.NEW_HIRE, TargetKind.ORDINARY),
}


def in_words(policy: Policy) -> Iterator[str]:
    """The whole policy, line by line: roles, rules from the top, and what is left."""
    for role, groups in policy.roles.items():
        yield f"role {role}: {', '.join(sorted(groups)) or 'nobody'}"
    if policy.verification:
        yield f"a request must say how the caller was verified: {_listed(Method, policy.verification)}"
    limits = [(name.replace("_", " "), getattr(policy.limits, name)) for name in policy.limits.__slots__]
    yield f"limits: {', '.join(f'{most} {name}' for name, most in limits if most) or 'none'}"
    for number, rule in enumerate(policy.rules, start=1):
        yield f"rule {number} “{rule.name}”: {scope_of(rule)}"
        yield from (f"  {line}" for line in rule_in_words(rule))
    uncovered = [f"{action} for {', '.join(kinds)}" for action, kinds in _without_rule(policy) if kinds]
    yield "everything else: refused" + (f" ({'; '.join(uncovered)})" if uncovered else "")


def scope_of(rule: Rule) -> str:
    """What a rule is about: `set, remove for ordinary, vip, requested by security`."""
    text = f"{_listed(Action, rule.actions)} for {_listed(TargetKind, rule.targets)}"
    if rule.slots:
        text += f", {' or '.join(slot.word for slot in Slot if slot in rule.slots)} only"
    if rule.requesters:
        text += f", requested by {_listed(Role, rule.requesters, ' or ')}"
    if rule.risks:
        text += f", with {_listed(Risk, rule.risks, ' or ')}"
    return text


def rule_in_words(rule: Rule) -> Iterator[str]:
    """What follows when the rule fits."""
    if rule.refuse:
        yield "refused, by the name of this rule"
        return
    if not rule.steps:
        yield "nobody has to agree"
    for number, step in enumerate(rule.steps, start=1):
        place = f"step {number}: " if len(rule.steps) > 1 else ""
        yield f"{place}{step_in_words(step)} must agree"
        if step.fallback:
            when = f", and after {rule.escalate_minutes} minutes" if rule.escalate_minutes else ""
            others = tokens_in_words(step.fallback)
            yield f"  if somebody is missing or cannot be reached{when}: also {others}"
    if rule.break_glass:
        yield "break-glass: security is alarmed at once and reviews it within a day"
    if rule.cooling_minutes:
        yield f"then it waits {rule.cooling_minutes} minutes, in which it can still be stopped"
    if rule.remind_minutes:
        yield f"reminder after {rule.remind_minutes} minutes"
    if rule.steps:
        yield f"{rule.expire_minutes} minutes to approve, then {rule.execute_minutes} to start"


def step_in_words(step: Step) -> str:
    """`the manager`, `2 of the role approver`, `everybody of the group ...`."""
    who = tokens_in_words(step.approvers)
    if step.need is None:
        return f"everybody of {who}"
    one = step.need == 1 and len(step.approvers) == 1 and step.approvers[0].kind in _MANAGERS
    return who if one else f"{step.need} of {who}"


def tokens_in_words(tokens: Iterable[Token]) -> str:
    return " or ".join(" ".join(filter(None, (_TOKENS[token.kind], token.value))) for token in tokens)


def steps_in_short(steps: Iterable[Step]) -> str:
    """`manager-of-target, then 2 of role:security`; `nobody`."""
    shown = []
    for step in steps:
        count = "all of " if step.need is None else f"{step.need} of " if step.need > 1 else ""
        shown.append(count + " or ".join(map(str, step.approvers)))
    return ", then ".join(shown) or "nobody"


def why_not(
    rule: Rule,
    action: Action,
    kind: TargetKind,
    slots: frozenset[Slot],
    roles: frozenset[Role],
    risks: frozenset[Risk],
) -> tuple[str, ...]:
    """Each key of the rule that does not hold for a request; empty when it fits."""
    found = []
    if action not in rule.actions:
        found.append(f"it is about {_listed(Action, rule.actions)}, not {action}")
    if kind not in rule.targets:
        found.append(f"it is for {_listed(TargetKind, rule.targets)}, and the person is {kind}")
    if rule.slots and not rule.slots & slots:
        found.append(f"it is about {' or '.join(slot.word for slot in Slot if slot in rule.slots)} only")
    if rule.requesters and not rule.requesters & roles:
        found.append(f"the requester does not have the role {_listed(Role, rule.requesters, ' or ')}")
    if rule.risks and not rule.risks & risks:
        found.append(f"there is no signal {_listed(Risk, rule.risks, ' or ')}")
    return tuple(found)


def warnings(policy: Policy) -> Iterator[str]:
    """What is allowed and yet may not be meant."""
    for rule in policy.rules:
        where = f"rule “{rule.name}”"
        yield from (f"{where}: {text}" for text in _of_rule(policy, rule))
    shared = policy.roles.get(Role.OPERATOR, frozenset()) & policy.roles.get(Role.APPROVER, frozenset())
    if shared and not policy.operator_may_approve:
        yield f"operators are approvers too ({', '.join(sorted(shared))}): their votes do not count here"
    weak = policy.accept_weak_groups
    for name, on in (
        ("accept_weak_groups = true: whoever manages groups could make themselves operators", weak),
        ("operator_may_approve = true: two of the helpdesk can change a phone", policy.operator_may_approve),
        ("person_key is off: two accounts of one person count as two", not policy.person_key),
        ("may_not_know = true: nobody has to have spoken to the person", policy.deciding.may_not_know),
        ("shared_number_max = 0: one phone may answer for everybody", policy.shared_number_max == 0),
    ):
        if on:
            yield name
    off = [name for name in policy.limits.__slots__ if not getattr(policy.limits, name)]
    if off:
        yield f"no limit: {', '.join(off)}"


def _of_rule(policy: Policy, rule: Rule) -> Iterator[str]:
    if not rule.refuse and not rule.steps and not rule.break_glass:
        yield "nobody has to agree"
    for number, step in enumerate(rule.steps, start=1):
        place = f"step {number}" if len(rule.steps) > 1 else "its step"
        people = [*step.approvers, *step.fallback]
        if len(people) == 1 and people[0].kind in _MANAGERS:
            yield f"{place} has only one approver, {tokens_in_words(people)}, and no fallback"
        if step.fallback and not rule.escalate_minutes:
            yield f"{place} asks its fallback only when somebody is missing: there is no escalate_minutes"
    if TargetKind.PROTECTED in rule.targets and not rule.refuse:
        yield "protected people are refused whatever it says"
    if TargetKind.VIP in rule.targets and not policy.vip:
        yield "nobody is vip: [targets] vip is empty"
    if Risk.SHARED in rule.risks and policy.shared_number_max == 1:
        yield "number-shared: with shared_number_max = 1 a number that somebody has is refused before"


def _without_rule(policy: Policy) -> Iterator[tuple[Action, list[str]]]:
    for action, kinds in ABOUT.items():
        rules = [rule for rule in policy.rules if action in rule.actions and not rule.refuse]
        known = {kind for rule in rules for kind in rule.targets}
        yield action, [kind.value for kind in kinds if kind not in known]


def _listed(order: Iterable[str], values: frozenset[str], between: str = ", ") -> str:
    """In the order of their definition, so that two files read alike."""
    return between.join(str(value) for value in order if value in values)
