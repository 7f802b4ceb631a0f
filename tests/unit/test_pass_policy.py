"""Temporary Access Passes in the policy file: off by default, refused where they could not be kept safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.command import IssuePass, Malformed, Who, WhoKind
from bot.domain.parsing import parse
from bot.domain.policy import Action, PassReader, Policy
from bot.settings.policy_file import PolicyRefused, load_policy, must_fit

OPS = "00000000-0000-4000-8000-000000000001"
BASE = (
    f'[roles]\noperator = ["{OPS}"]\n[[approval]]\nname = "a"\naction = ["set"]\ntarget = ["ordinary"]\n'
    'steps = [{ approvers = ["manager-of-target"] }]\n'
)
RULE = '[[approval]]\nname = "p"\naction = ["pass"]\ntarget = ["new-hire"]\n'
HUGO = Who(WhoKind.NAME, "hugo")
STEP = 'steps = [{ approvers = ["manager-of-target"] }]\n'


def load(folder: Path, text: str) -> Policy:
    path = folder / "policy.toml"
    path.write_text(BASE + text, "utf-8")
    return load_policy(path)


def terms(minutes: int, more: str = "") -> str:
    return f"[onboarding]\npass_minutes = {minutes}\n{more}"


def test_passes_are_off(tmp_path: Path) -> None:
    """What is left out is off, and its reader is the person."""
    found = load(tmp_path, "").onboarding
    assert (found.pass_minutes, found.pass_shown_to) == (0, PassReader.PERSON)


def test_what_is_written_arrives(tmp_path: Path) -> None:
    """Length and reader reach the domain, with the rule."""
    policy = load(tmp_path, RULE + STEP + terms(60, 'pass_shown_to = "manager"\n'))
    assert (policy.onboarding.pass_minutes, policy.onboarding.pass_shown_to) == (60, PassReader.MANAGER)
    assert policy.rules[1].actions == {Action.PASS}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (RULE + STEP + terms(9), "[onboarding] pass_minutes"),
        (RULE + STEP + terms(481), "[onboarding] pass_minutes"),
        (terms(60), "[onboarding] pass_minutes"),
        (RULE + "refuse = true\n" + terms(60), "[onboarding] pass_minutes"),
        (RULE + STEP, '[[approval]] "p" action pass'),
        (RULE + "steps = []\n" + terms(60), '[[approval]] "p" steps'),
        (RULE + STEP + terms(60, 'pass_shown_to = "everybody"\n'), "[onboarding] pass_shown_to"),
    ],
    ids=[
        "too short",
        "too long",
        "no rule",
        "only refused",
        "never issued",
        "nobody agrees",
        "no such reader",
    ],
)
def test_what_could_not_be_kept_is_refused(text: str, where: str, tmp_path: Path) -> None:
    """A pass without a rule, a rule without passes, or a pass that nobody agrees to: the start is refused."""
    with pytest.raises(PolicyRefused) as refused:
        load(tmp_path, text)
    assert where in [problem.where for problem in refused.value.problems]


def test_a_pass_needs_the_profile_that_reads_methods(tmp_path: Path) -> None:
    """Without reading methods nobody knows whether there are some: refused, naming the setting."""
    policy = load(tmp_path, RULE + STEP + terms(60))
    must_fit(policy, "default-guard")
    must_fit(load(tmp_path, ""), "phone-only")
    with pytest.raises(PolicyRefused, match="GRAPH_PROFILE=default-guard"):
        must_fit(policy, "phone-only")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("issue pass for hugo", IssuePass(HUGO)),
        ("issue a pass for hugo because lost INC1234", IssuePass(HUGO, "lost", "INC1234")),
        ("temporary access pass hugo@contoso.com", IssuePass(Who(WhoKind.UPN, "hugo@contoso.com"))),
        ("issue pass", IssuePass()),
    ],
)
def test_how_it_is_typed(text: str, command: IssuePass) -> None:
    """With its parts in any of the usual orders; without a person the form asks."""
    assert parse(text) == command


def test_a_number_is_no_person() -> None:
    """A pass goes with no number."""
    assert isinstance(parse("issue pass for +1 206 555 0100"), Malformed)
