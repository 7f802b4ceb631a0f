"""The system of record as the workflow sees it: commits, queues, conversations, audit.

Knows values of the domain. Must not know SQL. No open transaction crosses this port: each method is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bot.domain.absence import Absence
from bot.domain.audit import AuditEvent, AuditRecord
from bot.domain.change import Change, Vote
from bot.domain.freeze import Freeze, FreezeKind
from bot.domain.onboarding import OnboardingStep
from bot.domain.phone import PhoneNumber
from bot.domain.switch import Switch, SwitchName
from bot.ports.batches import BatchBook, BatchWork
from bot.ports.onboardings import OnboardingBook
from bot.ports.quotas import Ceiling, Full, Quota
from bot.ports.stops import Outlived, Switching, Thaw


class StoreUnavailable(Exception):
    """The system of record cannot be had now (down, busy beyond its limit, full, closed).

    Nothing was kept, except that a connection lost during the commit itself leaves it open: reading tells.
    """


class RowUnreadable(Exception):
    """What is stored about a change makes no sense: nothing was done with it. change_id: which."""

    def __init__(self, change_id: str) -> None:
        super().__init__(change_id)
        self.change_id = change_id


class SealUnreadable(Exception):
    """A sealed value does not open: it was changed, moved, or its key is gone. It never will by itself."""


class MessageKind(StrEnum):
    """ask: approval card to an approver. notice: news for requester or target. redraw: posted cards.

    alert: something that people must look at; to_oid may be `role:NAME`, everybody who has the role.
    remind: the approval card once more, for an approver who has not decided. step: something the workflow
    does at its time (topic: what, subject: with what). onboarding: a card of the onboarding `subject`.
    """

    ASK = "ask"
    NOTICE = "notice"
    REDRAW = "redraw"
    ALERT = "alert"
    REMIND = "remind"
    STEP = "step"
    ONBOARDING = "onboarding"


@dataclass(frozen=True, slots=True)
class Message:
    """A reference to something to be said later; the card is drawn at delivery. key: unique.

    subject: the person it is about, where it is about no change. topic: of an alert, what it is about.
    """

    key: str
    kind: MessageKind
    change_id: str
    to_oid: str = ""
    due_at: datetime | None = None
    attempts: int = 0
    subject: str = ""
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """An inbound activity with an effect: absorbed when it comes again."""

    conversation_id: str
    activity_id: str
    body_hash: str
    change_id: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A guarded step of one change: stored only if state and row_version are still those of `before`.

    unexpired_at: when given, also only if `before.expires_at` is later than this time. despite_freeze: a
    step that `freeze.goes_forward` names is stored though the person is frozen; any other needs no leave.
    """

    before: Change
    after: Change
    unexpired_at: datetime | None = None
    despite_freeze: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that must become true together. numbers: clear new numbers by (change id, operation n).

    quotas: must leave room for one more each, at `at`.

    The store derives from the states: slot locks (taken in LOCKING states, released at the end) and the
    erasing of sealed numbers (at any terminal state). freezes: of somebody who is frozen already, a new one
    adds those whom it bars and takes back the lifts so far. A move that sends a write is lost (PAUSED) while
    a switch is closed, or when the ceiling is reached. earlier: by change and operation, what its writes
    replace, read right before: kept for undo until UNDO_WINDOW after it was applied, destroyed at any other
    end and when it is undone. The end of a request with the action onboard moves the onboarding that waits
    for it (`onboarding.after_change`). begin: rows of a batch that come into being as changes, guarded as the
    moves are: not for frozen people, and not while a switch is closed. batch: whose rows they are, and what
    else happens to it.
    """

    at: datetime
    create: Change | None = None
    numbers: Mapping[tuple[str, int], PhoneNumber] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    events: tuple[AuditEvent, ...] = ()
    messages: tuple[Message, ...] = ()
    received: Received | None = None
    freezes: tuple[Freeze, ...] = ()
    thaws: tuple[Thaw, ...] = ()
    switchings: tuple[Switching, ...] = ()
    quotas: tuple[Quota, ...] = ()
    ceiling: Ceiling | None = None
    earlier: Mapping[str, Mapping[int, PhoneNumber]] = field(default_factory=dict)
    onboardings: tuple[OnboardingStep, ...] = ()
    begin: tuple[Change, ...] = ()
    batch: BatchWork | None = None

    @property
    def made(self) -> tuple[Change, ...]:
        """Every change that comes into being."""
        return (*((self.create,) if self.create else ()), *self.begin)


@dataclass(frozen=True, slots=True)
class Won:
    changes: tuple[Change, ...] = ()


class LostBecause(StrEnum):
    MOVED = "moved"
    EXPIRED = "expired"
    SLOT_TAKEN = "slot taken"
    RECEIVED_BEFORE = "received before"
    ID_TAKEN = "id taken"
    FROZEN = "frozen"
    PAUSED = "paused"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing of the commit was kept. current: the change as it is now (for slot taken: the holder;
    for received before: the change the first delivery led to, if any). full: the quota without room."""

    because: LostBecause
    current: Change | None = None
    full: Full | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """What was asked for lately. by_requester: submitted by the person, whatever became of it.

    of_target: submitted for the person, without what ended before anything was written. same_number: people
    for whom an open request would set the number, too.
    """

    by_requester: int = 0
    of_target: int = 0
    same_number: int = 0


class Listing(StrEnum):
    """Lists of changes. mine: by requester. to_decide: pending and asked of me. open: all that are open.

    decided: with a vote of mine.
    """

    MINE = "mine"
    TO_DECIDE = "to decide"
    OPEN = "open"
    DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Conversation:
    """How a person is reached in their own chat with the bot, and how they read."""

    oid: str
    tenant_id: str
    conversation_id: str
    service_url: str
    user_mri: str = ""
    locale: str = "en-US"
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class PostedCard:
    """A card of a change standing in somebody's chat. drawn_version: the row_version it shows.

    posted_at: kept by the store, as of the first time.
    """

    id: str
    change_id: str
    reader_oid: str
    audience: str
    conversation_id: str
    service_url: str
    activity_id: str
    drawn_version: int
    posted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChainReport:
    """Result of verifying the audit chain. bad: (stream, seq, what) of the first broken record per stream."""

    records: int
    streams: int
    bad: tuple[tuple[str, int, str], ...] = ()


class LaneBook(Protocol):
    """Where pauses asked for by the directory are kept, so that a restart does not forget them."""

    async def lane_pauses(self) -> Mapping[str, datetime]:
        """Lane -> the time it may go on. Past times are harmless."""
        ...

    async def keep_lane_pause(self, lane: str, until: datetime) -> None:
        """A pause only ever grows."""
        ...


class LeaseBook(Protocol):
    """Names that one process at a time holds."""

    async def hold_lease(self, name: str, worker: str, now: datetime, until: datetime) -> bool:
        """Take or lengthen a lease by name; False while somebody else's lives."""
        ...

    async def release_lease(self, name: str, worker: str) -> None:
        """Give it back; somebody else's stays."""
        ...


class Store(LaneBook, LeaseBook, OnboardingBook, BatchBook, Protocol):
    """The system of record. Each method is one transaction; times are the caller's Clock."""

    async def commit(self, commit: Commit) -> Won | Lost: ...

    async def change(self, change_id: str) -> Change | None: ...

    async def list_changes(self, listing: Listing, oid: str, limit: int) -> tuple[tuple[Change, ...], int]:
        """Newest first, and how many more there are, counted up to outcome.MORE_COUNTED."""
        ...

    async def count_waiting(self, oid: str) -> int:
        """How many requests wait for this person's decision now."""
        ...

    async def open_for(self, target_oid: str) -> tuple[Change, ...]:
        """Changes that hold a lock on a slot of this person."""
        ...

    async def submitted(
        self, since: datetime, after: tuple[datetime, str] | None, limit: int
    ) -> tuple[Change, ...]:
        """Submitted requests from that time on, oldest first, those behind `after` = (submitted at, id)."""
        ...

    async def recent(
        self, requester: tuple[str, datetime], target: tuple[str, datetime], number_key: str
    ) -> Recent:
        """What was submitted by one person and for one person, each since a time of its own.

        number_key: keyed hash of the new number, "" = none.
        """
        ...

    async def full(self, at: datetime, quotas: Sequence[Quota]) -> tuple[Full, ...]:
        """Those that have no room for one more now; only the commit itself is sure."""
        ...

    async def numbers(self, change_id: str) -> dict[int, PhoneNumber]:
        """The clear new numbers by operation; empty once erased. Raises SealUnreadable."""
        ...

    async def received(self, conversation_id: str, activity_id: str) -> Received | None: ...

    async def earlier(self, change_id: str, at: datetime) -> dict[int, PhoneNumber] | None:
        """What a change replaced, by operation; None when nothing is kept (any more). Raises as `numbers`."""
        ...

    async def destroy_earlier(self, at: datetime, limit: int) -> int:
        """Keys and numbers beyond their window; of how many changes."""
        ...

    async def prune(self, outlived: Outlived, limit: int) -> int:
        """Takes out at most `limit` rows of each kind; how many went."""
        ...

    async def children(self, parent_id: str) -> tuple[Change, ...]:
        """Changes that undo this one or take it on, oldest first; previews too."""
        ...

    async def freeze_of(self, oid: str) -> Freeze | None:
        """The freeze that holds for this person now."""
        ...

    async def last_freeze(self, oid: str) -> Freeze | None:
        """The newest freeze of this person, ended or not; ended ones are kept for a while."""
        ...

    async def freezes(self, limit: int) -> tuple[Freeze, ...]:
        """Every freeze that holds, newest first."""
        ...

    async def freezes_by(self, oid: str, kind: FreezeKind, since: datetime) -> int:
        """How many of this kind the person has set since then, ended ones too."""
        ...

    async def writes_since(self, since: datetime) -> int:
        """Writes that were sent since then, those of batches apart."""
        ...

    async def switches(self) -> dict[SwitchName, Switch]:
        """The switches as they stand; one that was never touched is missing."""
        ...

    async def claim_changes(
        self, worker: str, now: datetime, lease: timedelta, limit: int
    ) -> tuple[Change, ...]:
        """Changes with due_at <= now and no living lease, leased to worker, oldest due first."""
        ...

    async def claim_messages(
        self, worker: str, now: datetime, lease: timedelta, limit: int
    ) -> tuple[Message, ...]:
        """Messages due with no living lease; attempts already counts this one."""
        ...

    async def message_unclaimed(self, key: str) -> bool:
        """True while it waits and no worker has taken it up: whoever does will see what is stored by now."""
        ...

    async def message_done(self, key: str) -> None: ...

    async def message_later(self, key: str, due_at: datetime, *, tried: bool = True) -> None:
        """tried False: this attempt does not count."""
        ...

    async def message_dead(self, key: str, why: str) -> None:
        """Given up after the bounded tries: kept, counted, never sent."""
        ...

    async def watch(self, wake: Callable[[], None]) -> None:
        """From now on until `close`: wake is called in this event loop soon after another process on the same
        database made something due, and the others hear of what we make due.

        It only saves waiting: a word may be lost, so whoever is watching still looks by itself now and then.
        """
        ...

    async def next_change(self) -> datetime | None:
        """When the next change is due, for sleeping exactly as long as may be."""
        ...

    async def next_message(self) -> datetime | None:
        """When the next message is due, likewise."""
        ...

    async def release_leases(self, worker: str | None) -> None:
        """Give back a worker's leases; None = everybody's (single-process databases, at start)."""
        ...

    async def remember_conversation(self, conversation: Conversation) -> None: ...

    async def conversation(self, oid: str) -> Conversation | None: ...

    async def forget_conversation(self, oid: str) -> None: ...

    async def service_url(self) -> str:
        """An address at which somebody of this directory was met; "" = nobody yet."""
        ...

    async def votes_of(self, oid: str, limit: int) -> tuple[Vote, ...]:
        """The person's last votes on whatever it was, the latest first."""
        ...

    async def card_posted(self, card: PostedCard) -> None: ...

    async def cards(self, change_id: str) -> tuple[PostedCard, ...]: ...

    async def cards_of(self, keys: Sequence[str]) -> tuple[PostedCard, ...]:
        """The same for several; a card that is about no change in particular has a key of its own."""
        ...

    async def card_drawn(self, card_id: str, version: int) -> None: ...

    async def card_gone(self, card_id: str) -> None: ...

    async def absences(self, oids: Collection[str], now: datetime) -> Mapping[str, Absence]:
        """Those of these people who are out now, by object id."""
        ...

    async def keep_absence(self, at: datetime, absence: Absence, events: Sequence[AuditEvent]) -> None:
        """Replaces what was said before, with its audit events; one that is over ends it."""
        ...

    async def history(self, subject_oid: str, limit: int) -> tuple[tuple[AuditRecord, ...], int]:
        """Newest first, and how many more there are, counted up to outcome.MORE_COUNTED."""
        ...

    async def append_audit(
        self, at: datetime, events: Sequence[AuditEvent], *, once: str = "", until: datetime | None = None
    ) -> bool:
        """once: what several would append under this name is appended once `until` that time.

        False = somebody had appended it.
        """
        ...

    async def verify_audit(self) -> ChainReport: ...

    async def now(self) -> datetime:
        """The database's own clock, only for the skew check."""
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
