"""Files in a personal chat: one that a person sends becomes a command, one that an answer offers goes to
them.

Knows the attachments of Teams and the consent that an upload needs. Must not know what is in a file, nor who
may send or have one: whoever takes an offered file says its command once more, and the desk judges that.
Source: Microsoft Learn, "Send and receive files using a bot".
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from botbuilder.schema import Activity
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain import command as c
from bot.domain import file_reasons
from bot.domain.outcome import Document, Outcome, Page, Refused
from bot.domain.parsing import parse
from bot.domain.reason import Reason
from bot.ports import Conversation
from bot.teams.connector import Connector, Connectors, SendError
from bot.teams.outbound import reader_of
from bot.teams.transfer import NotTransferred, Transfers
from bot.workflow.desk import Desk
from bot.workflow.parts import Envelope
from cards.words import msg, words_of

DOWNLOAD = "application/vnd.microsoft.teams.file.download.info"
CONSENT = "application/vnd.microsoft.teams.card.file.consent"
INFO = "application/vnd.microsoft.teams.card.file.info"
INVOKE = "fileConsent/invoke"
_TOLD = msg("It goes into your OneDrive if you allow it. To be offered it again, type: {command}")
_MAX_NAME = 200
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as a message carries it. url: "" when the message does not say where it is."""

    name: str
    url: str


class _Context(BaseModel):
    """What an offer carries: the words that give the file again. It comes back through the client."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    v: Literal[1]
    command: str = Field(max_length=100)


class _UploadInfo(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)
    upload_url: str = Field(alias="uploadUrl", max_length=4096)
    content_url: str = Field(default="", alias="contentUrl", max_length=4096)
    unique_id: str = Field(default="", alias="uniqueId", max_length=200)
    file_type: str = Field(default="", alias="fileType", max_length=20)


class _Consent(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)
    action: Literal["accept", "decline"]
    context: _Context
    upload: _UploadInfo | None = Field(default=None, alias="uploadInfo")


def sent_files(activity: Activity) -> tuple[Sent, ...]:
    """The files of a message, whatever else is attached to it (a page of HTML always is)."""
    found = [each for each in activity.attachments or () if each.content_type == DOWNLOAD]
    return tuple(Sent(str(each.name or "file")[:_MAX_NAME], _link(each.content)) for each in found)


def _link(content: object) -> str:
    url = content.get("downloadUrl") if isinstance(content, dict) else None
    return url if isinstance(url, str) else ""


class Files:
    """desk: who may, and what becomes of it. say: puts an answer into the chat with somebody."""

    def __init__(
        self,
        desk: Desk,
        transfers: Transfers,
        connectors: Connectors,
        say: Callable[[Outcome, str], Awaitable[object]],
    ) -> None:
        self._desk = desk
        self._transfers = transfers
        self._connectors = connectors
        self._say = say
        self._taken: set[str] = set()

    async def receive(self, sent: tuple[Sent, ...], envelope: Envelope) -> Outcome:
        """What becomes of files that somebody sent. Nothing is fetched for people who may not send any."""
        if len(sent) > 1:
            return _no(file_reasons.ONE_FILE, count=str(len(sent)))
        (file,) = sent
        if not self._transfers.anywhere:
            return _no(file_reasons.FILES_NOT_HERE)
        refused = await self._desk.admits(c.BulkFile(file.name, b""), envelope)
        if refused is not None:
            return refused
        try:
            content = await self._transfers.fetch(file.url)
        except NotTransferred as error:
            log.info("a file was not fetched", extra={"why": error.refusal.code})
            return Refused((error.refusal,))
        return await self._desk.handle(c.BulkFile(file.name, content), envelope)

    async def offer(self, document: Document, conversation: Conversation) -> None:
        """The card that asks whether the file may be put into the person's OneDrive.

        Where there is no place for files, or Teams does not take the card, that is said in its place.
        """
        if not self._transfers.anywhere:
            await self._say(_no(file_reasons.FILES_NOT_HERE), conversation.oid)
            return
        context = {"v": 1, "command": document.command}
        content = {
            "description": words_of(reader_of(conversation))(_TOLD, command=document.command),
            "sizeInBytes": len(document.content),
            "acceptContext": context,
            "declineContext": context,
        }
        card = {"contentType": CONSENT, "name": document.name, "content": content}
        try:
            await self._at(conversation).send(conversation.conversation_id, _message(card))
        except SendError as error:
            log.warning("a file could not be offered", extra={"status": error.status})
            if not error.retryable:
                await self._say(_no(file_reasons.FILE_NOT_TAKEN, command=document.command), conversation.oid)

    async def answered(self, activity: Activity, envelope: Envelope, conversation: Conversation) -> None:
        """What becomes of an offer that was taken or declined; the offer itself goes either way."""
        consent = _consent(activity.value)
        offer_id = activity.reply_to_id or ""
        if consent is None or consent.upload is None:
            if consent is None:
                await self._say(_no(file_reasons.FILE_NOT_OFFERED), conversation.oid)
            await self._withdraw(conversation, offer_id)
            return
        # Delivered twice, or clicked twice: one session takes one file.
        if consent.upload.upload_url in self._taken:
            return
        self._taken.add(consent.upload.upload_url)
        try:
            await self._hand_over(consent.context.command, consent.upload, envelope, conversation)
        finally:
            self._taken.discard(consent.upload.upload_url)
        await self._withdraw(conversation, offer_id)

    async def _hand_over(
        self, words: str, upload: _UploadInfo, envelope: Envelope, conversation: Conversation
    ) -> None:
        command = parse(words)
        if not isinstance(command, c.GivesFile):
            await self._say(_no(file_reasons.FILE_NOT_OFFERED), conversation.oid)
            return
        outcome = await self._desk.handle(command, envelope)
        document = outcome.document if isinstance(outcome, Page) else None
        if document is None:
            await self._say(outcome, conversation.oid)
            return
        try:
            await self._transfers.put(upload.upload_url, document.content, document.command)
        except NotTransferred as error:
            await self._say(Refused((error.refusal,)), conversation.oid)
            return
        card = {
            "contentType": INFO,
            "contentUrl": upload.content_url,
            "name": document.name,
            "content": {"uniqueId": upload.unique_id, "fileType": upload.file_type},
        }
        await self._at(conversation).send(conversation.conversation_id, _message(card))

    async def _withdraw(self, conversation: Conversation, activity_id: str) -> None:
        if not activity_id:
            return
        try:
            await self._at(conversation).delete(conversation.conversation_id, activity_id)
        except SendError as error:
            log.info("an answered offer stays in the chat", extra={"status": error.status})

    def _at(self, conversation: Conversation) -> Connector:
        return self._connectors.at(conversation.service_url)


def _no(reason: Reason, **facts: str) -> Refused:
    return Refused((reason.refuse(**facts),))


def _consent(value: object) -> _Consent | None:
    if not isinstance(value, dict) or value.get("type") != "fileUpload":
        return None
    try:
        return _Consent.model_validate(value)
    except ValidationError:
        return None


def _message(attachment: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "attachments": [attachment]}
