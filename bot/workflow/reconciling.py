"""When to read again after a write whose effect is not certain, and when to stop.

Knows the times of the read-back table. Must not read or write anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.change import Operation

# A number that is somebody's sign-in name is usually saved all the same: the slot is read.
NOTE_NOT_UNIQUE = "sms-not-unique"
# Of the intent: whoever comes to send later than this may have been given up meanwhile.
SEND_WITHIN = timedelta(seconds=30)
FIRST_READ = timedelta(seconds=5)
# Reads 5, 20 and 65 s after the send; only then may a lost write be sent once more. Graph's reads are
# eventually consistent, and a timed-out write can still land after we gave up waiting.
READS = (timedelta(seconds=5), timedelta(seconds=20), timedelta(seconds=65))
SETTLE = (timedelta(minutes=5), timedelta(minutes=65))
SENDS_AT_MOST = 2


@dataclass(frozen=True, slots=True)
class NextStep:
    """After another reading of the earlier value: wait, give up, or (neither) send once more."""

    wait_until: datetime | None = None
    give_up: bool = False


def next_read(operation: Operation, now: datetime, *, refused: bool, in_time: bool) -> NextStep:
    """What to do after `operation.reads` readings of the earlier value.

    refused: the directory had said no (and was known to save anyway): then it is never sent again.
    in_time: the change may still be started; after that nothing is sent any more, only found out.
    """
    sent = operation.sent_at or now
    repeated = operation.reads >= len(READS)
    if not repeated or now < sent + READS[-1]:
        due = [sent + offset for offset in READS if sent + offset > now]
        return NextStep(wait_until=due[0] if due else now + FIRST_READ)
    if refused:
        return NextStep(give_up=True)
    if operation.acked or operation.attempt >= SENDS_AT_MOST or not in_time:
        due = [sent + offset for offset in SETTLE if sent + offset > now]
        return NextStep(wait_until=due[0]) if due else NextStep(give_up=True)
    return NextStep()
