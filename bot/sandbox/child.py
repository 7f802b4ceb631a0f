"""The bot as a child process of the demo: started, waited for, killed, started again.

Knows: a command, an environment, a log file, the readiness address. Must not know: settings, worlds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

#: What a child may inherit; everything else (settings above all) must come from the demo alone.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT", "TERM")


class BotDied(RuntimeError):
    """The bot ended or did not become ready; the text holds the tail of its log."""


def free_port() -> int:
    """A loopback port that is free right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """One bot process at a time. `settings` go over the few inherited variables."""

    def __init__(
        self, command: Sequence[str], folder: Path, settings: Mapping[str, str], log: Path, ready_url: str
    ) -> None:
        self._command, self._folder, self._log, self._ready_url = command, folder, log, ready_url
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self._environment = {**kept, "PYTHONUNBUFFERED": "1", **settings}
        self._process: asyncio.subprocess.Process | None = None
        self._said = ""

    async def start(self, seconds: float = 60.0) -> None:
        """Start and wait until the bot says it is ready. Raises BotDied."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = asyncio.get_running_loop().time() + seconds
        async with aiohttp.ClientSession(trust_env=False) as session:
            while not await self._ready(session):
                if self._process.returncode is not None:
                    raise BotDied(f"the bot ended with code {self._process.returncode}\n{self.tail()}")
                if asyncio.get_running_loop().time() > deadline:
                    said = self._said or "no answer"
                    raise BotDied(f"the bot was not ready within {seconds:g} s: {said}\n{self.tail()}")
                await asyncio.sleep(0.1)

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            limit = aiohttp.ClientTimeout(total=2)
            async with session.get(self._ready_url, timeout=limit) as response:
                self._said = await response.text()
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def kill(self) -> None:
        """kill -9 of the bot and whatever it started; returns when it is gone."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None

    async def restart(self) -> None:
        """kill -9, then start again and wait until ready."""
        await self.kill()
        await self.start()

    @property
    def died(self) -> bool:
        """Has it ended although nobody killed it?"""
        return self._process is not None and self._process.returncode is not None

    def tail(self, count: int = 25) -> str:
        """The last lines of its log."""
        if not self._log.exists():
            return ""
        lines = self._log.read_text("utf-8", "replace").splitlines()[-count:]
        return "\n".join(f"  bot log | {line}" for line in lines)
