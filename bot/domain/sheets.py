"""Spreadsheets as values: what a sheet said, and what a file of ours says.

Knows rows and tables. Must not know file formats, nor what becomes of a row. The process that reads files
brings this module with it, and no more of the domain than it needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.reason import Refusal


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row of the sheet, its texts as typed and trimmed, never repaired. line: as the sheet counts.

    number: in clear; it can also stand in a wrong column, so that no text shows in a repr. problem: what the
    file itself says against the row (a number that the spreadsheet program spoilt, a cell too long).
    """

    line: int
    who: str = field(repr=False)
    slot: str = field(repr=False)
    number: str = field(repr=False)
    reason: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)
    problem: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that was read. name: of the file, for people. digest: sha256 hex of its bytes."""

    name: str
    rows: tuple[SheetRow, ...]
    digest: str


class FileKind(StrEnum):
    """The kinds of file we write and read; the value is the ending of the name."""

    XLSX = "xlsx"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class FileTable:
    """What a file of ours holds. All texts are masked; every cell is text, "" = empty."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
