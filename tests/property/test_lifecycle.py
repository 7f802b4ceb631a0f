"""The life of a change under everything that can happen to it at once: people, time, faults, crashes, races.

LIFECYCLE_EXAMPLES and LIFECYCLE_STEPS in the environment make a longer run by hand; LIFECYCLE_SHRINK=1 also
looks for the shortest way to a failure, which takes minutes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from lifecycle_world import ADAM, EVERYBODY, NUMBERS, OSCAR, SIMON, World, verdict

from bot.domain import command as c
from bot.domain.change import NoKind, State
from bot.domain.phone import PhoneNumber, Slot
from tests.doubles.directory import GLOBAL_ADMINISTRATOR, Fault
from tests.doubles.house import ADA, ALICE, APPROVERS, MARTA, NED, OLIVIA, OPERATORS, SAM, SECURITY

EXAMPLES = int(os.environ.get("LIFECYCLE_EXAMPLES", "200"))
STEPS = int(os.environ.get("LIFECYCLE_STEPS", "50"))
PHASES = [Phase.reuse, Phase.generate] + [Phase.shrink] * (os.environ.get("LIFECYCLE_SHRINK") == "1")
MOMENTS = [
    f"{side} {what}"
    for side in ("before", "after")
    for what in (
        "write",
        "phones",
        "commit attempted",
        "commit applied",
        "commit unconfirmed",
        "commit submitted",
        "commit approved",
        "commit move",
        "claim_changes",
        "message_done",
    )
]
anybody = st.sampled_from(EVERYBODY)
targets = st.sampled_from((ALICE, ALICE, NED, MARTA, OLIVIA, SAM))
which = st.integers(0, 7)
slots = st.sampled_from((Slot.MOBILE, Slot.MOBILE, Slot.OFFICE, Slot.ALTERNATE))
said = st.sampled_from([*(f"+1 {n}" for n in NUMBERS), None, "12ab", "+1 206 555 0100 ext 5", "0151 23"])
reasons_given = st.sampled_from(("lost phone", "call her at +1 206 555 0177", "+12065550177"))
calls = st.sampled_from(("write", "phones", "member_of", "person", "protection", "manager", ""))
seconds = st.sampled_from((1, 4, 6, 16, 46, 61, 66, 301, 601, 3601, 4 * 3600 + 1, 25 * 3600))


class LifeCycle(RuleBasedStateMachine):
    """After each step everything in `World.check` holds; at the end everything in `World.rest`."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    # --- people -------------------------------------------------------------------------------------------
    @rule(by=anybody, whom=targets, slot=slots, number=said, reason=reasons_given)
    def anybody_asks(self, by: str, whom: str, slot: Slot, number: str | None, reason: str) -> None:
        who = c.Who(c.WhoKind.OID, whom)
        command: c.Command = c.SetPhone(who, slot, number, reason, "INC1")
        if number is None:
            command = c.RemovePhone(who, slot, reason)
        self.world.say(command, by)

    @rule(
        by=st.sampled_from((OLIVIA, OSCAR)),
        whom=targets,
        number=st.sampled_from(NUMBERS),
        slot=st.sampled_from((Slot.MOBILE, Slot.OFFICE)),
    )
    def an_operator_requests(self, by: str, whom: str, number: str, slot: Slot) -> None:
        who = c.Who(c.WhoKind.OID, whom)
        shown = self.world.say(c.SetPhone(who, slot, f"+1 {number}", "lost phone"), by)
        view = getattr(shown, "view", None)
        if view is not None and view.may_submit:
            self.world.say(c.Submit(view.card), by)

    @rule(
        by=st.sampled_from((OLIVIA, OSCAR)),
        whom=targets,
        number=st.sampled_from(NUMBERS),
        slot=st.sampled_from((Slot.MOBILE, Slot.OFFICE)),
        faults=st.lists(st.sampled_from(Fault), max_size=2),
        cut=st.none() | st.tuples(st.sampled_from(MOMENTS), st.integers(1, 2)),
        waits=st.lists(st.sampled_from((0, 6, 16, 46, 66, 301)), max_size=5),
        well=st.sampled_from((True, True, False)),
    )
    def a_request_goes_all_the_way(
        self,
        by: str,
        whom: str,
        number: str,
        slot: Slot,
        faults: list[Fault],
        cut: tuple[str, int] | None,
        waits: list[int],
        well: bool,
    ) -> None:
        """Asked, approved and worked on, with trouble at the write: the way that most examples must go."""
        if well:
            self.all_is_well_again()
        self.an_operator_requests(by, whom, number, slot)
        if self.world.changes:
            self.everybody_asked_agrees(len(self.world.changes) - 1)
        for fault in faults:
            self.world.outside.fail("write", fault)
        self.world.power.cut = cut
        for wait in (0, *([1801] if slot is Slot.OFFICE else []), *waits):
            self.world.clock.pass_by(seconds=wait)
            self.world.work(0, 1)
            self.world.check()

    @rule()
    def all_is_well_again(self) -> None:
        self.world.heal()
        if self.world.read_only:
            self.it_is_stopped_and_started(read_only=False)
        if self.world.db("SELECT 1 FROM switches WHERE closed"):
            self.world.say(c.Resume(), ADAM)
        for (who,) in self.world.db("SELECT oid FROM freezes WHERE ended_at IS NULL"):
            self.some_lift_a_freeze(who, [SAM, SIMON])

    @rule(n=which, by=anybody, forged=st.booleans())
    def somebody_submits(self, n: int, by: str, forged: bool) -> None:
        change = self.world.change(n)
        if change is not None:
            card = self.world.home.parts.card_ref(change, by)
            self.world.say(c.Submit(replace(card, nonce="0" * 32) if forged else card), by)

    @rule(n=which, approve=st.sampled_from((True, True, True, False)), turn=st.integers(0, 2))
    def somebody_asked_decides(self, n: int, approve: bool, turn: int) -> None:
        change = self.world.change(n)
        if change is not None and change.steps and change.steps[0].asked:
            asked = change.steps[0].asked
            voter = asked[turn % len(asked)].person.oid
            card = self.world.home.parts.card_ref(change, voter)
            self.world.say(verdict(change, approve, card, ""), voter)

    @rule(
        n=which,
        by=anybody,
        approve=st.booleans(),
        how=st.sampled_from(("card", "forged", "another's card", "right tail", "wrong tail", "no tail")),
    )
    def anybody_decides(self, n: int, by: str, approve: bool, how: str) -> None:
        change = self.world.change(n)
        if change is None:
            return
        parts = self.world.home.parts
        tail = {"right tail": change.tail, "wrong tail": "0000"}.get(how, "")
        card = parts.card_ref(change, SAM if how == "another's card" else by)
        if how == "forged":
            card = replace(card, nonce="f" * 32)
        before = self.world.votes()
        self.world.say(verdict(change, approve, None if how.endswith("tail") else card, tail), by)
        decides = how in ("card", "right tail") or (how == "another's card" and by == SAM)
        if not decides and change.tail != "0000":
            assert self.world.votes() == before, f"{how} decided"

    @rule(n=which, by=anybody)
    def somebody_cancels(self, n: int, by: str) -> None:
        change = self.world.change(n)
        if change is not None:
            self.world.say(c.Cancel(c.RequestId(change.id)), by)

    @rule(n=which, a=anybody, b=anybody)
    def three_at_once(self, n: int, a: str, b: str) -> None:
        """An approval, a rejection and the cancelling in the same moment: one final state."""
        change = self.world.change(n)
        if change is None:
            return
        parts, desk = self.world.home.parts, self.world.desk
        yes = verdict(change, True, parts.card_ref(change, a), "")
        no = verdict(change, False, parts.card_ref(change, b), "")
        back = c.Cancel(c.RequestId(change.id))
        speakers = ((yes, a), (no, b), (back, change.requester.oid))

        async def together() -> None:
            turns = (desk.handle(command, self.world.envelope(who)) for command, who in speakers)
            for result in await asyncio.gather(*turns, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

        self.world.run(together())

    @precondition(lambda self: self.world.sent)
    @rule(n=st.integers(0, 30))
    def teams_delivers_again(self, n: int) -> None:
        """The same activity once more: no change moves, whatever it was."""
        command, envelope = self.world.sent[-1 - n % len(self.world.sent)]
        before = self.world.rows()
        received = self.world.db(
            "SELECT 1 FROM inbox WHERE conversation_id = ? AND activity_id = ?",
            envelope.conversation_id,
            envelope.activity_id,
        )
        self.world.say(command, envelope.oid, envelope)
        assert not received or self.world.rows() == before, "a second delivery did something"

    # --- second thoughts and stops -----------------------------------------------------------------------
    @rule(n=which, turn=st.integers(0, 5), kind=st.sampled_from(NoKind))
    def somebody_asked_says_no_in_another_way(self, n: int, turn: int, kind: NoKind) -> None:
        change = self.world.change(n)
        step = change.step if change is not None else None
        if change is not None and step is not None and step.asked:
            who = step.asked[turn % len(step.asked)].person.oid
            card = self.world.home.parts.card_ref(change, who)
            self.world.say(c.Reject(c.RequestId(change.id), "so it is", card, kind), who)

    @rule(n=which)
    def everybody_asked_agrees(self, n: int) -> None:
        """Whoever is asked, step after step."""
        for _ in range(3):
            change = self.world.change(n)
            step = change.step if change is not None else None
            if change is None or step is None or change.state is not State.PENDING:
                return
            for asked in step.asked[: step.need + 1]:
                card = self.world.home.parts.card_ref(change, asked.person.oid)
                self.world.say(verdict(change, True, card, ""), asked.person.oid)

    @rule(n=which, turn=st.integers(0, 2))
    def a_voter_takes_it_back(self, n: int, turn: int) -> None:
        change = self.world.change(n)
        if change is not None and change.votes:
            who = change.votes[turn % len(change.votes)].person.oid
            self.world.say(c.Withdraw(c.RequestId(change.id)), who)

    @rule(n=which, by=st.sampled_from((OLIVIA, OSCAR, MARTA)))
    def somebody_takes_it_over(self, n: int, by: str) -> None:
        change = self.world.change(n)
        if change is None:
            return
        shown = self.world.say(c.Take(c.RequestId(change.id, change.tail)), by)
        view = getattr(shown, "view", None)
        if view is not None and view.may_submit:
            self.world.say(c.Submit(view.card), by)

    @rule(n=which, by=st.sampled_from((OLIVIA, OSCAR, SAM, ALICE)))
    def somebody_undoes(self, n: int, by: str) -> None:
        change = self.world.change(n)
        if change is None:
            return
        shown = self.world.say(c.Undo(c.RequestId(change.id, change.tail)), by)
        view = getattr(shown, "view", None)
        if view is not None and view.may_submit:
            self.world.say(c.Submit(view.card), by)

    @rule(n=which, by=st.sampled_from((OLIVIA, OSCAR)))
    def somebody_nudges(self, n: int, by: str) -> None:
        change = self.world.change(n)
        if change is not None:
            self.world.say(c.Nudge(c.RequestId(change.id, change.tail)), by)

    @rule(n=which)
    def the_person_says_not_me(self, n: int) -> None:
        change = self.world.change(n)
        if change is not None:
            card = self.world.home.parts.card_ref(change, change.target.oid)
            self.world.say(c.NotMe(c.RequestId(change.id), card), change.target.oid)

    @rule(who=targets, by=st.sampled_from((SAM, SIMON, ALICE, NED, OLIVIA)))
    def somebody_freezes(self, who: str, by: str) -> None:
        self.world.say(c.Freeze(c.Who(c.WhoKind.OID, who), "a call"), by)

    @rule(who=targets, by=st.lists(st.sampled_from((SAM, SIMON, ALICE)), min_size=1, max_size=3))
    def some_lift_a_freeze(self, who: str, by: list[str]) -> None:
        for each in by:
            self.world.say(c.Unfreeze(c.Who(c.WhoKind.OID, who)), each)

    @rule(by=st.sampled_from((ADAM, ADAM, SAM, OLIVIA)))
    def somebody_pauses(self, by: str) -> None:
        self.world.say(c.Pause("an odd night"), by)

    @rule(by=st.sampled_from((ADAM, ADAM, SAM)))
    def somebody_resumes(self, by: str) -> None:
        self.world.say(c.Resume(), by)

    @rule(n=which, stop=st.sampled_from(("freeze", "pause", "withdraw", "not me")))
    def a_stop_meets_the_worker(self, n: int, stop: str) -> None:
        """The same moment: the worker begins, and somebody stops it."""
        change = self.world.change(n)
        if change is None:
            return
        target = change.target.oid
        card = self.world.home.parts.card_ref(change, target)
        voter = change.votes[0].person.oid if change.votes else MARTA
        said, who = {
            "freeze": (c.Freeze(c.Who(c.WhoKind.OID, target), "a call"), SIMON),
            "pause": (c.Pause("an odd night"), ADAM),
            "withdraw": (c.Withdraw(c.RequestId(change.id)), voter),
            "not me": (c.NotMe(c.RequestId(change.id), card), target),
        }[stop]

        async def together() -> None:
            turns = (self.world.workers[0].drain(), self.world.desk.handle(said, self.world.envelope(who)))
            for result in await asyncio.gather(*turns, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

        self.world.run(together())

    # --- the world ----------------------------------------------------------------------------------------
    @rule(amount=seconds)
    def time_passes(self, amount: int) -> None:
        self.world.clock.pass_by(seconds=amount)

    @rule(who=targets, on=st.booleans())
    def a_role_is_given_or_taken(self, who: str, on: bool) -> None:
        roles = self.world.outside.roles.setdefault(who, set())
        (roles.add if on else roles.discard)(GLOBAL_ADMINISTRATOR)

    @rule(
        group=st.sampled_from((OPERATORS, APPROVERS, SECURITY)),
        who=st.sampled_from((OLIVIA, OSCAR, ADA, SAM, MARTA)),
        on=st.booleans(),
    )
    def membership_changes(self, group: str, who: str, on: bool) -> None:
        members = self.world.outside.groups[group].members
        (members.add if on else members.discard)(who)

    @rule(who=targets, manager=st.sampled_from((MARTA, ADA, OLIVIA, ALICE, None)))
    def the_manager_changes(self, who: str, manager: str | None) -> None:
        self.world.outside.managers.pop(who, None)
        if manager is not None:
            self.world.outside.managers[who] = manager

    @rule(who=anybody, enabled=st.booleans())
    def an_account_is_switched(self, who: str, enabled: bool) -> None:
        people = self.world.outside.people
        people[who] = replace(people[who], enabled=enabled)

    @rule(who=targets, slot=slots)
    def somebody_else_writes(self, who: str, slot: Slot) -> None:
        """Always a number that nobody had before."""
        world = self.world
        world.outsiders += 1
        national = f"20655502{world.outsiders:02d}"
        world.used.add(national)
        world.outside.set_phone(who, slot, PhoneNumber("1", national))

    @rule(call=calls, kind=st.sampled_from(Fault), times=st.integers(1, 4), skip=st.integers(0, 3))
    def the_directory_fails(self, call: str, kind: Fault, times: int, skip: int) -> None:
        self.world.outside.fail(call, kind, times=times, skip=skip)

    @rule(lag=st.integers(0, 40))
    def reads_lag_behind(self, lag: int) -> None:
        assert self.world.judge is not None
        self.world.judge.lag = timedelta(seconds=lag)

    @rule(who=anybody, how=st.sampled_from(("refused", "lost", "later", "well")))
    def teams_changes_its_mind(self, who: str, how: str) -> None:
        notes = self.world.messenger
        notes.unreachable.pop(who, None)
        notes.lost.pop(who, None)
        if how == "refused":
            notes.unreachable[who] = "not installed"
        elif how == "lost":
            notes.lost[who] = "blocked"
        elif how == "later":
            notes.later += 2

    # --- the process --------------------------------------------------------------------------------------
    @rule(workers=st.sampled_from(((0,), (1,), (0, 1))))
    def workers_work(self, workers: tuple[int, ...]) -> None:
        self.world.work(*workers)

    @rule(at=st.sampled_from(MOMENTS), count=st.integers(1, 3))
    def the_power_will_fail(self, at: str, count: int) -> None:
        self.world.power.cut = (at, count)

    @rule()
    def the_power_fails_now(self) -> None:
        self.world.crash()

    @rule(read_only=st.sampled_from((True, False, False)))
    def it_is_stopped_and_started(self, read_only: bool) -> None:
        """With other settings."""
        self.world.read_only = read_only
        self.world.crash()

    @rule(pause=st.integers(61, 64))
    def the_next_write_hangs_past_its_lease(self, pause: int) -> None:
        """A worker stops between intent and write; another takes over before the write goes out.

        The other is a third, which has nothing of its own under way that it would wait for.
        """

        async def hang() -> None:
            self.world.outside.before.pop("write", None)
            self.world.clock.pass_by(seconds=pause)
            await self.world.workers[2].drain()

        self.world.outside.before["write"] = hang

    @invariant()
    def promises(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.outside.before.clear()
            self.world.rest()
            states = [state for state, _ in self.world.rows().values()]
            REACHED["changes"] += len(states)
            REACHED["applied"] += states.count(State.APPLIED)
            REACHED["lives"] += self.world.lives
        finally:
            self.world.close()


REACHED: Counter[str] = Counter()
LifeCycle.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=PHASES,
)
TestLifeCycle = LifeCycle.TestCase


def test_the_examples_went_far_enough() -> None:
    """The machine is no use if hardly a change gets as far as the directory."""
    assert not REACHED or REACHED["applied"] * 10 >= EXAMPLES, REACHED
    sys.stderr.write(f"life cycle: {EXAMPLES} x {STEPS}, {REACHED}\n")
