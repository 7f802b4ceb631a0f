"""How long a sheet of 50,000 rows takes to be read and its numbers to be judged, and how much memory.

Run alone: `python -m tests.bench.sheets [rows]`. Knows the port and the number reader. The rows are read by a
child process, as the bot does it; its peak is counted apart from this process.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time

from bot.domain.phone import NumberRules, PhoneNumber, Slot, read_number
from bot.domain.sheets import FileKind, FileTable
from bot.sheets.process import ChildSheets

COLUMNS = ("user", "slot", "number", "reason", "ticket")


def table(rows: int) -> FileTable:
    """Rows as people write them, one in twenty spoilt."""
    return FileTable("Phones", COLUMNS, tuple(row(n) for n in range(rows)))


def row(n: int) -> tuple[str, ...]:
    number = "4.4E+11" if n % 20 == 7 else f"+1 212 {200 + n // 10_000:03} {n % 10_000:04}"
    return (f"person{n:05}@contoso.example", "mobile", number, f"new phone {n}", f"INC{n:07}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


async def main(rows: int) -> None:
    sheets = ChildSheets()
    for kind in FileKind:
        started = time.perf_counter()
        content = await sheets.write(table(rows), kind)
        written = time.perf_counter() - started
        started = time.perf_counter()
        sheet = await sheets.read(f"phones.{kind.value}", content)
        parsed = time.perf_counter() - started
        started = time.perf_counter()
        rules = NumberRules()
        good = sum(
            isinstance(read_number(each.number, Slot.MOBILE, rules), PhoneNumber) for each in sheet.rows
        )
        judged = time.perf_counter() - started
        spoilt = sum(each.problem is not None for each in sheet.rows)
        say(
            f"{kind.value}: {len(content):,} bytes written in {written:.1f} s; {len(sheet.rows):,} rows read "
            f"in {parsed:.1f} s, judged in {judged:.1f} s: {good:,} good, {spoilt:,} spoilt"
        )
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ours, child = (resource.getrusage(who).ru_maxrss / 1024 for who in whose)
    say(f"peak: {ours:.0f} MB here, {child:.0f} MB in the reader")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
