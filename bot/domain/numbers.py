"""Who has a number, as values: what was seen, what is known of it, and how much of the directory that covers.

Knows keyed hashes of numbers, never the numbers. Must not know where they are kept, nor how people are read.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import phonenumbers

from bot.domain.methods import Deleted
from bot.domain.people import Person
from bot.domain.phone import PhoneNumber, Slot

_NOT_PART = "?"
#: A scan of everybody that is older than this no longer counts as knowing everybody.
WHOLE_FOR = timedelta(days=7)


def index_key(key: bytes, number: PhoneNumber) -> str:
    """128 bits of a keyed hash in hex, the same for every spelling of one line. key: of the key ring.

    A trunk zero the directory kept (+44 0...) and the extension do not count: the question is whose phone
    rings.
    """
    country = number.country.strip(_NOT_PART)
    try:
        parsed = phonenumbers.parse(f"+{country}{number.national}", None)
        digits = f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"
    except phonenumbers.NumberParseException:
        digits = country + number.national
    return hmac.digest(key, b"number/1:" + digits.encode(), "sha256")[:16].hex()


@dataclass(frozen=True, slots=True)
class Sighting:
    """All phones of one person as read at one time. held: key of the number by slot; a missing slot is empty.

    sign_in: the slots whose number is a sign-in name. gone: the directory does not have the account.
    """

    oid: str
    at: datetime
    held: Mapping[Slot, str] = field(default_factory=dict)
    sign_in: frozenset[Slot] = frozenset()
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """A number in one slot of one person, as it was last seen there."""

    oid: str
    slot: Slot
    sign_in: bool
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the directory the index knows. total: people in it, None = nobody has counted yet.

    oldest, newest: when people were last looked at. whole_since: when the last finished scan of everybody
    began; everybody it found was looked at since then.
    """

    seen: int
    total: int | None
    oldest: datetime | None
    newest: datetime | None
    whole_since: datetime | None = None

    @property
    def percent(self) -> int | None:
        """Rounded down, so that 100 means everybody; None when nobody has counted."""
        if self.total is None:
            return None
        return 100 if self.seen >= self.total else self.seen * 100 // self.total

    def is_whole(self, now: datetime) -> bool:
        """Everybody was looked at by a scan that is not too old. Only then "nobody" may be said."""
        fresh = self.whole_since is not None and now - self.whole_since <= WHOLE_FOR
        return fresh and self.percent == 100


@dataclass(frozen=True, slots=True)
class Scan:
    """Where reading everybody stands. cursor: "" = at the beginning; else what continues it (keep it out of
    logs). due_at: when the next part may be read. total, seen: people counted by and read in this round."""

    started_at: datetime
    due_at: datetime
    cursor: str = field(default="", repr=False)
    finished_at: datetime | None = None
    whole_since: datetime | None = None
    total: int | None = None
    seen: int = 0


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some of all people. people: object ids. next: what continues the list, "" = the end. total: of all."""

    people: tuple[str, ...]
    next: str = field(default="", repr=False)
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """One line of the answer. fresh: read just now, else as last seen."""

    person: Person
    slot: Slot
    sign_in: bool
    seen_at: datetime
    fresh: bool


@dataclass(frozen=True, slots=True)
class WhoHasAnswer:
    """Everything `who has` says. number: masked. unnamed: further holdings that are not listed.

    deleted: accounts in the recycle bin, newest first, that might hold it unseen; None = could not be read.
    held_before: those of them that the index knew as holders.
    """

    number: str
    asked_at: datetime
    coverage: Coverage
    holders: tuple[Holder, ...] = ()
    unnamed: int = 0
    deleted: tuple[Deleted, ...] | None = ()
    held_before: tuple[Deleted, ...] = ()
