"""A press on a card's button, as the Teams client turns it into an activity.

Knows: the three ways a button speaks (Action.Execute, Action.Submit, dialogs) and how fields are merged
in. Must not know: HTTP, signing, replies.

Sources: "Universal Action Model" (adaptiveCard/action), "Card actions" (Action.Submit, messageBack,
task/fetch), "Dialogs for bots" (task/submit), "People picker" (values are object ids).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import cardtext
from .conversations import Chats, Json, Message, card_of
from .world import Person


class CannotPress(Exception):
    """The client itself does not send this press; the text says why."""


@dataclass(frozen=True, slots=True)
class Press:
    """One button of one card with the fields as filled."""

    action: Json
    values: dict[str, str]
    extra: Mapping[str, Any]

    def fields(self, message: Message) -> Json:
        """Type, name, value and replyToId of the activity that this press makes."""
        data = self.action.get("data")
        merged: Any = data
        if isinstance(data, dict) or data is None:
            merged = {**(data or {}), **self.values, **self.extra}
        if message.kind == "dialog":
            return _invoke("task/submit", {"data": merged, "context": {"theme": "default"}})
        if self.action["type"] == "Action.Execute":
            inner = {"type": "Action.Execute", "verb": self.action.get("verb"), "data": merged}
            inner |= {"id": self.action["id"]} if "id" in self.action else {}
            shown = {"action": inner, "trigger": "manual"}
            return _invoke("adaptiveCard/action", shown) | {"replyToId": message.id}
        return _submit(merged) | {"replyToId": message.id}


def _invoke(name: str, value: Json) -> Json:
    return {"type": "invoke", "name": name, "value": value}


def _submit(data: Any) -> Json:
    special = data.get("msteams") if isinstance(data, dict) else None
    special = special if isinstance(special, dict) else {}
    if special.get("type") == "task/fetch":
        return _invoke("task/fetch", {"data": data, "context": {"theme": "default"}})
    if special.get("type") == "invoke":
        return {"type": "invoke", "name": "", "value": special.get("value", {})}
    said: Json = {"type": "message", "textFormat": "plain", "value": data}
    if special.get("type") in ("messageBack", "imBack"):
        said["text"] = str(special.get("text") or special.get("value") or "")
        if special["type"] == "imBack":
            del said["value"]
        elif "value" in special:
            said["value"] = special["value"]
    return said


def press(chats: Chats, person: Person, message: Message, wish: Mapping[str, Any]) -> Press:
    """Find the button that `wish` names on the card as this person sees it, and fill in the fields.

    `wish`: `action` (number, title or verb), `inputs`, `data` (laid over the button's data),
    `checks` (True: object as the client would), `old_client` (True: use the button's fallback).
    Raises CannotPress."""
    card = card_of(message.seen_by(person.oid)[1])
    if card is None:
        raise CannotPress("this message has no card")
    found = cardtext.find_action(card, wish.get("action", 1))
    if found is None:
        offered = ", ".join(f"{a['n']}. {a['title']}" for a in cardtext.actions(card)) or "none"
        raise CannotPress(f"no button {wish.get('action')!r} on this card; buttons: {offered}")
    action = found["raw"]
    near = cardtext.reach(card, action)
    if wish.get("old_client") and isinstance(action.get("fallback"), dict):
        action = action["fallback"]
    if not cardtext.sends(found):
        raise CannotPress(f"the button {found['title']!r} does not reach the bot: {action.get('url', '')}")
    values: dict[str, str] = {}
    if str(action.get("associatedInputs", "auto")).lower() != "none":
        values = cardtext.filled(near, _people_as_ids(chats, card, wish.get("inputs") or {}))
        said = cardtext.objections(near, values) if wish.get("checks") else []
        if said:
            raise CannotPress("; ".join(said))
    return Press(action, values, wish.get("data") or {})


def _people_as_ids(chats: Chats, card: Json, given: Mapping[str, Any]) -> Json:
    """People pickers send object ids; choices may be given by their title."""
    out = dict(given)
    for field in cardtext.inputs(card):
        if field["id"] not in out:
            continue
        wanted = str(out[field["id"]])
        if field["people"]:
            parts = [part.strip() for part in wanted.split(",")]
            people = [chats.world.find(part) for part in parts]
            out[field["id"]] = ",".join(p.oid if p else part for p, part in zip(people, parts, strict=True))
        for choice in field["choices"]:
            if str(choice["title"]).casefold() == wanted.casefold():
                out[field["id"]] = choice["value"]
    return out
