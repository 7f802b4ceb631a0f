"""How much of a file we take, and the one way in which a file is refused.

Knows bounds. Must not know formats. Every bound is checked before the work that it bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.reason import Refusal

MIB = 1024 * 1024


class Unfit(Exception):
    """The file as a whole is not taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds of one file. A sheet of 50,000 rows, as Excel writes it, stays at half of each.

    file_bytes: as sent. unpacked_bytes, ratio, parts: of the container, by its own list of contents.
    rows: below the headings. columns: looked at from the left; also the cells that a row may have.
    strings: different texts of a workbook. heading_rows: how far down headings are looked for.
    seconds, cpu_seconds, memory_bytes: what the child process that reads it may take, by the clock (the
    machine may be busy) and of a processor; memory is address space.
    """

    file_bytes: int = 5 * MIB
    unpacked_bytes: int = 50 * MIB
    ratio: int = 100
    parts: int = 200
    rows: int = 50_000
    columns: int = 40
    strings: int = 300_000
    heading_rows: int = 10
    seconds: float = 30.0
    cpu_seconds: int = 10
    memory_bytes: int = 256 * MIB


#: The longest text of each column, in characters.
LONGEST = {"user": 256, "slot": 64, "number": 64, "reason": 500, "ticket": 120}
