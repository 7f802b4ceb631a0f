"""The policy file: what is read, and that what nobody keeps or could satisfy refuses the start."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bot.domain.people import Role, TargetKind
from bot.domain.policy import Action, Policy, Token, TokenKind
from bot.settings.policy_file import PolicyRefused, load_policy

ROOT = Path(__file__).parents[2]
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
    """policy.example.toml starts as it is and holds the two rules it explains; the digest is of its bytes."""
    path = ROOT / "policy.example.toml"
    policy = load_policy(path)
    ordinary = policy.rule_for(Action.SET, TargetKind.ORDINARY)
    assert ordinary is not None
    assert ordinary.steps[0].approvers == (Token(TokenKind.MANAGER),)
    assert ordinary.steps[0].fallback == (Token(TokenKind.ROLE, "approver"),)
    assert (ordinary.expire_minutes, ordinary.execute_minutes) == (1440, 240)
    staff = policy.rule_for(Action.REMOVE, TargetKind.OPERATOR)
    assert staff is not None
    assert staff.name == "our own staff"
    assert policy.rule_for(Action.SET, TargetKind.PROTECTED) is None
    assert policy.rule_for(Action.BULK, TargetKind.ORDINARY) is None
    assert not policy.operator_may_approve
    assert policy.digest == hashlib.sha256(path.read_bytes()).hexdigest()


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
methods = ["manager-vouches"]
[limits]
changes_per_operator_per_hour = 0
bulk_rows = 0
[numbers]
shared_number_max = 0
[targets]
vip = []
"""


def test_what_is_off_may_be_written(tmp_path: Path) -> None:
    """A key of a later version that asks for nothing (false, 0, [], a switched-off table) is no obstacle."""
    rule = GOOD + "requester = []\nslot = []\nrisk = []\ncooling_minutes = 0\nremind_minutes = 0\n"
    assert load(tmp_path, rule + OFF).rules == load(tmp_path, GOOD).rules


# What is wrong, the file, what the complaint must name, a word of why.
NOT_ENFORCED = [
    ("verification", GOOD + "[verification]\nrequired = true\n", "[verification] required"),
    (
        "operator limit",
        GOOD + "[limits]\nchanges_per_operator_per_hour = 30\n",
        "changes_per_operator_per_hour",
    ),
    ("target limit", GOOD + "[limits]\nchanges_per_target_per_day = 2\n", "changes_per_target_per_day"),
    ("breaker", GOOD + "[limits]\nwrites_per_hour = 200\n", "writes_per_hour"),
    ("bulk rows", GOOD + "[limits]\nbulk_rows = 50000\n", "bulk_rows"),
    ("bulk finish", GOOD + "[limits]\nbulk_finish_minutes = 4320\n", "bulk_finish_minutes"),
    ("vip groups", GOOD + f'[targets]\nvip = ["{OPS}"]\n', "[targets] vip"),
    ("person key", GOOD + '[identity]\nperson_key = "employeeId"\n', "[identity] person_key"),
    ("requester", GOOD + 'requester = ["operator"]\n', '[[approval]] "a" requester'),
    ("slot", GOOD + 'slot = ["mobile"]\n', '[[approval]] "a" slot'),
    ("risk", GOOD + 'risk = ["high"]\n', '[[approval]] "a" risk'),
    ("cooling", GOOD + "cooling_minutes = 30\n", '[[approval]] "a" cooling_minutes'),
    ("reminder", GOOD + "remind_minutes = 60\n", '[[approval]] "a" remind_minutes'),
    ("escalation", GOOD + "escalate_minutes = 240\n", '[[approval]] "a" escalate_minutes'),
    ("two needed", step('{ approvers = ["role:approver"], need = 2 }'), '[[approval]] "a" need'),
    ("all needed", step('{ approvers = ["role:approver"], need = "all" }'), '[[approval]] "a" need'),
    ("two steps", step('{ approvers = ["role:approver"] }, { approvers = ["manager-of-target"] }'), "steps"),
    ("no step", step(""), '[[approval]] "a" steps'),
    ("second manager", step('{ approvers = ["second-manager-of-target"] }'), "second-manager-of-target"),
]
UNSATISFIABLE = [
    ("nobody approves", step("{ approvers = [] }"), "approvers"),
    ("two managers", step('{ approvers = ["manager-of-target"], need = 2 }'), "need"),
    ("role without groups", step('{ approvers = ["role:security"] }'), "role:security"),
    (
        "fallback role without groups",
        step('{ approvers = ["manager-of-target"], fallback = ["role:admin"] }'),
        "role:admin",
    ),
    ("role unknown", step('{ approvers = ["role:aprover"] }'), "role:aprover"),
    ("group by name", step('{ approvers = ["group:Helpdesk leads"] }'), "group:Helpdesk leads"),
    ("token unknown", step('{ approvers = ["manager"] }'), "manager"),
    ("only operators approve", step('{ approvers = ["role:operator"] }'), "approvers"),
    ("operators by group id", step(f'{{ approvers = ["group:{OPS}"] }}'), "approvers"),
    ("no rule for set", (ROLES + RULE + STEP).replace('"set"', '"remove"'), "[[approval]]"),
    ("no rule at all", ROLES, "[[approval]]"),
    ("nobody may ask", GOOD.replace(f'operator = ["{OPS}"]', "operator = []"), "[roles] operator"),
    ("rule name twice", GOOD + RULE.replace("ordinary", "guest") + STEP, '[[approval]] "a" name'),
    ("rule behind another", GOOD + RULE.replace('"a"', '"b"') + STEP, '[[approval]] "b"'),
    ("country unknown", GOOD + '[numbers]\ncountries = ["UK"]\n', "[numbers] countries"),
    ("no line type left", GOOD + "[numbers]\nmobile_line_types = []\n", "[numbers] mobile_line_types"),
]
MISREAD = [
    ("unknown table", GOOD + "[rols]\n", "rols"),
    ("unknown role", GOOD.replace("approver =", "aprover ="), "[roles] aprover"),
    ("unknown rule key", GOOD + "expires_minutes = 5\n", '[[approval]] "a" expires_minutes'),
    ("unknown step key", step('{ approver = ["manager-of-target"] }'), '[[approval]] "a" steps 1 approver'),
    ("a key that makes time-out a yes", GOOD + 'on_timeout = "approve"\n', '[[approval]] "a" on_timeout'),
    ("no roles", RULE + STEP, "[roles]"),
    ("no name", GOOD.replace('name = "a"\n', ""), "[[approval]] number 1 name"),
    ("no target", GOOD.replace('target = ["ordinary"]\n', ""), '[[approval]] "a" target'),
    ("no action", GOOD.replace('["set"]', "[]"), '[[approval]] "a" action'),
    ("unknown action", GOOD.replace('"set"', '"reset"'), '[[approval]] "a" action 1'),
    ("unknown target", GOOD.replace('"ordinary"', '"everyone"'), '[[approval]] "a" target 1'),
    ("group id is a name", GOOD.replace(APPROVERS, "Helpdesk"), "[roles] approver 1"),
    ("text for a number", GOOD + 'expire_minutes = "1440"\n', '[[approval]] "a" expire_minutes'),
    ("yes for a number", GOOD + "expire_minutes = true\n", '[[approval]] "a" expire_minutes'),
    ("never expires", GOOD + "expire_minutes = 0\n", '[[approval]] "a" expire_minutes'),
    ("expires after a week", GOOD + "expire_minutes = 10081\n", '[[approval]] "a" expire_minutes'),
    ("never starts", GOOD + "execute_minutes = 0\n", '[[approval]] "a" execute_minutes'),
    ("starts after a week", GOOD + "execute_minutes = 10081\n", '[[approval]] "a" execute_minutes'),
    (
        "text for a yes",
        GOOD + '[identity]\noperator_may_approve = "false"\n',
        "[identity] operator_may_approve",
    ),
    ("line type unknown", GOOD + '[numbers]\nmobile_line_types = ["fax"]\n', "[numbers] mobile_line_types 1"),
    ("country in words", GOOD + '[numbers]\ncountries = ["France"]\n', "[numbers] countries 1"),
    ("not TOML", GOOD + "steps = = 1\n", "policy.toml"),
]
CASES = NOT_ENFORCED + UNSATISFIABLE + MISREAD


@pytest.mark.parametrize(("text", "named"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_policy_that_cannot_be_kept_is_refused(tmp_path: Path, text: str, named: str) -> None:
    """Start is refused; the complaint names table and key, says why and what to do."""
    with pytest.raises(PolicyRefused) as refused:
        load(tmp_path, text)
    assert any(named in problem.where for problem in refused.value.problems), str(refused.value)
    assert all(problem.why and problem.what_to_do for problem in refused.value.problems)


@pytest.mark.parametrize("text", [c[1] for c in NOT_ENFORCED], ids=[c[0] for c in NOT_ENFORCED])
def test_what_is_not_enforced_yet_is_said_so(tmp_path: Path, text: str) -> None:
    """A known key is not called unknown: the reader learns that this version does not keep it."""
    with pytest.raises(PolicyRefused, match="does not enforce it yet"):
        load(tmp_path, text)


def test_a_misspelt_key_gets_the_nearest_name(tmp_path: Path) -> None:
    """The reader is told which key was probably meant."""
    with pytest.raises(PolicyRefused, match=r"Did you mean expire_minutes\?"):
        load(tmp_path, GOOD + "expires_minutes = 5\n")


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Whoever mends the file sees everything of one kind in one go."""
    with pytest.raises(PolicyRefused) as refused:
        load(
            tmp_path,
            step('{ approvers = ["role:security", "role:x"], need = 3 }') + OFF.replace("= 0", "= 1"),
        )
    assert len(refused.value.problems) == 5


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


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """No policy is not an empty policy."""
    with pytest.raises(PolicyRefused, match="cannot be read"):
        load_policy(tmp_path / "policy.toml")


def test_a_rule_that_is_partly_covered_stays(tmp_path: Path) -> None:
    """A later rule that still decides something is not refused."""
    more = RULE.replace('"a"', '"b"').replace('"ordinary"', '"ordinary", "guest"') + STEP
    assert len(load(tmp_path, GOOD + more).rules) == 2


def test_operators_may_approve_when_it_says_so(tmp_path: Path) -> None:
    """The switch makes a rule with only operators as approvers satisfiable."""
    text = step('{ approvers = ["role:operator"] }') + "[identity]\noperator_may_approve = true\n"
    assert load(tmp_path, text).operator_may_approve
