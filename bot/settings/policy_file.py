"""The policy file -> the frozen `Policy` in force, or a refusal that names table, key and why.

Knows what this version enforces and which policies nobody could satisfy. Must not know the directory, or who
is in a group. There is no key that makes time running out a yes, and none may be added.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
from pydantic import BaseModel, ValidationError

from bot.domain.people import ProtectionRules, Role, TargetKind, object_id
from bot.domain.phone import NumberRules
from bot.domain.policy import Action, Policy, Rule, Step, Token, TokenKind
from bot.settings.policy_grammar import Approval, PolicyTables, StepTable, is_off, keys_of
from bot.settings.problems import Problem, Refused, nearest

_TOKENS = "manager-of-target, role:NAME or group:ID"
_NOT_YET = "this version does not enforce it yet, and a rule that is written but not kept would be a trap"


class PolicyRefused(Refused):
    """The policy cannot be used; `problems` names table and key, why, and what to do."""


def load_policy(path: Path) -> Policy:
    """The policy of a TOML file, with the SHA-256 of its bytes. Raises PolicyRefused with all problems."""
    try:
        raw = path.read_bytes()
        data = tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        why = f"it cannot be read ({type(error).__name__})"
        raise PolicyRefused([Problem(str(path), why, "Check POLICY_FILE and the file's rights.")]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = f"it is not TOML in UTF-8: {error}"
        raise PolicyRefused([Problem(str(path), why, "Correct that line.")]) from None
    try:
        tables = PolicyTables.model_validate(data)
    except ValidationError as error:
        raise PolicyRefused(_misread(error, data)) from None
    problems = [*_not_yet(tables), *_unsatisfiable(tables)]
    if problems:
        raise PolicyRefused(problems)
    return _policy(tables, hashlib.sha256(raw).hexdigest())


# --- what the grammar refuses ------------------------------------------------------------------------------
def _misread(error: ValidationError, data: dict[str, object]) -> Iterator[Problem]:
    for item in error.errors(include_url=False, include_context=False):
        place = [part for part in item["loc"] if part not in ("literal['all']", "constrained-int", "int")]
        where = _place(place, data)
        if item["type"] == "extra_forbidden":
            known = keys_of(PolicyTables, tuple(place[:-1]))
            yield Problem(
                where,
                f"there is no such key.{nearest(str(place[-1]), known)}",
                f"Use one of: {', '.join(known)}.",
            )
        else:
            message = item["msg"].removeprefix("Value error, ")
            what = (
                "Add it."
                if item["type"] == "missing"
                else "Correct the value; policy.example.toml shows each key."
            )
            yield Problem(where, message[:1].lower() + message[1:], what)


def _place(parts: list[int | str], data: dict[str, object]) -> str:
    """`[[approval]] "ordinary change": steps 1: need`, or `[roles] operator 2`."""
    if not parts:
        return "policy file"
    words = [str(part + 1) if isinstance(part, int) else part for part in parts]
    if parts[0] == "approval" and len(parts) > 1 and isinstance(parts[1], int):
        rules = data.get("approval")
        rule = rules[parts[1]] if isinstance(rules, list) else None
        name = rule.get("name") if isinstance(rule, dict) else None
        shown = f'"{name}"' if isinstance(name, str) else f"number {parts[1] + 1}"
        return " ".join(["[[approval]]", shown, *words[2:]])
    if words[0] in PolicyTables.model_fields and words[0] != "accept_weak_groups":
        return " ".join([f"[{words[0]}]", *words[1:]])
    return " ".join(words)


# --- what this version does not enforce --------------------------------------------------------------------
def _not_yet(tables: PolicyTables) -> Iterator[Problem]:
    for name in ("verification", "limits", "numbers", "targets", "identity"):
        yield from _later_keys(f"[{name}]", getattr(tables, name))
    for rule in tables.approval:
        where = f'[[approval]] "{rule.name}"'
        yield from _later_keys(where, rule)
        if len(rule.steps) != 1:
            yield Problem(f"{where} steps", f"{len(rule.steps)} steps: {_NOT_YET}", "Write exactly one step.")
        for step in rule.steps:
            if step.need != 1 and not _impossible_need(step):
                yield Problem(f"{where} need", f"need = {step.need}: {_NOT_YET}", "Write need = 1.")
            for token in (*step.approvers, *step.fallback):
                if token == "second-manager-of-target":  # noqa: S105 - a word of the grammar
                    yield Problem(f"{where} {token}", _NOT_YET, "Use manager-of-target, a role or a group.")


def _later_keys(where: str, table: BaseModel) -> Iterator[Problem]:
    for key, info in type(table).model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and extra.get("later") and not is_off(getattr(table, key)):
            yield Problem(f"{where} {key}", _NOT_YET, "Leave the key out.")


# --- what nobody could satisfy -----------------------------------------------------------------------------
def _unsatisfiable(tables: PolicyTables) -> Iterator[Problem]:
    if not tables.roles.operator:
        yield Problem(
            "[roles] operator",
            "no group is named, so nobody could ask for a change",
            "Name the group of your helpdesk.",
        )
    if not any(Action.SET in rule.action for rule in tables.approval):
        yield Problem(
            "[[approval]]",
            "no rule covers the action set, so every change would be refused",
            'Add a rule with action = ["set"].',
        )
    yield from _numbers(tables)
    yield from _covered(tables.approval)
    for rule in tables.approval:
        for step in rule.steps:
            yield from _step(f'[[approval]] "{rule.name}"', step, tables)


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


def _covered(rules: list[Approval]) -> Iterator[Problem]:
    decided: dict[tuple[str, str], str] = {}
    names: set[str] = set()
    for rule in rules:
        where = f'[[approval]] "{rule.name}"'
        if rule.name in names:
            yield Problem(
                f"{where} name",
                "two rules have this name, and the audit names rules",
                "Give each rule a name of its own.",
            )
        names.add(rule.name)
        pairs = [(action, target) for action in rule.action for target in rule.target]
        if pairs and all(pair in decided for pair in pairs):
            earlier = sorted({decided[pair] for pair in pairs})
            yield Problem(
                where,
                f"it can never match: everything it covers is decided before by {', '.join(earlier)}",
                "Put it first, or remove it.",
            )
        for pair in pairs:
            decided.setdefault(pair, f'"{rule.name}"')


def _impossible_need(step: StepTable) -> bool:
    return isinstance(step.need, int) and step.need > 1 and set(step.approvers) == {"manager-of-target"}


def _step(where: str, step: StepTable, tables: PolicyTables) -> Iterator[Problem]:
    if not step.approvers:
        yield Problem(
            f"{where} approvers", "the step has no approvers, so nobody could approve", f"Name {_TOKENS}."
        )
    if _impossible_need(step):
        yield Problem(
            f"{where} need", f"need = {step.need}, but everybody has one manager at most", "Write need = 1."
        )
    tokens = [*step.approvers, *step.fallback]
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
    if text in ("manager-of-target", "second-manager-of-target"):
        return
    if kind == "role":
        if value not in [role.value for role in Role]:
            hint = nearest(value, [role.value for role in Role])
            yield Problem(place, f"there is no role of this name.{hint}", f"Roles: {', '.join(Role)}.")
        elif not getattr(tables.roles, value):
            yield Problem(
                place, "the role has no groups, so nobody has it", f"Name a group in [roles] {value}."
            )
    elif kind == "group":
        if object_id(value) is None:
            yield Problem(
                place, "a group is named by its object id (a GUID)", "Copy it from the Entra admin center."
            )
    else:
        yield Problem(
            place,
            f"this says nothing about who approves.{nearest(text, ['manager-of-target'])}",
            f"Use {_TOKENS}.",
        )


def _groups(text: str, tables: PolicyTables) -> set[str]:
    kind, _, value = text.partition(":")
    if kind == "role":
        return set(getattr(tables.roles, value))
    return {object_id(value) or value} if kind == "group" else set()


# --- what comes out ----------------------------------------------------------------------------------------
def _policy(tables: PolicyTables, digest: str) -> Policy:
    numbers, protected = tables.numbers, tables.protected
    return Policy(
        roles={role: frozenset(getattr(tables.roles, role.value)) for role in Role},
        rules=tuple(_rule(rule) for rule in tables.approval),
        numbers=NumberRules(
            frozenset(numbers.countries),
            frozenset(numbers.mobile_line_types),
            frozenset(numbers.office_line_types),
        ),
        protected=ProtectionRules(
            frozenset(protected.allow_roles), frozenset(protected.people), frozenset(protected.groups)
        ),
        accept_weak_groups=tables.accept_weak_groups,
        operator_may_approve=tables.identity.operator_may_approve,
        shared_number_max=numbers.shared_number_max,
        automatic_sms_sign_in=numbers.automatic_sms_sign_in,
        scan_per_minute=tables.index.people_per_minute if tables.index.scan else 0,
        digest=digest,
    )


def _rule(rule: Approval) -> Rule:
    return Rule(
        name=rule.name,
        actions=frozenset(Action(text) for text in rule.action),
        targets=frozenset(TargetKind(text) for text in rule.target),
        steps=tuple(
            Step(tuple(map(_read_token, s.approvers)), 1, tuple(map(_read_token, s.fallback)))
            for s in rule.steps
        ),
        expire_minutes=rule.expire_minutes,
        execute_minutes=rule.execute_minutes,
    )


def _read_token(text: str) -> Token:
    kind, _, value = text.partition(":")
    return Token(TokenKind(kind), object_id(value) or value)
