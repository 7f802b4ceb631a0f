"""What a change says about itself, by its shape: titles and the sentence that asks, for each audience.

Knows: set, remove, swap and SMS sign-in as people speak of them. Must not know: cards, buttons, rights.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.domain.change import Change, Operation, OpKind
from bot.domain.policy import Action

from .words import msg


class Shape(StrEnum):
    """What a change is to a reader."""

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"
    SWAP = "swap"
    SMS_ON = "sms-on"
    SMS_OFF = "sms-off"
    UNDO = "undo"
    UNDO_EMPTY = "undo-empty"
    FIRST = "first"
    PASS = "pass"  # noqa: S105 - a name, not a secret


@dataclass(frozen=True, slots=True)
class Sentences:
    """Message ids. preview and yours: titles; question: the approver's title; asked...: who wants what."""

    preview: str
    yours: str
    question: str
    asked: str
    asked_of_you: str
    done: str
    done_to_you: str


_NEW: Final = (msg("New {slot} for {name}"), msg("New {slot} for you"), msg("New {slot} for {name}?"))
_SET_DONE: Final = (msg("The {slot} of {name} is now {after}"), msg("Your {slot} is now {after}"))
SENTENCES: Final[dict[Shape, Sentences]] = {
    Shape.ADD: Sentences(
        *_NEW,
        msg("{requester} asks to add {after} as the {slot} of {name}. There is none now."),
        msg("{requester} of the helpdesk asked to add {after} as your {slot}."),
        *_SET_DONE,
    ),
    Shape.REPLACE: Sentences(
        *_NEW,
        msg("{requester} asks to replace the {slot} of {name}, {before}, by {after}."),
        msg("{requester} of the helpdesk asked to change your {slot} from {before} to {after}."),
        *_SET_DONE,
    ),
    Shape.REMOVE: Sentences(
        msg("Remove the {slot} of {name}"),
        msg("Your {slot} is to be removed"),
        msg("Remove the {slot} of {name}?"),
        msg("{requester} asks to remove the {slot} of {name}, {before}."),
        msg("{requester} of the helpdesk asked to remove your {slot}, {before}."),
        msg("The {slot} of {name} is removed"),
        msg("Your {slot} is removed"),
    ),
    Shape.SWAP: Sentences(
        msg("The alternate mobile of {name} becomes the mobile"),
        msg("Your alternate mobile becomes your mobile"),
        msg("Swap the mobiles of {name}?"),
        msg(
            "{requester} asks to make the alternate mobile of {name}, {after}, the mobile. {before} is gone then."
        ),
        msg("{requester} of the helpdesk asked to make your alternate mobile, {after}, your mobile."),
        msg("The mobile of {name} is now {after}, the former alternate"),
        msg("Your mobile is now {after}, your former alternate"),
    ),
    Shape.SMS_ON: Sentences(
        msg("Sign-in by text message for {name}"),
        msg("Sign-in by text message for you"),
        msg("Let {name} sign in by text message?"),
        msg(
            "{requester} asks to let {name} sign in with the mobile number and a text message, without a password."
        ),
        msg(
            "{requester} of the helpdesk asked to let you sign in with your mobile number and a text message."
        ),
        msg("{name} can sign in by text message"),
        msg("You can sign in by text message"),
    ),
    Shape.SMS_OFF: Sentences(
        msg("No more sign-in by text message for {name}"),
        msg("No more sign-in by text message for you"),
        msg("End sign-in by text message for {name}?"),
        msg("{requester} asks that {name} can no longer sign in with the mobile number and a text message."),
        msg("{requester} of the helpdesk asked that you can no longer sign in by text message."),
        msg("{name} can no longer sign in by text message"),
        msg("You can no longer sign in by text message"),
    ),
    Shape.UNDO: Sentences(
        msg("Undo: the {slot} of {name} is {after} again"),
        msg("Your {slot} is to be {after} again"),
        msg("Undo a change for {name}?"),
        msg(
            "{requester} asks to undo a change: the {slot} of {name} becomes {after} again, as it was before."
        ),
        msg("{requester} asked to undo a change: your {slot} becomes {after} again, as it was before."),
        msg("Undone: the {slot} of {name} is {after} again"),
        msg("A change was undone: your {slot} is {after} again"),
    ),
    Shape.UNDO_EMPTY: Sentences(
        msg("Undo: no {slot} for {name} again"),
        msg("Your {slot} is to be removed again"),
        msg("Undo a change for {name}?"),
        msg("{requester} asks to undo a change: the {slot} of {name}, {before}, goes again, as before."),
        msg("{requester} asked to undo a change: your {slot}, {before}, goes again, as before."),
        msg("Undone: the {slot} of {name} is removed again"),
        msg("A change was undone: your {slot} is removed again"),
    ),
    Shape.FIRST: Sentences(
        msg("First {slot} of {name}"),
        msg("Your first {slot}"),
        msg("Is this the {slot} of {name}?"),
        msg("{name} is new and has no sign-in method yet. {requester} entered {after} as the first {slot}."),
        msg("{requester} entered {after} as your first {slot}."),
        *_SET_DONE,
    ),
    Shape.PASS: Sentences(
        msg("Temporary Access Pass for {name}"),
        msg("Temporary Access Pass for you"),
        msg("May {name} get a Temporary Access Pass?"),
        msg(
            "{requester} asks for a pass for {name}, who is new and has no sign-in method yet. Whoever has the "
            "pass can sign in as {name}. It is shown once, to {after} only."
        ),
        msg("{requester} asked for a Temporary Access Pass for you. It is shown once, to {after} only."),
        msg("A Temporary Access Pass for {name} was made and shown to {after}"),
        msg("A Temporary Access Pass for you was made and shown to {after}"),
    ),
}


_BY_ACTION: Final = {Action.ONBOARD: Shape.FIRST, Action.SWAP: Shape.SWAP, Action.PASS: Shape.PASS}


def shape_of(change: Change) -> Shape:
    """The shape by action and first operation."""
    first = change.operations[0]
    if change.action in _BY_ACTION:
        return _BY_ACTION[change.action]
    if change.action is Action.UNDO and first.kind in (OpKind.SET, OpKind.REMOVE):
        return Shape.UNDO if first.kind is OpKind.SET else Shape.UNDO_EMPTY
    if first.kind is OpKind.SMS_ON:
        return Shape.SMS_ON
    if first.kind is OpKind.SMS_OFF:
        return Shape.SMS_OFF
    if first.kind is OpKind.REMOVE:
        return Shape.REMOVE
    return Shape.REPLACE if first.before else Shape.ADD


def sentences_of(change: Change) -> Sentences:
    """All sentences of this change."""
    return SENTENCES[shape_of(change)]


def shown(change: Change) -> tuple[Operation, ...]:
    """The operations that people asked for; guards are spoken of in notes."""
    return tuple(op for op in change.operations if op.kind.is_about_a_phone and not op.kind.conditional)
