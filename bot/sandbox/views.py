"""What one person sees: the messages of their chats as text, and what an answer to a click changes.

Knows: how a Teams client shows each kind of invoke reply. Must not know: HTTP, or how a click is built.

Sources: "Universal Action Model" (the reply table; a bad reply shows "Unable to reach app"), "Dialogs
for bots" (task/continue and task/message).
"""

from __future__ import annotations

from typing import Any

from . import cardtext
from .conversations import CARD, Chats, Conversation, Json, Message, card_of
from .delivery import Answer
from .world import Person

UNREACHABLE = "Unable to reach app. Please try again."
_WRONG = "Something went wrong. Please try again."
FILE_CONSENT = "application/vnd.microsoft.teams.card.file.consent"
FILE_INFO = "application/vnd.microsoft.teams.card.file.info"
_MESSAGE = "application/vnd.microsoft.activity.message"


def view(chats: Chats, person: Person, last: int = 0) -> list[Json]:
    """The person's messages, oldest first, or only the `last` of them.

    Each is `{activity_id, conversation_id, scope, kind, from, text, card, plain, actions: [{n, title, verb,
    kind}], inputs: [...], attachments, requests, reply_to, order, changed}`.

    `from` is "bot" or an alias; `changed` is the step of the last change this person saw."""
    visible = list(chats.visible_to(person))
    return [_entry(chats, person, chat, message) for chat, message in visible[-last:]]


def _entry(chats: Chats, person: Person, chat: Conversation, message: Message) -> Json:
    changed, body = message.seen_by(person.oid)
    card = card_of(body)
    buttons = cardtext.actions(card) if card else []
    return {
        "activity_id": message.id,
        "conversation_id": chat.id,
        "scope": chat.kind,
        "kind": message.kind,
        "from": _name(chats, message.sender),
        "text": body.get("text") or "",
        "card": card,
        "plain": "\n".join(
            ([str(body["text"])] if body.get("text") else []) + _card_lines(card) + _file_lines(body)
        ),
        "actions": [{key: b[key] for key in ("n", "title", "verb", "kind")} for b in buttons],
        "inputs": cardtext.inputs(card) if card else [],
        "attachments": [a for a in body.get("attachments") or [] if a.get("contentType") != CARD],
        "requests": sorted(message.requests),
        "reply_to": message.reply_to,
        "order": message.order,
        "changed": changed,
    }


def _card_lines(card: Json | None) -> list[str]:
    return cardtext.lines(card) if card else []


def _file_lines(body: Json) -> list[str]:
    """What a client shows of files: one that is offered, with its size, and one that was taken."""
    lines = []
    for each in body.get("attachments") or []:
        content = each.get("content") or {}
        if each.get("contentType") == FILE_CONSENT:
            lines.append(f"[file offered] {each.get('name')}, {content.get('sizeInBytes')} bytes")
            lines.append(str(content.get("description") or ""))
        elif each.get("contentType") == FILE_INFO:
            lines.append(f"[file] {each.get('name')}")
    return lines


def _name(chats: Chats, sender: str) -> str:
    if sender == chats.bot_id:
        return "bot"
    person = chats.world.people.get(sender)
    return (person.alias or person.upn) if person else sender


def apply_reply(
    chats: Chats, chat: Conversation, person: Person, message: Message | None, name: str, answer: Answer
) -> None:
    """Show the person what the answer to their invoke means. `message` is the card they clicked."""
    if answer.status != 200:
        _notice(chats, chat, person, UNREACHABLE)
    elif name in ("task/fetch", "task/submit"):
        _dialog(chats, chat, person, message, answer.body)
    elif name == "adaptiveCard/action":
        _card_action(chats, chat, person, message, answer.body)


def apply_refresh(chats: Chats, person: Person, message: Message, answer: Answer) -> None:
    """A refresh shows a new card or, on any trouble, changes nothing."""
    body = answer.body if answer.status == 200 and isinstance(answer.body, dict) else {}
    if body.get("type") == CARD and isinstance(body.get("value"), dict):
        chats.replace_for(message, person.oid, body["value"])


def _card_action(
    chats: Chats, chat: Conversation, person: Person, message: Message | None, body: Any
) -> None:
    if not isinstance(body, dict) or "statusCode" not in body or "type" not in body:
        _notice(chats, chat, person, UNREACHABLE)
        return
    kind, value = body["type"], body.get("value")
    if body["statusCode"] == 200 and kind == CARD and isinstance(value, dict):
        if message is not None and message.kind != "notice":
            chats.replace_for(message, person.oid, value)
        else:
            _post_card(chats, chat, person, value, "notice")
    elif body["statusCode"] == 200 and kind == _MESSAGE and isinstance(value, str):
        _notice(chats, chat, person, value)
    elif isinstance(value, dict) and value.get("message"):
        _notice(chats, chat, person, f"{value['message']} ({value.get('code', 'error')})")
    else:
        _notice(chats, chat, person, _WRONG)


def _dialog(chats: Chats, chat: Conversation, person: Person, opened: Message | None, body: Any) -> None:
    if opened is not None and opened.kind == "dialog":
        opened.deleted = True
    task = body.get("task") if isinstance(body, dict) else None
    if not isinstance(task, dict):
        return  # an empty answer closes the dialog
    value = task.get("value")
    if task.get("type") == "message":
        _notice(chats, chat, person, str(value))
    elif task.get("type") == "continue" and isinstance(value, dict):
        card = (value.get("card") or {}).get("content")
        if isinstance(card, dict):
            _post_card(chats, chat, person, card, "dialog")


def _notice(chats: Chats, chat: Conversation, person: Person, text: str) -> None:
    chats.post(chat, chats.bot_id, {"type": "message", "text": text}, kind="notice", only_for=person.oid)


def _post_card(chats: Chats, chat: Conversation, person: Person, card: Json, kind: str) -> None:
    body = {"type": "message", "attachments": [{"contentType": CARD, "content": card}]}
    chats.post(chat, chats.bot_id, body, kind=kind, only_for=person.oid)
