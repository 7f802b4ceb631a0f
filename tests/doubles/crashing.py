"""A port with named moments around each call, so that a test can cut the power exactly there.

Knows method names and audit events. Must not know what happens at a moment: that is the test's, which may
raise (a crash inside one process), kill its own process, or do something else first (a coroutine is awaited).
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from bot.ports import Commit

Moment = Callable[[str], Awaitable[None] | None]


class PowerCut(Exception):
    """The process is gone: nothing after this moment was done by it."""


#: Methods that give one thing after another.
_STREAMS = frozenset({"phones_of_many"})


class Watched:
    """Stands before a Store or a Directory and does what that does.

    Around each call it tells `before <label>` and `after <label>`. A label is the method's name; of a commit
    `commit <event>`, where the event is the last word of the first audit event ("attempted", "applied"),
    "move" without one; of a directory write `write`.
    """

    def __init__(self, inner: object, moment: Moment) -> None:
        self._inner = inner
        self._moment = moment

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method):
            return method

        async def stream(*args: Any, **named: Any) -> AsyncIterator[Any]:
            await self._tell(f"before {name}")
            async for found in method(*args, **named):
                yield found
            await self._tell(f"after {name}")

        if inspect.isasyncgenfunction(method) or name in _STREAMS:
            return stream

        async def call(*args: Any, **named: Any) -> Any:
            said = label(name, args)
            await self._tell(f"before {said}")
            result = await method(*args, **named)
            await self._tell(f"after {said}")
            return result

        return call

    async def _tell(self, name: str) -> None:
        waited = self._moment(name)
        if inspect.isawaitable(waited):
            await waited


def label(name: str, args: tuple[Any, ...]) -> str:
    """What the moments around this call are called."""
    if name != "commit" or not args or not isinstance(args[0], Commit):
        return name
    events = args[0].events
    return "commit " + (events[0].name.rsplit(":", 1)[-1] if events else "move")
