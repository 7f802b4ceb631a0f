"""The approval policy as values, and the pure judgement "which rule, which approvers".

Knows the grammar of the policy file once it is read. Must not know files, directories or people's names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.people import ProtectionRules, Role, TargetKind
from bot.domain.phone import NumberRules


class Action(StrEnum):
    """What a rule is about. All names are accepted from the start; this version makes set and remove."""

    SET = "set"
    REMOVE = "remove"
    SWAP = "swap"
    SMS = "sms"
    UNDO = "undo"
    ONBOARD = "onboard"
    BULK = "bulk"


class TokenKind(StrEnum):
    """Where approvers come from."""

    MANAGER = "manager-of-target"
    ROLE = "role"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Token:
    """`manager-of-target`, `role:NAME` or `group:ID`. value: role name, group id, or ""."""

    kind: TokenKind
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind.value


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rule: any `need` of the approvers; the fallback is added when a primary is not there."""

    approvers: tuple[Token, ...]
    need: int = 1
    fallback: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[approval]]` table. Times in minutes: to approve from submit, to start from the last vote."""

    name: str
    actions: frozenset[Action]
    targets: frozenset[TargetKind]
    steps: tuple[Step, ...]
    expire_minutes: int = 1440
    execute_minutes: int = 240


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy in force. digest: sha256 hex of the file, recorded with every change.

    shared_number_max: people per mobile number, 0 = no limit. scan_per_minute: people read per minute so
    that the index of numbers knows everybody, 0 = no scan.
    """

    roles: dict[Role, frozenset[str]]
    rules: tuple[Rule, ...]
    numbers: NumberRules = field(default_factory=NumberRules)
    protected: ProtectionRules = field(default_factory=ProtectionRules)
    accept_weak_groups: bool = False
    operator_may_approve: bool = False
    automatic_sms_sign_in: bool = False
    shared_number_max: int = 1
    scan_per_minute: int = 0
    digest: str = ""

    def rule_for(self, action: Action, target: TargetKind) -> Rule | None:
        """The first rule that matches decides; None means refused."""
        return next((r for r in self.rules if action in r.actions and target in r.targets), None)

    def groups_of(self, token: Token) -> frozenset[str]:
        """Group ids whose members a role or group token stands for; empty for the manager token."""
        if token.kind is TokenKind.ROLE:
            return self.roles.get(Role(token.value), frozenset())
        return frozenset({token.value}) if token.kind is TokenKind.GROUP else frozenset()

    def all_groups(self) -> frozenset[str]:
        """Every group that gives a role."""
        return frozenset().union(*self.roles.values()) if self.roles else frozenset()

    def trusted_groups(self) -> frozenset[str]:
        """Every group whose members may do or decide something: those of roles, and approvers by group."""
        steps = [step for rule in self.rules for step in rule.steps]
        tokens = [token for step in steps for token in (*step.approvers, *step.fallback)]
        return self.all_groups().union(*(self.groups_of(token) for token in tokens))

    def roles_from(self, groups: frozenset[str]) -> frozenset[Role]:
        """The roles that membership of these groups gives."""
        return frozenset(role for role, ids in self.roles.items() if ids & groups)
