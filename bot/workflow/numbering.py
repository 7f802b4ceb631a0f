"""The index "number -> people", filled by whatever passes through: our own reads, and reads after writes.

Knows which reads tell what somebody's phones are, and the keyed hash that stands for a number. Must not know
tables. Filling it never makes a read wait or fail: what cannot be kept is lost, and seen again another time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.change import Operation
from bot.domain.command import Who
from bot.domain.methods import Default, Deleted, Licences, MethodPolicy, Registration, SignIn, SmsState
from bot.domain.numbers import Coverage, Holding, PeoplePage, Scan, Sighting, index_key
from bot.domain.people import Person, Phones, Protection, ProtectionRules
from bot.domain.phone import PhoneNumber
from bot.ports import (
    Clock,
    Directory,
    DirectoryUnavailable,
    Metrics,
    Pass,
    Receipt,
    StoreUnavailable,
    Unread,
)

log = logging.getLogger(__name__)
#: What was seen unchanged within this time is not written again: the age shown is at most that much too old,
#: and so is a row that another process wrote in between.
SAME_FOR = timedelta(minutes=1)
_REMEMBERED = 50_000
_AT_ONCE = 200
_COVERAGE_FOR = timedelta(minutes=1)


class NumberBook(Protocol):
    """Where the index is kept. Each method is one transaction; StoreUnavailable when it cannot be had."""

    async def note_numbers(self, sightings: Sequence[Sighting]) -> None:
        """Keep what was seen; a later sighting wins. Emptied slots and people who are gone are erased."""
        ...

    async def number_holders(self, key: str) -> tuple[Holding, ...]:
        """Everybody known to have the number, sign-in first, then the latest seen."""
        ...

    async def number_coverage(self) -> Coverage: ...

    async def unseen_since(self, before: datetime, after: str, limit: int) -> tuple[str, ...]:
        """People in the index last seen before that time, ordered by object id, those behind `after`."""
        ...

    async def scan(self) -> Scan | None: ...

    async def keep_scan(self, scan: Scan) -> None: ...

    async def hold_lease(self, name: str, worker: str, now: datetime, until: datetime) -> bool:
        """Take or lengthen a lease by name; False while somebody else's lives."""
        ...


class PeopleList(Protocol):
    """Everybody in the directory, page by page."""

    async def people_page(self, cursor: str, limit: int) -> PeoplePage | None:
        """At most limit people; cursor: "" = the beginning, else `next` of the page before.

        None when the directory does not continue from that cursor any more: begin again. Raises
        DirectoryUnavailable.
        """
        ...


class NumberIndex:
    """Notes what is seen and looks numbers up. For one event loop; close it before the store."""

    def __init__(
        self,
        book: NumberBook,
        key: bytes,
        clock: Clock,
        metrics: Metrics,
        people: PeopleList | None = None,
    ) -> None:
        """key: derived from the key ring for this purpose alone, and the same as long as the index lives.

        people: asked how many there are while no scan has counted them.
        """
        self._book = book
        self._key = key
        self._clock = clock
        self._metrics = metrics
        self._people = people
        self._recent: dict[str, tuple[int, datetime]] = {}
        self._waiting: dict[str, Sighting] = {}
        self._writing: asyncio.Task[None] | None = None
        self._coverage: tuple[Coverage, datetime] | None = None
        self.lost = 0

    def saw(self, oid: str, phones: Phones) -> None:
        """These are the person's phones now. Returns at once; written soon, unless nothing changed."""
        held = {slot: index_key(self._key, number) for slot, number in phones.by_slot.items()}
        sign_in = frozenset(slot for slot in held if phones.sms.get(slot) is SmsState.READY)
        self._note(Sighting(oid.lower(), self._clock.now(), held, sign_in))

    def saw_nobody(self, oid: str) -> None:
        """The directory does not have this account: nothing of it is kept."""
        self._note(Sighting(oid.lower(), self._clock.now(), gone=True))

    def forget_recent(self, oids: Sequence[str]) -> None:
        """Whatever is seen next of these people is written, also when it looks unchanged from here."""
        for oid in oids:
            self._recent.pop(oid, None)

    async def settle(self) -> None:
        """Wait until everything noted so far is written, or lost (then `lost` has grown)."""
        while self._writing is not None:
            await asyncio.shield(self._writing)

    def key_of(self, number: PhoneNumber) -> str:
        """What stands for the number in the index."""
        return index_key(self._key, number)

    async def holders(self, number: PhoneNumber) -> tuple[Holding, ...]:
        """Everybody known to have the number, in any slot. Raises StoreUnavailable."""
        await self.settle()
        return await self._book.number_holders(self.key_of(number))

    async def coverage(self, *, at_most_old: timedelta = timedelta()) -> Coverage:
        """How much of the directory is known. Raises StoreUnavailable."""
        now = self._clock.now()
        if self._coverage is None or now - self._coverage[1] >= at_most_old:
            await self.settle()
            self._coverage = (await self._book.number_coverage(), now)
        return self._coverage[0]

    async def counted_coverage(self) -> Coverage:
        """The same as of now, with the directory's own count of people where no scan has counted them."""
        coverage = await self.coverage()
        if coverage.total is not None or self._people is None:
            return coverage
        try:
            page = await self._people.people_page("", 1)
        except DirectoryUnavailable:
            return coverage
        return replace(coverage, total=page.total) if page else coverage

    async def is_whole(self) -> bool:
        """Everybody is known; may be a minute late in saying so. Raises StoreUnavailable."""
        return (await self.coverage(at_most_old=_COVERAGE_FOR)).is_whole(self._clock.now())

    def _note(self, seen: Sighting) -> None:
        mark = hash((tuple(sorted(seen.held.items())), seen.sign_in, seen.gone))
        known = self._recent.get(seen.oid)
        if known is not None and known[0] == mark and seen.at - known[1] < SAME_FOR:
            return
        if len(self._recent) >= _REMEMBERED:
            self._recent.clear()
        self._recent[seen.oid] = (mark, seen.at)
        self._waiting[seen.oid] = seen
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        """Small transactions one after another: nobody waits long for the writer because of the index."""
        try:
            while self._waiting:
                batch = [self._waiting.pop(oid) for oid in list(self._waiting)[:_AT_ONCE]]
                try:
                    await self._book.note_numbers(batch)
                except Exception as error:
                    self._not_kept(batch, error)
        finally:
            self._writing = None

    def _not_kept(self, batch: Sequence[Sighting], error: Exception) -> None:
        self.lost += len(batch)
        self.forget_recent([each.oid for each in batch])
        self._metrics.count("jobs", "index lost")
        # A busy store is no news here; anything else is a mistake of ours that must be seen.
        known = isinstance(error, StoreUnavailable)
        log.warning("what was seen could not be indexed", exc_info=None if known else error)


class IndexedDirectory:
    """A Directory that notes everybody's phones as they pass. It answers exactly as the one inside."""

    def __init__(self, inside: Directory, index: NumberIndex) -> None:
        self._inside = inside
        self._index = index

    # --- what passes is noted -----------------------------------------------------------------------------
    async def phones(self, oid: str) -> Phones:
        phones = await self._inside.phones(oid)
        self._index.saw(oid, phones)
        return phones

    async def phones_of_many(self, oids: Sequence[str]) -> AsyncIterator[tuple[str, Phones | Unread]]:
        async for oid, found in self._inside.phones_of_many(oids):
            if isinstance(found, Phones):
                self._index.saw(oid, found)
            elif found.gone:
                self._index.saw_nobody(oid)
            yield oid, found

    async def person(self, oid: str) -> Person | None:
        person = await self._inside.person(oid)
        if person is None:
            self._index.saw_nobody(oid)
        return person

    # --- the rest goes through ----------------------------------------------------------------------------
    async def find(self, who: Who, limit: int = 10) -> Sequence[Person]:
        return await self._inside.find(who, limit)

    async def manager(self, oid: str) -> Person | None:
        return await self._inside.manager(oid)

    async def pass_due(self, oid: str) -> bool:
        return await self._inside.pass_due(oid)

    async def issue_pass(self, oid: str, minutes: int, call_id: str) -> Pass:
        return await self._inside.issue_pass(oid, minutes, call_id)

    async def install_app(self, oid: str, call_id: str) -> None:
        await self._inside.install_app(oid, call_id)

    async def reports(self, oid: str, limit: int) -> Sequence[Person]:
        return await self._inside.reports(oid, limit)

    async def created_since(self, at: datetime, limit: int) -> Sequence[Person]:
        return await self._inside.created_since(at, limit)

    async def manager_changed(self, oid: str, since: datetime) -> datetime | None:
        return await self._inside.manager_changed(oid, since)

    async def stand_in(self, oid: str) -> Person | None:
        return await self._inside.stand_in(oid)

    async def member_of(self, oid: str, groups: frozenset[str]) -> frozenset[str]:
        return await self._inside.member_of(oid, groups)

    async def members(self, group: str, limit: int) -> Sequence[Person]:
        return await self._inside.members(group, limit)

    async def weak_groups(self, groups: frozenset[str]) -> frozenset[str]:
        return await self._inside.weak_groups(groups)

    async def group_names(self, groups: frozenset[str]) -> Mapping[str, str]:
        return await self._inside.group_names(groups)

    async def protection(self, oid: str, rules: ProtectionRules, own_groups: frozenset[str]) -> Protection:
        return await self._inside.protection(oid, rules, own_groups)

    async def write(
        self,
        target_oid: str,
        op: Operation,
        number: PhoneNumber | None,
        call_id: str,
        *,
        present: bool | None = None,
    ) -> Receipt:
        """Not noted: a yes is not yet the truth. The read back that follows every write is."""
        return await self._inside.write(target_oid, op, number, call_id, present=present)

    async def sign_in(self, oid: str) -> SignIn:
        return await self._inside.sign_in(oid)

    async def set_default(self, oid: str, default: Default, call_id: str) -> Receipt:
        return await self._inside.set_default(oid, default, call_id)

    async def sms_sign_in(self, oid: str, enable: bool, call_id: str) -> Receipt:
        return await self._inside.sms_sign_in(oid, enable, call_id)

    async def method_policy(self) -> MethodPolicy:
        return await self._inside.method_policy()

    async def licences(self, oid: str) -> Licences:
        return await self._inside.licences(oid)

    async def registration(self, oid: str) -> Registration:
        return await self._inside.registration(oid)

    async def recently_deleted(self, limit: int) -> Sequence[Deleted]:
        return await self._inside.recently_deleted(limit)
