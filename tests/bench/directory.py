"""How fast the phones of many people are read, against the simulator at 50 ms and a tenant's allowance.

python -m tests.bench.directory                        5,000 people, large tenant: the speed
python -m tests.bench.directory --phones 1000          the same with that allowance per 10 s: how much is used
Prints one line of figures. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bot.domain.people import Phones
from bot.graph import GraphClient, GraphDirectory, Lanes
from tests.contract.directory_stages import sandbox_urls

_LATENCY_MS = 50
_ALONE = 40  # asked one at a time to know what that costs
_ALLOWANCE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """people read; seconds together and for one alone; calls told to slow down; share of the allowance."""

    people: int
    seconds: float
    alone: float
    slowed: int
    used: float | None

    @property
    def faster(self) -> float:
        return self.alone * self.people / self.seconds


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class _Token:
    def __init__(self, token: str) -> None:
        self._token = token

    async def get(self, scope: str) -> str:
        return self._token

    async def refresh(self, scope: str) -> str:
        return self._token


class _World:
    """One world of the simulator, slow and throttled; `aclose` at the end."""

    def __init__(self, urls: dict[str, str], people: int, phones: int | None) -> None:
        self._http = httpx.Client(base_url=urls["graph"], trust_env=False, timeout=60)
        throttle: dict[str, Any] = {"profile": "large-tenant"} | ({"phones": phones} if phones else {})
        self._tenant = self._call("POST", "", {"size": people, "rules": {"throttle": throttle}})["tenant_id"]
        everybody = self._call("GET", f"/{self._tenant}/people", None)["people"].values()
        self.oids = [person["oid"] for person in everybody if person["generated"]]
        self._call("POST", f"/{self._tenant}/faults", {"kind": "latency", "ms": _LATENCY_MS, "times": None})
        token = self._call("POST", f"/{self._tenant}/token", {})["access_token"]
        self.client = GraphClient(
            urls["graph"],
            self._tenant,
            _Token(token),
            _Clock(),
            Lanes(lambda: 0.5),
            lambda: 0.5,
            count=self._count,
        )
        self.directory = GraphDirectory(self.client)
        self.counted: dict[str, int] = {}

    def _call(self, verb: str, path: str, body: Any) -> Any:
        reply = self._http.request(verb, f"/_sandbox/worlds{path}", json=body)
        reply.raise_for_status()
        return reply.json() if reply.content else None

    def _count(self, name: str, label: str) -> None:
        self.counted[label] = self.counted.get(label, 0) + 1

    def slowed(self) -> int:
        """How many single reads the simulator told to slow down."""
        seen = self._call("GET", f"/{self._tenant}/requests?server=graph", None)["requests"]
        return sum(each["status"] == 429 for each in seen)

    async def aclose(self) -> None:
        await self.directory.aclose()
        self._call("DELETE", f"/{self._tenant}", None)
        self._http.close()


async def read(urls: dict[str, str], people: int, phones: int | None = None) -> Reading:
    """One reading of that many people. phones: the allowance for phones per 10 s, None = the documented."""
    world = await asyncio.to_thread(_World, urls, people, phones)
    try:
        begun = time.perf_counter()
        for oid in world.oids[:_ALONE]:
            await world.directory.phones(oid)
        alone = (time.perf_counter() - begun) / _ALONE
        begun = time.perf_counter()
        found = 0
        async with aclosing(world.directory.phones_of_many(world.oids)) as pairs:  # type: ignore[type-var]
            async for _, each in pairs:
                found += isinstance(each, Phones)
        seconds = time.perf_counter() - begun
        assert found == people, f"{found} of {people}"
        windows = max(seconds / _ALLOWANCE_SECONDS, 1.0)
        used = people / (phones * windows) if phones else None
        return Reading(people, seconds, alone, await asyncio.to_thread(world.slowed), used)
    finally:
        await world.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.directory", description=__doc__)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--phones", type=int, help="allowance for phones per 10 s, default: as documented")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sandbox_urls(Path(folder)) as urls:
        got = asyncio.run(read(urls, arguments.people, arguments.phones))
    used = f", {got.used:.0%} of the allowance" if got.used is not None else ""
    print(  # noqa: T201 - a bench prints
        f"{got.people} people in {got.seconds:.1f} s, {got.faster:.1f} x faster than one at a time "
        f"({got.alone * 1000:.0f} ms each), {got.slowed} calls told to slow down{used}"
    )


if __name__ == "__main__":
    main()
