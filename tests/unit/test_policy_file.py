"""The policy file: what is read, and that what nobody keeps or could satisfy refuses the start."""

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
from bot.settings.policy_grammar import Approval, PolicyTables, is_later, table_in

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
    assert policy.rule_for(Action.BULK, TargetKind.ORDINARY) is None
    assert not policy.operator_may_approve
    assert policy.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_example_writes_every_key_with_its_default() -> None:
    """Nothing that is enforced is missing in the example, and what it shows as usual is the default."""
    written = tomllib.loads((ROOT / "policy.example.toml").read_text("utf-8"))
    for name, field in PolicyTables.model_fields.items():
        table = table_in(field.annotation)
        if table is None or name in ("roles", "approval"):
            continue
        now = {n for n, f in table.model_fields.items() if not is_later(f)}
        assert set(written[name]) == now, name
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
    assert off.limits == Limits(0, 0, 0, 0, 0)
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


# What is wrong, the file, what the complaint must name.
NOT_ENFORCED = [
    ("bulk rows", GOOD + "[limits]\nbulk_rows = 50000\n", "[limits] bulk_rows"),
    ("bulk finish", GOOD + "[limits]\nbulk_finish_minutes = 4320\n", "[limits] bulk_finish_minutes"),
    ("push", GOOD + '[verification]\nrequired = true\nmethods = ["push"]\n', "[verification] methods push"),
]
NOBODY = ROLES + RULE + "steps = []\n"
NO = ROLES + RULE + STEP + RULE.replace('"a"', '"no"').replace("ordinary", "guest") + "refuse = true\n"
GLASS = (
    ROLES
    + f'security = ["{BREAK_GLASS}"]\n'
    + RULE
    + 'requester = ["security"]\nsteps = []\nbreak_glass = true\n'
)
SECOND = '{ approvers = ["second-manager-of-target"] }'
MANAGER = '{ approvers = ["manager-of-target"] }'
WITH_FALLBACK = '{ approvers = ["manager-of-target"], fallback = ["role:approver"] }'


def after(key: str, more: str = STEP) -> str:
    """The rule named "a" with this key, and a rule named "b" that is decided by it or is not."""
    return ROLES + RULE + key + STEP + RULE.replace('"a"', '"b"') + more


UNSATISFIABLE = [
    ("nobody approves", step("{ approvers = [] }"), '[[approval]] "a" approvers'),
    ("it does not say who decides", ROLES + RULE, '[[approval]] "a" steps'),
    ("two managers", step('{ approvers = ["manager-of-target"], need = 2 }'), '[[approval]] "a" need'),
    ("two managers out of one", step('{ approvers = ["second-manager-of-target"], need = 2 }'), "need"),
    (
        "three managers out of two",
        step('{ approvers = ["manager-of-target", "second-manager-of-target"], need = 3 }'),
        "need",
    ),
    ("the manager twice in a row", step(f"{MANAGER}, {MANAGER}"), '[[approval]] "a" steps'),
    ("the second manager twice in a row", step(f"{SECOND}, {MANAGER}, {SECOND}"), "steps"),
    (
        "three people out of two managers",
        step(f'{MANAGER}, {{ approvers = ["manager-of-target", "second-manager-of-target"], need = 2 }}'),
        "steps",
    ),
    (
        "a fallback that is the first step's manager",
        step(f'{MANAGER}, {SECOND[:-2]}, fallback = ["manager-of-target"] }}, {SECOND}'),
        "steps",
    ),
    ("named twice", step('{ approvers = ["role:approver", "role:approver"] }'), "role:approver"),
    (
        "a fallback that adds nobody",
        step('{ approvers = ["role:approver"], fallback = ["role:approver"] }'),
        "role:approver",
    ),
    ("more than are asked", step('{ approvers = ["role:approver"], need = 26 }'), "need"),
    ("nobody, and a removal", NOBODY.replace('"set"', '"set", "remove"'), '[[approval]] "a" steps'),
    ("nobody, and SMS sign-in", NOBODY.replace('"set"', '"set", "sms"'), '[[approval]] "a" steps'),
    ("nobody, and undo", NOBODY.replace('"set"', '"set", "undo"'), '[[approval]] "a" steps'),
    ("nobody, and a file of many", NOBODY.replace('"set"', '"set", "bulk"'), '[[approval]] "a" steps'),
    ("nobody is asked, and reminded", NOBODY + "remind_minutes = 5\n", '"a" remind_minutes'),
    ("refused, with steps", NO + STEP, '[[approval]] "no" refuse'),
    ("refused, and cooling", NO + "cooling_minutes = 5\n", '[[approval]] "no" cooling_minutes'),
    ("refused, and reminded", NO + "remind_minutes = 5\n", '[[approval]] "no" remind_minutes'),
    ("refused in an emergency", NO + "break_glass = true\n", '[[approval]] "no" break_glass'),
    ("every change refused", ROLES + RULE + "refuse = true\n", "[[approval]]"),
    ("emergency of anybody", GLASS.replace('requester = ["security"]\n', ""), '"a" break_glass'),
    (
        "emergency of operators",
        GLASS.replace('requester = ["security"]', 'requester = ["security", "operator"]'),
        '"a" break_glass',
    ),
    ("emergency with steps", GLASS.replace("steps = []\n", STEP), '"a" break_glass'),
    ("emergency that waits", GLASS + "cooling_minutes = 5\n", '"a" break_glass'),
    (
        "emergency for the protected",
        GLASS.replace('["ordinary"]', '["ordinary", "protected"]'),
        '"a" break_glass',
    ),
    ("emergency nobody may ask for", GLASS.replace(BREAK_GLASS, "").replace('[""]', "[]"), '"a" requester'),
    ("requester nobody is", GOOD + 'requester = ["coordinator"]\n', '[[approval]] "a" requester'),
    ("reminder after the end", GOOD + "remind_minutes = 1440\n", '"a" remind_minutes'),
    (
        "escalation after the end",
        step(WITH_FALLBACK) + "expire_minutes = 60\nescalate_minutes = 90\n",
        '"a" escalate_minutes',
    ),
    ("escalation to nobody", GOOD + "escalate_minutes = 60\n", '[[approval]] "a" escalate_minutes'),
    ("hours that are not set", GOOD + 'risk = ["out-of-hours"]\n', '"a" risk out-of-hours'),
    ("vips that are nobody", GOOD + 'risk = ["vip"]\n', '"a" risk vip'),
    (
        "a burst without a number",
        GOOD + 'risk = ["operator-burst"]\n[risk]\nburst_per_hour = 0\n',
        "risk operator-burst",
    ),
    (
        "a reset without an age",
        GOOD + 'risk = ["recent-reset"]\n[risk]\nrecent_hours = 0\n',
        "risk recent-reset",
    ),
    ("hours that end when they begin", GOOD + '[risk]\nhours = "19:00-19:00"\n', "[risk] hours"),
    ("no working day", GOOD + '[risk]\nhours = "07:00-19:00"\nworkdays = []\n', "[risk] workdays"),
    ("no proof counts", GOOD + "[verification]\nrequired = true\nmethods = []\n", "[verification] methods"),
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
    ("behind a wider one", after("", 'risk = ["number-shared"]\n' + STEP), '[[approval]] "b"'),
    ("behind the same keys", after('slot = ["office"]\n', 'slot = ["office"]\n' + STEP), '[[approval]] "b"'),
    ("refused behind a wider one", after("", "refuse = true\n"), '[[approval]] "b"'),
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
    ("risk unknown", GOOD + 'risk = ["high"]\n', '[[approval]] "a" risk 1'),
    ("slot unknown", GOOD + 'slot = ["pager"]\n', '[[approval]] "a" slot 1'),
    ("requester unknown", GOOD + 'requester = ["boss"]\n', '[[approval]] "a" requester 1'),
    ("method unknown", GOOD + '[verification]\nmethods = ["gut feeling"]\n', "[verification] methods 1"),
    ("hours in words", GOOD + '[risk]\nhours = "9 to 5"\n', "[risk] hours"),
    ("zone unknown", GOOD + '[risk]\ntimezone = "Berlin"\n', "[risk] timezone"),
    ("a day in full", GOOD + '[risk]\nworkdays = ["monday"]\n', "[risk] workdays 1"),
    ("fewer than none", GOOD + "[limits]\nwrites_per_hour = -1\n", "[limits] writes_per_hour"),
    ("needs nobody", step('{ approvers = ["role:approver"], need = 0 }'), '[[approval]] "a" steps 1 need'),
    ("needs most", step('{ approvers = ["role:approver"], need = "most" }'), '"a" steps 1 need'),
    ("another key of people", GOOD + '[identity]\nperson_key = "mail"\n', "[identity] person_key"),
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
            step('{ approvers = ["role:security", "role:x"], need = 3 }')
            + "escalate_minutes = 5\n"
            + OFF.replace("bulk_rows = 0", "bulk_rows = 1"),
        )
    assert len(refused.value.problems) == 4


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


PARTLY = [
    ("another target", GOOD + RULE.replace('"a"', '"b"').replace('"ordinary"', '"ordinary", "guest"') + STEP),
    ("any slot after one", after('slot = ["office"]\n')),
    ("any requester after one", after('requester = ["operator"]\n')),
    ("more signals", after('risk = ["number-shared"]\n', 'risk = ["number-shared", "last-method"]\n' + STEP)),
    ("another key", after('risk = ["number-shared"]\n', 'slot = ["office"]\n' + STEP)),
]


@pytest.mark.parametrize("text", [c[1] for c in PARTLY], ids=[c[0] for c in PARTLY])
def test_a_rule_that_is_partly_covered_stays(tmp_path: Path, text: str) -> None:
    """A later rule that still decides something is not refused."""
    assert len(load(tmp_path, text).rules) == 2


SATISFIABLE = [
    ("nobody is needed", NOBODY),
    ("nobody, and a wait", NOBODY + "cooling_minutes = 30\n"),
    ("an emergency", GLASS),
    ("a refusal", NO),
    ("a refusal with empty steps", NO + "steps = []\n"),
    (
        "two of two managers",
        step('{ approvers = ["manager-of-target", "second-manager-of-target"], need = 2 }'),
    ),
    ("one after the other", step(f"{MANAGER}, {SECOND}")),
    ("twice the manager, with somebody else", step(f"{WITH_FALLBACK}, {MANAGER}")),
    ("escalation", step(WITH_FALLBACK) + "escalate_minutes = 60\n"),
    ("hours over midnight", GOOD + '[risk]\nhours = "22:00-06:00"\n'),
    ("a signal that may come", GOOD + 'risk = ["out-of-hours"]\n[risk]\nhours = "07:00-19:00"\n'),
]


@pytest.mark.parametrize("text", [c[1] for c in SATISFIABLE], ids=[c[0] for c in SATISFIABLE])
def test_what_can_be_kept_starts(tmp_path: Path, text: str) -> None:
    """The narrow neighbours of what is refused are not refused."""
    assert load(tmp_path, text).rules


def test_operators_may_approve_when_it_says_so(tmp_path: Path) -> None:
    """The switch makes a rule with only operators as approvers satisfiable."""
    text = step('{ approvers = ["role:operator"] }') + "[identity]\noperator_may_approve = true\n"
    assert load(tmp_path, text).operator_may_approve
