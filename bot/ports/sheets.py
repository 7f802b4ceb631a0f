"""Spreadsheets as the workflow sees them: one Protocol and the way a file is refused.

Knows values of the domain. Must not know a file format.
"""

from __future__ import annotations

from typing import Protocol

from bot.domain.reason import Refusal
from bot.domain.sheets import FileKind, FileTable, Sheet


class SheetRefused(Exception):
    """The file as a whole is not taken. refusal: why, and what to do."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Sheets(Protocol):
    """Files in and out, off the event loop, within bounds of time and memory."""

    async def read(self, name: str, content: bytes) -> Sheet:
        """What the rows say. A row that cannot be used carries its problem. Raises SheetRefused."""
        ...

    async def template(self, kind: FileKind) -> bytes:
        """An empty file with the columns that are read, and a line of example."""
        ...

    async def write(self, table: FileTable, kind: FileKind) -> bytes:
        """The table as a file in which no cell can come alive as a formula."""
        ...
