"""The lines of the written language that are about files.

Knows: files on this machine, the sandbox's routes for files, how a received one is looked into. Must not
know: the bot, or what the other lines do.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

Json = dict[str, Any]


class FileLines:
    """`act` does something as the current person, `look` asks one route, `until` waits, `fail` raises."""

    def __init__(
        self,
        act: Callable[[str, Json], Awaitable[list[str]]],
        look: Callable[[str], Awaitable[Json]],
        until: Callable[[Callable[[], Awaitable[bool]]], Awaitable[bool]],
        fail: Callable[[str, str], Exception],
    ) -> None:
        self._act, self._look, self._until, self._fail = act, look, until, fail
        self.commands: dict[str, Callable[[str], Awaitable[list[str]]]] = {
            "upload": self._upload,
            "accept": self._accept,
            "decline": self._decline,
            "expect-file": self._expect_file,
            "save": self._save,
        }

    async def _upload(self, path: str) -> list[str]:
        try:
            content = await asyncio.to_thread(Path(path).read_bytes)
        except OSError as error:
            raise self._fail(f"there is no file {path}", str(error)) from error
        wish = {"name": Path(path).name, "content": base64.b64encode(content).decode()}
        return await self._act("upload", wish)

    async def _accept(self, _: str) -> list[str]:
        return await self._act("consent", {"accept": True})

    async def _decline(self, _: str) -> list[str]:
        return await self._act("consent", {"accept": False})

    async def _expect_file(self, text: str) -> list[str]:
        """The newest file that the bot has put into the person's OneDrive holds the text in a cell."""
        rows: list[list[str]] = []

        async def there() -> bool:
            files = (await self._look("drive"))["files"]
            rows[:] = _cells(files[-1]) if files else []
            return any(text in cell for row in rows for cell in row)

        if not await self._until(there):
            raise self._fail(f"no file holds {text!r}", "\n".join(" | ".join(row) for row in rows[:20]))
        return [f"The file holds it: {text}"]

    async def _save(self, path: str) -> list[str]:
        files = (await self._look("drive"))["files"]
        if not files:
            raise self._fail("no file was received", "")
        await asyncio.to_thread(Path(path).write_bytes, base64.b64decode(files[-1]["content"]))
        return [f"{files[-1]['name']} is saved as {path}."]


def _cells(file: Json) -> list[list[str]]:
    content = base64.b64decode(file["content"])
    if str(file["name"]).endswith(".xlsx"):
        sheet = load_workbook(io.BytesIO(content), read_only=True).worksheets[0]
        return [[str(each) for each in row if each is not None] for row in sheet.iter_rows(values_only=True)]
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
