"""From an Outcome to Teams: activities for answers, proactive cards, and posted cards redrawn in place.

Knows cards, conversations and the connector. Must not decide anything: what is drawn is the present state
from the workflow, at the moment of sending.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from botbuilder.schema import Activity, Attachment

import cards
from bot.domain.change import Change, State
from bot.domain.outcome import Outcome, Page
from bot.domain.people import Reader
from bot.ports import (
    Conversation,
    Delivered,
    Delivery,
    Message,
    MessageKind,
    PostedCard,
    Reach,
    Store,
)
from bot.teams.addresses import Addresses
from bot.teams.alerts import Alerts
from bot.teams.connector import Connectors, SendError, SendLater, SendRefused, SendTooEarly
from bot.teams.digests import MANY, Digests
from bot.teams.drawing import NotOurTurn, Turns
from bot.teams.invitations import Invitations
from bot.workflow.desk import Desk
from bot.workflow.messages import redraw_key

CARD = "application/vnd.microsoft.card.adaptive"
_WORDS = {
    "ForbiddenOperationException": "this app is not installed for them in Teams",
    "BotNotInConversationRoster": "this app is not installed for them in Teams",
    "ConversationBlockedByUser": "they have blocked this app",
    "MessageWritesBlocked": "they have blocked or removed this app",
    "BotDisabledByAdmin": "an administrator has blocked this app",
    "ConversationNotFound": "their chat with this app no longer exists",
}
_GONE = frozenset({"ActivityNotFoundInConversation", "ConversationNotFound", "BotNotInConversationRoster"})
_REDRAWN_AT_MOST = 5
_ASKING = (MessageKind.ASK, MessageKind.REMIND)
_DRAWN_ELSEWHERE = timedelta(seconds=1)
log = logging.getLogger(__name__)


def draw(outcome: Outcome, reader: Reader) -> cards.Drawn:
    """The card for one reader, who has the roles that the answer was made for."""
    return cards.draw(outcome, replace(reader, roles=outcome.roles) if isinstance(outcome, Page) else reader)


def card_activity(outcome: Outcome, reader: Reader) -> Activity:
    """The outcome as a message with exactly one card. Text beside it would split the message in two."""
    drawn = draw(outcome, reader)
    return Activity(
        type="message",
        summary=drawn.text[:300],
        attachments=[Attachment(content_type=CARD, content=drawn.card)],
    )


def card_message(outcome: Outcome, reader: Reader) -> dict[str, Any]:
    """The same as JSON, for sending outside a turn."""
    drawn = draw(outcome, reader)
    return {
        "type": "message",
        "summary": drawn.text[:300],
        "attachments": [{"contentType": CARD, "content": drawn.card}],
    }


def change_of(outcome: Outcome) -> Change | None:
    """The change whose state the card shows. A refusal about a live request is not its card."""
    if isinstance(outcome, Page):
        return None
    view = getattr(outcome, "view", None)
    return view.change if view is not None else None


def reader_of(conversation: Conversation) -> Reader:
    return Reader(conversation.oid, conversation.locale, conversation.timezone)


class TeamsMessenger:
    """The Messenger port. `present` is given late, because the desk itself needs a messenger."""

    def __init__(self, store: Store, connectors: Connectors, addresses: Addresses, turns: Turns) -> None:
        self._store = store
        self._connectors = connectors
        self._addresses = addresses
        self._desk: Desk | None = None
        self._turns = turns
        self._digests = Digests(store, turns, self._send, self._put, self._delete)
        self._alerts = Alerts(store, turns, self._send, self._put, self._post)
        self._invitations = Invitations(store, self._send, self._put, self._delete, self._post)

    def attach(self, desk: Desk) -> None:
        """The desk whose present state is drawn."""
        self._desk = desk

    async def reach(self, oid: str) -> Reach:
        """A known conversation, or one created now by object id."""
        if await self._store.conversation(oid) is not None:
            return Reach(True)
        try:
            created = await self._create(oid)
        except SendError as error:
            again = timedelta(seconds=getattr(error, "retry_after", None) or 1.0)
            return Reach(False, "Teams did not answer just now", again)
        return Reach(True) if isinstance(created, Conversation) else Reach(False, created)

    async def deliver(self, message: Message) -> Delivered:
        """One message of the outbox; drawn from what is true now."""
        try:
            if message.kind is MessageKind.ALERT:
                return await self._alerts.deliver(message, self._attached.alerting.shown)
            if message.kind is MessageKind.ONBOARDING:
                return await self._invitations.deliver(message, self._attached.onboarding)
            change = await self._store.change(message.change_id)
            if change is None:
                return Delivered(Delivery.DONE)
            if message.kind is MessageKind.REDRAW:
                done = await self._redraw(change)
                await self._digests.refresh({a.person.oid for step in change.steps for a in step.asked})
                return done
            if message.kind in _ASKING and not _waits_for(change, message.to_oid):
                # It may have been sent before the process died: then that card still asks.
                return await self._redraw(change)
            if message.kind in _ASKING and await self._store.count_waiting(message.to_oid) > MANY:
                return await self._digests.tell(message.to_oid, _reminded_at(message))
            return await self._post(await self._present(change, message.to_oid), message.to_oid)
        except SendLater as error:
            wait = None if error.retry_after is None else timedelta(seconds=error.retry_after)
            return Delivered(Delivery.LATER, error.code, wait, isinstance(error, SendTooEarly))
        except SendRefused as error:
            return await self._refused(message, error)
        except SendError as error:
            return Delivered(Delivery.LATER, error.code)
        except NotOurTurn:
            return Delivered(Delivery.LATER, "DrawnElsewhere", _DRAWN_ELSEWHERE)

    async def posted(
        self, change: Change, conversation: Conversation, activity_id: str, version: int
    ) -> None:
        """Remember a card of a change that stands in somebody's chat. version: what it shows, 0 = unknown.

        A change that went on between drawing and remembering is redrawn at once.
        """
        card = _standing(conversation, activity_id)
        await self._keep(replace(card, change_id=change.id, drawn_version=version), change)

    async def page_posted(self, page: Page, conversation: Conversation, activity_id: str) -> None:
        """Remember an answer that stands in somebody's chat, where it can become untrue."""
        await self._alerts.posted(page, _standing(conversation, activity_id))

    async def _keep(self, card: PostedCard, change: Change) -> None:
        if not card.activity_id:
            return
        await self._store.card_posted(card)
        latest = await self._store.change(change.id)
        if latest is not None and latest.state is not change.state:
            with contextlib.suppress(SendLater, NotOurTurn):
                await self._redraw(latest)

    async def follow(self, change: Change) -> None:
        """Bring the posted cards of a change up to what is true now; what fails is left to the outbox.

        So is what it will draw anyway: by then the write is often over, and each card is drawn once.
        """
        if await self._store.message_unclaimed(redraw_key(change.id, change.row_version)):
            return
        with contextlib.suppress(SendError, NotOurTurn):
            await self._redraw(change)

    async def tell(self, outcome: Outcome, oid: str) -> None:
        """An answer that no turn waits for; what cannot be sent is left at that."""
        try:
            await self._post(outcome, oid)
        except SendError as error:
            log.warning("an answer could not be sent", extra={"status": error.status})

    async def update(
        self, conversation: Conversation, activity_id: str, outcome: Outcome, reader: Reader
    ) -> None:
        """Put another card in the place of one that stands in a chat."""
        connector = self._connectors.at(conversation.service_url)
        await connector.update(conversation.conversation_id, activity_id, card_message(outcome, reader))

    async def _post(self, outcome: Outcome, oid: str) -> Delivered:
        sent = await self._send(outcome, oid)
        if isinstance(sent, Delivered):
            return sent
        change = change_of(outcome)
        if change is not None:
            await self._keep(replace(sent, change_id=change.id, drawn_version=change.row_version), change)
        return Delivered(Delivery.DONE)

    async def _send(self, outcome: Outcome, oid: str) -> PostedCard | Delivered:
        """Where the card stands now, or that the person cannot be reached."""
        conversation = await self._store.conversation(oid)
        if conversation is None:
            created = await self._create(oid)
            if not isinstance(created, Conversation):
                return Delivered(Delivery.UNREACHABLE, created)
            conversation = created
        connector = self._connectors.at(conversation.service_url)
        activity_id = await connector.send(
            conversation.conversation_id, card_message(outcome, reader_of(conversation))
        )
        return _standing(conversation, activity_id)

    async def _put(self, card: PostedCard, outcome: Outcome) -> bool:
        """Draw a standing card anew; False when it is not there any more, and then it is forgotten.

        Raises what sending raises, but for a card that was deleted and an app that was removed.
        """
        conversation = await self._store.conversation(card.reader_oid)
        reader = reader_of(conversation) if conversation else Reader(card.reader_oid)
        connector = self._connectors.at(card.service_url)
        try:
            await connector.update(card.conversation_id, card.activity_id, card_message(outcome, reader))
        except SendRefused as error:
            if error.status == 413 or error.status >= 500:
                raise
            await self._store.card_gone(card.id)
            return False
        return True

    async def _delete(self, card: PostedCard) -> None:
        """What cannot be deleted stays; its button leads to the list all the same."""
        with contextlib.suppress(SendError):
            await self._connectors.at(card.service_url).delete(card.conversation_id, card.activity_id)

    async def _redraw(self, change: Change) -> Delivered:
        async with self._turns.of(change.id) as still_ours:
            for _ in range(_REDRAWN_AT_MOST):
                latest = await self._store.change(change.id)
                if latest is None:
                    break
                stale = [
                    c for c in await self._store.cards(change.id) if c.drawn_version < latest.row_version
                ]
                if not stale:
                    break
                for card in stale:
                    await still_ours()
                    await self._redraw_card(latest, card)
        return Delivered(Delivery.DONE)

    async def _redraw_card(self, change: Change, card: PostedCard) -> None:
        if await self._put(card, await self._present(change, card.reader_oid)):
            await self._store.card_drawn(card.id, change.row_version)

    async def _refused(self, message: Message, error: SendRefused) -> Delivered:
        if error.status in (403, 404):
            await self._addresses.left(message.to_oid)
            return Delivered(Delivery.UNREACHABLE, _why(error))
        return Delivered(Delivery.LATER if error.status >= 500 else Delivery.UNREACHABLE, _why(error))

    async def _present(self, change: Change, oid: str) -> Outcome:
        return await self._attached.present(change, oid)

    @property
    def _attached(self) -> Desk:
        if self._desk is None:
            raise RuntimeError("the messenger is not attached to a desk")
        return self._desk

    async def _create(self, oid: str) -> Conversation | str:
        """The conversation, or in words why there is none. Raises SendLater, SendUnknown."""
        start = await self._addresses.start()
        if not start:
            return "no Teams address is known yet"
        try:
            connector = self._connectors.at(start)
            created = await connector.create_conversation(
                self._addresses.tenant_id, self._addresses.bot_id, oid
            )
        except SendRefused as error:
            return _why(error)
        conversation = Conversation(
            oid=oid,
            tenant_id=self._addresses.tenant_id,
            conversation_id=created.conversation_id,
            service_url=created.service_url,
        )
        await self._store.remember_conversation(conversation)
        return conversation


def _standing(conversation: Conversation, activity_id: str) -> PostedCard:
    return PostedCard(
        id=uuid.uuid5(uuid.NAMESPACE_OID, f"{conversation.conversation_id}|{activity_id}").hex,
        change_id="",
        reader_oid=conversation.oid,
        audience="",
        conversation_id=conversation.conversation_id,
        service_url=conversation.service_url,
        activity_id=activity_id,
        drawn_version=0,
    )


def _reminded_at(message: Message) -> datetime | None:
    return message.due_at if message.kind is MessageKind.REMIND else None


def _waits_for(change: Change, oid: str) -> bool:
    """True while the person is asked and has not decided."""
    return change.state is State.PENDING and any(each.person.oid == oid for each in change.awaited)


def _why(error: SendError) -> str:
    for code in (error.sub_code, error.code):
        if code in _WORDS:
            return _WORDS[code]
    return f"Teams refused ({error.status} {error.code})"
