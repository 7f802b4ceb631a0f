"""Processes under measurement: started fresh, kept to one core, and asked what they have used.

Knows Linux' /proc. Must not know what the processes do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1_000_000
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


def cores() -> tuple[set[int], set[int]]:
    """The core of the measured process, and the cores of everything else; the same where there is one."""
    ours = sorted(os.sched_getaffinity(0))
    return {ours[0]}, set(ours[1:]) or {ours[0]}


@contextlib.contextmanager
def pinned(to: set[int]) -> Iterator[None]:
    """Children that are started inside run on these cores only; skipped where that is not permitted."""
    before = os.sched_getaffinity(0)
    with contextlib.suppress(PermissionError):
        os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, all threads, user and system; in steps of one clock tick."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(pid: int) -> float:
    """Memory of a process now: resident set, in units of 1,000,000 bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE_MB


@dataclass(slots=True)
class Program:
    """One running child that answers a JSON line with a JSON line."""

    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """One line in, one line out. Raises RuntimeError when the child has ended."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the child has no pipes")
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        return await self.told()

    async def told(self) -> dict[str, Any]:
        """The next line the child says."""
        if self.process.stdout is None:
            raise RuntimeError("the child has no pipes")
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a bench process ended with code {await self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.asynccontextmanager
async def running(
    *arguments: str, on: set[int], settings: Mapping[str, str] | None = None, log: Path | None = None
) -> AsyncIterator[Program]:
    """A Python process on these cores, killed at the end. With `log` its output goes there."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ} | dict(settings or {})
    pipe = asyncio.subprocess.PIPE
    with contextlib.ExitStack() as files:
        output = files.enter_context(log.open("ab")) if log is not None else None
        with pinned(on):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL if output else pipe,
                stdout=output or pipe,
                stderr=output,
                limit=4 * 1024 * 1024,
            )
    try:
        yield Program(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def ready(program: Program, url: str, seconds: float = 60.0) -> None:
    """Wait for the first 200. Raises RuntimeError when the process ends, TimeoutError when it is too slow."""
    async with asyncio.timeout(seconds), aiohttp.ClientSession(trust_env=False) as session:
        while True:
            if program.process.returncode is not None:
                raise RuntimeError(f"the bot ended with code {program.process.returncode}")
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)
