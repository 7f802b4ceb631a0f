"""Who has a number: looked up in the index, then read again in the directory, so that old rows do not count.

Knows the index and the directory. Must not know who asks, nor how the answer looks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.number_reasons import NUMBER_SHARED
from bot.domain.numbers import Holding
from bot.domain.people import Phones
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable, StoreUnavailable, Unread
from bot.workflow.parts import Parts

#: So many people are read again before an answer; beyond that the rows of the index are believed.
READ_AGAIN = 10
READ_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Checked:
    """What the index knew, after reading. fresh: people that were read just now. gone: accounts not there."""

    holdings: tuple[Holding, ...]
    fresh: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Holders:
    """Other people known to have a number. complete: everybody in the directory was looked at."""

    known: tuple[Holding, ...] = ()
    complete: bool = True

    @property
    def people(self) -> frozenset[str]:
        return frozenset(each.oid for each in self.known)


async def holders_now(parts: Parts, number: PhoneNumber, known: Sequence[Holding]) -> Checked:
    """The holdings that are still true. Only the first `READ_AGAIN` people are read; the rest stay as known.

    Whoever cannot be read stays as known, too: losing a holder would be the worse mistake.
    """
    people = list(dict.fromkeys(each.oid for each in known))[:READ_AGAIN]
    if not people:
        return Checked(tuple(known))
    parts.index.forget_recent(people)
    read: dict[str, Phones | Unread] = {}
    # Whatever was read before the trouble stays true. A pause of the directory is not waited out here.
    with contextlib.suppress(DirectoryUnavailable, TimeoutError):
        async with asyncio.timeout(READ_SECONDS):
            async for oid, found in parts.directory.phones_of_many(people):
                read[oid] = found
    await parts.index.settle()
    fresh = frozenset(oid for oid, found in read.items() if isinstance(found, Phones))
    gone = frozenset(oid for oid, found in read.items() if isinstance(found, Unread) and found.gone)
    again = await parts.index.holders(number)
    # What is new since the look-up counts, too; rows of people found elsewhere now are gone from the index.
    return Checked(tuple(each for each in again if each.oid not in gone), fresh, gone)


async def other_holders(parts: Parts, number: PhoneNumber, slot: Slot, except_oid: str) -> Holders:
    """Who else has this number as a mobile or alternate mobile. Office phones may be shared: never counted.

    An index that cannot be read is an incomplete one. Directory reads only when somebody is known.
    """
    if slot is Slot.OFFICE:
        return Holders()
    try:
        known, complete = await asyncio.gather(parts.index.holders(number), parts.index.is_whole())
        others = _others(known, except_oid)
        if others:
            others = _others((await holders_now(parts, number, others)).holdings, except_oid)
    except StoreUnavailable:
        return Holders(complete=False)
    return Holders(others, complete)


def _others(holdings: Sequence[Holding], except_oid: str) -> tuple[Holding, ...]:
    return tuple(each for each in holdings if each.slot is not Slot.OFFICE and each.oid != except_oid)


async def shared_number(
    parts: Parts, number: PhoneNumber | None, slot: Slot, target_oid: str
) -> Refusal | None:
    """The policy's limit on people per mobile number, on what is known now."""
    if number is None or parts.policy.shared_number_max == 0:
        return None
    return too_many(await other_holders(parts, number, slot, target_oid), parts.policy.shared_number_max)


def too_many(holders: Holders, most: int) -> Refusal | None:
    """The refusal when with one more the number would have more people than `most`; 0 = no limit."""
    if most == 0 or len(holders.people) < most:
        return None
    return NUMBER_SHARED.refuse(count=str(len(holders.people)), most=str(most))
