"""The grammar of the policy file: every table and key of the public contract, strictly typed.

Knows names and types, and which keys this version does not enforce yet. Must not know what a policy means:
that nobody could satisfy it is found in `policy_file`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bot.domain.people import TargetKind, object_id
from bot.domain.phone import LINE_TYPES
from bot.domain.policy import Action

LONGEST_MINUTES = 10080  # a week: what nobody looked at by then is asked again


def _guid(text: str) -> str:
    value = object_id(text)
    if value is None:
        raise ValueError("is not an object id (a GUID)")
    return value


def _one_of(names: set[str]) -> AfterValidator:
    def check(text: str) -> str:
        if text not in names:
            raise ValueError(f"is not one of {', '.join(sorted(names))}")
        return text

    return AfterValidator(check)


Guid = Annotated[str, AfterValidator(_guid)]
LineType = Annotated[str, _one_of(set(LINE_TYPES.values()))]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Minutes = Annotated[int, Field(ge=1, le=LONGEST_MINUTES)]

LATER: Any = Field(default=None, json_schema_extra={"later": True})
"""A known key that this version does not enforce: only its "off" value is taken. Absent is always fine."""


class Table(BaseModel):
    """Unknown keys are refused; no text becomes a number and no number a yes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Roles(Table):
    operator: list[Guid] = []
    approver: list[Guid] = []
    bulk: list[Guid] = []
    coordinator: list[Guid] = []
    auditor: list[Guid] = []
    security: list[Guid] = []
    admin: list[Guid] = []


class StepTable(Table):
    approvers: list[str]
    need: Annotated[int, Field(ge=1)] | Literal["all"] = 1
    fallback: list[str] = []


class Approval(Table):
    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^\S(?:.*\S)?$")]
    action: Annotated[list[Annotated[str, _one_of({a.value for a in Action})]], Field(min_length=1)]
    target: Annotated[list[Annotated[str, _one_of({t.value for t in TargetKind})]], Field(min_length=1)]
    steps: list[StepTable]
    expire_minutes: Minutes = 1440
    execute_minutes: Minutes = 240
    requester: Any = LATER
    slot: Any = LATER
    risk: Any = LATER
    cooling_minutes: Any = LATER
    remind_minutes: Any = LATER
    escalate_minutes: Any = LATER


class Verification(Table):
    """`required` is the switch: while it is false the table is off, whatever its methods are."""

    required: Any = LATER
    methods: list[str] = []


class Limits(Table):
    changes_per_operator_per_hour: Any = LATER
    changes_per_target_per_day: Any = LATER
    writes_per_hour: Any = LATER
    bulk_rows: Any = LATER
    bulk_finish_minutes: Any = LATER


class Numbers(Table):
    countries: list[Country] = []
    mobile_line_types: list[LineType] = ["mobile", "fixed_line_or_mobile"]
    office_line_types: list[LineType] = ["fixed_line", "fixed_line_or_mobile", "mobile", "voip", "uan"]
    shared_number_max: Annotated[int, Field(ge=0, le=10_000)] = 1
    automatic_sms_sign_in: bool = False


class Index(Table):
    """`scan` is the switch: while it is false nobody is read who is not asked about."""

    scan: bool = False
    people_per_minute: Annotated[int, Field(ge=1, le=60_000)] = 600


class Targets(Table):
    vip: Any = LATER


class Protected(Table):
    allow_roles: list[Guid] = []
    people: list[Guid] = []
    groups: list[Guid] = []


class Identity(Table):
    person_key: Any = LATER
    operator_may_approve: bool = False


class PolicyTables(Table):
    """The whole file."""

    accept_weak_groups: bool = False
    roles: Roles
    approval: list[Approval] = []
    verification: Verification = Verification()
    limits: Limits = Limits()
    numbers: Numbers = Numbers()
    index: Index = Index()
    targets: Targets = Targets()
    protected: Protected = Protected()
    identity: Identity = Identity()


def is_off(value: object) -> bool:
    """Absent, false, 0 or []: a key that asks for nothing."""
    return value is None or value is False or (type(value) is int and value == 0) or value == []


def keys_of(model: type[BaseModel], path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The names that are known at a place in the file, for the nearest-name hint."""
    for part in path:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        inner = model.model_fields[part].annotation
        candidates = [inner, *getattr(inner, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return tuple(model.model_fields)
