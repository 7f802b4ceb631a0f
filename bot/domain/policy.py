"""The approval policy as values, and the pure judgement "which rule, which approvers".

Knows the grammar of the policy file once it is read. Must not know files, directories or people's names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from bot.domain.people import ProtectionRules, Role, TargetKind
from bot.domain.phone import NumberRules, Slot


class Action(StrEnum):
    """What a rule is about. All names are accepted from the start."""

    SET = "set"
    REMOVE = "remove"
    SWAP = "swap"
    SMS = "sms"
    UNDO = "undo"
    ONBOARD = "onboard"
    PASS = "pass"  # noqa: S105 - a name, not a secret
    BULK = "bulk"

    @property
    def brings_a_number(self) -> bool:
        """A number is given that the directory does not hold yet."""
        return self in (Action.SET, Action.ONBOARD, Action.BULK)


class PassReader(StrEnum):
    """Who reads a Temporary Access Pass and hands it over: the new person, or their manager."""

    PERSON = "person"
    MANAGER = "manager"


class Risk(StrEnum):
    """What makes a request riskier than another: said in words on the card, and a key of the rules."""

    VIP = "vip"
    COUNTRY = "country-change"
    HOURS = "out-of-hours"
    SHARED = "number-shared"
    INDEX = "index-incomplete"
    SECOND = "second-change"
    BURST = "operator-burst"
    FIRST_PHONE = "first-phone-beside-stronger"
    LAST_METHOD = "last-method"
    RESET = "recent-reset"
    TAP = "recent-pass"


class Method(StrEnum):
    """How the caller's identity was proven. The manual ones are recorded as the requester states them."""

    MANAGER_VOUCHES = "manager-vouches"
    IN_PERSON = "in-person"
    PUSH = "push"
    CALL_BACK = "call-back"
    EXTERNAL = "external"


class TokenKind(StrEnum):
    """Where approvers come from."""

    MANAGER = "manager-of-target"
    SECOND_MANAGER = "second-manager-of-target"
    ROLE = "role"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Token:
    """`manager-of-target`, `second-manager-of-target`, `role:NAME` or `group:ID`. value: name, id or ""."""

    kind: TokenKind
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind.value


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rule: any `need` of the approvers; the fallback is added when a primary is not there.

    need: None = everybody who could be asked.
    """

    approvers: tuple[Token, ...]
    need: int | None = 1
    fallback: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[approval]]` table; of requesters, slots and risks an empty set means any.

    Times in minutes: to approve from submit; cooling from the last vote; to start from the end of cooling;
    reminder and escalation from the time a step is asked, 0 = none. refuse: what it fits is refused.
    break_glass: nobody is waited for; security is alarmed at once and reviews it within a day.
    """

    name: str
    actions: frozenset[Action]
    targets: frozenset[TargetKind]
    steps: tuple[Step, ...]
    expire_minutes: int = 1440
    execute_minutes: int = 240
    requesters: frozenset[Role] = frozenset()
    slots: frozenset[Slot] = frozenset()
    risks: frozenset[Risk] = frozenset()
    cooling_minutes: int = 0
    remind_minutes: int = 0
    escalate_minutes: int = 0
    refuse: bool = False
    break_glass: bool = False

    def decided_by(self, people: int) -> Rule:
        """The same rule, where at least so many people decide: a further step asks for those who are missing.

        It asks the approvers of the first step and their fallback; nobody counts twice.
        """
        missing = people - sum(step.need or 1 for step in self.steps)
        if missing <= 0 or not self.steps:
            return self
        first = self.steps[0]
        further = Step((*first.approvers, *first.fallback), missing)
        return replace(self, steps=(*self.steps, further))

    def fits(
        self,
        action: Action,
        target: TargetKind,
        slots: frozenset[Slot],
        requester: frozenset[Role],
        risks: frozenset[Risk],
    ) -> bool:
        """True when every key that is given in the file holds. slots: all that the request touches."""
        return (
            action in self.actions
            and target in self.targets
            and (not self.slots or bool(self.slots & slots))
            and (not self.requesters or bool(self.requesters & requester))
            and (not self.risks or bool(self.risks & risks))
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """The `[limits]` table; 0 = no limit. Changes are counted at submit, writes when they are sent.

    bulk_rows: rows of one file. bulk_finish_minutes: for all rows of one file, from the first one.
    """

    changes_per_operator_per_hour: int = 30
    changes_per_target_per_day: int = 2
    writes_per_hour: int = 200
    open_per_requester: int = 10
    open_per_approver: int = 10
    bulk_rows: int = 50_000
    bulk_finish_minutes: int = 4_320


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """The `[risk]` table: from when on something counts as a signal.

    opens / closes: minutes of the day in `timezone` (equal = no hours are set); workdays: 0 = Monday.
    burst_per_hour: changes of one requester; recent_hours: age of a password reset or a temporary pass.
    """

    opens: int = 0
    closes: int = 0
    workdays: frozenset[int] = frozenset({0, 1, 2, 3, 4})
    timezone: str = "UTC"
    burst_per_hour: int = 10
    recent_hours: int = 24


@dataclass(frozen=True, slots=True)
class Deciding:
    """The `[deciding]` table: who counts as a manager, and what an approver must know.

    manager_account_days / manager_relation_days: a younger account or relation does not count, 0 = any age.
    stand_ins: whoever the directory names as standing in for an approver who is out may be asked.
    may_not_know: an approval counts though the approver did not speak to the person.
    """

    manager_account_days: int = 0
    manager_relation_days: int = 0
    stand_ins: bool = False
    may_not_know: bool = False


@dataclass(frozen=True, slots=True)
class OnboardingTerms:
    """The `[onboarding]` table: who counts as new, and how the card behaves.

    hired_within_days: of the hire date or the making of the account, on either side, 0 = any time.
    stop_days: the card is open so long. remind_days / bridge_days: 0 = not. last_four: the last digits are
    typed a second time. known_line: an approver says on which line they spoke. sspr_methods: as many as a
    password reset wants. pass_minutes: so long a Temporary Access Pass is good for, 0 = none is issued.
    """

    hired_within_days: int = 30
    stop_days: int = 14
    remind_days: int = 3
    last_four: bool = False
    known_line: bool = False
    sspr_methods: int = 2
    bridge_days: int = 90
    install: bool = False
    pass_minutes: int = 0
    pass_shown_to: PassReader = PassReader.PERSON


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy in force. digest: sha256 hex of the file, recorded with every change.

    shared_number_max: people per mobile number, 0 = no limit. scan_per_minute: people read per minute so
    that the index of numbers knows everybody, 0 = no scan. verification: the methods one of which must be
    recorded with a request, empty = none needed. vip: groups. person_key: two accounts with the same
    employee id count as one person.
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
    limits: Limits = field(default_factory=Limits)
    risk: RiskTerms = field(default_factory=RiskTerms)
    deciding: Deciding = field(default_factory=Deciding)
    onboarding: OnboardingTerms = field(default_factory=OnboardingTerms)
    verification: frozenset[Method] = frozenset()
    vip: frozenset[str] = frozenset()
    person_key: bool = True
    digest: str = ""

    def rule_for(
        self,
        action: Action,
        target: TargetKind,
        *,
        slots: frozenset[Slot] = frozenset(),
        requester: frozenset[Role] = frozenset(),
        risks: frozenset[Risk] = frozenset(),
        deciders: int = 0,
    ) -> Rule | None:
        """The first rule that matches decides; None means refused.

        deciders: at least so many people; then no rule of emergencies fits, which waits for nobody.
        """
        fitting = (r for r in self.rules if r.fits(action, target, slots, requester, risks))
        found = next((r for r in fitting if not (deciders and r.break_glass)), None)
        return found.decided_by(deciders) if found else None

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
