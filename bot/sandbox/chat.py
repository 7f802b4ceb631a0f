"""The terminal chat: a thin shell over the player.

Knows: lines in, lines out, a prompt. Must not know: what a line means (player.py).
"""

from __future__ import annotations

import asyncio
import threading
from typing import TextIO

from .player import ExpectationFailed, Finished, Player

_LOOK_EVERY = 0.5
_LAST_LOOK = 1.5


async def chat(player: Player, source: TextIO, out: TextIO) -> int:
    """Talk until /quit or the end of `source`; the number of expectations that failed.

    Messages that come in for the current person are printed as they arrive. Works with a terminal, a
    pipe and a file; what is not typed by hand is echoed, so that a transcript reads well."""
    lines = _lines_of(source)
    typed, failed = source.isatty(), 0
    _say(out, await player.news())
    while True:
        _prompt(player, out, typed)
        line = await _next(player, lines, out, typed)
        if line is None:
            break
        if not typed:
            _say(out, [f"{player.who}> {line.rstrip()}"])
        try:
            _say(out, await player.line(line))
        except ExpectationFailed as failure:
            failed += 1
            _say(out, [str(failure)])
        except Finished:
            return failed
    if not typed:
        await asyncio.sleep(_LAST_LOOK)
        _say(out, await player.news())
    return failed


def _lines_of(source: TextIO) -> asyncio.Queue[str | None]:
    """Lines as they come, None at the end. A daemon thread reads: files cannot be awaited, and a
    blocked read must not hold up the exit."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def put(line: str | None) -> bool:
        try:
            loop.call_soon_threadsafe(queue.put_nowait, line)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return False
        return True

    def read() -> None:
        for line in source:
            if not put(line):
                return
        put(None)

    threading.Thread(target=read, daemon=True, name="chat-input").start()
    return queue


async def _next(player: Player, lines: asyncio.Queue[str | None], out: TextIO, typed: bool) -> str | None:
    while True:
        try:
            return await asyncio.wait_for(lines.get(), _LOOK_EVERY)
        except TimeoutError:
            news = await player.news()
            if news:
                _say(out, ["", *news] if typed else news)
                _prompt(player, out, typed)


def _prompt(player: Player, out: TextIO, typed: bool) -> None:
    if typed:
        out.write(f"{player.who}> ")
        out.flush()


def _say(out: TextIO, lines: list[str]) -> None:
    for line in lines:
        out.write(line + "\n")
    out.flush()
