"""The end of a change whose sealed number does not open.

Knows the life cycle. Must not know sealing: the store has said that it will never open by itself.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from bot.domain.change import TERMINAL, OpState, State
from bot.domain.people import Role
from bot.domain.stop_reasons import UNSEALABLE
from bot.telemetry import alarm
from bot.workflow.alerting import CHANGE, alert
from bot.workflow.endings import ended
from bot.workflow.parts import Parts
from bot.workflow.progress import Progress

log = logging.getLogger(__name__)


async def give_up(parts: Parts, progress: Progress, change_id: str) -> None:
    """Nothing can be sent, now or later: it ends, with an alarm, instead of failing again and again.

    What was sent and is not certain is left to people, as any value that we cannot settle.
    """
    change = await parts.store.change(change_id)
    if change is None or change.state in TERMINAL or change.current is None:
        return
    why = UNSEALABLE.refuse(id=change.printed_id)
    state = State.CONFLICT if change.state is State.UNCONFIRMED else State.BLOCKED
    failed = replace(change.current, state=OpState.FAILED)
    alarms = tuple(
        alert(f"{change.id}:unsealable", CHANGE, role, change_id=change.id)
        for role in (Role.ADMIN, Role.SECURITY)
    )
    done = ended(change.having(failed), state, parts, why)
    await progress.end(change, done, state.value, failed, why=why, also=alarms)
    alarm(log, "seal", f"the sealed number of {change.id} does not open")
