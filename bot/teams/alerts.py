"""Pages about a freeze or about the switches, kept true in people's chats until what they tell of is over.

Knows those pages and where they stand: what has changed is alerted, and with an alert the earlier pages of
its reader are drawn anew. Must not know who is alerted, nor what a page says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.domain.outcome import Outcome, Page, PageKind
from bot.ports import Delivered, Delivery, Message, PostedCard, Store
from bot.teams.drawing import Turns

Send = Callable[[Outcome, str], Awaitable[PostedCard | Delivered]]
Put = Callable[[PostedCard, Outcome], Awaitable[bool]]
Post = Callable[[Outcome, str], Awaitable[Delivered]]
Draw = Callable[[Message], Awaitable[Outcome]]


class Alerts:
    """What else is alerted of is posted as it is. Raises what sending raises, and NotOurTurn."""

    def __init__(self, store: Store, turns: Turns, send: Send, put: Put, post: Post) -> None:
        self._store, self._turns = store, turns
        self._send, self._put, self._post = send, put, post

    async def deliver(self, message: Message, shown: Draw) -> Delivered:
        """A new page, since something happened; earlier ones of the same reader say the same from now on."""
        outcome = await shown(message)
        about = _about(outcome)
        if about is None:
            return await self._post(outcome, message.to_oid)
        key = f"page:{about}"
        # Drawn within the turn: an older page is never remembered behind a newer one.
        async with self._turns.of(f"{key}:{message.to_oid}"):
            outcome = await shown(message)
            for card in await self._store.cards(key):
                if card.reader_oid == message.to_oid:
                    await self._correct(card, outcome)
            sent = await self._send(outcome, message.to_oid)
            if isinstance(sent, Delivered):
                return sent
            await self.posted(outcome, sent)
            return Delivered(Delivery.DONE)

    async def posted(self, outcome: Outcome, card: PostedCard) -> None:
        """Remember a page that stands in somebody's chat, where it can still become untrue."""
        about = _about(outcome)
        if about is not None and card.activity_id and _holds(outcome):
            await self._store.card_posted(replace(card, change_id=f"page:{about}"))

    async def _correct(self, card: PostedCard, outcome: Outcome) -> None:
        if await self._put(card, outcome) and not _holds(outcome):
            await self._store.card_gone(card.id)


def _about(outcome: Outcome) -> str | None:
    if isinstance(outcome, Page) and outcome.kind is PageKind.SWITCHES:
        return "switches"
    if isinstance(outcome, Page) and outcome.kind is PageKind.FREEZE and outcome.freeze is not None:
        return f"freeze:{outcome.freeze.person.oid}"
    return None


def _holds(outcome: Outcome) -> bool:
    """Whether a page can still change: what is over needs no more care."""
    if not isinstance(outcome, Page):
        return False
    frozen = outcome.freeze is not None and outcome.freeze.ended_at is None
    return frozen or any(switch.closed for switch in outcome.switches)
