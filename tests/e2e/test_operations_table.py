"""Every operation on phones under every precondition: how it ends, in which words, and what was written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from operation_rows import WORLDS
from stage import Stage
from table_drive import Row, World, play_all

Opened = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.mark.parametrize("world", WORLDS, ids=[world.name for world in WORLDS])
async def test_operations_end_as_the_table_says(world: World, opened: Opened) -> None:
    """Each row: the code or the final card, and exactly the effects in the directory that the row names."""
    async with opened(spec=world.spec(), policy=world.policed, more=world.more) as stage:
        await world.prepare(stage)
        wrong = await play_all(stage, world.rows)
        assert not wrong, "\n".join(wrong)


PRECONDITIONS: dict[str, Callable[[Row], bool]] = {
    "nothing there": lambda row: not row.has or _letter(row) not in row.has,
    "something there": lambda row: _letter(row) in row.has,
    "a default method": lambda row: "default_method" in row.fields,
    "synced": lambda row: "synced" in row.fields,
    "guest": lambda row: "user_type" in row.fields,
    "disabled": lambda row: "enabled" in row.fields,
    "protected": lambda row: "roles" in row.fields,
}
PHONES = [f"{verb} {slot}" for verb in ("set", "remove") for slot in ("mobile", "alternate", "office")]
OPERATIONS = (*PHONES, "swap", "sms-on", "sms-off", "check mobile", "show")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_meets_every_precondition(operation: str) -> None:
    """The table leaves out no cell, and has at least 120 rows of which none is there twice."""
    rows = [(world.name, repr(row)) for world in WORLDS for row in world.rows]
    assert len(set(rows)) == len(rows) >= 120
    played = [row for world in WORLDS for row in world.rows if row.typed.startswith(operation)]
    assert [name for name, meant in PRECONDITIONS.items() if not any(map(meant, played))] == []


def _letter(row: Row) -> str:
    """The phone that the row is about."""
    words = row.typed.split()
    return words[1][0].upper() if len(words) > 1 else "A" if words[0] == "swap" else "M"
