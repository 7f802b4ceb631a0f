"""A policy file that nobody keeps or could satisfy refuses the start; its narrow neighbours do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings.policy_file import PolicyRefused, load_policy
from tests.unit.test_policy_file import APPROVERS, BREAK_GLASS, GOOD, OFF, OPS, ROLES, RULE, STEP, load, step

# What is wrong, the file, what the complaint must name.
NOT_ENFORCED = [
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
            step('{ approvers = ["role:security", "role:x"], need = 3 }') + "escalate_minutes = 5\n" + OFF,
        )
    assert len(refused.value.problems) == 3


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
