"""What the workflow needs from the world: Protocols, owned by the workflow, implemented by the outer ring.

Knows values of the domain. Must not know any adapter. No open transaction crosses a port: each Store
method is one transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bot.domain.audit import AuditEvent, AuditRecord
from bot.domain.change import Change, Operation
from bot.domain.command import Who
from bot.domain.methods import Default, Deleted, Licences, MethodPolicy, Registration, SignIn
from bot.domain.people import Person, Phones, Protection, ProtectionRules
from bot.domain.phone import PhoneNumber
from bot.domain.reason import Refusal


# --- time and identity ------------------------------------------------------------------------------------
class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...


class Ids(Protocol):
    def request_key(self) -> str:
        """Six characters of Crockford's base 32, unguessable; a collision is found by the store."""
        ...

    def correlation(self) -> str: ...


class Metrics(Protocol):
    def count(self, name: str, label: str = "") -> None:
        """Adds one. label: a registered code or state, never a person or a number."""
        ...


class Tokens(Protocol):
    async def get(self, scope: str) -> str:
        """A bearer token for a scope. Raises DirectoryUnavailable or the adapter's own error."""
        ...


# --- directory --------------------------------------------------------------------------------------------
class DirectoryRefused(Exception):
    """The directory said no and did nothing. refusal: the registered reason with its facts.

    saved_anyway: the answer is known to come also when the number was saved (409 phoneNumberNotUnique).
    """

    def __init__(self, refusal: Refusal, graph_request_id: str = "", *, saved_anyway: bool = False) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.graph_request_id = graph_request_id
        self.saved_anyway = saved_anyway


class DirectoryUnavailable(Exception):
    """Provably not done: not sent, throttled or not signed in. what: short words without people."""

    def __init__(self, what: str, retry_after: timedelta | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after


class DirectoryUncertain(Exception):
    """A write was sent and no answer can be trusted: only reading tells."""

    def __init__(self, what: str, graph_request_id: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.graph_request_id = graph_request_id


@dataclass(frozen=True, slots=True)
class Receipt:
    """Graph's yes to one write."""

    graph_request_id: str


@dataclass(frozen=True, slots=True)
class Unread:
    """One person of many whose phones could not be read. why: short words without people.

    gone: the directory does not have the account.
    """

    why: str
    gone: bool = False


class Directory(Protocol):
    """Microsoft Entra as the workflow sees it. Reads raise DirectoryUnavailable; only object ids in paths."""

    async def find(self, who: Who, limit: int = 10) -> Sequence[Person]:
        """Everybody the words fit, at most limit + 1 (more = too many). Never a similar person."""
        ...

    async def person(self, oid: str) -> Person | None: ...

    async def manager(self, oid: str) -> Person | None: ...

    async def phones(self, oid: str) -> Phones: ...

    async def member_of(self, oid: str, groups: frozenset[str]) -> frozenset[str]:
        """The subset of groups the person is in, nested membership included."""
        ...

    async def members(self, group: str, limit: int) -> Sequence[Person]:
        """People in the group, nested included, at most limit, paged."""
        ...

    async def weak_groups(self, groups: frozenset[str]) -> frozenset[str]:
        """Those that are neither role-assignable nor in a restricted administrative unit, or do not exist."""
        ...

    async def group_names(self, groups: frozenset[str]) -> Mapping[str, str]:
        """Display names by id, for sentences. A group that is not there is left out."""
        ...

    async def protection(self, oid: str, rules: ProtectionRules, own_groups: frozenset[str]) -> Protection:
        """What protects the person. own_groups: our role groups, whose membership alone does not protect.

        Raises DirectoryUnavailable when any part cannot be read (the caller fails closed).
        """
        ...

    async def write(
        self, target_oid: str, op: Operation, number: PhoneNumber | None, call_id: str
    ) -> Receipt:
        """Exactly one HTTP write. Raises DirectoryRefused, DirectoryUnavailable or DirectoryUncertain."""
        ...

    async def sign_in(self, oid: str) -> SignIn:
        """Methods and default, live. readable=False where permissions do not reach; other trouble raises."""
        ...

    async def set_default(self, oid: str, default: Default, call_id: str) -> Receipt:
        """Make it the default method. One write, raising as `write`; ValueError for NONE and UNKNOWN.

        DirectoryRefused (directory.profile) before any call where the permission profile cannot do it.
        """
        ...

    async def sms_sign_in(self, oid: str, enable: bool, call_id: str) -> Receipt:
        """Switch sign-in by text message for the mobile. One write, raising as `write`.

        DirectoryRefused (directory.cloud-without-sms) before any call in a cloud that does not have it.
        """
        ...

    async def method_policy(self) -> MethodPolicy:
        """The tenant's policy for texts and calls, at most 60 s old (`read_at` tells)."""
        ...

    async def licences(self, oid: str) -> Licences: ...

    async def registration(self, oid: str) -> Registration:
        """What the lagging report says; readable=False when it cannot be had. Never a proof of a write."""
        ...

    def phones_of_many(self, oids: Sequence[str]) -> AsyncIterator[tuple[str, Phones | Unread]]:
        """Everybody's phones, each person once, in any order, as fast as the directory lets us.

        A pause of the directory is waited out. Raises DirectoryUnavailable when signing in fails; what
        was yielded before stays true.
        """
        ...

    async def recently_deleted(self, limit: int) -> Sequence[Deleted]:
        """Accounts in the recycle bin, at most limit: one of them may hold a number. Only a hint."""
        ...


# --- store ------------------------------------------------------------------------------------------------
class StoreUnavailable(Exception):
    """The system of record cannot be had now (down, busy beyond its limit, full, closed).

    Nothing was kept, except that a connection lost during the commit itself leaves it open: reading tells.
    """


class MessageKind(StrEnum):
    """ask: approval card to an approver. notice: news for requester or target. redraw: posted cards."""

    ASK = "ask"
    NOTICE = "notice"
    REDRAW = "redraw"


@dataclass(frozen=True, slots=True)
class Message:
    """A reference to something to be said later; the card is drawn at delivery. key: unique."""

    key: str
    kind: MessageKind
    change_id: str
    to_oid: str = ""
    due_at: datetime | None = None
    attempts: int = 0


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

    unexpired_at: when given, also only if `before.expires_at` is later than this time.
    """

    before: Change
    after: Change
    unexpired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that must become true together. numbers: clear new numbers by (change id, operation n).

    The store derives from the states: slot locks (taken in LOCKING states, released at the end) and the
    erasing of sealed numbers (at any terminal state).
    """

    at: datetime
    create: Change | None = None
    numbers: Mapping[tuple[str, int], PhoneNumber] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    events: tuple[AuditEvent, ...] = ()
    messages: tuple[Message, ...] = ()
    received: Received | None = None


@dataclass(frozen=True, slots=True)
class Won:
    changes: tuple[Change, ...] = ()


class LostBecause(StrEnum):
    MOVED = "moved"
    EXPIRED = "expired"
    SLOT_TAKEN = "slot taken"
    RECEIVED_BEFORE = "received before"
    ID_TAKEN = "id taken"


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing of the commit was kept. current: the change as it is now (for slot taken: the holder;
    for received before: the change the first delivery led to, if any)."""

    because: LostBecause
    current: Change | None = None


class Listing(StrEnum):
    """Lists of changes. mine: by requester. to_decide: pending and asked of me. open: all that are open."""

    MINE = "mine"
    TO_DECIDE = "to decide"
    OPEN = "open"


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
    """A card of a change standing in somebody's chat. drawn_version: the row_version it shows."""

    id: str
    change_id: str
    reader_oid: str
    audience: str
    conversation_id: str
    service_url: str
    activity_id: str
    drawn_version: int


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


class Store(LaneBook, Protocol):
    """The system of record. Each method is one transaction; times are the caller's Clock."""

    async def commit(self, commit: Commit) -> Won | Lost: ...

    async def change(self, change_id: str) -> Change | None: ...

    async def list_changes(self, listing: Listing, oid: str, limit: int) -> tuple[tuple[Change, ...], int]:
        """Newest first, and how many more there are."""
        ...

    async def open_for(self, target_oid: str) -> tuple[Change, ...]:
        """Changes that hold a lock on a slot of this person."""
        ...

    async def numbers(self, change_id: str) -> dict[int, PhoneNumber]:
        """The clear new numbers by operation; empty once erased."""
        ...

    async def received(self, conversation_id: str, activity_id: str) -> Received | None: ...

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

    async def message_done(self, key: str) -> None: ...

    async def message_later(self, key: str, due_at: datetime) -> None: ...

    async def message_dead(self, key: str, why: str) -> None:
        """Given up after the bounded tries: kept, counted, never sent."""
        ...

    async def next_due(self) -> datetime | None:
        """When the next change or message is due, for sleeping exactly as long as may be."""
        ...

    async def release_leases(self, worker: str | None) -> None:
        """Give back a worker's leases; None = everybody's (single-process databases, at start)."""
        ...

    async def remember_conversation(self, conversation: Conversation) -> None: ...

    async def conversation(self, oid: str) -> Conversation | None: ...

    async def forget_conversation(self, oid: str) -> None: ...

    async def card_posted(self, card: PostedCard) -> None: ...

    async def cards(self, change_id: str) -> tuple[PostedCard, ...]: ...

    async def card_drawn(self, card_id: str, version: int) -> None: ...

    async def card_gone(self, card_id: str) -> None: ...

    async def history(self, subject_oid: str, limit: int) -> tuple[tuple[AuditRecord, ...], int]:
        """Newest first, and how many more there are."""
        ...

    async def append_audit(self, at: datetime, events: Sequence[AuditEvent]) -> None: ...

    async def verify_audit(self) -> ChainReport: ...

    async def now(self) -> datetime:
        """The database's own clock, only for the skew check."""
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


# --- messenger --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Reach:
    """Whether somebody can be written to in Teams. why: cause in words when not."""

    ok: bool
    why: str = ""


class Delivery(StrEnum):
    DONE = "done"
    LATER = "later"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one message. retry_after: how long to wait when LATER."""

    result: Delivery
    why: str = ""
    retry_after: timedelta | None = None


class Messenger(Protocol):
    """Speaking to people in Teams, outside a turn."""

    async def reach(self, oid: str) -> Reach:
        """A known conversation, or one created now by object id; a refusal counts as not reachable."""
        ...

    async def deliver(self, message: Message) -> Delivered:
        """Draw the present state for its reader and send or update it."""
        ...


# --- keys -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class WorkflowKeys:
    """Derived keys the workflow needs: nonces (first makes, all are accepted) and number comparison.

    number: the comparing keys by key id; first makes.
    """

    cards: tuple[bytes, ...] = field(repr=False)
    number: bytes = field(repr=False)
