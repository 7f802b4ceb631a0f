"""The port `Sheets`: every file is read or written by a process of its own, outside the event loop.

Knows how that process is started, fed and ended. Must not look into a file. A file that breaks its reader
costs one refusal, nothing else; nothing of a stranger's file touches the disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

import bot
from bot.domain import sheet_reasons
from bot.domain.reason import REGISTRY, Refusal
from bot.domain.sheets import FileKind, FileTable, Sheet, SheetRow
from bot.ports.sheets import SheetRefused
from bot.sheets.caps import MIB, Caps

_ROOT = Path(bot.__file__ or "").resolve().parent.parent
_AT_ONCE = 2
_NAME = 120
log = logging.getLogger(__name__)


class ChildSheets:
    """Files in and out. caps: what one file may take; two are worked on at once, the others wait."""

    def __init__(self, caps: Caps | None = None) -> None:
        self._caps = caps or Caps()
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def read(self, name: str, content: bytes) -> Sheet:
        if len(content) > self._caps.file_bytes:
            size, most = (f"{count / MIB:.1f} MB" for count in (len(content), self._caps.file_bytes))
            raise SheetRefused(sheet_reasons.FILE_TOO_BIG.refuse(size=size, most=most))
        made = await self._asked({"do": "read", "name": name[-_NAME:]}, content)
        rows = tuple(_row(each) for each in orjson.loads(made))
        return Sheet(_shown(name), rows, hashlib.sha256(content).hexdigest())

    async def template(self, kind: FileKind) -> bytes:
        return await self._asked({"do": "template", "kind": kind.value}, b"")

    async def write(self, table: FileTable, kind: FileKind) -> bytes:
        return await self._asked({"do": "write", "kind": kind.value}, orjson.dumps(table))

    async def _asked(self, order: dict[str, Any], content: bytes) -> bytes:
        order = {**order, "caps": asdict(self._caps)}
        async with self._turn:
            told = await self._told(json.dumps(order).encode() + b"\n" + content)
        head, _, body = told.partition(b"\n")
        refused = json.loads(head).get("refused")
        if refused is not None:
            raise SheetRefused(_refusal(refused))
        return body

    async def _told(self, order: bytes) -> bytes:
        """What the child says. Raises SheetRefused when it ends without a word, or does not end."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot.sheets.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=_ROOT,
            env={"PYTHONDONTWRITEBYTECODE": "1"},
        )
        try:
            async with asyncio.timeout(self._caps.seconds):
                told, _ = await child.communicate(order)
        except TimeoutError:
            raise SheetRefused(sheet_reasons.FILE_TOO_MUCH_WORK.refuse(what="time")) from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode == 0:
            return told
        log.warning("the process that reads files ended early", extra={"status": child.returncode})
        raise SheetRefused(sheet_reasons.FILE_TOO_MUCH_WORK.refuse(what="memory or time"))


def _row(said: list[Any]) -> SheetRow:
    line, who, slot, number, reason, ticket, problem = said
    return SheetRow(line, who, slot, number, reason, ticket, _refusal(problem) if problem else None)


def _refusal(said: list[Any]) -> Refusal:
    code, facts = said
    return REGISTRY[code].refuse(**facts)


def _shown(name: str) -> str:
    """The last part of the name, short, without characters that nobody sees."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(sign for sign in last if sign.isprintable())[-_NAME:] or "file"
