"""Chats of one pretend tenant: who is in them, what was posted, and what each person sees now.

Knows: conversations, messages, the copy of a card that only one person sees, dialogs, and the record of
everything the bot ever sent. Must not know: HTTP, tokens, how a card is drawn.

Sources: "Send proactive messages" (1:1 conversations, installation), "Universal Actions for Adaptive
Cards" (a card in an invoke reply is shown to the clicker alone), "Update and delete messages".
"""

from __future__ import annotations

import hashlib
import re
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .limits import Limits
from .world import Person, World

CARD = "application/vnd.microsoft.card.adaptive"
_REQUEST_ID = re.compile(r"\bR-[0-9A-Z]{6}\b")
Json = dict[str, Any]


def card_of(body: Json) -> Json | None:
    """The first Adaptive Card of an activity, or None."""
    for attachment in body.get("attachments") or []:
        if isinstance(attachment, dict) and attachment.get("contentType") == CARD:
            content = attachment.get("content")
            return content if isinstance(content, dict) else None
    return None


def keys_in(value: Any) -> set[str]:
    """The requests a body speaks of: every printed `R-XXXXXX`, and the `change_id` of every button that
    also carries a `nonce` (a button that acts on the request, not one that only opens it)."""
    found: set[str] = set()
    if isinstance(value, dict):
        if isinstance(value.get("change_id"), str) and "nonce" in value:
            found.add(value["change_id"])
        for each in value.values():
            found |= keys_in(each)
    elif isinstance(value, list):
        for each in value:
            found |= keys_in(each)
    elif isinstance(value, str):
        found.update(_REQUEST_ID.findall(value))
    return found


@dataclass(slots=True)
class Message:
    """One posted message. `body` is what everybody sees, `own` what one person sees instead; `reply_to`
    is the message of this chat that it answers, if any.

    `kind`: message, notice (a line only `only_for` sees: the answer to a click) or dialog.
    `order` and `changed` are steps of one counter of the world, so they can be compared."""

    id: str
    conversation: str
    sender: str
    body: Json
    order: int
    changed: int
    kind: str = "message"
    only_for: str | None = None
    deleted: bool = False
    reply_to: str | None = None
    own: dict[str, tuple[int, Json]] = field(default_factory=dict)
    requests: set[str] = field(default_factory=set)

    def seen_by(self, oid: str) -> tuple[int, Json]:
        """The step of the last change this person saw, and the activity as it looks to them."""
        return self.own.get(oid, (self.changed, self.body))


@dataclass(slots=True)
class Conversation:
    """`kind` is personal, groupChat or channel; `members` are object ids."""

    id: str
    kind: str
    members: list[str]
    messages: dict[str, Message] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """One thing the bot wrote: `verb` POST, PUT, DELETE, or `reply` for the body of an HTTP answer."""

    order: int
    verb: str
    path: str
    status: int
    body: Any


class Chats:
    """Every conversation of one world, which it does not keep alive."""

    def __init__(self, world: World) -> None:
        self._world = weakref.ref(world)
        self.sent: list[Sent] = []
        self.limits = Limits()
        self._conversations: dict[str, Conversation] = {}
        self._step = 0
        self._last_id = 0
        self._by_mri: dict[str, str] = {}

    @property
    def world(self) -> World:
        """Raises LookupError when the world was forgotten meanwhile."""
        world = self._world()
        if world is None:
            raise LookupError("this world was forgotten")
        return world

    @property
    def bot_id(self) -> str:
        """The bot's own channel account id."""
        return f"28:{self.world.app_id}"

    def step(self) -> int:
        """The next tick of the world's counter of visible changes."""
        self._step += 1
        return self._step

    @property
    def now_step(self) -> int:
        """The last tick given out."""
        return self._step

    def new_id(self) -> str:
        """A fresh activity id: milliseconds as text, as Teams does, never twice."""
        self._last_id = max(self._last_id + 1, int(self.world.now().timestamp() * 1000))
        return str(self._last_id)

    def get(self, conversation: str) -> Conversation | None:
        """The conversation with this id; a `;messageid=` tail (channel threads) is ignored."""
        return self._conversations.get(conversation.split(";", 1)[0])

    def personal(self, person: Person) -> Conversation:
        """The one 1:1 chat of the bot and this person; its id never changes."""
        digest = hashlib.sha256(f"{self.world.tenant_id}:{person.oid}".encode()).hexdigest()
        return self._open(f"a:1{digest[:60]}", "personal", [person.oid])

    def shared(self, kind: str, person: Person) -> Conversation:
        """The world's group chat or channel; whoever speaks in it joins it."""
        digest = hashlib.sha256(f"{kind}:{self.world.tenant_id}".encode()).hexdigest()[:32]
        suffix = "thread.tacv2" if kind == "channel" else "thread.v2"
        chat = self._open(f"19:{digest}@{suffix}", kind, [])
        if person.oid not in chat.members:
            chat.members.append(person.oid)
        return chat

    def _open(self, identity: str, kind: str, members: list[str]) -> Conversation:
        return self._conversations.setdefault(identity, Conversation(identity, kind, members))

    def member(self, identity: str) -> Person | None:
        """The person with this object id or `29:` id."""
        if not identity.startswith("29:"):
            return self.world.people.get(identity.removeprefix("8:orgid:").casefold())
        if identity not in self._by_mri:
            self._by_mri = {person.mri: person.oid for person in self.world.people.values()}
        return self.world.people.get(self._by_mri.get(identity, ""))

    def post(
        self,
        chat: Conversation,
        sender: str,
        body: Json,
        *,
        kind: str = "message",
        only_for: str | None = None,
    ) -> Message:
        """Add a message at the end of a chat."""
        step = self.step()
        made = Message(self.new_id(), chat.id, sender, body, step, step, kind, only_for)
        made.requests = keys_in(body)
        chat.messages[made.id] = made
        return made

    def replace(self, message: Message, body: Json) -> None:
        """The message now looks like this to everybody; personal copies are gone."""
        message.body, message.changed = body, self.step()
        message.own.clear()
        message.requests |= keys_in(body)

    def replace_for(self, message: Message, oid: str, card: Json) -> None:
        """Only this person sees another card in place of the message's."""
        body = {"type": "message", "attachments": [{"contentType": CARD, "content": card}]}
        message.own[oid] = (self.step(), body)
        message.requests |= keys_in(card)

    def find(self, activity_id: str) -> Message | None:
        """The message with this id, in whatever chat."""
        for chat in self._conversations.values():
            if activity_id in chat.messages:
                return chat.messages[activity_id]
        return None

    def visible_to(self, person: Person) -> Iterator[tuple[Conversation, Message]]:
        """What this person can see now, oldest first."""
        seen = [
            (chat, message)
            for chat in self._conversations.values()
            if person.oid in chat.members
            for message in chat.messages.values()
            if not message.deleted and message.only_for in (None, person.oid)
        ]
        yield from sorted(seen, key=lambda pair: pair[1].order)

    def record(self, verb: str, path: str, status: int, body: Any) -> None:
        """Remember one thing the bot wrote, for ever."""
        self.sent.append(Sent(self.step(), verb, path, status, body))


class AllChats:
    """The chats of every world; a world made anew starts with none, and they are forgotten with it."""

    def __init__(self) -> None:
        self._of: weakref.WeakKeyDictionary[World, Chats] = weakref.WeakKeyDictionary()

    def of(self, world: World) -> Chats:
        """The chats of this world."""
        if world not in self._of:
            self._of[world] = Chats(world)
        return self._of[world]
