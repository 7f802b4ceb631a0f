"""Finding out what became of a write by reading: what a reading means, and when to read again.

Knows the read-back table and its times. Must not write anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.change import Change, Operation
from bot.ports import DirectoryUnavailable
from bot.workflow.parts import Parts

FIRST_READ = timedelta(seconds=5)
# Reads 5, 20 and 65 s after the send; only then may a lost write be sent once more. Graph's reads are
# eventually consistent, and a timed-out write can still land after we gave up waiting.
READS = (timedelta(seconds=5), timedelta(seconds=20), timedelta(seconds=65))
SETTLE = (timedelta(minutes=5), timedelta(minutes=65))
SENDS_AT_MOST = 2


class Reading(StrEnum):
    NEW = "new"
    EARLIER = "earlier"
    OTHER = "other"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading of a slot. now: masked, "empty", or "" when the directory was silent."""

    reading: Reading
    now: str = ""


@dataclass(frozen=True, slots=True)
class NextStep:
    """After another reading of the earlier value: wait, give up, or (neither) send once more."""

    wait_until: datetime | None = None
    give_up: bool = False


async def read_back(parts: Parts, change: Change, operation: Operation) -> Seen:
    """What the slot holds now, against the earlier and the new value."""
    try:
        held = (await parts.directory.phones(change.target.oid)).get(operation.slot)
    except DirectoryUnavailable:
        return Seen(Reading.SILENT)
    key, now = parts.number_key(held), held.masked if held else "empty"
    if key == operation.after_key:
        return Seen(Reading.NEW, now)
    return Seen(Reading.EARLIER if key == operation.before_key else Reading.OTHER, now)


def next_read(operation: Operation, now: datetime, *, refused: bool) -> NextStep:
    """What to do after `operation.reads` readings of the earlier value.

    refused: the directory had said no (and was known to save anyway): then it is never sent again.
    """
    sent = operation.sent_at or now
    repeated = operation.reads >= len(READS)
    if not repeated or now < sent + READS[-1]:
        due = [sent + offset for offset in READS if sent + offset > now]
        return NextStep(wait_until=due[0] if due else now + FIRST_READ)
    if refused:
        return NextStep(give_up=True)
    if operation.acked or operation.attempt >= SENDS_AT_MOST:
        due = [sent + offset for offset in SETTLE if sent + offset > now]
        return NextStep(wait_until=due[0]) if due else NextStep(give_up=True)
    return NextStep()
