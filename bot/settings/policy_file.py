"""The policy file -> the frozen `Policy` in force, or a refusal that names table, key and why.

Knows how tables become values. Must not know what makes sense (`policy_sense`), nor the directory. There is
no key that makes time running out a yes, and none may be added.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from pydantic import ValidationError

from bot.domain.people import ProtectionRules, Role, TargetKind, object_id
from bot.domain.phone import NumberRules, Slot
from bot.domain.policy import (
    Action,
    Deciding,
    Limits,
    Method,
    OnboardingTerms,
    PassReader,
    Policy,
    Risk,
    RiskTerms,
    Rule,
    Step,
    Token,
    TokenKind,
)
from bot.settings.policy_grammar import (
    WORKDAYS,
    Approval,
    PolicyTables,
    RiskTable,
    StepTable,
    keys_of,
)
from bot.settings.policy_sense import problems_of
from bot.settings.problems import Problem, Refused, nearest

_SLOTS = {slot.word: slot for slot in Slot}


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
    problems = problems_of(tables)
    if problems:
        raise PolicyRefused(problems)
    return _policy(tables, hashlib.sha256(raw).hexdigest())


def must_fit(policy: Policy, graph_profile: str) -> None:
    """Raises PolicyRefused where the policy wants what the permission profile cannot do."""
    if policy.onboarding.pass_minutes and graph_profile != "default-guard":
        why = "a pass is only for people who have no method, and the profile phone-only reads none but phones"
        what = "Set GRAPH_PROFILE=default-guard and grant its permissions, or write pass_minutes = 0."
        raise PolicyRefused([Problem("[onboarding] pass_minutes", why, what)])


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
        limits=_limits(tables),
        risk=_risk(tables.risk),
        deciding=Deciding(**tables.deciding.model_dump()),
        onboarding=_onboarding(tables),
        verification=_verification(tables),
        vip=frozenset(tables.targets.vip),
        person_key=bool(tables.identity.person_key),
        digest=digest,
    )


def _onboarding(tables: PolicyTables) -> OnboardingTerms:
    terms = tables.onboarding.model_dump()
    return OnboardingTerms(**terms | {"pass_shown_to": PassReader(terms["pass_shown_to"])})


def _limits(tables: PolicyTables) -> Limits:
    return Limits(**{field.name: getattr(tables.limits, field.name) for field in fields(Limits)})


def _risk(table: RiskTable) -> RiskTerms:
    start, _, end = table.hours.partition("-")
    return RiskTerms(
        opens=_minutes(start),
        closes=_minutes(end),
        workdays=frozenset(WORKDAYS.index(day) for day in table.workdays),
        timezone=table.timezone,
        burst_per_hour=table.burst_per_hour,
        recent_hours=table.recent_hours,
    )


def _minutes(time: str) -> int:
    """`07:30` as minutes of the day; nothing is 0."""
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes) if time else 0


def _verification(tables: PolicyTables) -> frozenset[Method]:
    table = tables.verification
    return frozenset(map(Method, table.methods)) if table.required else frozenset()


def _rule(rule: Approval) -> Rule:
    return Rule(
        name=rule.name,
        actions=frozenset(map(Action, rule.action)),
        targets=frozenset(map(TargetKind, rule.target)),
        steps=tuple(map(_a_step, rule.steps or ())),
        expire_minutes=rule.expire_minutes,
        execute_minutes=rule.execute_minutes,
        requesters=frozenset(map(Role, rule.requester)),
        slots=frozenset(_SLOTS[word] for word in rule.slot),
        risks=frozenset(map(Risk, rule.risk)),
        cooling_minutes=rule.cooling_minutes,
        remind_minutes=rule.remind_minutes,
        escalate_minutes=rule.escalate_minutes,
        refuse=rule.refuse,
        break_glass=rule.break_glass,
    )


def _a_step(step: StepTable) -> Step:
    need = None if step.need == "all" else step.need
    return Step(tuple(map(_a_token, step.approvers)), need, tuple(map(_a_token, step.fallback)))


def _a_token(text: str) -> Token:
    kind, _, value = text.partition(":")
    return Token(TokenKind(kind), object_id(value) or value)
