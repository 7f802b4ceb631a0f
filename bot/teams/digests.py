"""One card instead of many, for an approver for whom much waits: how many requests, and where the list is.

Knows that card and where it stands. Must not know what waits, nor how the list looks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.outcome import Outcome, Page, PageKind
from bot.ports import Delivered, Delivery, PostedCard, Store
from bot.teams.drawing import Turns

#: With so many waiting, the next one does not get a card of its own.
MANY = 5
QUIET = timedelta(minutes=15)
_KEY = "digest:"

Send = Callable[[Outcome, str], Awaitable[PostedCard | Delivered]]
Put = Callable[[PostedCard, Outcome], Awaitable[bool]]
Delete = Callable[[PostedCard], Awaitable[None]]


def digest(waiting: int) -> Page:
    """`You have 7 requests waiting`; 0 = none any more."""
    return Page(PageKind.DIGEST, more=waiting)


class Digests:
    """At most one such card for each person. send: a new card; put: another in its place."""

    def __init__(self, store: Store, turns: Turns, send: Send, put: Put, delete: Delete) -> None:
        self._store = store
        self._send, self._put, self._delete = send, put, delete
        # One drawing at a time for each person, so that an older number never lands on a newer one.
        self._turns = turns

    async def tell(self, oid: str, reminded_at: datetime | None = None) -> Delivered:
        """The number as it is now, in the card that stands there, or in a new one. Raises as sending does,
        and NotOurTurn.

        reminded_at: of a reminder, which an update would not be: a new card, and the old one goes; many
        reminders within a quarter of an hour are one.
        """
        async with self._turns.of(_KEY + oid):
            waiting = await self._store.count_waiting(oid)
            standing = await self._standing((oid,))
            due = reminded_at is not None and any(_is_older(card, reminded_at) for card in standing)
            if standing and not due and await self._update(standing[0], waiting):
                return Delivered(Delivery.DONE)
            sent = await self._send(digest(waiting), oid)
            if isinstance(sent, Delivered):
                return sent
            for old in standing:
                await self._delete(old)
                await self._store.card_gone(old.id)
            await self._store.card_posted(replace(sent, change_id=_KEY + oid, drawn_version=waiting))
            return Delivered(Delivery.DONE)

    async def refresh(self, oids: Collection[str]) -> None:
        """Bring the cards of these people up to what is true now, where they have one."""
        for card in await self._standing(oids):
            async with self._turns.of(_KEY + card.reader_oid):
                waiting = await self._store.count_waiting(card.reader_oid)
                if waiting != card.drawn_version:
                    await self._update(card, waiting)

    async def _standing(self, oids: Collection[str]) -> tuple[PostedCard, ...]:
        return await self._store.cards_of([_KEY + oid for oid in oids])

    async def _update(self, card: PostedCard, waiting: int) -> bool:
        """False when the card is not there any more. With nothing left it is said and forgotten."""
        conversation = await self._store.conversation(card.reader_oid)
        if conversation is None or conversation.conversation_id != card.conversation_id:
            await self._store.card_gone(card.id)
            return False
        if not await self._put(card, digest(waiting)):
            return False
        if waiting:
            await self._store.card_posted(replace(card, drawn_version=waiting))
        else:
            await self._store.card_gone(card.id)
        return True


def _is_older(card: PostedCard, reminded_at: datetime) -> bool:
    return card.posted_at is None or card.posted_at + QUIET <= reminded_at
