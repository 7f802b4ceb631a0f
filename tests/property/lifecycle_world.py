"""A house that can lose its power at any moment and is opened again over the same file, with a judge inside.

Knows how the parts are put together, who lives in the world, and the promises that hold after every step.
Must not choose what happens: the state machine does.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from lifecycle_promises import Promises

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Change, How, State
from bot.domain.people import Person, Role, TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Policy, Rule, Step, Token, TokenKind
from bot.jobs import Jobs
from bot.ports import Directory, Store
from bot.store.engine import open_database, prepare_file, read_url
from bot.store.migrate import migrate
from bot.workflow.desk import Desk
from bot.workflow.parts import Envelope
from tests.doubles.crashing import PowerCut, Watched
from tests.doubles.directory import FakeDirectory, Group
from tests.doubles.house import (
    ADA,
    ALICE,
    AMIR,
    APPROVERS,
    GLENN,
    HELD,
    MARTA,
    NED,
    OLIVIA,
    OPERATORS,
    SAM,
    SECURITY,
    CountedIds,
    HandClock,
    House,
    NotingMessenger,
    directory,
    house,
    oid,
    policy,
)
from tests.doubles.judging import ADMINS, JudgingDirectory

T = TypeVar("T")
_MOST_SECONDS = 30.0
OSCAR, ADAM, SIMON, AXEL = oid(9), oid(10), oid(11), oid(12)
EVERYBODY = (OLIVIA, OSCAR, ALICE, MARTA, ADA, SAM, GLENN, NED, AMIR, ADAM, SIMON, AXEL)
MORE = {OSCAR: "Oscar Oak", ADAM: "Adam Alder", SIMON: "Simon Sand", AXEL: "Axel Ask"}
GROUPS = {OPERATORS: (OSCAR,), ADMINS: (ADAM,), SECURITY: (SIMON,), APPROVERS: (AXEL,)}
MANAGERS = {ALICE: MARTA, NED: MARTA, MARTA: SAM, OLIVIA: MARTA, AMIR: OSCAR}
_CHANGES = frozenset({Action.SET, Action.REMOVE, Action.UNDO})
_MANAGER, _APPROVER = Token(TokenKind.MANAGER), Token(TokenKind.ROLE, "approver")
_SECURITY = Token(TokenKind.ROLE, "security")


def rules() -> Policy:
    """The manager, or whoever stands in, for a mobile; two steps and a wait for an office phone; two at once
    for an alternate one; security for our own staff."""
    ordinary = frozenset({TargetKind.ORDINARY})
    made = policy()
    return replace(
        made,
        roles={**made.roles, Role.ADMIN: frozenset({ADMINS})},
        rules=(
            Rule(
                "office phones",
                _CHANGES,
                ordinary,
                (Step((_MANAGER,), 1, (_APPROVER,)), Step((_SECURITY,))),
                slots=frozenset({Slot.OFFICE}),
                cooling_minutes=30,
                remind_minutes=60,
            ),
            Rule(
                "two of them", _CHANGES, ordinary, (Step((_APPROVER,), 2),), slots=frozenset({Slot.ALTERNATE})
            ),
            Rule("ordinary", _CHANGES, ordinary, (Step((_MANAGER,), 1, (_APPROVER,)),), escalate_minutes=240),
            Rule("our own staff", _CHANGES, frozenset({TargetKind.OPERATOR}), (Step((_SECURITY,)),)),
        ),
    )


NUMBERS = ("2065550100", "2065550101", "2065550102", "2065550103")


@cache
def migrated_file() -> Path:
    """A migrated file without rows, made once and copied for each example."""
    file = Path(tempfile.mkdtemp(prefix="ringfence-lifecycle-")) / "template.db"
    prepare_file(file)
    database = open_database(read_url(f"sqlite:///{file}"))
    migrate(database.writing)
    database.close()
    return file


class Power:
    """On until a chosen moment has come so often; then nothing works until the next life."""

    def __init__(self) -> None:
        self.on = True
        self.cut: tuple[str, int] | None = None

    def moment(self, name: str) -> None:
        if self.on and self.cut is not None and name == self.cut[0]:
            self.cut = (name, self.cut[1] - 1)
            self.on = self.cut[1] > 0
        if not self.on:
            raise PowerCut(name)


class World:
    """One example. Everything is synchronous for the machine; the loop belongs to the world."""

    def __init__(self) -> None:
        shm = Path("/dev/shm")  # noqa: S108 - memory, so that a full synchronous write costs nothing
        self.folder = Path(tempfile.mkdtemp(prefix="ringfence-", dir=shm if shm.is_dir() else None))
        shutil.copy(migrated_file(), self.folder / "ringfence.db")
        self.loop = asyncio.new_event_loop()
        self.clock, self.ids, self.messenger = HandClock(), CountedIds(), NotingMessenger()
        self.outside = directory()
        self._settle_people(self.outside)
        self.outside.phones_of[MARTA] = {Slot.MOBILE: HELD, Slot.OFFICE: PhoneNumber("1", "2065550113")}
        self.used = {*NUMBERS, "2065550112", "2065550113", "2065550177"}
        self.outsiders = 0
        self.lives = 0
        self.activities = 0
        self.changes: list[str] = []
        self.sent: list[tuple[c.Command, Envelope]] = []
        self.judge: JudgingDirectory | None = None
        self.read_only = False
        self._reader: sqlite3.Connection | None = None
        self.promises = Promises(self)
        self.open()

    # --- lives --------------------------------------------------------------------------------------------
    def open(self) -> None:
        self.lives += 1
        self.power = Power()
        self._stack = contextlib.AsyncExitStack()
        opening = house(
            self.folder,
            rules=rules(),
            outside=self.outside,
            messenger=self.messenger,
            clock=self.clock,
            read_only=self.read_only,
        )
        self.home: House = self.loop.run_until_complete(self._stack.enter_async_context(opening))
        store = self.home.store
        self.judge = self.judge or JudgingDirectory(self.outside, store, self.clock)
        self.judge.over(store, read_only=self.read_only)
        self.loop.run_until_complete(store.release_leases(None))
        watched = cast(Store, Watched(store, self.power.moment))
        guarded = cast(Directory, Watched(self.judge, self.power.moment))
        self.parts = replace(self.home.parts, store=watched, directory=guarded, ids=self.ids)
        self.desk = Desk(self.parts)
        self.workers = [
            Jobs(
                desk,
                watched,
                self.messenger,
                self.clock,
                self.home.tally,
                f"worker-{self.lives}-{n}",
                check_skew=False,
            )
            for n, desk in enumerate((self.desk, Desk(self.parts), Desk(self.parts)))
        ]

    def crash(self) -> None:
        """Everything in memory is gone; the file stays as it is."""
        self.power.on = False
        self.loop.run_until_complete(self._stack.aclose())
        self.open()

    def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do it; a power cut in the middle is followed by the next life."""
        try:
            result = self.loop.run_until_complete(self._in_time(work))
        except PowerCut:
            result = None
        if not self.power.on:
            self.crash()
        return result

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        """Nothing here waits for anything outside, so what is not done by now never will be."""
        doing = asyncio.ensure_future(work)
        await asyncio.wait([doing], timeout=_MOST_SECONDS)
        if not doing.done():
            for task in asyncio.all_tasks():
                task.print_stack()
            raise AssertionError("it waits for something that never comes")
        return doing.result()

    def close(self) -> None:
        self.promises.close()
        if self._reader is not None:
            self._reader.close()
        self.loop.run_until_complete(self._stack.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)

    def heal(self) -> None:
        """Rights, accounts and connections as at the beginning; what was done stays done."""
        assert self.judge is not None
        fresh, here = directory(), self.outside
        self._settle_people(fresh)
        for name, group in fresh.groups.items():
            here.groups[name].members = set(group.members)
        here.managers.clear()
        here.managers |= MANAGERS
        here.roles.clear()
        here.people = {oid: replace(person, enabled=True) for oid, person in here.people.items()}
        here._planned.clear()
        self.judge.lag = timedelta()
        self.power.cut = None
        self.messenger.later = 0
        self.messenger.lost.clear()
        self.messenger.unreachable.clear()

    @staticmethod
    def _settle_people(there: FakeDirectory) -> None:
        """More people than the house has: a second of each kind, and an admin."""
        there.groups[ADMINS] = Group(ADMINS, "Admins", role_assignable=True)
        for who, name in MORE.items():
            there.people[who] = Person(who, name, f"{name.split()[0].lower()}@contoso.example")
        for group, members in GROUPS.items():
            there.groups[group].members.update(members)
        there.managers |= MANAGERS

    # --- people -------------------------------------------------------------------------------------------
    def envelope(self, who: str) -> Envelope:
        self.activities += 1
        return Envelope(who, f"conv-{who}", f"act-{self.activities}", f"hash-{self.activities}", "cid")

    def say(self, command: c.Command, who: str, envelope: Envelope | None = None) -> o.Outcome | None:
        """One command by one person; what it did is held against what was answered."""
        told = envelope or self.envelope(who)
        self.sent.append((command, told))
        before, votes = self.rows(), self.votes()
        outcome = self.run(self.desk.handle(command, told))
        refused = isinstance(outcome, o.Refused) and not outcome.tells_an_ending
        families = {r.reason.family for r in outcome.refusals} if refused else set()
        if families and families <= {"access", "policy"}:
            assert (self.rows(), self.votes()) == (before, votes), f"a refusal changed something: {families}"
            assert isinstance(outcome, o.Refused)
            self.recorded(who, outcome)
        for change_id, voter, via in self.votes() - votes:
            assert self.stands(change_id, voter, via), f"{voter} voted on {change_id} without standing"
        view = getattr(outcome, "view", None)
        if view is not None and view.change.id not in self.changes:
            self.changes.append(view.change.id)
        return outcome

    def recorded(self, who: str, outcome: o.Refused) -> None:
        """Each refusal of access or by the policy stands in the audit, of the same person once a minute."""
        since = (self.clock.now() - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")
        query = "SELECT 1 FROM audit WHERE actor = ? AND at >= ? AND name LIKE '%:refused' AND facts LIKE ?"
        for refusal in outcome.refusals:
            assert self.db(query, who, since, f'%"{refusal.code}"%'), f"{refusal.code} is not recorded"

    def change(self, index: int) -> Change | None:
        if not self.changes:
            return None
        return self.loop.run_until_complete(self.home.store.change(self.changes[index % len(self.changes)]))

    def work(self, *workers: int) -> None:
        """The workers do all that is due, at the same time."""

        async def all_of_them() -> None:
            done = await asyncio.gather(*(self.workers[n].drain() for n in workers), return_exceptions=True)
            for result in done:
                if isinstance(result, BaseException):
                    raise result

        self.run(all_of_them())

    def stands(self, change_id: str, voter: str, via: str) -> bool:
        """May this person decide this change by that token, by the directory's own data?"""
        query = "SELECT target_oid, requester_oid FROM changes WHERE id = ?"
        target, requester = self.db(query, change_id)[0]
        groups, person = self.outside.groups, self.outside.people[voter]
        operator = voter in groups[OPERATORS].members
        by = {
            "manager-of-target": self.outside.managers.get(target) == voter,
            "role:approver": voter in groups[APPROVERS].members,
            "role:security": voter in groups[SECURITY].members,
        }
        able = person.enabled and not person.guest and not operator
        return able and by.get(via, False) and voter not in (target, requester)

    # --- what is written ----------------------------------------------------------------------------------
    def db(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if self._reader is None:
            address = f"file:{self.folder / 'ringfence.db'}?mode=ro"
            self._reader = sqlite3.connect(address, uri=True, isolation_level=None)
        return list(self._reader.execute(query, values))

    def rows(self) -> dict[str, tuple[State, int]]:
        found = self.db("SELECT id, state, row_version FROM changes")
        return {change_id: (State(state), version) for change_id, state, version in found}

    def votes(self) -> set[tuple[str, str, str]]:
        return set(self.db("SELECT change_id, oid, via FROM votes"))

    # --- promises -----------------------------------------------------------------------------------------
    def check(self) -> None:
        """What holds after every step."""
        self.promises.after_each_step()

    def rest(self) -> None:
        """All faults stop and two hours pass: everything that was started has come to its end."""
        assert self.judge is not None
        self.power.cut = None
        self.outside._planned.clear()
        self.judge.lag = timedelta()
        self.messenger.later, self.messenger.lost = 0, {}
        if self.read_only:
            self.read_only = False
            self.crash()
        # While paused nothing ends, and only an admin with a working account opens it.
        self.outside.people[ADAM] = replace(self.outside.people[ADAM], enabled=True)
        self.say(c.Resume(), ADAM)
        for minutes in (1, 1, 3, 5, 5, 5, 10, 15, 15, 60):
            self.clock.pass_by(minutes=minutes)
            self.work(0)
        self.promises.at_rest()


def verdict(change: Change, approve: bool, card: c.CardRef | None, tail: str) -> c.Command:
    """A decision by button or typed."""
    request = c.RequestId(change.id, tail)
    return c.Approve(request, card, How.IN_PERSON) if approve else c.Reject(request, "not her", card)
