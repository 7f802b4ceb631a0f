"""Cards of onboardings in people's chats: sent when they are due, replaced by newer ones, redrawn when over.

Knows which of them stand where. Must not decide anything: what is drawn is the present state from the
workflow. As soon as one of them has become the card of a request it is that request's, and not kept here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.domain.outcome import Asks, Invitation, Outcome
from bot.ports import Delivered, Delivery, Message, PostedCard, Store
from bot.workflow.onboarding import Onboardings

Send = Callable[[Outcome, str], Awaitable[PostedCard | Delivered]]
Put = Callable[[PostedCard, Outcome], Awaitable[bool]]
Delete = Callable[[PostedCard], Awaitable[None]]
Post = Callable[[Outcome, str], Awaitable[Delivered]]
REDRAW = "redraw"
DONE = Delivered(Delivery.DONE)


class Invitations:
    """Raises what sending raises."""

    def __init__(self, store: Store, send: Send, put: Put, delete: Delete, post: Post) -> None:
        """post: sends and remembers the card of a request."""
        self._store = store
        self._send, self._put, self._delete, self._post = send, put, delete, post

    async def deliver(self, message: Message, onboardings: Onboardings) -> Delivered:
        outcome = await onboardings.shown(message)
        if outcome is None:
            return DONE
        if not isinstance(outcome, Invitation):
            return await self._post(outcome, message.to_oid)
        key = _key(outcome)
        standing = [each for each in await self._store.cards(key) if each.reader_oid == message.to_oid]
        if message.topic == REDRAW:
            for each in standing:
                if await self._put(each, outcome):
                    await self._store.card_gone(each.id)
            return DONE
        sent = await self._send(outcome, message.to_oid)
        if isinstance(sent, Delivered):
            return sent
        for each in standing:
            # One card asks at a time; the one above would ask the same.
            await self._delete(each)
            await self._store.card_gone(each.id)
        if outcome.asks is not Asks.STATE and sent.activity_id:
            version = outcome.onboarding.row_version
            await self._store.card_posted(replace(sent, change_id=key, drawn_version=version))
        return DONE


def _key(outcome: Invitation) -> str:
    return f"onboarding:{outcome.onboarding.id}"
