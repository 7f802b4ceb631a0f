"""What past requests would have needed under a policy: read from the store, compared, counted.

Knows stored requests and rules. Must not ask the directory: kind of target, signals and slots are those of
the time of the request. The roles of a requester are not stored; where they matter it says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.change import Change
from bot.domain.people import Role
from bot.domain.policy import Policy, Rule
from bot.domain.rule_words import steps_in_short
from bot.domain.signals import risks_of
from bot.ports import Store

_PAGE = 500
_Shape = tuple[tuple[int | None, frozenset[str]], ...]


class Difference(StrEnum):
    """How the approvals that would be needed compare with those that were."""

    SAME = "the same approvals"
    MORE = "more approvals"
    FEWER = "fewer approvals"
    OTHERS = "other approvers"
    WAIT = "another wait"
    REFUSED = "refused"
    DEPENDS = "depends on the requester's roles"


@dataclass(frozen=True, slots=True)
class Replayed:
    """One past request. then, now: rule and approvals in short."""

    change: Change
    then: str
    now: str
    difference: Difference


async def replay(store: Store, policy: Policy, since: datetime) -> tuple[str, ...]:
    """Counts first, then each request for which something would differ, oldest first."""
    counts: Counter[Difference] = Counter()
    lines: list[str] = []
    async for change in _submitted(store, since):
        found = replayed(change, policy)
        counts[found.difference] += 1
        if found.difference is not Difference.SAME:
            lines.append(_line(found))
    total = sum(counts.values())
    head = [f"{total} requests since {since:%Y-%m-%d}; under this file they would have needed:"]
    head += [f"  {counts[each]:>6}  {each}" for each in Difference if counts[each]]
    head += ["kinds of people and signals of risk are those of the time of each request"] if total else []
    return (*head, *lines)


def replayed(change: Change, policy: Policy) -> Replayed:
    """What one request would have needed. Pure."""
    then: _Shape = tuple(
        (None if step.everybody else step.need, frozenset(step.approvers)) for step in change.steps
    )
    had = f"“{change.rule}”: {_in_short(then)}"
    roles = frozenset({Role.OPERATOR} | ({Role.SECURITY} if change.break_glass else set()))
    rule, other = _rule(change, policy, roles), _rule(change, policy, frozenset(Role))
    if (rule and rule.name) != (other and other.name):
        names = " or ".join(f"“{each.name}”" if each else "no rule" for each in (rule, other))
        return Replayed(change, had, names, Difference.DEPENDS)
    if rule is None:
        return Replayed(change, had, "no rule", Difference.REFUSED)
    if rule.refuse:
        return Replayed(change, had, f"“{rule.name}” refuses", Difference.REFUSED)
    wait = f", {rule.cooling_minutes} minutes of waiting" if rule.cooling_minutes else ""
    needed = f"“{rule.name}”: {steps_in_short(rule.steps)}{wait}"
    now: _Shape = tuple((step.need, frozenset(map(str, step.approvers))) for step in rule.steps)
    return Replayed(change, had, needed, _difference(then, now, rule, change))


def _rule(change: Change, policy: Policy, roles: frozenset[Role]) -> Rule | None:
    risks = risks_of(change.risks)
    return policy.rule_for(
        change.action,
        change.target_kind,
        slots=change.slots,
        requester=roles,
        risks=risks,
        deciders=change.deciders,
    )


def _difference(then: _Shape, now: _Shape, rule: Rule, change: Change) -> Difference:
    if then == now:
        return Difference.SAME if rule.cooling_minutes == change.cooling_minutes else Difference.WAIT
    had, needs = (sum(need or 1 for need, _ in shape) for shape in (then, now))
    if had == needs:
        return Difference.OTHERS
    return Difference.MORE if needs > had else Difference.FEWER


async def _submitted(store: Store, since: datetime) -> AsyncIterator[Change]:
    after: tuple[datetime, str] | None = None
    while page := await store.submitted(since, after, _PAGE):
        for change in page:
            yield change
        last = page[-1]
        after = (last.submitted_at or last.created_at, last.id)


def _in_short(shape: _Shape) -> str:
    shown = []
    for need, tokens in shape:
        count = "all of " if need is None else f"{need} of " if need > 1 else ""
        shown.append(count + " or ".join(sorted(tokens)))
    return ", then ".join(shown) or "nobody"


def _line(found: Replayed) -> str:
    change = found.change
    at = change.submitted_at or change.created_at
    what = f"{change.action} {change.slot.word} for {change.target_kind}"
    cells = (change.printed_id, f"{at:%Y-%m-%d %H:%M}", f"{what:<32}", f"{change.state:<11}")
    return f"{'  '.join(cells)}  {found.difference}\n    then {found.then}\n    now  {found.now}"
