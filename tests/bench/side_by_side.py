"""A batch beside what scripts do: the official client one row at a time, and the same at our concurrency.

`python -m tests.bench.side_by_side 240` plays all three on one pretend directory at 50 ms for each call, each
with people of its own. Knows how each is driven. Judges nothing: it gives rows a second and processor time.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.bench import bulk as play
from tests.bench.bulk import Sandbox, Stage, open_stage

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kiota_abstractions.authentication import (
        AccessTokenProvider,
        AllowedHostsValidator,
        BaseBearerTokenAuthenticationProvider,
    )
    from msgraph import GraphRequestAdapter, GraphServiceClient
    from msgraph.generated.models.authentication_phone_type import AuthenticationPhoneType
    from msgraph.generated.models.phone_authentication_method import PhoneAuthenticationMethod
    from msgraph.graph_request_adapter import options
    from msgraph_core import GraphClientFactory

IN_FLIGHT = 6
CALL_MS = 50


class Token(AccessTokenProvider):
    """A token that was made beforehand."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_authorization_token(self, uri: str, additional_authentication_context: Any = None) -> str:
        return self._token

    def get_allowed_hosts_validator(self) -> AllowedHostsValidator:
        return AllowedHostsValidator([])


@asynccontextmanager
async def official(stage: Stage) -> AsyncIterator[GraphServiceClient]:
    """The official client on the stage's world."""
    made = await stage.control("POST", "token", {"audience": "graph", "seconds": 3_600})
    async with httpx.AsyncHTTPTransport() as transport:
        http = GraphClientFactory.create_with_default_middleware(
            client=httpx.AsyncClient(transport=transport, timeout=60), options=options
        )
        provider = BaseBearerTokenAuthenticationProvider(Token(made["access_token"]))
        adapter = GraphRequestAdapter(provider, client=http)
        adapter.base_url = f"{stage.sandbox.graph}/v1.0"
        yield GraphServiceClient(request_adapter=adapter)


async def row(graph: GraphServiceClient, user: str, number: str) -> None:
    """What a script does for one row: who is it, what is there, set it."""
    person = await graph.users.by_user_id(user).get()
    assert person is not None
    phones = graph.users.by_user_id(str(person.id)).authentication.phone_methods
    held = await phones.get()
    assert held is not None
    if not held.value:
        spaced = "+1 " + number.removeprefix("+1").replace(" ", "")
        method = PhoneAuthenticationMethod(phone_number=spaced, phone_type=AuthenticationPhoneType.Mobile)
        await phones.post(method)


async def timed(name: str, count: int, work: Callable[[], Awaitable[object]]) -> None:
    cpu, wall = time.process_time(), time.monotonic()
    await work()
    took, spent = time.monotonic() - wall, time.process_time() - cpu
    play.say(f"{name}: {count / took:.1f} rows/s, {1000 * spent / count:.1f} ms of CPU a row, {took:.1f} s")


async def main(count: int) -> None:
    users = [n for n in range(5 * count) if n % 3][: 3 * count]
    rows = [(f"p{n:05}@{play.DOMAIN}", play.number(n)) for n in users]
    mine, one, many = rows[:count], rows[count : 2 * count], rows[2 * count :]
    with tempfile.TemporaryDirectory(prefix="ringfence-side-") as folder:
        command = [sys.executable, "-m", "bot.sandbox", "serve", "--until-eof", "--state-dir", f"{folder}/s"]
        with subprocess.Popen(  # noqa: ASYNC220 - before anything else runs
            command, cwd=play.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            sandbox = Sandbox(**json.loads(process.stdout.readline()))
            spec = {"size": 5 * count}
            async with open_stage(sandbox, Path(folder) / "state", spec=spec, works=False) as stage:
                await ours(stage, mine)
                async with official(stage) as graph:
                    await theirs(graph, one, many)
            process.kill()


async def ours(stage: Stage, rows: list[tuple[str, str]]) -> None:
    await stage.say("bruno", "hi")
    found = play.Figures()
    plan = await play._planned(stage, [(user, "mobile", number) for user, number in rows], found)
    stage.clock.pass_by(seconds=found.plan_seconds + found.read_seconds + 1)
    await play._approved(stage, plan)
    await stage.fault(kind="latency", ms=CALL_MS, path="", times=None)
    await timed("a batch", len(rows), lambda: to_the_end(stage, len(rows)))


async def to_the_end(stage: Stage, count: int) -> None:
    while len(await stage.effects()) < count:
        await stage.parts.jobs._changes.round()
        await stage.parts.jobs._changes.settle()
        stage.clock.pass_by(seconds=1)


async def theirs(graph: GraphServiceClient, one: list[tuple[str, str]], many: list[tuple[str, str]]) -> None:
    async def in_turn() -> None:
        for user, number in one:
            await row(graph, user, number)

    async def together() -> None:
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def guarded(user: str, number: str) -> None:
            async with gate:
                await row(graph, user, number)

        await asyncio.gather(*(guarded(*each) for each in many))

    await timed("msgraph-sdk, one at a time", len(one), in_turn)
    await timed(f"msgraph-sdk, {IN_FLIGHT} at once", len(many), together)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
