"""The policy file: what is read. What refuses the start stands in `test_policy_refused`."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from bot.domain.people import Role, TargetKind
from bot.domain.phone import Slot
from bot.domain.policy import (
    Action,
    Deciding,
    Limits,
    Method,
    Policy,
    Risk,
    RiskTerms,
    Token,
    TokenKind,
)
from bot.settings.policy_file import PolicyRefused, load_policy
from bot.settings.policy_grammar import Approval, PolicyTables, table_in

ROOT = Path(__file__).parents[2]
RULE_KEYS = tuple(Approval.model_fields)
OPS, APPROVERS, BREAK_GLASS = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
ROLES = f'[roles]\noperator = ["{OPS}"]\napprover = ["{APPROVERS}"]\n'
RULE = '[[approval]]\nname = "a"\naction = ["set"]\ntarget = ["ordinary"]\n'
STEP = 'steps = [{ approvers = ["manager-of-target"] }]\n'
GOOD = ROLES + RULE + STEP


def load(folder: Path, text: str) -> Policy:
    path = folder / "policy.toml"
    path.write_text(text, "utf-8")
    return load_policy(path)


def step(text: str) -> str:
    return ROLES + RULE + f"steps = [{text}]\n"


def test_the_example_says_what_it_means() -> None:
    """policy.example.toml starts as it is and holds the rules it explains; the digest is of its bytes."""
    path = ROOT / "policy.example.toml"
    policy = load_policy(path)
    ordinary = policy.rule_for(Action.SET, TargetKind.ORDINARY)
    assert ordinary is not None
    assert ordinary.steps[0].approvers == (Token(TokenKind.MANAGER),)
    assert ordinary.steps[0].fallback == (Token(TokenKind.ROLE, "approver"),)
    assert (ordinary.expire_minutes, ordinary.execute_minutes) == (1440, 240)
    assert (ordinary.remind_minutes, ordinary.escalate_minutes) == (60, 240)
    risky = policy.rule_for(Action.SET, TargetKind.ORDINARY, risks=frozenset({Risk.COUNTRY}))
    assert risky is not None
    assert (len(risky.steps), risky.cooling_minutes) == (2, 30)
    staff = policy.rule_for(Action.REMOVE, TargetKind.OPERATOR)
    assert staff is not None
    assert staff.name == "our own staff"
    assert policy.rule_for(Action.SET, TargetKind.PROTECTED) is None
    many = policy.rule_for(Action.BULK, TargetKind.ORDINARY)
    assert many is not None
    assert [step.need for step in many.steps] == [2]
    assert not policy.operator_may_approve
    assert policy.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_example_writes_every_key_with_its_default() -> None:
    """Nothing that is enforced is missing in the example, and what it shows as usual is the default."""
    written = tomllib.loads((ROOT / "policy.example.toml").read_text("utf-8"))
    for name, field in PolicyTables.model_fields.items():
        table = table_in(field.annotation)
        if table is None or name in ("roles", "approval"):
            continue
        assert set(written[name]) == set(table.model_fields), name
        assert table.model_validate(written[name]) == table(), name
    rules = {key for rule in written["approval"] for key in rule}
    commented = (ROOT / "policy.example.toml").read_text("utf-8")
    assert all(key in rules or f"# {key} = " in commented or f"#   {key} " in commented for key in RULE_KEYS)


def test_everything_that_is_enforced_arrives(tmp_path: Path) -> None:
    """Each enforced key reaches the domain, and ids in any spelling are one id."""
    policy = load(
        tmp_path,
        f'accept_weak_groups = true\n[roles]\noperator = ["{{{OPS.upper()}}}"]\nsecurity = ["{APPROVERS}"]\n'
        + '[[approval]]\nname = "x"\naction = ["set", "bulk", "sms"]\ntarget = ["vip", "guest"]\n'
        + f'steps = [{{ approvers = ["group:{BREAK_GLASS.upper()}", "role:security"], need = 1 }}]\n'
        + "expire_minutes = 1\nexecute_minutes = 10080\n"
        + '[numbers]\ncountries = ["GB", "US"]\nmobile_line_types = ["mobile"]\n'
        + 'office_line_types = ["voip"]\n'
        + f'[protected]\nallow_roles = ["{OPS}"]\npeople = ["{BREAK_GLASS}"]\ngroups = ["{APPROVERS}"]\n'
        + "[identity]\noperator_may_approve = true\n",
    )
    rule = policy.rules[0]
    assert policy.accept_weak_groups
    assert policy.operator_may_approve
    assert policy.roles[Role.OPERATOR] == {OPS}
    assert rule.actions == {Action.SET, Action.BULK, Action.SMS}
    assert rule.targets == {TargetKind.VIP, TargetKind.GUEST}
    assert rule.steps[0].approvers == (Token(TokenKind.GROUP, BREAK_GLASS), Token(TokenKind.ROLE, "security"))
    assert (rule.expire_minutes, rule.execute_minutes) == (1, 10080)
    assert policy.numbers.countries == {"GB", "US"}
    assert policy.numbers.mobile_line_types == {"mobile"}
    assert policy.numbers.office_line_types == {"voip"}
    assert policy.protected.people == {BREAK_GLASS}
    assert policy.protected.allow_roles == {OPS}
    assert policy.protected.groups == {APPROVERS}


OFF = """
[verification]
required = false
methods = ["manager-vouches", "push"]
[limits]
changes_per_operator_per_hour = 0
changes_per_target_per_day = 0
writes_per_hour = 0
open_per_requester = 0
open_per_approver = 0
bulk_rows = 0
bulk_finish_minutes = 0
[numbers]
shared_number_max = 0
[targets]
vip = []
[identity]
person_key = ""
[risk]
hours = ""
burst_per_hour = 0
recent_hours = 0
"""


def test_what_is_off_may_be_written(tmp_path: Path) -> None:
    """A key that asks for nothing (false, 0, [], "", a switched-off table) is no obstacle and means off."""
    rule = GOOD + "requester = []\nslot = []\nrisk = []\ncooling_minutes = 0\nremind_minutes = 0\n"
    rule += "escalate_minutes = 0\nrefuse = false\nbreak_glass = false\n"
    off = load(tmp_path, rule + OFF)
    assert off.rules == load(tmp_path, GOOD).rules
    assert off.limits == Limits(0, 0, 0, 0, 0, 0, 0)
    assert (off.verification, off.vip, off.person_key) == (frozenset(), frozenset(), False)
    assert (off.risk.opens, off.risk.closes, off.risk.burst_per_hour, off.risk.recent_hours) == (0, 0, 0, 0)


def test_what_is_left_out_has_the_figures_of_the_contract(tmp_path: Path) -> None:
    """30 an hour, 2 a day, 200 writes, 10 open each; no proof, no hours, one person by employee id."""
    policy = load(tmp_path, GOOD)
    assert policy.limits == Limits(30, 2, 200, 10, 10)
    assert (policy.verification, policy.vip, policy.person_key) == (frozenset(), frozenset(), True)
    assert policy.risk == RiskTerms()
    assert policy.deciding == Deciding()
    rule = policy.rules[0]
    assert (rule.expire_minutes, rule.execute_minutes) == (1440, 240)
    assert (rule.cooling_minutes, rule.remind_minutes, rule.escalate_minutes) == (0, 0, 0)
    assert (rule.refuse, rule.break_glass) == (False, False)
    assert (rule.requesters, rule.slots, rule.risks) == (frozenset(), frozenset(), frozenset())


TWO = 'approvers = ["manager-of-target", "second-manager-of-target"], need = 2'
WHOLE = f"""
[roles]
operator = ["{OPS}"]
approver = ["{APPROVERS}"]
security = ["{BREAK_GLASS}"]
[[approval]]
name = "fraud"
action = ["set"]
target = ["ordinary"]
risk = ["operator-burst", "out-of-hours", "vip"]
refuse = true
[[approval]]
name = "emergency"
action = ["set"]
target = ["ordinary"]
requester = ["security"]
steps = []
break_glass = true
[[approval]]
name = "two steps"
action = ["set"]
target = ["ordinary"]
slot = ["mobile", "alternate mobile"]
steps = [
    {{ {TWO}, fallback = ["role:approver"] }},
    {{ approvers = ["role:security"], need = "all" }},
]
cooling_minutes = 30
remind_minutes = 60
escalate_minutes = 120
[verification]
required = true
[limits]
writes_per_hour = 7
open_per_approver = 3
[risk]
hours = "07:30-24:00"
workdays = ["sun", "mon"]
timezone = "Europe/Berlin"
burst_per_hour = 4
recent_hours = 12
[deciding]
manager_account_days = 30
manager_relation_days = 7
stand_ins = true
may_not_know = true
[targets]
vip = ["{APPROVERS}"]
"""


def test_the_whole_grammar_arrives(tmp_path: Path) -> None:
    """Each key of rules, steps and tables reaches the value that is judged by."""
    policy = load(tmp_path, WHOLE)
    fraud, emergency, two = policy.rules
    assert fraud.refuse
    assert fraud.risks == {Risk.BURST, Risk.HOURS, Risk.VIP}
    assert emergency.break_glass
    assert (emergency.requesters, emergency.steps) == ({Role.SECURITY}, ())
    assert two.slots == {Slot.MOBILE, Slot.ALTERNATE}
    assert [s.need for s in two.steps] == [2, None]
    assert two.steps[0].approvers == (Token(TokenKind.MANAGER), Token(TokenKind.SECOND_MANAGER))
    assert two.steps[0].fallback == (Token(TokenKind.ROLE, "approver"),)
    assert (two.cooling_minutes, two.remind_minutes, two.escalate_minutes) == (30, 60, 120)
    assert policy.verification == frozenset(Method) - {Method.PUSH}
    assert policy.limits == Limits(30, 2, 7, 10, 3)
    assert policy.risk == RiskTerms(450, 1440, frozenset({6, 0}), "Europe/Berlin", 4, 12)
    assert policy.deciding == Deciding(30, 7, True, True)
    assert policy.vip == {APPROVERS}


def test_the_first_rule_whose_keys_all_hold_decides(tmp_path: Path) -> None:
    """Requester, slot and risk narrow a rule; the order of the file decides among those that fit."""
    policy = load(tmp_path, WHOLE)
    operator, security = frozenset({Role.OPERATOR}), frozenset({Role.OPERATOR, Role.SECURITY})
    mobile, office = frozenset({Slot.MOBILE}), frozenset({Slot.OFFICE})

    def named(slots: frozenset[Slot], who: frozenset[Role], *risks: Risk) -> str:
        kind = TargetKind.ORDINARY
        rule = policy.rule_for(Action.SET, kind, slots=slots, requester=who, risks=frozenset(risks))
        return rule.name if rule else ""

    assert named(mobile, operator) == "two steps"
    assert named(mobile, operator, Risk.SHARED) == "two steps"
    assert named(office, operator) == ""
    assert named(office | mobile, operator) == "two steps"
    assert named(office, security) == "emergency"
    assert named(mobile, security, Risk.HOURS, Risk.SHARED) == "fraud"


def test_people_per_number_and_the_scan(tmp_path: Path) -> None:
    """One person per mobile number unless it says otherwise; no scan unless it is switched on."""
    plain = load(tmp_path, GOOD)
    assert (plain.shared_number_max, plain.scan_per_minute) == (1, 0)
    off = load(tmp_path, GOOD + "[numbers]\nshared_number_max = 0\n[index]\npeople_per_minute = 60\n")
    assert (off.shared_number_max, off.scan_per_minute) == (0, 0)
    on = load(tmp_path, GOOD + "[numbers]\nshared_number_max = 3\n[index]\nscan = true\n")
    assert (on.shared_number_max, on.scan_per_minute) == (3, 600)
    for wrong in ("scan = 1", "scan = true\npeople_per_minute = 0", "pace = 3"):
        with pytest.raises(PolicyRefused, match=r"\[index\]"):
            load(tmp_path, GOOD + f"[index]\n{wrong}\n")
