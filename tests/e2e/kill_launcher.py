"""A small process with everything imported that forks the real bot on command: a restart costs no import.

Knows how the bot is put together (`bot.wiring`) and where its clock comes from. Must not know what the test
plays, and runs no thread and no event loop of its own: only its children do.

One JSON line in starts one bot: `{settings, port, log, clock: {base, mono, rate}, cut: {at, count} | null}`.
`cut.at` is a moment of `tests.doubles.crashing`; at the count-th time the bot kills itself there.
Lines out: `pid N`, `ready` (from the child), `ended SIGNAL-OR-CODE`.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.ports import Directory, Store
from bot.settings.environment import Settings, load_settings
from bot.settings.policy_file import load_policy
from bot.telemetry import configure_logging
from bot.web import Limits, serve
from bot.wiring import assembled, working
from tests.doubles.crashing import Moment, Watched

# An answer says what was done, however slow the machine is: nobody is told to wait for it in vain.
LONG_TURN = 15.0
# What libraries leave to their first use: without these every life would import them again.
WARM = (
    "anyio._backends._asyncio",
    "httpcore",
    "msal_extensions",
    "phonenumbers.data.region_US",
    "psycopg",
    "sqlite3",
)


class FastClock:
    """Starts at `base` when the monotonic clock shows `mono`, and runs `rate` times as fast as it."""

    def __init__(self, base: str, mono: float, rate: float) -> None:
        self._base = datetime.fromisoformat(base).astimezone(UTC)
        self._mono = mono
        self._rate = rate

    def now(self) -> datetime:
        return self._base + timedelta(seconds=(time.monotonic() - self._mono) * self._rate)


def killer(cut: dict[str, Any] | None) -> Moment:
    """Ends this process at the chosen moment; nothing can be caught, flushed or finished."""
    left = int(cut["count"]) if cut else 0

    def moment(name: str) -> None:
        nonlocal left
        if cut is None or name != cut["at"]:
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return moment


def say_ready(port: int) -> None:
    os.write(1, b"ready\n")


async def run(order: dict[str, Any], settings: Settings) -> None:
    """The bot as in production, but for its clock and the moments."""
    moment = killer(order["cut"])

    def store(inner: Store) -> Store:
        return cast(Store, Watched(inner, moment))

    def directory(inner: Directory) -> Directory:
        return cast(Directory, Watched(inner, moment))

    clock = FastClock(**order["clock"])
    policy = load_policy(settings.policy_file)
    opening = assembled(
        settings,
        policy,
        clock=clock,
        wrap_store=store,
        wrap_directory=directory,
        turn_seconds=LONG_TURN,
    )
    async with (
        opening as parts,
        working(parts.jobs),
    ):
        await serve(
            parts.app,
            "127.0.0.1",
            order["port"],
            0,
            limits=Limits(leave_seconds=settings.drain_seconds),
            opened=say_ready,
        )


def die_with_parent() -> None:
    """Nobody is left behind when a test run is killed (Linux, prctl(2): PR_SET_PDEATHSIG = 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def child(order: dict[str, Any]) -> None:
    """In the forked process; ends by SIGKILL, in order after SIGTERM, or with an error in the log."""
    die_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    os.environ.update({n: order["settings"][n] for n in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")})
    configure_logging("WARNING")
    asyncio.run(run(order, load_settings(order["settings"])))


def main() -> None:
    """Until standard input ends: one child at a time."""
    die_with_parent()
    for name in WARM:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                child(order)
                code = 0
            finally:
                os._exit(code)
        os.write(1, f"pid {pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(1, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
