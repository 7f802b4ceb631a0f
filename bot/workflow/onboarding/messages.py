"""The references to what is done and said about an onboarding later, and its audit events.

Knows keys, topics and names of events. Must not know what is done or said: that follows from what is true
then.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.audit import AuditEvent
from bot.domain.onboarding import Onboarding, reminders_at
from bot.domain.policy import OnboardingTerms
from bot.ports import Message, MessageKind

# Of MessageKind.STEP: what the workflow does at its time. DIGEST is about a starter, the rest about a row.
START, STOP, REMIND, LOOK, DIGEST = "start", "stop", "remind", "look", "digest"
ASK_THEM = "ask-them"
# About a person: their first phone is written (bot.workflow.messages.registered).
REGISTERED = "registered"
# Of MessageKind.ONBOARDING: which card.
INVITE, REMINDER, AFTER, CONFIRM, BRIDGE, NEWS, REPORT, REDRAW = (
    *("invite", "reminder", "after", "confirm", "bridge"),
    *("news", "report", "redraw"),
)
WORKER = "ringfence"


def step(onboarding: Onboarding, topic: str, due_at: datetime | None = None, n: int = 0) -> Message:
    """Something to do about it, once for each round and n."""
    key = f"onboarding:{onboarding.id}:{onboarding.round}:{topic}:{n}"
    return Message(key, MessageKind.STEP, "", "", due_at, subject=onboarding.id, topic=topic)


def card(onboarding: Onboarding, topic: str, to_oid: str, n: int = 0) -> Message:
    """A card of it for one person, once for each round and n."""
    key = f"onboarding:{onboarding.id}:{onboarding.round}:card-{topic}:{n}:{to_oid}"
    return Message(key, MessageKind.ONBOARDING, "", to_oid, subject=onboarding.id, topic=topic)


def digest(starter: str, at: datetime) -> Message:
    """The report of a day for whoever began onboardings; one a day, however many they began."""
    key = f"onboarding:digest:{starter}:{at:%Y-%m-%d}"
    return Message(key, MessageKind.STEP, "", "", at, subject=starter, topic=DIGEST)


def invitation(onboarding: Onboarding, terms: OnboardingTerms, now: datetime) -> tuple[Message, ...]:
    """The card now, and what the clock does about it later."""
    times = reminders_at(now, onboarding.until, timedelta(days=terms.remind_days))
    reminders = [step(onboarding, REMIND, at, n) for n, at in enumerate(times, start=1)]
    stop = step(onboarding, STOP, onboarding.until)
    return (card(onboarding, INVITE, onboarding.person.oid), *reminders, stop)


def event(
    onboarding: Onboarding, what: str, actor: str, /, correlation: str = "", **facts: str
) -> AuditEvent:
    """`onboarding:<what>` about the person. Facts must be masked."""
    facts.setdefault("id", onboarding.printed_id)
    return AuditEvent(f"onboarding:{what}", actor, onboarding.person.oid, "", correlation, facts)
