"""One turn: an activity in, its Command to the desk, the Outcome back within the time Teams allows.

Knows turns, deadlines and invoke replies. Must not know what a command does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from botbuilder.core import TurnContext
from botbuilder.core.teams import TeamsActivityHandler
from botbuilder.schema import Activity

from bot.domain import command as c
from bot.domain import reasons
from bot.domain.change import TERMINAL
from bot.domain.outcome import Outcome, Page, PassShown, Refused, Working
from bot.domain.pass_reasons import PASS_NOT_SHOWN
from bot.domain.people import Reader, object_id
from bot.ports import Conversation, StoreUnavailable
from bot.teams.addresses import Addresses
from bot.teams.connector import SendError
from bot.teams.files import INVOKE as FILE_CONSENT
from bot.teams.files import Files, sent_files
from bot.teams.inbound import conversation_of, from_action, from_dialog, from_message, is_run
from bot.teams.invokes import InvokeReply
from bot.teams.outbound import CARD, TeamsMessenger, card_activity, change_of, draw
from bot.teams.turn import admitted
from bot.telemetry import alarm, correlation_id
from bot.workflow.desk import Desk
from bot.workflow.parts import Envelope

# Teams shows an error after about 5 s and sends again after about 15 s; people expect a sign within 2 s.
TURN_SECONDS = 1.5
# What a dialog shows is made in its turn; the workflow gives up a second earlier (`passes.SHOW_WITHIN`).
DIALOG_SECONDS = 5.0
DIALOG_TITLE = "Temporary Access Pass"
MESSAGE = "application/vnd.microsoft.activity.message"
BELOW = "Here it is, below."

log = logging.getLogger(__name__)


class RingfenceBot(TeamsActivityHandler):  # type: ignore[misc]  # the SDK ships no types
    """Handles the activities that passed the gate."""

    def __init__(
        self,
        desk: Desk,
        messenger: TeamsMessenger,
        addresses: Addresses,
        files: Files,
        wake: Callable[[], None],
        *,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        """wake: called after everything that may have made something due."""
        self._desk = desk
        self._messenger = messenger
        self._addresses = addresses
        self._files = files
        self._wake = wake
        self._turn_seconds = turn_seconds
        self._late: set[asyncio.Task[None]] = set()

    async def settle(self) -> None:
        """Wait for answers that outlived their turn."""
        while self._late:
            await asyncio.wait(self._late)

    # --- activities -------------------------------------------------------------------------------------
    async def on_message_activity(self, turn_context: TurnContext) -> None:
        activity = turn_context.activity
        if _is_shared(activity):
            await self._say(turn_context, Refused((reasons.NOT_PERSONAL.refuse(),)), Reader(""))
            return
        conversation = await self._remember(activity)
        reader = _reader(conversation)
        asking = asyncio.create_task(self._asked(turn_context))
        outcome = await self._in_time(asking)
        activity_id = await self._say(turn_context, outcome or Working(), reader)
        if outcome is None:
            self._finish_later(asking, conversation, reader, activity_id)
        else:
            await self._posted(outcome, conversation, activity_id, seen=True)
            await self._offered(outcome, conversation)
            self._wake_after(outcome)

    async def _asked(self, turn_context: TurnContext) -> Outcome:
        """What a message asks for: a file that comes with it counts, and its words do not."""
        sent = sent_files(turn_context.activity)
        if sent:
            return await self._files.receive(sent, self._envelope(turn_context))
        return await self._desk.handle(from_message(turn_context.activity), self._envelope(turn_context))

    async def on_invoke_activity(self, turn_context: TurnContext) -> InvokeReply | None:
        activity = turn_context.activity
        if activity.name == FILE_CONSENT:
            return await self._consented(turn_context)
        if activity.name == "task/fetch":
            return await self._dialog(turn_context)
        if activity.name != "adaptiveCard/action":
            return None
        if _is_shared(activity):
            return _card_reply(Refused((reasons.NOT_PERSONAL.refuse(),)), Reader(""))
        command = from_action(activity.value)
        aside = is_run(activity.value)
        conversation = await self._remember(activity)
        reader = _reader(conversation)
        asking = asyncio.create_task(self._desk.handle(command, self._envelope(turn_context)))
        outcome = await self._in_time(asking)
        card_id = activity.reply_to_id or ""
        if outcome is None:
            self._finish_later(asking, conversation, reader, card_id)
            return _card_reply(Working(), reader)
        self._wake_after(outcome)
        if aside:
            activity_id = await self._say(turn_context, outcome, reader)
            await self._posted(outcome, conversation, activity_id, seen=True)
            await self._offered(outcome, conversation)
            return _message_reply(BELOW)
        if _leaves_the_card(outcome):
            return _message_reply(draw(outcome, reader).text)
        if not isinstance(command, c.Refresh):
            await self._stands_in_place(outcome, conversation, reader, card_id)
        return _card_reply(outcome, reader)

    async def _dialog(self, turn_context: TurnContext) -> InvokeReply:
        """What is shown once and kept nowhere. What is not there in time is not shown any more."""
        activity = turn_context.activity
        if _is_shared(activity):
            return _dialog_reply(Refused((reasons.NOT_PERSONAL.refuse(),)), Reader(""))
        command = from_dialog(activity.value)
        reader = _reader(await self._remember(activity))
        asking = asyncio.create_task(self._desk.handle(command, self._envelope(turn_context)))
        outcome = await self._in_time(asking, DIALOG_SECONDS)
        if outcome is None:
            self._after_the_turn(_unheard(asking))
            outcome = Refused((PASS_NOT_SHOWN.refuse(what="it took longer than Teams waits"),))
        self._wake_after(outcome)
        return _dialog_reply(outcome, reader)

    async def _consented(self, turn_context: TurnContext) -> InvokeReply:
        """A file was taken or declined: acknowledged at once, handed over after the turn."""
        activity = turn_context.activity
        if not _is_shared(activity):
            conversation = await self._remember(activity)
            self._after_the_turn(self._files.answered(activity, self._envelope(turn_context), conversation))
        return InvokeReply(200)

    async def _offered(self, outcome: Outcome, conversation: Conversation) -> None:
        if isinstance(outcome, Page) and outcome.document is not None:
            await self._files.offer(outcome.document, conversation)

    async def on_message_update_activity(self, turn_context: TurnContext) -> None:
        await self._say(turn_context, Refused((reasons.MESSAGE_EDITED.refuse(),)), Reader(""))

    async def on_installation_update(self, turn_context: TurnContext) -> None:
        await self._reference_only(turn_context)

    async def on_conversation_update_activity(self, turn_context: TurnContext) -> None:
        await self._reference_only(turn_context)

    # --- pieces -----------------------------------------------------------------------------------------
    async def _reference_only(self, turn_context: TurnContext) -> None:
        activity = turn_context.activity
        sender = activity.from_property
        oid = object_id(sender.aad_object_id or "") if sender is not None else None
        if _is_shared(activity) or oid is None:
            return
        if _says_goodbye(activity):
            await self._addresses.left(oid)
        else:
            await self._remember(activity, anew=True)

    async def _remember(self, activity: Activity, *, anew: bool = False) -> Conversation:
        oid = object_id(activity.from_property.aad_object_id or "") or ""
        conversation = conversation_of(activity, oid, self._addresses.tenant_id)
        try:
            await self._addresses.met(conversation, anew=anew)
        except StoreUnavailable:
            # The answer can be given all the same; the next message is remembered.
            log.warning("a conversation could not be kept", extra={"kind": "turn"})
        return conversation

    def _wake_after(self, outcome: Outcome) -> None:
        """Something may be due now; never after a page, which only reads (waking asks the store)."""
        if not isinstance(outcome, Page):
            self._wake()

    async def _in_time(self, asking: asyncio.Task[Outcome], seconds: float = 0.0) -> Outcome | None:
        """The outcome, or None when the directory takes longer than a turn may."""
        # What needs no directory is ready after one step of the loop; a timer for it would cost more than it.
        await asyncio.sleep(0)
        if asking.done():
            return asking.result()
        done, _ = await asyncio.wait({asking}, timeout=seconds or self._turn_seconds)
        return asking.result() if done else None

    async def _say(self, turn_context: TurnContext, outcome: Outcome, reader: Reader) -> str:
        response = await turn_context.send_activity(card_activity(outcome, reader))
        return response.id if response is not None else ""

    async def _posted(
        self, outcome: Outcome, conversation: Conversation, activity_id: str, *, seen: bool
    ) -> None:
        change = change_of(outcome)
        try:
            if change is not None:
                version = change.row_version if seen else 0
                await self._messenger.posted(change, conversation, activity_id, version)
            elif isinstance(outcome, Page):
                await self._messenger.page_posted(outcome, conversation, activity_id)
        except StoreUnavailable as error:
            # What was said stands; only this copy will not change by itself.
            alarm(log, "store", "a card that was sent could not be kept", error=error)

    async def _stands_in_place(
        self, outcome: Outcome, conversation: Conversation, reader: Reader, card_id: str
    ) -> None:
        """The reply replaces the card for the clicker's client only; the stored message must follow."""
        if not card_id:
            return
        await self._posted(outcome, conversation, card_id, seen=False)
        change = change_of(outcome)
        if change is None:
            following = self._put(conversation, card_id, outcome, reader)
        else:
            # Drawn anew from what is true then: an older drawing must not land on a newer one.
            following = self._messenger.follow(change)
        self._after_the_turn(following)

    def _finish_later(
        self, asking: asyncio.Task[Outcome], conversation: Conversation, reader: Reader, activity_id: str
    ) -> None:
        async def finish() -> None:
            try:
                outcome = await asking
            except Exception as error:
                log.error("a late answer failed", extra={"kind": "turn"}, exc_info=error)
                outcome = Refused((reasons.INTERNAL.refuse(reference=correlation_id.get()),))
            # Remembered when it stands there: before that nobody else can draw on it.
            await self._put(conversation, activity_id, outcome, reader)
            await self._posted(outcome, conversation, activity_id, seen=True)
            await self._offered(outcome, conversation)
            self._wake()

        self._after_the_turn(finish())

    def _after_the_turn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _put(
        self, conversation: Conversation, activity_id: str, outcome: Outcome, reader: Reader
    ) -> None:
        try:
            await self._messenger.update(conversation, activity_id, outcome, reader)
        except SendError as error:
            log.warning("a card could not be redrawn", extra={"status": error.status})

    def _envelope(self, turn_context: TurnContext) -> Envelope:
        activity = turn_context.activity
        return Envelope(
            oid=object_id(activity.from_property.aad_object_id or "") or "",
            conversation_id=activity.conversation.id,
            activity_id=activity.id or "",
            body_hash=admitted(turn_context).body_hash,
            correlation_id=correlation_id.get(),
        )


def _reader(conversation: Conversation) -> Reader:
    return Reader(conversation.oid, conversation.locale, conversation.timezone)


def _is_shared(activity: Activity) -> bool:
    """Anything but a one-to-one chat. Without the field it is a personal chat (older clients)."""
    kind = activity.conversation.conversation_type if activity.conversation else None
    return bool(kind and kind != "personal") or bool(activity.conversation and activity.conversation.is_group)


def _says_goodbye(activity: Activity) -> bool:
    """The app was removed: by either of the two events that Teams sends, in whichever order."""
    removed = activity.members_removed or ()
    return (activity.action or "").startswith("remove") or any(
        member.id == activity.recipient.id for member in removed
    )


def _card_reply(outcome: Outcome, reader: Reader) -> InvokeReply:
    card = draw(outcome, reader).card
    return InvokeReply(200, {"statusCode": 200, "type": CARD, "value": card})


def _dialog_reply(outcome: Outcome, reader: Reader) -> InvokeReply:
    """A pass as the card of a dialog, everything else as its words. Source: Teams docs "Dialogs for bots"."""
    drawn = draw(outcome, reader)
    if not isinstance(outcome, PassShown):
        return InvokeReply(200, {"task": {"type": "message", "value": drawn.text}})
    card = {"contentType": CARD, "content": drawn.card}
    shown = {"title": DIALOG_TITLE, "height": "medium", "width": "medium", "card": card}
    return InvokeReply(200, {"task": {"type": "continue", "value": shown}})


async def _unheard(asking: asyncio.Task[Outcome]) -> None:
    """Ends what nobody waits for any more; its outcome goes nowhere."""
    try:
        await asking
    except Exception as error:
        log.error("a late answer failed", extra={"kind": "turn"}, exc_info=error)


def _message_reply(text: str) -> InvokeReply:
    return InvokeReply(200, {"statusCode": 200, "type": MESSAGE, "value": text})


def _leaves_the_card(outcome: Outcome) -> bool:
    """A refused click on a request that is still open: the card stays as it is, the refusal is said."""
    if not isinstance(outcome, Refused):
        return False
    return outcome.view is None or outcome.view.change.state not in TERMINAL
