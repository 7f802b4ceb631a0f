"""Files broken at random: the reader answers each one with rows or with a refusal, quickly, and lives on.

300 of them on every run; the long run is `SHEETS_FUZZ=5000 python -m tests.property.test_sheets_fuzz | cat`
(a pipe, because it may not write to files). They are read in one process that has given up its rights as the
child has, so that it would die where the child would.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bot.domain.reason import REGISTRY
from bot.sheets.caps import Caps
from bot.sheets.child import answer, bound
from tests.unit.books import ALICE, packed, parts, xlsx

HOW_MANY = int(os.environ.get("SHEETS_FUZZ", "300"))
SEED = 20261126
SECONDS = 10.0
CSV = 'Benutzer;Typ;Nummer;Grund\r\nzoë;mobile;+49 30 901820;"a;b"\r\nbob;office;4,4E+11;x\r\n'
TOKENS = (
    *(b"<row", b"</row>", b"<c", b'r="1048577"', b't="s"', b"<v>", b"999999999", b"<f>", b"]]>", b"<!--"),
    *(b"&amp;", b"&#0;", b"\xff\xfe", b"\x00", b'"', b"'", b"=", b'<mergeCell ref="A1:B9"/>', b'xmlns=""'),
    *(b"-1", b"1e309", b"NaN", b"\xc3\x28", b'hidden="1"', b"x" * 5_000, b"<is><t>", b"../../", b'Id="rId9"'),
)


def bytes_broken(content: bytes, luck: random.Random) -> bytes:
    """Some bytes are others, some are gone, some are there twice, some of another format are between."""
    data = bytearray(content)
    for _ in range(luck.randint(1, 8)):
        at = luck.randrange(len(data) + 1)
        match luck.randrange(4):
            case 0 if at < len(data):
                data[at] = luck.randrange(256)
            case 1:
                del data[at : at + luck.randint(1, 64)]
            case 2:
                data[at:at] = luck.choice(TOKENS)
            case _:
                data[at:at] = data[at : at + luck.randint(1, 2_000)]
    return bytes(data)


def part_broken(content: bytes, luck: random.Random) -> bytes:
    """The container is sound, one or two of its parts are not."""
    inside = parts(content)
    for name in luck.sample(sorted(inside), luck.randint(1, 2)):
        inside[name] = bytes_broken(inside[name], luck)
    if luck.random() < 0.1:
        del inside[luck.choice(sorted(inside))]
    return packed(inside)


def files(how_many: int) -> list[tuple[str, bytes]]:
    luck = random.Random(SEED)
    rows = [(*ALICE[:2], f"+1 202 555 {n:04d}", "why", n) for n in range(200)]
    book, text = xlsx(rows), CSV.encode("cp1252") * 20
    ways: list[tuple[str, bytes, Callable[[bytes, random.Random], bytes]]] = [
        ("a.xlsx", book, bytes_broken),
        ("a.xlsx", book, part_broken),
        ("a.xlsx", book, part_broken),
        ("a.csv", text, bytes_broken),
        ("a.csv", CSV.encode("utf-16") * 5, bytes_broken),
    ]
    made = []
    for number in range(how_many):
        name, content, break_it = ways[number % len(ways)]
        made.append((name, break_it(content, luck)))
    return made


def play(how_many: int) -> dict[str, object]:
    """Reads them all; what came of it. Anything but rows or a registered refusal is raised."""
    all_files = files(how_many)
    bound(Caps().memory_bytes, 3_600, disk=False)
    came: dict[str, int] = {}
    slowest = 0.0
    for name, content in all_files:
        started = time.perf_counter()
        header, body = answer({"do": "read", "name": name, "caps": asdict(Caps())}, content)
        slowest = max(slowest, time.perf_counter() - started)
        code = header["refused"][0] if header else f"{'rows' if json.loads(body) else 'nothing'}"
        assert code == "rows" or code in REGISTRY, code
        came[code] = came.get(code, 0) + 1
    return {"came": came, "slowest": slowest, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """Of this process since its start; the kernel's other figure counts the parent it was forked from."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def test_no_broken_file_breaks_its_reader():
    """Every file gets rows or a registered refusal, within 10 s and 256 MB."""
    command = [sys.executable, "-m", "tests.property.test_sheets_fuzz"]
    done = subprocess.run(command, capture_output=True, timeout=540, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    told = json.loads(done.stdout)
    assert sum(told["came"].values()) == HOW_MANY
    assert told["slowest"] < SECONDS
    assert told["peak_mib"] < 256
    # The files are not all of one kind: some are broken beyond reading, some are still read.
    assert len(told["came"]) > 3
    assert told["came"]["rows"] > HOW_MANY / 20


if __name__ == "__main__":
    sys.stdout.write(json.dumps(play(HOW_MANY)))
