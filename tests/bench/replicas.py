"""Approved changes through one process and through three, and from a click to the directory. By hand.

`python -m tests.bench.replicas apply postgresql://...` (a server; schemas are made and dropped): the same
approved changes at 200 ms for each directory call. `python -m tests.bench.replicas decide`: on SQLite, from
sending the last approval until the directory has the write. Knows the fleet of the end-to-end tests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e")]

from fleet import Fleet, fleet, number_of  # noqa: E402 - found by the path above
from kill_drive import FINAL, Asked  # noqa: E402
from stage import Sandbox  # noqa: E402

from bot.store.engine import open_database, prepare_file, read_url  # noqa: E402
from bot.store.migrate import migrate  # noqa: E402
from tests.conftest import _schema  # noqa: E402

LATENCY_MS = 200


def told(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def sandbox_in(folder: Path) -> Iterator[Sandbox]:
    command = [sys.executable, "-m", "bot.sandbox", "serve", "--until-eof", "--state-dir", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield Sandbox(**json.loads(process.stdout.readline()))
        process.kill()


def migrated(url: str) -> str:
    database = open_database(read_url(url))
    migrate(database.writing)
    database.close()
    return url


async def apply(server: str, changes: int) -> None:
    """Seconds for all changes with one replica, and with three."""
    for replicas in (1, 3):
        with tempfile.TemporaryDirectory() as name, _schema(server) as url:
            state = Path(name)
            with sandbox_in(state / "sandbox") as sandbox:
                opening = fleet(sandbox, migrated(url), state, replicas=replicas, targets=changes, rate=1.0)
                async with opening as there:
                    await there.stock(changes)
                    slow = {"kind": "latency", "verb": None, "path": "", "ms": LATENCY_MS, "times": None}
                    await there.control("POST", "faults", slow)
                    await there.begin()
                    began = time.monotonic()
                    under_way = "changes WHERE state IN ('approved', 'applying', 'unconfirmed')"
                    await there.until(lambda t=there, w=under_way: t.count(w) == 0, 600)
                    seconds = time.monotonic() - began
                    assert there.count("changes WHERE state = 'applied'") == changes
                    rate = changes / seconds
                    told(f"{replicas} replica(s): {changes} changes in {seconds:.1f} s, {rate:.1f}/s")


async def decide(times: int) -> None:
    """From the click of the approver until the directory has taken the write, one request at a time."""
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        file = state / "r.db"
        prepare_file(file)
        with sandbox_in(state / "sandbox") as sandbox:
            url = migrated(f"sqlite:///{file}")
            async with fleet(sandbox, url, state, replicas=1, targets=1, rate=1.0) as there:
                await there.begin()
                await asyncio.sleep(0.3)
                clicked = [await _one(there, n) for n in range(times)]
                effects = (await there.control("GET", "journal"))["effects"]
                at = {e["after"]: datetime.fromisoformat(e["at"]) for e in effects}
                waits = sorted((at[f"+1 {number}"] - when).total_seconds() * 1000 for number, when in clicked)
                spread = statistics.quantiles(waits, n=20)
                told(
                    f"{times} approvals, ms: p50 {spread[9]:.0f}, p95 {spread[18]:.0f}, most {waits[-1]:.0f}"
                )


async def _one(there: Fleet, n: int) -> tuple[str, datetime]:
    people = there.people
    one = Asked("t0", number_of(n))
    text = f"set mobile for t0 to +1 {one.number} because lost phone INC1234"
    await people._act(one, "say", {"as": "op0", "text": text})
    preview = await people._card("op0", "Submit for approval", one)
    await people._click(one, "op0", preview, "Submit for approval")
    asking = await people._card("mg0", "Approve", one)
    await asyncio.sleep(0.2)  # nothing else is under way
    when = datetime.now(UTC)
    await people._click(one, "mg0", asking, "Approve")
    async with asyncio.timeout(30):
        while people.state(one.id) not in FINAL:  # noqa: ASYNC110 - another process ends it
            await asyncio.sleep(0.02)
    return one.number, when


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("apply", "decide"))
    parser.add_argument("server", nargs="?", default="", help="of PostgreSQL, for apply")
    parser.add_argument("--changes", type=int, default=100)
    given = parser.parse_args()
    asyncio.run(apply(given.server, given.changes) if given.what == "apply" else decide(given.changes))


if __name__ == "__main__":
    main()
