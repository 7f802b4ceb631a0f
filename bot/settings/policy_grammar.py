"""The grammar of the policy file: every table and key of the public contract, strictly typed and explained.

Knows names, types, defaults and the words for them (docs/policy.md is written from here), and which keys this
version does not enforce yet. Must not know what a policy means: that is judged in `policy_sense`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bot.domain.people import Role, TargetKind, object_id
from bot.domain.phone import LINE_TYPES, Slot
from bot.domain.policy import Action, Method, PassReader, Risk

LOG_DAYS = 30  # so far back goes Entra's audit log with P1: what is older cannot be told from what is not
LONGEST_MINUTES = 10080  # a week: what nobody looked at by then is asked again
MOST_PEOPLE = 25  # as many are asked in one step, so no step can need more
WORKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _guid(text: str) -> str:
    value = object_id(text)
    if value is None:
        raise ValueError("is not an object id (a GUID)")
    return value


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone of the IANA database, such as Europe/Berlin") from None
    return text


def _one_of(allowed: Iterable[str]) -> AfterValidator:
    known = tuple(allowed)

    def check(text: str) -> str:
        if text not in known:
            raise ValueError(f"is not one of {', '.join(sorted(known))}")
        return text

    return AfterValidator(check)


Guid = Annotated[str, AfterValidator(_guid)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Minutes = Annotated[int, Field(ge=1, le=LONGEST_MINUTES)]
MinutesOrNone = Annotated[int, Field(ge=0, le=LONGEST_MINUTES)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Hours = Annotated[str, Field(pattern=r"^(?:(?:[01]\d|2[0-3]):[0-5]\d-(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00))?$")]
ActionName = Annotated[str, _one_of(a.value for a in Action)]
TargetName = Annotated[str, _one_of(t.value for t in TargetKind)]
RoleName = Annotated[str, _one_of(r.value for r in Role)]
SlotName = Annotated[str, _one_of(s.word for s in Slot)]
RiskName = Annotated[str, _one_of(r.value for r in Risk)]
MethodName = Annotated[str, _one_of(m.value for m in Method)]
ReaderName = Annotated[str, _one_of(r.value for r in PassReader)]
LineType = Annotated[str, _one_of(set(LINE_TYPES.values()))]
Workday = Annotated[str, _one_of(WORKDAYS)]


def key(default: Any, takes: str, about: str) -> Any:
    """A key with its default. takes and about: what a reader of docs/policy.md is told."""
    return Field(default=default, description=about, json_schema_extra={"takes": takes})


def must(takes: str, about: str) -> Any:
    """A key without a default: it has to be written."""
    return Field(description=about, json_schema_extra={"takes": takes})


class Table(BaseModel):
    """Unknown keys are refused; no text becomes a number and no number a yes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_GROUPS = "list of Entra group object ids"


class Roles(Table):
    """Who may do what: each role is a list of groups; members of nested groups count.

    Roles do not imply each other, and no role passes the approval rules.
    """

    operator: list[Guid] = key([], _GROUPS, "The helpdesk: may ask for changes. Somebody must be named here.")
    approver: list[Guid] = key([], _GROUPS, "May decide what a rule addresses to `role:approver`.")
    bulk: list[Guid] = key([], _GROUPS, "With operator: may ask for many changes at once.")
    coordinator: list[Guid] = key([], _GROUPS, "Starts and reports onboardings.")
    auditor: list[Guid] = key([], _GROUPS, "May read history, status and who has a number; changes nothing.")
    security: list[Guid] = key([], _GROUPS, "May freeze people, undo, and use break-glass rules.")
    admin: list[Guid] = key([], _GROUPS, "May pause and resume the bot.")


_TOKENS = "list of `manager-of-target`, `second-manager-of-target`, `role:NAME`, `group:ID`"


class StepTable(Table):
    """One step: people of whom `need` must agree before the next step is asked.

    The person who asked and the person concerned never count, and one person counts once per request.
    """

    approvers: list[str] = must(_TOKENS, "Who is asked.")
    need: Annotated[int, Field(ge=1, le=MOST_PEOPLE)] | Literal["all"] = key(
        1,
        f'1 to {MOST_PEOPLE}, or "all"',
        "How many of them must agree; “all” is everybody who could be asked.",
    )
    fallback: list[str] = key(
        [],
        _TOKENS,
        "Who is asked as well when an approver is missing, disabled, excluded or cannot be reached, and at "
        "the time of `escalate_minutes`. Those asked first stay able to decide.",
    )


class Approval(Table):
    """One rule. The first rule that fits decides; what no rule fits is refused."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^\S(?:.*\S)?$")] = must(
        "text, at most 80 characters", "Stands on cards and in the audit; each rule has its own."
    )
    action: Annotated[list[ActionName], Field(min_length=1)] = must(
        f"list of {', '.join(Action)}", "What the rule is about."
    )
    target: Annotated[list[TargetName], Field(min_length=1)] = must(
        f"list of {', '.join(TargetKind)}",
        "Whose phone: the first kind of this list that somebody is. protected is always refused.",
    )
    requester: list[RoleName] = key(
        [],
        f"list of {', '.join(Role)}",
        "Only requests of people with one of these roles; empty = of anybody.",
    )
    slot: list[SlotName] = key(
        [], f"list of {', '.join(s.word for s in Slot)}", "Only requests about one of these; empty = any."
    )
    risk: list[RiskName] = key(
        [], f"list of {', '.join(Risk)}", "Only requests with one of these signals; empty = with or without."
    )
    steps: list[StepTable] | None = key(
        None,
        "list of steps",
        "Who decides, step after step. `[]` = nobody is needed (not for bulk, remove, sms and undo). To be "
        "written in every rule but those with `refuse = true`.",
    )
    refuse: bool = key(False, "true or false", "true: what the rule fits is refused, by this rule's name.")
    break_glass: bool = key(
        False,
        "true or false",
        'true: a rule for emergencies. It takes `requester = ["security"]`, `steps = []` and no cooling; '
        "security is alarmed at once and reviews it within a day. Protection, freezes and the audit stay.",
    )
    expire_minutes: Minutes = key(
        1440, f"1 to {LONGEST_MINUTES}", "To approve, from the request. Running out is a no, never a yes."
    )
    execute_minutes: Minutes = key(
        240, f"1 to {LONGEST_MINUTES}", "To start, from the last approval or the end of cooling."
    )
    cooling_minutes: MinutesOrNone = key(
        0, f"0 to {LONGEST_MINUTES}", "Waiting after the last approval, in which it can still be stopped."
    )
    remind_minutes: MinutesOrNone = key(
        0, f"0 to {LONGEST_MINUTES}", "Those who were asked are reminded after this time; 0 = not."
    )
    escalate_minutes: MinutesOrNone = key(
        0, f"0 to {LONGEST_MINUTES}", "The fallback is asked as well after this time of silence; 0 = not."
    )


class Verification(Table):
    """Proof that the caller is the person. While `required` is false nothing is asked for."""

    required: bool = key(False, "true or false", "true: a request must say how the caller was verified.")
    methods: list[MethodName] = key(
        [m.value for m in Method if m is not Method.PUSH],
        f"list of {', '.join(Method)}",
        "Which proofs count. `push` is not enforced yet.",
    )


class Limits(Table):
    """How much at once. 0 = no limit."""

    changes_per_operator_per_hour: Count = key(30, "0 or more", "Counted at submit.")
    changes_per_target_per_day: Count = key(
        2, "0 or more", "Counted at submit; repairs by security and undo are outside."
    )
    writes_per_hour: Count = key(
        200, "0 or more", "The breaker: further writes wait until the hour has passed."
    )
    open_per_requester: Count = key(10, "0 or more", "Open requests of one person; one more is refused.")
    open_per_approver: Count = key(
        10,
        "0 or more",
        "Requests waiting for one approver: nobody is asked more; with nobody else to ask, one more is held.",
    )
    bulk_rows: Count = key(50_000, "0 or more", "Rows of one file; single changes are counted apart.")
    bulk_finish_minutes: Count = key(
        4_320,
        "0 or more",
        "Time for all rows of one file, from its first write; the rest never runs.",
    )


class RiskTable(Table):
    """From when on something counts as a signal of risk. The key `risk` of a rule names the signals."""

    hours: Hours = key(
        "", "HH:MM-HH:MM", "Working hours; outside is `out-of-hours`. Empty = there are none, so no signal."
    )
    workdays: list[Workday] = key(
        list(WORKDAYS[:5]), f"list of {', '.join(WORKDAYS)}", "The days on which `hours` are kept."
    )
    timezone: Annotated[str, AfterValidator(_zone)] = key("UTC", "IANA name", "Where `hours` are counted.")
    burst_per_hour: Count = key(
        10, "0 or more", "More requests of one person in an hour are `operator-burst`; 0 = no signal."
    )
    recent_hours: Annotated[int, Field(ge=0, le=720)] = key(
        24, "0 to 720", "A younger password reset or temporary pass is a signal; 0 = no signal."
    )


class DecidingTable(Table):
    """Who counts as a manager, and what an approver must know."""

    manager_account_days: Annotated[int, Field(ge=0, le=3650)] = key(
        0, "0 to 3650", "A manager whose account is younger does not count; 0 = any age."
    )
    manager_relation_days: Annotated[int, Field(ge=0, le=LOG_DAYS)] = key(
        0,
        "0 to 30",
        "A manager known as theirs for a shorter time does not count; 0 = any. The log of the directory "
        "goes back 30 days.",
    )
    stand_ins: bool = key(
        False,
        "true or false",
        "true: whoever the directory names as standing in for an approver may be asked.",
    )
    may_not_know: bool = key(
        False, "true or false", "true: an approval counts though the approver did not speak to the person."
    )


class Numbers(Table):
    """Which numbers may be set."""

    countries: list[Country] = key([], "list of ISO codes", "Allowed countries; empty = all.")
    mobile_line_types: list[LineType] = key(
        ["mobile", "fixed_line_or_mobile"], "list of line types", "For mobile and alternate mobile."
    )
    office_line_types: list[LineType] = key(
        ["fixed_line", "fixed_line_or_mobile", "mobile", "voip", "uan"], "list of line types", "For office."
    )
    shared_number_max: Annotated[int, Field(ge=0, le=10_000)] = key(
        1, "0 to 10000", "People per mobile number; one more known holder = refused; 0 = no limit."
    )
    automatic_sms_sign_in: bool = key(
        False, "true or false", "true: an SMS sign-in that Entra registers by itself stays."
    )


class Index(Table):
    """The index behind `who has`. While `scan` is false nobody is read who is not asked about."""

    scan: bool = key(False, "true or false", "true: everybody is read, slowly, once a day.")
    people_per_minute: Annotated[int, Field(ge=1, le=60_000)] = key(600, "1 to 60000", "How slowly.")


class OnboardingTable(Table):
    """New people who enter their own first phone on a card. What no rule allows for `onboard` is refused."""

    hired_within_days: Annotated[int, Field(ge=0, le=365)] = key(
        30,
        "0 to 365",
        "Who is new: within so many days of the hire date, or of the making of the account; 0 = anybody.",
    )
    stop_days: Annotated[int, Field(ge=1, le=90)] = key(
        14, "1 to 90", "The card can be answered so long; then nobody is reminded any more."
    )
    remind_days: Annotated[int, Field(ge=0, le=30)] = key(
        3, "0 to 30", "Whoever has not answered is reminded at this interval; 0 = not."
    )
    last_four: bool = key(
        False,
        "true or false",
        "true: the last four digits are typed a second time, and they must fit.",
    )
    known_line: bool = key(
        False,
        "true or false",
        "true: an approver must say on which line, known before, they spoke to the new person.",
    )
    sspr_methods: Annotated[int, Field(ge=1, le=2)] = key(
        2, "1 or 2", "As many methods as your password reset asks for; Graph does not tell."
    )
    bridge_days: Annotated[int, Field(ge=0, le=365)] = key(
        90, "0 to 365", "So long it is watched whether something stronger is registered; 0 = not."
    )
    install: bool = key(
        False,
        "true or false",
        "true: the app is installed for whoever cannot be reached (needs "
        "TeamsAppInstallation.ReadWriteSelfForUser.All).",
    )
    pass_minutes: Annotated[int, Field(ge=0, le=480)] = key(
        0,
        "0, or 10 to 480",
        "A Temporary Access Pass (`issue pass`) is good for so long; 0 = none is issued. Needs a rule with "
        "the action pass, GRAPH_PROFILE=default-guard and UserAuthMethod-TAP.ReadWrite.All.",
    )
    pass_shown_to: ReaderName = key(
        PassReader.PERSON.value,
        "person or manager",
        "The only one who sees a pass, once: the new person, or their manager, who hands it over.",
    )


class Targets(Table):
    """Kinds of people that groups make."""

    vip: list[Guid] = key([], _GROUPS, "Members are the target kind vip.")


class Protected(Table):
    """Who is protected beside everybody with a directory role: refused, always."""

    allow_roles: list[Guid] = key([], "list of role template ids", "Roles that do not protect.")
    people: list[Guid] = key([], "list of object ids", "Break-glass accounts.")
    groups: list[Guid] = key([], _GROUPS, "Groups whose members are protected.")


class Identity(Table):
    """Who counts as one person, and who may approve."""

    person_key: Literal["employeeId", ""] = key(
        "employeeId", '"employeeId" or ""', "Two accounts with the same value are one person; empty = off."
    )
    operator_may_approve: bool = key(
        False, "true or false", "true: an operator who is also an approver counts (never for an own request)."
    )


class PolicyTables(Table):
    """The whole file."""

    accept_weak_groups: bool = key(
        False,
        "true or false",
        "true: start although a group that gives power is neither role-assignable nor in a restricted unit.",
    )
    roles: Roles
    approval: list[Approval] = []
    verification: Verification = Verification()
    limits: Limits = Limits()
    risk: RiskTable = RiskTable()
    deciding: DecidingTable = DecidingTable()
    onboarding: OnboardingTable = OnboardingTable()
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
        if isinstance(part, str) and part in model.model_fields:
            model = table_in(model.model_fields[part].annotation) or model
    return tuple(model.model_fields)


def table_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a key holds, or holds a list of; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (table_in(each) for each in getattr(annotation, "__args__", ()))
    return next((found for found in inner if found is not None), None)
