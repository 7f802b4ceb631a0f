"""A port with named moments around each call, so that a test can cut the power exactly there.

Knows method names and audit events. Must not know what happens at a moment: that is the test's, which may
raise (a crash inside one process) or kill its own process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.ports import Commit

Moment = Callable[[str], None]


class PowerCut(Exception):
    """The process is gone: nothing after this moment was done by it."""


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

        async def call(*args: Any, **named: Any) -> Any:
            said = label(name, args)
            self._moment(f"before {said}")
            result = await method(*args, **named)
            self._moment(f"after {said}")
            return result

        return call


def label(name: str, args: tuple[Any, ...]) -> str:
    """What the moments around this call are called."""
    if name != "commit" or not args or not isinstance(args[0], Commit):
        return name
    events = args[0].events
    return "commit " + (events[0].name.rsplit(":", 1)[-1] if events else "move")
