"""What every use case stands on: the ports, the policy in force, the keys, and who is speaking.

Knows no use case. Must not know which adapter is behind a port.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from bot.domain.audit import AuditEvent
from bot.domain.change import Change, card_nonce, number_key
from bot.domain.command import CardRef
from bot.domain.onboarding import Onboarding
from bot.domain.people import Actor
from bot.domain.phone import PhoneNumber
from bot.domain.policy import Policy
from bot.ports import (
    Clock,
    Directory,
    Ids,
    Messenger,
    Metrics,
    Received,
    Reports,
    Sheets,
    Store,
    WorkflowKeys,
)
from bot.workflow.numbering import NumberIndex

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where a command came from: the speaker's object id and the activity it arrived in."""

    oid: str
    conversation_id: str = ""
    activity_id: str = ""
    body_hash: str = ""
    correlation_id: str = ""

    def received(self, change_id: str = "") -> Received | None:
        """The inbox row that absorbs a second delivery; None for what did not arrive as an activity."""
        if not self.activity_id:
            return None
        return Received(self.conversation_id, self.activity_id, self.body_hash, change_id)


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports and constants of one installation. sheets, reports: None = it was put together without.

    wide: the directory for reading about many people at once, None = as for one.
    """

    directory: Directory
    store: Store
    messenger: Messenger
    metrics: Metrics
    clock: Clock
    ids: Ids
    policy: Policy
    keys: WorkflowKeys
    tenant_id: str
    index: NumberIndex
    read_only: bool = False
    cloud: str = "global"
    sheets: Sheets | None = None
    reports: Reports | None = None
    wide: Directory | None = None

    def now(self) -> datetime:
        return self.clock.now()

    @property
    def many(self) -> Parts:
        """The same, reading about many people at once."""
        return self if self.wide is None else replace(self, directory=self.wide)

    def number_key(self, number: PhoneNumber | None) -> str:
        """Keyed hash for comparing numbers, "" for an empty slot."""
        return number_key(self.keys.number, number)

    def card_ref(self, change: Change, reader_oid: str) -> CardRef:
        """What the buttons of this reader's card carry."""
        nonce = card_nonce(self.keys.cards[0], change.id, change.content_hash, reader_oid)
        return CardRef(change.id, nonce)

    def onboarding_ref(self, onboarding: Onboarding, reader_oid: str) -> CardRef:
        """The same of a card of an onboarding; it binds to the round."""
        content = onboarding.content
        return CardRef(onboarding.id, card_nonce(self.keys.cards[0], onboarding.id, content, reader_oid))

    def is_genuine_invitation(self, card: CardRef, onboarding: Onboarding, reader_oid: str) -> bool:
        """True when we drew it for this reader in this very round."""
        return any(
            hmac.compare_digest(card.nonce, card_nonce(key, onboarding.id, onboarding.content, reader_oid))
            for key in self.keys.cards
        )

    def is_genuine(self, card: CardRef, change: Change, reader_oid: str) -> bool:
        """True when the button stands on a card that we drew for this reader and this very content."""
        return any(
            hmac.compare_digest(card.nonce, card_nonce(key, change.id, change.content_hash, reader_oid))
            for key in self.keys.cards
        )


def had(result: _Read | BaseException) -> _Read:
    """What was read beside other things, or its exception raised."""
    if isinstance(result, BaseException):
        raise result
    return result


def event(change: Change, what: str, actor: str, /, **facts: str) -> AuditEvent:
    """`change:<slot>:<what>`, `batch:<what>` or `pass:<what>` about a change. Facts must be masked."""
    facts.setdefault("id", change.printed_id)
    return AuditEvent(
        name=f"{_topic(change)}:{what}",
        actor=actor,
        subject=change.target.oid,
        change_id=change.id,
        correlation_id=change.correlation_id,
        facts=facts,
    )


def _topic(change: Change) -> str:
    if change.is_batch or change.is_pass:
        return change.operations[0].kind.value
    return f"change:{change.slot.value}"


def denied(
    verb: str, family: str, actor: Actor | str, code: str, subject: str, correlation: str
) -> AuditEvent:
    """`access:<verb>:refused` or `policy:<verb>:refused`."""
    oid = actor if isinstance(actor, str) else actor.oid
    return AuditEvent(f"{family}:{verb}:refused", oid, subject, "", correlation, {"code": code})
