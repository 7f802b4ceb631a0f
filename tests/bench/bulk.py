"""A whole batch against the sandbox, with everything that goes wrong in one: bad rows of every kind,
throttled items inside batches, a kill -9 half-way.

`python -m tests.bench.bulk 50000 --times 4` plays it at full size; the checks play a small one. Knows how a
batch is asked for and what the directory's journal says. Judges nothing: it gives figures.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "e2e")]

import sqlalchemy as sa  # noqa: E402 - behind the path of the end-to-end tests
from kill_drive import Clock, Lives  # noqa: E402
from stage import RunningClock, Sandbox, Stage, open_stage  # noqa: E402

from bot.domain import command as c  # noqa: E402
from bot.domain import outcome as o  # noqa: E402
from bot.store.engine import read_url  # noqa: E402
from bot.workflow.parts import Envelope  # noqa: E402

Json = dict[str, Any]
DOMAIN = "contoso.example"
GLOBAL_ADMIN = "62e90394-69f5-4237-9190-012177145e10"
WRITES, WINDOW = 3_000, 150.0
KINDS = (
    *("letters", "no-country", "too-short", "landline", "nobody", "no-slot", "no-person"),
    *("protected", "guest", "twice", "same-number", "disabled", "own-staff"),
)
#: Every twentieth row is bad, in turn of every kind.
BAD_EVERY = 20


@dataclass
class Figures:
    """What a run showed. runs: rows that were to be written; seconds: from the first write to the last."""

    rows: int = 0
    runs: int = 0
    plan_seconds: float = 0.0
    read_seconds: float = 0.0
    seconds: float = 0.0
    estimate: float = 0.0
    cpu: float = 0.0
    applied: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    refused_writes: int = 0
    wasted: float = 0.0
    used: float = 0.0
    states: Json = field(default_factory=dict)
    buckets: Json = field(default_factory=dict)
    audit_bad: tuple[Any, ...] = ()


def number(n: int) -> str:
    return f"+1 {(212, 646, 917, 718, 347, 929)[n // 800_000]} {200 + n // 10_000:03} {n % 10_000:04}"


def rows_of(count: int) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """The rows of a file, and what the directory is to hold afterwards: user -> number."""
    rows: list[tuple[str, str, str]] = []
    wanted: dict[str, str] = {}
    for n in range(count):
        user = f"p{n:05}@{DOMAIN}"
        if n % BAD_EVERY == BAD_EVERY - 1:
            rows.append(_bad(KINDS[(n // BAD_EVERY) % len(KINDS)], n, user))
            continue
        rows.append((user, "mobile", number(n)))
        wanted[user] = number(n)
    # A number that two rows want, and a person in two rows: neither of the two runs.
    for n, row in enumerate(rows):
        if row[0].startswith("twice:"):
            rows[n] = (rows[n - 1][0], "mobile", number(count + n))
            wanted.pop(rows[n - 1][0], None)
        elif row[2].startswith("same:"):
            rows[n] = (row[0], "mobile", rows[n - 1][2])
            wanted.pop(rows[n - 1][0], None)
    return rows, wanted


def _bad(kind: str, n: int, user: str) -> tuple[str, str, str]:
    good = number(n)
    return {
        "letters": (user, "mobile", "+1 212 CALL ME"),
        "no-country": (user, "mobile", "212 555 0123"),
        "too-short": (user, "mobile", "+1 212"),
        "landline": (user, "mobile", "+49 30 901820"),
        "nobody": (f"ghost{n}@{DOMAIN}", "mobile", good),
        "no-slot": (user, "pager", good),
        "no-person": ("", "mobile", good),
        # What makes these bad stands in the directory: see `_spoil`.
        "protected": (user, "mobile", good),
        "guest": (user, "mobile", good),
        "twice": (f"twice:{n}", "mobile", good),
        "same-number": (user, "mobile", f"same:{n}"),
        "disabled": (user, "mobile", good),
        "own-staff": (user, "mobile", good),
    }[kind]


def sheet(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([("user", "slot", "number"), *rows])
    return out.getvalue().encode()


async def play(
    sandbox: Sandbox,
    folder: Path,
    count: int,
    *,
    times: float,
    kills: Sequence[float] = (0.5,),
    inner: int = 20,
    database_url: str = "",
    migrated: Path | None = None,
    told: Any = lambda line: None,
) -> Figures:
    """Plan, two approvals, the run with its kills, and what the directory says afterwards.

    times: of the documented allowance. kills: at these shares of the rows. inner: each so-many-th reading of
    phones inside a batch is throttled, 0 = none.
    """
    found = Figures(rows=count)
    spec = {"size": count}
    clock = RunningClock()
    opening = open_stage(
        sandbox, folder, database_url=database_url, migrated=migrated, spec=spec, works=False, clock=clock
    )
    async with opening as stage:
        rows, wanted = rows_of(count)
        throttle = {"profile": "large-tenant", "times": times}
        await stage.control("PATCH", "", {"rules": {"throttle": throttle}})
        await stage.say("bruno", "hi")
        await _spoil(stage, count)
        plan = await _planned(stage, rows, found)
        told(f"planned in {found.plan_seconds:.1f} s: {found.buckets}")
        await _approved(stage, plan)
        await stage.end()
        if inner:
            throttled = {"kind": "status", "status": 429, "retry_after": 1, "verb": "GET"}
            await stage.fault(**throttled, path="phoneMethods$", every=inner, times=None)
        await _run(stage, found, len(wanted), kills, told)
        await _judge(stage, found, wanted)
        return found


async def _spoil(stage: Stage, count: int) -> None:
    """People whom no row may touch: with a directory role, disabled, guests, operators."""
    operators = stage.world["role_groups"]["operator"]
    for n in range(BAD_EVERY - 1, count, BAD_EVERY):
        kind, alias = KINDS[(n // BAD_EVERY) % len(KINDS)], f"p{n:05}"
        if kind == "protected":
            await stage.patch(alias, roles=[GLOBAL_ADMIN])
        elif kind == "guest":
            await stage.patch(alias, user_type="Guest")
        elif kind == "disabled":
            await stage.patch(alias, enabled=False)
        elif kind == "own-staff":
            await stage.join(operators, alias)


async def _planned(stage: Stage, rows: Sequence[Sequence[str]], found: Figures) -> o.Preview:
    content = sheet(rows)
    began = time.monotonic()
    sheets = stage.parts.desk._batches._parts.sheets
    assert sheets is not None
    await sheets.read("phones.csv", content)
    found.read_seconds = time.monotonic() - began
    envelope = Envelope(stage.oid("bruno"), "files", "file-1", "hash", "abcdefghijkl")
    began = time.monotonic()
    plan = await stage.parts.desk.handle(c.BulkFile("phones.csv", content), envelope)
    assert isinstance(plan, o.Preview), plan
    assert plan.view.batch is not None
    plan = await _overwriting(stage, plan)
    found.plan_seconds = time.monotonic() - began
    assert plan.view.batch is not None
    batch = plan.view.batch.batch
    found.runs, found.buckets = batch.runs, {k.value: v for k, v in batch.buckets.items()}
    found.estimate = batch.runs / (WRITES / WINDOW)
    return plan


async def _overwriting(stage: Stage, plan: o.Preview) -> o.Preview:
    request = c.RequestId(plan.view.change.id)
    said = c.OfBatch(c.BatchWord.OVERWRITE, request)
    chosen = await stage.parts.desk.handle(said, Envelope(stage.oid("bruno"), "files", "m-1", "hash"))
    assert isinstance(chosen, o.Preview), chosen
    return chosen


async def _approved(stage: Stage, plan: o.Preview) -> None:
    printed = plan.view.change.printed_id
    await stage.ask("bruno", f"submit {printed}")
    for approver in ("arthur", "astrid"):
        await stage.ask(approver, f"approve {printed}")


async def _run(stage: Stage, found: Figures, wanted: int, kills: Sequence[float], told: Any) -> None:
    """The bot in a process of its own, killed at these shares, until the batch is over."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        name: value for name, value in stage.environment.items() if not name.startswith("METRICS")
    } | {"METRICS_PORT": "0"}
    lives = Lives(settings, port, stage.state / "bulk.log", Clock(rate=1.0))
    await lives.open()
    engine = sa.create_engine(read_url(stage.database_url))
    try:
        await stage.control("PATCH", "", {"bot_url": f"http://127.0.0.1:{port}/api/messages"})
        await lives.begin()
        assert await lives.ready()
        left = [int(share * wanted) for share in kills]
        began = time.monotonic()
        while True:
            await asyncio.sleep(0.5)
            state, done = await asyncio.to_thread(_progress, engine)
            if left and done >= left[0]:
                left.pop(0)
                told(f"kill -9 after {done} rows")
                found.cpu += _cpu(lives._pid)
                await lives.kill()
                await lives.begin()
                assert await lives.ready()
            if int(time.monotonic() - began) % 20 == 0:
                told(f"{time.monotonic() - began:.0f} s: {done} of {wanted}, {state}")
            if state not in ("approved", "applying", "cooling"):
                break
        found.cpu += _cpu(lives._pid)
        await lives.stop()
    finally:
        engine.dispose()
        await lives.close()


def _progress(engine: sa.Engine) -> tuple[str, int]:
    with engine.connect() as connection:
        state = connection.execute(
            sa.text("SELECT state FROM changes WHERE id = batch_id AND submitted_at IS NOT NULL")
        ).first()
        held = connection.execute(sa.text("SELECT held FROM batches WHERE started_at IS NOT NULL")).scalar()
        done = connection.execute(
            sa.text(
                "SELECT count(*) FROM changes WHERE id <> batch_id AND batch_id <> '' AND state = 'applied'"
            )
        ).scalar_one()
    return ("held" if held else str(state[0]) if state else "none"), int(done)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _judge(stage: Stage, found: Figures, wanted: dict[str, str]) -> None:
    """What was written, by the journal of the directory."""
    effects = await stage.effects()
    phones = [e for e in effects if e["what"] == "phone"]
    written = Counter(e["oid"] for e in phones)
    people = {str(p["oid"]): str(p["upn"]) for p in stage.world["people"].values()}
    people |= await _generated(stage)
    want = {upn: text.replace(" ", "") for upn, text in wanted.items()}
    for effect in phones:
        upn = people.get(effect["oid"], "?")
        if want.get(upn) != str(effect["after"]).replace(" ", ""):
            found.wrong += 1
    have = {people.get(oid, "?") for oid in written}
    found.lost = sum(upn not in have for upn in want)
    found.doubled = sum(count - 1 for count in written.values())
    times = sorted(datetime.fromisoformat(e["at"]) for e in phones)
    found.seconds = (times[-1] - times[0]).total_seconds() if times else 0.0
    lanes = await stage.control("GET", "throttle")
    lane = lanes["methods-writes"]
    found.refused_writes = int(lane["refused"])
    found.wasted = found.refused_writes / max(len(phones), 1)
    found.used = _used([t.timestamp() for t in times], lane["limit"])
    engine = sa.create_engine(read_url(stage.database_url))
    with engine.connect() as connection:
        query = "SELECT state, count(*) FROM changes WHERE id <> batch_id AND batch_id <> '' GROUP BY state"
        found.states = {str(state): int(count) for state, count in connection.execute(sa.text(query))}
        ended = connection.execute(
            sa.text("SELECT state, ending FROM changes WHERE id = batch_id AND submitted_at IS NOT NULL")
        )
        found.states["head"] = str(ended.first())
    engine.dispose()
    found.applied = found.states.get("applied", 0)
    await stage.begin()
    found.audit_bad = (await stage.parts.store.verify_audit()).bad


def _used(times: Sequence[float], limit: float) -> float:
    """How much of the allowance was used from the first write on, in whole windows of 150 s."""
    if not times or times[-1] - times[0] < WINDOW:
        return 0.0
    windows = int((times[-1] - times[0]) // WINDOW)
    inside = sum(at < times[0] + windows * WINDOW for at in times)
    return inside / (limit * windows)


async def _generated(stage: Stage) -> dict[str, str]:
    listed = await stage.control("GET", "people")
    return {str(p["oid"]): str(p["upn"]) for p in listed["people"].values()}


def say(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {line}\n")
    sys.stdout.flush()


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bulk")
    parser.add_argument("rows", type=int)
    parser.add_argument("--times", type=float, default=1.0, help="of the documented allowance")
    parser.add_argument("--database", default="")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="ringfence-bulk-") as folder:
        command = [sys.executable, "-m", "bot.sandbox", "serve", "--until-eof", "--state-dir", f"{folder}/s"]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            sandbox = Sandbox(**json.loads(process.stdout.readline()))
            playing = play(
                sandbox,
                Path(folder) / "state",
                given.rows,
                times=given.times,
                database_url=given.database,
                told=say,
            )
            say(str(asyncio.run(playing)))
            process.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
