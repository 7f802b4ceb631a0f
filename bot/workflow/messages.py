"""The references to what is said later, by their keys: a key that was used once is never sent again.

Knows keys. Must not know what is said: that is drawn at delivery, from what is true then.
"""

from __future__ import annotations

from bot.domain.change import Change
from bot.ports import Message, MessageKind


def ask(change: Change, step: int, oid: str) -> Message:
    """The approval card for one person of a step, once."""
    place = "" if step == 1 else f"{step}:"
    return Message(f"{change.id}:ask:{place}{oid}", MessageKind.ASK, change.id, oid)


def remind(change: Change, oid: str) -> Message:
    """The approval card once more, for somebody who has not decided."""
    return Message(f"{change.id}:remind:{change.row_version}:{oid}", MessageKind.REMIND, change.id, oid)


def redraw(change: Change) -> Message:
    """All posted cards of the change shall show what becomes true with this commit."""
    return Message(redraw_key(change.id, change.row_version + 1), MessageKind.REDRAW, change.id)


def redraw_key(change_id: str, row_version: int) -> str:
    """Of the message that came into being with this version of the change, if one did."""
    return f"{change_id}:redraw:{row_version}"


def notice(change: Change, what: str, oid: str) -> Message:
    """News for one person, once per `what`."""
    return Message(f"{change.id}:notice:{what}:{oid}", MessageKind.NOTICE, change.id, oid)


def registered(change: Change) -> Message:
    """A first phone is written: what follows for the new person is for the onboarding to do."""
    return Message(
        f"{change.id}:onboarded", MessageKind.STEP, "", subject=change.target.oid, topic="registered"
    )
