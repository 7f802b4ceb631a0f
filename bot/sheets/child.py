"""The process that looks into one file and ends: it gives up its rights to memory, time and disk first.

Spoken to over stdin and stdout: one line of JSON that says what to do, then the bytes of the file. The answer
is one line of JSON, then bytes. Knows no settings, no keys and no network address; its environment is empty.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any, BinaryIO

from bot.domain import sheet_reasons
from bot.domain.reason import Refusal
from bot.domain.sheets import FileKind, FileTable
from bot.sheets.caps import Caps, Unfit
from bot.sheets.reading import read


def bound(memory_bytes: int, cpu_seconds: int, *, disk: bool) -> None:
    """From here on no more memory (address space) and processor time than this; no core file with numbers.

    disk: may files be written? Reading a file of a stranger needs none.
    """
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CPU, cpu_seconds)
    _limit(resource.RLIMIT_CORE, 0)
    if not disk:
        _limit(resource.RLIMIT_FSIZE, 0)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def answer(order: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the bytes of the answer to one order."""
    caps = Caps(**order["caps"])
    try:
        match order["do"]:
            case "read":
                lines = read(order["name"], content, caps)
                rows = [[line.number, *line.texts, _refused(line.problem)] for line in lines]
                return {}, json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
            case "write":
                from bot.sheets.writing import write  # a reader needs no writer, and starts sooner

                table = json.loads(content)
                texts = tuple(tuple(row) for row in table["rows"])
                made = FileTable(table["title"], tuple(table["columns"]), texts)
                return {}, write(made, FileKind(order["kind"]))
            case _:
                from bot.sheets.writing import template

                return {}, template(FileKind(order["kind"]))
    except Unfit as unfit:
        return {"refused": _refused(unfit.refusal)}, b""
    except MemoryError:
        return {"refused": _refused(sheet_reasons.FILE_TOO_MUCH_WORK.refuse(what="memory"))}, b""


def _refused(refusal: Refusal | None) -> list[Any] | None:
    return None if refusal is None else [refusal.code, dict(refusal.facts)]


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """One order, one answer."""
    order = json.loads(source.readline())
    caps = order["caps"]
    bound(caps["memory_bytes"], caps["cpu_seconds"], disk=order["do"] != "read")
    header, body = answer(order, source.read())
    sink.write(json.dumps(header).encode() + b"\n" + body)
    sink.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
