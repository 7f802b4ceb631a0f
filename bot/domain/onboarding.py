"""One new person on the way to a first phone: the record, its stages, and what its request makes of it.

Knows the life cycle. Must not know how it is stored, shown or delivered. The number is never in here: it is
entered once and becomes a `Change`, which alone leads to a write.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.change import Change, State
from bot.domain.decision_reasons import REJECTED_FRAUD, REJECTED_LEFT, REJECTED_NOT_ME
from bot.domain.people import PersonRef
from bot.domain.reason import Refusal


class Stage(StrEnum):
    """waiting: not looked at yet. invited: the card is theirs to answer. submitted: a request is under way.

    registered: written and read back. settled: nothing more is watched. refused: not eligible (any more).
    """

    WAITING = "waiting"
    INVITED = "invited"
    UNREACHABLE = "unreachable"
    SUBMITTED = "submitted"
    REGISTERED = "registered"
    SETTLED = "settled"
    NO_PHONE = "no-phone"
    PREFERS_NOT = "prefers-not"
    SILENT = "silent"
    REFUSED = "refused"


#: Somebody has one of these at most.
OPEN = frozenset({Stage.WAITING, Stage.INVITED, Stage.UNREACHABLE, Stage.SUBMITTED})
#: A number may be entered: by the person, or by somebody else where no card reaches them.
ANSWERABLE = frozenset({Stage.INVITED, Stage.UNREACHABLE})
#: The person said no; nobody asks them again.
WAYS_OUT = frozenset({Stage.NO_PHONE, Stage.PREFERS_NOT})
#: What an ending of the request means beyond "the card is theirs again".
_OVER = frozenset({REJECTED_LEFT.code, REJECTED_FRAUD.code, REJECTED_NOT_ME.code})


class Bridge(StrEnum):
    """What is to become of the number once there is something stronger. none: nothing stronger was seen."""

    NONE = ""
    PROPOSED = "proposed"
    KEEP = "keep"
    DEMOTE = "demote"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Onboarding:
    """Times are aware UTC. starter: who began it, never the person. cohort: those begun by one command.

    round: rises when the card must be answered anew, so that an old copy of it does nothing. until: nobody is
    reminded or may answer after it. entered_by: who typed the number when it was not the person; then
    confirmed_at is when the person said that it is theirs. why: of unreachable and refused.
    """

    id: str
    tenant_id: str
    person: PersonRef
    starter: PersonRef
    cohort: str
    stage: Stage
    row_version: int
    created_at: datetime
    until: datetime
    round: int = 1
    reminders: int = 0
    invited_at: datetime | None = None
    ended_at: datetime | None = None
    change_id: str = ""
    entered_by: PersonRef | None = None
    confirmed_at: datetime | None = None
    why: Refusal | None = None
    bridge: Bridge = Bridge.NONE
    installed: bool = False

    @property
    def open(self) -> bool:
        return self.stage in OPEN

    @property
    def printed_id(self) -> str:
        """`O-7K2Q9M`: not to be mistaken for a request."""
        return f"O-{self.id}"

    @property
    def unconfirmed(self) -> bool:
        """Somebody else typed the number, and the person has not said that it is theirs."""
        return self.entered_by is not None and self.confirmed_at is None

    @property
    def content(self) -> str:
        """What a button of the card binds to, beside the id and its reader."""
        return f"onboarding|{self.person.oid}|{self.round}"

    def answerable(self, at: datetime) -> bool:
        """True while a number may be entered."""
        return self.stage in ANSWERABLE and at < self.until


@dataclass(frozen=True, slots=True)
class OnboardingStep:
    """A guarded step: stored only if the row is still as `before`.

    before None: created, unless the person has an open one; then it is left out and the rest holds.
    """

    before: Onboarding | None
    after: Onboarding


def submitted(onboarding: Onboarding, change: Change) -> Onboarding:
    """The number was entered: the card is used up."""
    other = None if change.requester.oid == onboarding.person.oid else change.requester
    return replace(
        onboarding, stage=Stage.SUBMITTED, change_id=change.id, entered_by=other, round=onboarding.round + 1
    )


def after_change(onboarding: Onboarding, change: Change, at: datetime) -> Onboarding:
    """What the end of the request means: done, over, or the card is the person's again.

    change: in a terminal state, and the one that the onboarding waits for.
    """
    if change.state is State.APPLIED:
        return replace(onboarding, stage=Stage.REGISTERED, ended_at=at)
    if change.ending is not None and change.ending.code in _OVER:
        return replace(onboarding, stage=Stage.REFUSED, why=change.ending, ended_at=at)
    back = Stage.UNREACHABLE if onboarding.entered_by else Stage.INVITED
    return replace(onboarding, stage=back, change_id="", entered_by=None)


def reminders_at(begun: datetime, until: datetime, every: timedelta) -> tuple[datetime, ...]:
    """When whoever has not answered is reminded: at each interval before the end; zero = never."""
    if not every:
        return ()
    times, at = [], begun + every
    while at < until:
        times.append(at)
        at += every
    return tuple(times)
