"""Which policies make no sense: nobody could satisfy them, or a rule in them could never do what it says.

Knows the meaning of the tables. Must not know the directory, or who is in a group: whether enough people are
in one is only found when they are asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import phonenumbers

from bot.domain.people import Role, TargetKind, object_id
from bot.domain.policy import Action, Method, Risk, TokenKind
from bot.settings.policy_grammar import Approval, PolicyTables, StepTable, is_off
from bot.settings.problems import Problem, nearest

_MANAGERS = (TokenKind.MANAGER.value, TokenKind.SECOND_MANAGER.value)
_TOKENS = f"{', '.join(_MANAGERS)}, role:NAME or group:ID"
_NOT_YET = "this version does not enforce it yet, and a rule that is written but not kept would be a trap"
#: What nobody else looks at must at least not take anything away, and not be many at once.
_WANT_A_STEP = (Action.BULK, Action.PASS, Action.REMOVE, Action.SMS, Action.UNDO)
_SHORTEST_PASS = 10


def problems_of(tables: PolicyTables) -> list[Problem]:
    """Everything that keeps this policy from being kept, in the order of the file."""
    found = [*_not_yet(tables), *_as_a_whole(tables), *_numbers(tables), *_terms(tables)]
    found += [*_passes(tables), *_covered(tables.approval)]
    for rule in tables.approval:
        where = f'[[approval]] "{rule.name}"'
        found += [*_keys(where, rule, tables), *_shape(where, rule), *_times(where, rule)]
        for step in rule.steps or ():
            found += _step(where, step, tables)
        found += _managers(where, rule.steps or [])
    return found


# --- what this version does not enforce --------------------------------------------------------------------
def _not_yet(tables: PolicyTables) -> Iterator[Problem]:
    if tables.verification.required and Method.PUSH in tables.verification.methods:
        yield Problem("[verification] methods push", _NOT_YET, "Leave push out of the methods.")


# --- the whole ---------------------------------------------------------------------------------------------
def _as_a_whole(tables: PolicyTables) -> Iterator[Problem]:
    if not tables.roles.operator:
        yield Problem(
            "[roles] operator",
            "no group is named, so nobody could ask for a change",
            "Name the group of your helpdesk.",
        )
    if not any(Action.SET in rule.action and not rule.refuse for rule in tables.approval):
        yield Problem(
            "[[approval]]",
            "no rule allows the action set, so every change would be refused",
            'Add a rule with action = ["set"].',
        )
    if tables.verification.required and not tables.verification.methods:
        yield Problem(
            "[verification] methods",
            "a proof is required and none counts, so every request would be refused",
            "Name methods, or set required = false.",
        )


def _numbers(tables: PolicyTables) -> Iterator[Problem]:
    for code in tables.numbers.countries:
        if code not in phonenumbers.SUPPORTED_REGIONS:
            yield Problem(
                "[numbers] countries",
                f"{code} is no country with phone numbers",
                "Use ISO codes of two letters, for example GB (not UK).",
            )
    for key in ("mobile_line_types", "office_line_types"):
        if not getattr(tables.numbers, key):
            yield Problem(
                f"[numbers] {key}",
                "no kind of line is left, so no number could ever be set",
                "Leave the key out or name a line type.",
            )


def _terms(tables: PolicyTables) -> Iterator[Problem]:
    """The table [risk], and signals in rules that could never be seen."""
    risk = tables.risk
    start, _, end = risk.hours.partition("-")
    if risk.hours and start == end:
        yield Problem("[risk] hours", "it ends when it begins", "Write for example 07:00-19:00.")
    if risk.hours and not risk.workdays:
        yield Problem("[risk] workdays", "no day is left, so everything is out of hours", "Name the days.")
    silent = {
        Risk.HOURS: ("[risk] hours", is_off(risk.hours or 0)),
        Risk.BURST: ("[risk] burst_per_hour", is_off(risk.burst_per_hour)),
        Risk.RESET: ("[risk] recent_hours", is_off(risk.recent_hours)),
        Risk.TAP: ("[risk] recent_hours", is_off(risk.recent_hours)),
        Risk.VIP: ("[targets] vip", is_off(tables.targets.vip)),
    }
    for rule in tables.approval:
        for signal, (key, off) in silent.items():
            if off and signal in rule.risk:
                yield Problem(
                    f'[[approval]] "{rule.name}" risk {signal}',
                    f"{key} is off, so this signal never comes and the rule would not do what it says",
                    f"Set {key}, or leave the signal out.",
                )


def _passes(tables: PolicyTables) -> Iterator[Problem]:
    """The length of a pass, and rules about passes: each is nothing without the other."""
    minutes, place = tables.onboarding.pass_minutes, "[onboarding] pass_minutes"
    ruled = [rule.name for rule in tables.approval if Action.PASS in rule.action]
    if 0 < minutes < _SHORTEST_PASS:
        yield Problem(
            place, "Microsoft Entra makes no pass for less than 10 minutes", "Write 0, or 10 to 480."
        )
    if minutes and not any(Action.PASS in rule.action and not rule.refuse for rule in tables.approval):
        yield Problem(
            place, "no rule allows the action pass", 'Add a rule with action = ["pass"], or write 0.'
        )
    if ruled and not minutes:
        yield Problem(
            f'[[approval]] "{ruled[0]}" action pass',
            "pass_minutes is 0, so that no pass is ever issued",
            "Set [onboarding] pass_minutes, or take pass out of the rule.",
        )


# --- rules that never come to bear -------------------------------------------------------------------------
def _covered(rules: list[Approval]) -> Iterator[Problem]:
    names: set[str] = set()
    for number, rule in enumerate(rules):
        where = f'[[approval]] "{rule.name}"'
        if rule.name in names:
            yield Problem(
                f"{where} name",
                "two rules have this name, and the audit names rules",
                "Give each rule a name of its own.",
            )
        names.add(rule.name)
        decided = [_decided_before(case, rules[:number]) for case in _cases(rule)]
        if all(decided):
            earlier = sorted({f'"{name}"' for name in decided})
            yield Problem(
                where,
                f"it can never match: everything it covers is decided before by {', '.join(earlier)}",
                "Put it first, or remove it.",
            )


def _cases(rule: Approval) -> Iterator[tuple[str, ...]]:
    """The narrowest cases of a rule; "" = whatever it is."""
    any_of = ([*keys] or [""] for keys in (rule.requester, rule.slot, rule.risk))
    yield from product(rule.action, rule.target, *any_of)


def _decided_before(case: tuple[str, ...], earlier: list[Approval]) -> str:
    """The name of the first earlier rule that takes the whole case, or ""."""
    action, target, *narrow = case
    for rule in earlier:
        wide = (rule.requester, rule.slot, rule.risk)
        fits = action in rule.action and target in rule.target
        if fits and all(not keys or word in keys for word, keys in zip(narrow, wide, strict=True)):
            return rule.name
    return ""


# --- one rule ----------------------------------------------------------------------------------------------
def _keys(where: str, rule: Approval, tables: PolicyTables) -> Iterator[Problem]:
    held = [role for role in rule.requester if getattr(tables.roles, role)]
    if rule.requester and not held:
        yield Problem(
            f"{where} requester",
            "none of these roles has a group, so nobody has it and the rule never matches",
            "Name a group in [roles], or another role.",
        )


def _shape(where: str, rule: Approval) -> Iterator[Problem]:
    """Steps and the two switches that do without them."""
    if rule.steps is None and not rule.refuse:
        yield Problem(
            f"{where} steps",
            "it does not say who decides",
            "Add steps; `steps = []` where really nobody is needed.",
        )
    if rule.refuse:
        if rule.steps:
            yield Problem(
                f"{where} refuse",
                "what is refused is not approved by anybody, but the rule has steps",
                "Remove the steps, or refuse.",
            )
        if rule.cooling_minutes or rule.break_glass:
            key = "break_glass" if rule.break_glass else "cooling_minutes"
            yield Problem(f"{where} {key}", "nothing follows a refusal", f"Remove {key}, or refuse.")
    elif rule.steps == []:
        open_to_all = [action for action in rule.action if action in _WANT_A_STEP]
        if open_to_all:
            yield Problem(
                f"{where} steps",
                f"{', '.join(open_to_all)} always needs somebody else's agreement",
                "Add a step, or take these actions out of the rule.",
            )
    if rule.break_glass and not rule.refuse:
        yield from _break_glass(where, rule)


def _break_glass(where: str, rule: Approval) -> Iterator[Problem]:
    place = f"{where} break_glass"
    if rule.requester != [Role.SECURITY]:
        yield Problem(place, "only security may do without waiting", 'Write requester = ["security"].')
    if rule.steps:
        yield Problem(place, "it waits for nobody, but the rule has steps", "Write steps = [].")
    if rule.cooling_minutes:
        yield Problem(place, "it does not wait, but the rule has cooling_minutes", "Remove cooling_minutes.")
    if TargetKind.PROTECTED in rule.target:
        yield Problem(
            place, "protected people are never changed here, not in an emergency", "Remove protected."
        )


def _times(where: str, rule: Approval) -> Iterator[Problem]:
    for key in ("remind_minutes", "escalate_minutes"):
        minutes = getattr(rule, key)
        if minutes and not rule.steps:
            yield Problem(f"{where} {key}", "nobody is asked by this rule", "Leave the key out.")
        elif minutes >= rule.expire_minutes:
            yield Problem(
                f"{where} {key}",
                f"it never comes: the request expires after {rule.expire_minutes} minutes",
                "Choose a shorter time, or a longer expire_minutes.",
            )
    if rule.escalate_minutes and rule.steps and not any(step.fallback for step in rule.steps):
        yield Problem(
            f"{where} escalate_minutes",
            "no step has a fallback, so there is nobody to turn to",
            "Add a fallback, or leave the key out.",
        )


# --- one step ----------------------------------------------------------------------------------------------
def _step(where: str, step: StepTable, tables: PolicyTables) -> Iterator[Problem]:
    if not step.approvers:
        yield Problem(
            f"{where} approvers", "the step has no approvers, so nobody could approve", f"Name {_TOKENS}."
        )
    tokens = [*step.approvers, *step.fallback]
    for text in dict.fromkeys(text for text in tokens if tokens.count(text) > 1):
        yield Problem(f"{where} {text}", "one step names it twice, and that adds nobody", "Name it once.")
    problems = [problem for text in tokens for problem in _token(where, text, tables)]
    yield from problems
    if tokens and not problems and not tables.identity.operator_may_approve:
        operators = set(tables.roles.operator)
        if all(_groups(text, tables) and _groups(text, tables) <= operators for text in tokens):
            yield Problem(
                f"{where} approvers",
                "all approvers are operators, and operators may not approve here",
                "Name other approvers, or set [identity] operator_may_approve = true.",
            )


def _token(where: str, text: str, tables: PolicyTables) -> Iterator[Problem]:
    kind, _, value = text.partition(":")
    place = f"{where} {text}"
    if text in _MANAGERS:
        return
    if kind == TokenKind.ROLE:
        if value not in [role.value for role in Role]:
            hint = nearest(value, [role.value for role in Role])
            yield Problem(place, f"there is no role of this name.{hint}", f"Roles: {', '.join(Role)}.")
        elif not getattr(tables.roles, value):
            yield Problem(
                place, "the role has no groups, so nobody has it", f"Name a group in [roles] {value}."
            )
    elif kind == TokenKind.GROUP:
        if object_id(value) is None:
            yield Problem(
                place, "a group is named by its object id (a GUID)", "Copy it from the Entra admin center."
            )
    else:
        hint = nearest(text, _MANAGERS)
        yield Problem(place, f"this says nothing about who approves.{hint}", f"Use {_TOKENS}.")


def _groups(text: str, tables: PolicyTables) -> set[str]:
    kind, _, value = text.partition(":")
    if kind == TokenKind.ROLE:
        return set(getattr(tables.roles, value))
    return {object_id(value) or value} if kind == TokenKind.GROUP else set()


def _managers(where: str, steps: list[StepTable]) -> Iterator[Problem]:
    """Everybody has one manager and one second manager, and one person counts once per request."""
    for step in steps:
        named = set(step.approvers)
        if named and named <= set(_MANAGERS) and _least(step) > len(named):
            yield Problem(
                f"{where} need",
                f"need = {step.need}, but the approvers are {len(named)} at most: everybody has one manager",
                f"Write need = {len(named)}, or name a role or a group.",
            )
            return
    for names in (_MANAGERS[:1], _MANAGERS[1:], _MANAGERS):
        theirs = [s for s in steps if s.approvers and {*s.approvers, *s.fallback} <= set(names)]
        needed = sum(_least(step) for step in theirs)
        if needed > len(names):
            yield Problem(
                f"{where} steps",
                f"its steps need {needed} different people out of {' and '.join(names)}, and that is "
                f"{len(names)} at most: one person counts once per request",
                "Let another step be decided by a role or a group, or leave it out.",
            )
            return


def _least(step: StepTable) -> int:
    return 1 if step.need == "all" else step.need
