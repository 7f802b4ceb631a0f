"""The writes of one slice of a batch: what stops them half-way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from asking import pending
from security_desk import ANN, administered

from bot.domain import command as c
from bot.domain.bulk import Bucket, PlanRow
from bot.domain.change import Change, OpState
from bot.domain.phone import PhoneNumber
from bot.ports import Waiting
from bot.workflow.batch_checking import Checked
from bot.workflow.batch_slices import Begun, Slices
from bot.workflow.pacing import WritePace
from tests.doubles.house import house

NUMBER = PhoneNumber("1", "2065550100")
ROWS, WRITE_SECONDS, SWITCH_SECONDS = 40, 0.25, 5


class Time:
    """Seconds, moved by hand."""

    at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize("paused_after", [0, 1, 9])
async def test_pause_stops_a_slice_that_is_being_written(tmp_path: Path, paused_after: int) -> None:
    """Within five seconds of `pause` no write begins; what was not sent is put back as it was."""
    outside, rules = administered()
    time, written = Time(), 0
    async with house(tmp_path, outside=outside, rules=rules) as h:
        sent = await pending(h)
        change = sent.view.change
        sending = replace(change.operations[0], state=OpState.SENDING, attempt=1, sent_at=h.clock.now())
        under_way = change.having(sending)
        rows = tuple(_row(n, change) for n in range(ROWS))
        slices = Slices(h.parts, WritePace(time), h.desk.switches)

        async def write() -> None:
            nonlocal written
            if written == paused_after:
                await h.desk.handle(c.Pause("a strange burst"), h.envelope(ANN))
            written += 1
            time.at += WRITE_SECONDS

        h.directory.before["write"] = write
        begun = Begun(change, dict.fromkeys(range(ROWS), under_way), rows)
        answers = await slices.send(begun)
        assert paused_after < written <= paused_after + SWITCH_SECONDS / WRITE_SECONDS
        held = [each for each in answers.values() if each.not_sent is not None]
        assert len(held) == ROWS - written
        assert {each.not_sent.what for each in held if each.not_sent} == {"paused"}
        back = [each for each in slices.results(begun, answers, {}) if each.what == "not-sent"]
        assert len(back) == len(held)
        assert {each.after.operations[0].attempt for each in back} == {0}


def _row(line: int, change: Change) -> Checked:
    row = PlanRow(line, "alice", Bucket.NEW, change.target, operations=change.operations, number=NUMBER)
    return Checked(Waiting(row), change.operations)
