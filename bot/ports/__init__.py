"""What the workflow needs from the world: Protocols, owned by the workflow, implemented by the outer ring.

Knows values of the domain. Must not know any adapter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bot.ports.batches import BatchBook, BatchWork, Waiting
from bot.ports.directory import (
    Directory,
    DirectoryRefused,
    DirectoryUnavailable,
    DirectoryUncertain,
    Pass,
    Receipt,
    Unread,
)
from bot.ports.onboardings import OnboardingBook
from bot.ports.quotas import Ceiling, Counted, Full, Quota
from bot.ports.reports import Reports
from bot.ports.sheets import SheetRefused, Sheets
from bot.ports.stops import Outlived, Switching, Thaw
from bot.ports.store import (
    ChainReport,
    Commit,
    Conversation,
    LaneBook,
    LeaseBook,
    Listing,
    Lost,
    LostBecause,
    Message,
    MessageKind,
    Move,
    PostedCard,
    Received,
    Recent,
    RowUnreadable,
    SealUnreadable,
    Store,
    StoreUnavailable,
    Won,
)

__all__ = [
    "BatchBook",
    "BatchWork",
    "Ceiling",
    "ChainReport",
    "Clock",
    "Commit",
    "Conversation",
    "Counted",
    "Delivered",
    "Delivery",
    "Directory",
    "DirectoryRefused",
    "DirectoryUnavailable",
    "DirectoryUncertain",
    "Full",
    "Ids",
    "LaneBook",
    "LeaseBook",
    "Listing",
    "Lost",
    "LostBecause",
    "Message",
    "MessageKind",
    "Messenger",
    "Metrics",
    "Move",
    "OnboardingBook",
    "Outlived",
    "Pass",
    "PostedCard",
    "Quota",
    "Reach",
    "Receipt",
    "Received",
    "Recent",
    "Reports",
    "RowUnreadable",
    "SealUnreadable",
    "SheetRefused",
    "Sheets",
    "Store",
    "StoreUnavailable",
    "Switching",
    "Thaw",
    "Tokens",
    "Unread",
    "Waiting",
    "Won",
    "WorkflowKeys",
]


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


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether somebody can be written to in Teams. why: cause in words when not.

    retry_after: it could not be found out now, and may be asked again then.
    """

    ok: bool
    why: str = ""
    retry_after: timedelta | None = None


class Delivery(StrEnum):
    DONE = "done"
    LATER = "later"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one message. retry_after: how long to wait when LATER.

    untried: it was not even tried, and that counts as no attempt.
    """

    result: Delivery
    why: str = ""
    retry_after: timedelta | None = None
    untried: bool = False


class Messenger(Protocol):
    """Speaking to people in Teams, outside a turn."""

    async def reach(self, oid: str) -> Reach:
        """A known conversation, or one created now by object id; a refusal counts as not reachable."""
        ...

    async def deliver(self, message: Message) -> Delivered:
        """Draw the present state for its reader and send or update it."""
        ...


@dataclass(frozen=True, slots=True)
class WorkflowKeys:
    """Derived keys the workflow needs: nonces (first makes, all are accepted) and number comparison.

    number: the comparing keys by key id; first makes.
    """

    cards: tuple[bytes, ...] = field(repr=False)
    number: bytes = field(repr=False)
