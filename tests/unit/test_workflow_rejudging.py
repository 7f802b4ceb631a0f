"""What was agreed is judged again before the write: voters who may decide no more, another policy file."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from asking import approve, events, pending, state

from bot.domain import outcome as o
from bot.domain.change import Change, State
from bot.domain.people import Person, TargetKind
from bot.domain.phone import NumberRules
from bot.domain.policy import Action, Method, Policy, Rule, Step, Token, TokenKind
from tests.doubles.directory import FakeDirectory
from tests.doubles.house import (
    ADA,
    ALICE,
    APPROVERS,
    MARTA,
    NED,
    OLIVIA,
    OPERATORS,
    SAM,
    SECURITY,
    HandClock,
    House,
    directory,
    house,
    oid,
    policy,
)

ABE = oid(20)
MANAGER, APPROVER = Token(TokenKind.MANAGER), Token(TokenKind.ROLE, "approver")
SECURE = Token(TokenKind.ROLE, "security")
USUAL = Rule(
    "ordinary change",
    frozenset({Action.SET, Action.REMOVE}),
    frozenset({TargetKind.ORDINARY}),
    (Step((MANAGER,), 1, (APPROVER,)),),
)


class Lives:
    """One directory, one clock and one database under several policies, one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file = path / "ringfence.db"
        self.directory: FakeDirectory = directory()
        self.directory.people[ABE] = Person(ABE, "Abe Ables", "abe@contoso.example")
        self.directory.groups[APPROVERS].members.add(ABE)
        self.clock = HandClock()

    def under(self, *steps: Step, digest: str = "d", **changed: object) -> AbstractAsyncContextManager[House]:
        """A life under one rule with these steps."""
        rule = replace(USUAL, steps=steps or USUAL.steps, **changed)  # type: ignore[arg-type]
        return self.with_rules(policy(rules=(rule,), digest=digest * 64))

    def with_rules(self, rules: Policy) -> AbstractAsyncContextManager[House]:
        return house(self._path, rules=rules, outside=self.directory, clock=self.clock)


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    return Lives(tmp_path)


async def now(h: House, sent: o.AwaitingApproval) -> Change:
    found = await h.store.change(sent.view.change.id)
    assert found is not None
    return found


async def agreed(h: House, *voters: str) -> o.AwaitingApproval:
    """A request of Olivia for Alice that these people have approved; nothing has been done."""
    sent = await pending(h)
    for voter in voters:
        await approve(h, sent, voter)
    assert await state(h, sent) is State.APPROVED
    return sent


async def facts_of(h: House, what: str) -> dict[str, str]:
    records, _ = await h.store.history(ALICE, 100)
    return next(dict(r.event.facts) for r in records if r.event.name == f"change:mobile:{what}")


def told(h: House, who: str) -> list[str]:
    return [key.split(":", 1)[1] for key in h.messenger.told(who)]


# --- the same file ------------------------------------------------------------------------------------------
async def test_a_lost_role_makes_the_vote_void(lives: Lives) -> None:
    """C11: the vote is gone, those who may decide now are asked, the requester hears; their yes is enough."""
    async with lives.under() as h:
        sent = await agreed(h, MARTA)
        lives.directory.managers[ALICE] = NED
        await h.jobs.drain()
        change = await now(h, sent)
        assert (change.state, change.votes, change.decided_at) == (State.PENDING, (), None)
        assert change.step is not None
        assert [each.person.oid for each in change.step.asked] == [NED]
        assert "The approval of Marta Mink no longer counts" in change.step.missing
        assert (await facts_of(h, "vote-void"))["by"] == "Marta Mink"
        assert any(key.startswith("remind") for key in told(h, NED))
        assert any(key.startswith("notice:reopened") for key in told(h, OLIVIA))
        assert h.directory.effects == []
        await approve(h, sent, NED)
        await h.jobs.drain()
        assert await state(h, sent) is State.APPLIED


async def test_the_other_votes_stay(lives: Lives) -> None:
    """Only the vote that is void is asked for again."""
    two = (Step((MANAGER,)), Step((APPROVER,)))
    async with lives.under(*two) as h:
        sent = await agreed(h, MARTA, ADA)
        lives.directory.groups[APPROVERS].members.remove(ADA)
        await h.jobs.drain()
        change = await now(h, sent)
        assert [vote.person.oid for vote in change.votes] == [MARTA]
        assert change.step is not None
        assert (change.step.n, [each.person.oid for each in change.step.asked]) == (2, [ABE])
        await approve(h, sent, ABE)
        await h.jobs.drain()
        assert await state(h, sent) is State.APPLIED


async def test_a_void_vote_does_not_extend_the_time(lives: Lives) -> None:
    """The time to approve counts from the request: when it is over, nothing can be asked again."""
    async with lives.under() as h:
        sent = await pending(h)
        h.clock.pass_by(minutes=1430)
        await approve(h, sent)
        lives.directory.managers[ALICE] = NED
        h.clock.pass_by(minutes=15)
        await h.jobs.drain()
        change = await now(h, sent)
        assert change.state is State.BLOCKED
        assert change.ending is not None
        assert change.ending.code == "policy.vote-void"


async def test_a_void_vote_with_nobody_else_to_ask_ends_it(lives: Lives) -> None:
    """Nobody is left waiting for a decision that nobody could take."""
    async with lives.under(Step((MANAGER,))) as h:
        sent = await agreed(h, MARTA)
        del lives.directory.managers[ALICE]
        await h.jobs.drain()
        change = await now(h, sent)
        assert change.state is State.BLOCKED
        assert change.ending is not None
        assert change.ending.code == "policy.nobody-to-ask"


@pytest.mark.parametrize("what", ["requester", "protection"])
async def test_rights_and_protection_come_before_votes(lives: Lives, what: str) -> None:
    """What nobody may approve is not sent back to approvers: it is blocked, though the vote is void too."""
    async with lives.under() as h:
        sent = await agreed(h, MARTA)
        lives.directory.managers[ALICE] = NED
        if what == "requester":
            lives.directory.groups[OPERATORS].members.clear()
        else:
            lives.directory.facts[ALICE] = ("is somebody to be careful with",)
        await h.jobs.drain()
        change = await now(h, sent)
        assert change.state is State.BLOCKED
        assert change.ending is not None
        assert change.ending.code in ("policy.rights-lost", "policy.protected")


# --- another file -------------------------------------------------------------------------------------------
STILL_ENOUGH = [
    ("the same rule", (), (MARTA,), (Step((MANAGER,), 1, (APPROVER,)),)),
    ("others may decide as well", (), (MARTA,), (Step((MANAGER, APPROVER)),)),
    (
        "two steps become one",
        (Step((MANAGER,)), Step((SECURE,))),
        (MARTA, SAM),
        (Step((MANAGER, SECURE), 2),),
    ),
    (
        "the steps change places",
        (Step((MANAGER,)), Step((SECURE,))),
        (MARTA, SAM),
        (Step((SECURE,)), Step((MANAGER,))),
    ),
    (
        "all of them, and all have",
        (Step((APPROVER,), 2),),
        (ADA, ABE),
        (Step((APPROVER,), None),),
    ),
]


@pytest.mark.parametrize(
    ("before", "voters", "after"), [c[1:] for c in STILL_ENOUGH], ids=[c[0] for c in STILL_ENOUGH]
)
async def test_votes_that_suffice_go_on(
    lives: Lives, before: tuple[Step, ...], voters: tuple[str, ...], after: tuple[Step, ...]
) -> None:
    """It is written; the audit has both hashes: of the file it was asked under, of that it was judged by."""
    async with lives.under(*before) as h:
        sent = await agreed(h, *voters)
    async with lives.under(*after, digest="e") as h:
        await h.jobs.drain()
        change = await now(h, sent)
        assert change.state is State.APPLIED
        assert (change.policy_hash, change.judged_hash) == ("d" * 64, "e" * 64)
        assert change.step is None
        said = await facts_of(h, "judged-again")
        assert (said["policy"], said["judged"]) == ("d" * 64, "e" * 64)
        assert len(h.directory.effects) == 1
        names = await events(h)
        assert names.index("change:mobile:judged-again") < names.index("change:mobile:attempted")


async def test_votes_that_do_not_suffice_wait_for_more(lives: Lives) -> None:
    """The new rule's steps are filled; what was voted stays; who is missing is asked, and then it is done."""
    async with lives.under() as h:
        sent = await agreed(h, MARTA)
    async with lives.under(Step((MANAGER,)), Step((SECURE,)), digest="e") as h:
        await h.jobs.drain()
        change = await now(h, sent)
        assert change.state is State.PENDING
        assert [(vote.person.oid, vote.step) for vote in change.votes] == [(MARTA, 1)]
        assert change.step is not None
        assert (change.step.n, [each.person.oid for each in change.step.asked]) == (2, [SAM])
        assert any("The policy has changed" in text for text in change.step.missing)
        assert any(key.startswith("remind") for key in told(h, SAM))
        assert h.directory.effects == []
        await approve(h, sent, SAM)
        await h.jobs.drain()
        assert await state(h, sent) is State.APPLIED


async def test_one_person_does_not_count_for_two_steps(lives: Lives) -> None:
    """A vote carries one step of the new rule, though its voter could decide both."""
    async with lives.under(Step((APPROVER,))) as h:
        sent = await agreed(h, ADA)
    async with lives.under(Step((APPROVER,)), Step((APPROVER,)), digest="e") as h:
        await h.jobs.drain()
        change = await now(h, sent)
        assert change.state is State.PENDING
        assert change.step is not None
        assert [each.person.oid for each in change.step.asked] == [ABE]


async def test_a_vote_that_the_new_rule_does_not_know_is_void(lives: Lives) -> None:
    """The manager's vote is worth nothing where security decides."""
    async with lives.under() as h:
        sent = await agreed(h, MARTA)
    async with lives.under(Step((SECURE,)), digest="e") as h:
        await h.jobs.drain()
        change = await now(h, sent)
        assert (change.state, change.votes) == (State.PENDING, ())
        assert (await facts_of(h, "vote-void"))["via"] == "manager-of-target"


async def test_a_fallback_counts_only_for_whoever_voted_as_one(lives: Lives) -> None:
    """The vote of one who was asked in the manager's place stays good when the manager is back."""
    del lives.directory.managers[ALICE]
    async with lives.under() as h:
        sent = await agreed(h, ADA)
    lives.directory.managers[ALICE] = MARTA
    async with lives.under(digest="e") as h:
        await h.jobs.drain()
        assert await state(h, sent) is State.APPLIED


async def test_a_fallback_does_not_count_for_whoever_voted_as_something_else(lives: Lives) -> None:
    """Ada decided for security; that she could stand in for the manager was never asked of her."""
    lives.directory.groups[SECURITY].members.add(ADA)
    async with lives.under(Step((SECURE,))) as h:
        sent = await agreed(h, ADA)
    async with lives.under(digest="e") as h:
        await h.jobs.drain()
        change = await now(h, sent)
        assert (change.state, change.votes) == (State.PENDING, ())


async def test_a_later_step_that_nobody_could_take_is_found_at_once(lives: Lives) -> None:
    """Nobody is asked for a vote that could not lead anywhere."""
    nobody = Step((Token(TokenKind.ROLE, "admin"),))
    async with lives.under() as h:
        sent = await agreed(h, MARTA)
    async with lives.under(Step((SECURE,)), nobody, digest="e") as h:
        await h.jobs.drain()
        assert await state(h, sent) is State.BLOCKED
        assert told(h, SAM) == []


async def test_a_vote_that_was_edited_is_void(lives: Lives) -> None:
    """A vote is worth something only on the content that it names."""
    async with lives.under() as h:
        sent = await agreed(h, MARTA)
    with closing(sqlite3.connect(lives.file)) as edited:
        edited.execute("UPDATE votes SET content_hash = 'v1:another'")
        edited.commit()
    async with lives.under() as h:
        await h.jobs.drain()
        change = await now(h, sent)
        assert (change.state, change.votes) == (State.PENDING, ())


FORBIDDEN = [
    (
        "the number's country",
        policy(rules=(USUAL,), numbers=NumberRules(countries=frozenset({"GB"})), digest="e" * 64),
        "policy.number-country",
    ),
    (
        "a request without proof",
        policy(rules=(USUAL,), verification=frozenset({Method.IN_PERSON}), digest="e" * 64),
        "policy.proof-missing",
    ),
    ("no rule", policy(rules=(), digest="e" * 64), "policy.rule-changed"),
    ("a rule that refuses", policy(rules=(replace(USUAL, steps=(), refuse=True),)), "policy.rule-refuses"),
    (
        "nobody who could",
        policy(rules=(replace(USUAL, steps=(Step((Token(TokenKind.ROLE, "admin"),)),)),), digest="e" * 64),
        "policy.nobody-to-ask",
    ),
]


@pytest.mark.parametrize(("rules", "code"), [c[1:] for c in FORBIDDEN], ids=[c[0] for c in FORBIDDEN])
async def test_what_is_forbidden_now_is_blocked(lives: Lives, rules: Policy, code: str) -> None:
    """An approval under the old file does not carry what the new one refuses."""
    async with lives.under() as h:
        sent = await agreed(h, MARTA)
    async with lives.with_rules(rules) as h:
        await h.jobs.drain()
        change = await now(h, sent)
        assert change.state is State.BLOCKED
        assert change.ending is not None
        assert change.ending.code == code
        assert h.directory.effects == []


async def test_a_wait_that_the_new_file_wants_is_kept(lives: Lives) -> None:
    """Cooling counts from the last vote, also when only the new rule asks for it."""
    async with lives.under() as h:
        sent = await agreed(h, MARTA)
    async with lives.under(digest="e", cooling_minutes=30) as h:
        await h.jobs.drain()
        assert await state(h, sent) is State.COOLING
        h.clock.pass_by(minutes=29)
        await h.jobs.drain()
        assert h.directory.effects == []
        h.clock.pass_by(minutes=2)
        await h.jobs.drain()
        assert await state(h, sent) is State.APPLIED


async def test_a_pending_request_is_judged_by_the_file_when_it_is_agreed(lives: Lives) -> None:
    """Votes are given by the steps that were shown; before the write the file in force decides."""
    async with lives.under() as h:
        sent = await pending(h)
    async with lives.under(Step((SECURE,)), digest="e") as h:
        await approve(h, sent, MARTA)
        await h.jobs.drain()
        assert await state(h, sent) is State.PENDING
        await approve(h, sent, SAM)
        await h.jobs.drain()
        assert await state(h, sent) is State.APPLIED
        assert SECURITY in h.directory.groups
