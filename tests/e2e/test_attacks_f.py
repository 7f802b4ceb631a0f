"""Attack group F over HTTP: files that try to get more past people than they see.

F1 to F6 are about the inside of files (tests/unit/test_sheets_attacks.py, test_sheets_writing.py and
tests/property/test_sheets_*), F7 and F8 about fetching them (tests/unit/test_transfer.py); F7, F8 and F13
over HTTP are in test_bulk_files.py.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from stage import Stage

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
BULK = "bruno"
HEAD = "user,slot,number\r\n"
FAY_11 = ("fay", "mobile", "+1 2125550111")


def file_of(stage: Stage, *rows: tuple[str, str]) -> bytes:
    """(alias, number): all mobiles."""
    lines = (f"{stage.world['people'][who]['upn']},mobile,{number}" for who, number in rows)
    return (HEAD + "\r\n".join(lines)).encode()


async def planned(stage: Stage, *rows: tuple[str, str]) -> str:
    """The id of the plan that a file becomes."""
    await stage.upload(BULK, "phones.csv", file_of(stage, *rows))
    return stage.printed_id(await stage.newest(BULK))


async def plan_of(stage: Stage, printed: str) -> dict[str, dict[str, str]]:
    """The plan file by line."""
    await stage.ask(BULK, f"file {printed} csv")
    await stage.consent(BULK)
    text = (await stage.drive(BULK))[-1]["content"].decode("utf-8-sig")
    return {row["line"]: row for row in csv.DictReader(io.StringIO(text))}


async def agreed(stage: Stage, printed: str, *approvers: str) -> None:
    for approver in approvers:
        await stage.ask(approver, f"approve {printed}")
    await stage.settle()


async def test_f9_a_person_who_stands_there_twice_gets_nothing(stage: Stage) -> None:
    """None of that person's rows runs, whichever was meant, also when the name is written in another way."""
    rows = (("fay", "+1 212 555 0111"), ("xavier", "+1 212 555 0112"), ("xavier", "+1 212 555 0113"))
    printed = await planned(stage, *rows)
    plan = await plan_of(stage, printed)
    assert [plan[line]["plan"] for line in ("2", "3", "4")] == ["new", "duplicate-person", "duplicate-person"]
    assert [plan[line]["changes"] for line in ("2", "3", "4")] == ["yes", "no", "no"]
    await stage.ask(BULK, f"submit {printed}")
    await agreed(stage, printed, "arthur", "astrid")
    await stage.ends_with(FAY_11)


async def test_f10_a_file_is_never_longer_than_the_policy_says(opened: Opened) -> None:
    """The cap refuses the file as a whole, and one approver alone lets nothing through."""

    def short(text: str) -> str:
        return text + "\n[limits]\nbulk_rows = 2\n"

    async with opened(policy=short) as stage:
        rows = [("fay", "+1 212 555 0111"), ("xavier", "+1 212 555 0112"), ("xena", "+1 212 555 0113")]
        await stage.upload(BULK, "phones.csv", file_of(stage, *rows))
        assert "policy.bulk-rows" in await stage.text(BULK)
        printed = await planned(stage, rows[0])
        await stage.ask(BULK, f"submit {printed}")
        await agreed(stage, printed, "arthur", "arthur", BULK)
        await stage.ends_with()


async def test_f11_a_protected_person_among_others_never_runs(stage: Stage) -> None:
    """The row is refused in the plan and shown; who becomes protected later is stopped before the write."""
    people = ("fay", "gabriel", "xavier")
    printed = await planned(stage, *((who, f"+1 212 555 01{n}") for n, who in enumerate(people, 11)))
    plan = await plan_of(stage, printed)
    assert (plan["3"]["plan"], plan["3"]["changes"], plan["3"]["code"]) == (
        "protected",
        "no",
        "policy.protected",
    )
    await stage.ask(BULK, f"submit {printed}")
    await stage.patch("xavier", roles=["62e90394-69f5-4237-9190-012177145e10"])
    await agreed(stage, printed, "arthur", "astrid")
    await stage.ends_with(FAY_11)


async def test_f12_another_file_under_the_same_name_is_another_request(stage: Stage) -> None:
    """What runs are the rows that were agreed to, whatever is sent meanwhile."""
    first = await planned(stage, ("fay", "+1 212 555 0111"))
    await stage.ask(BULK, f"submit {first}")
    await agreed(stage, first, "arthur")
    second = await planned(stage, ("fay", "+1 212 555 0177"))
    assert second != first
    await agreed(stage, first, "astrid")
    await agreed(stage, second, "arthur", "astrid")
    await stage.ends_with(FAY_11)
