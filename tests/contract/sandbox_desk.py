"""A started sandbox with one world and an HTTP client, for the contract tests of the sandbox."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from bot.sandbox.server import Running, start

MOBILE = "3179e48a-750b-4051-897c-87b9720928f7"
ALTERNATE = "b6332ec1-7057-4abe-9331-3d72feddfe41"
OFFICE = "e37fc753-ff3b-4958-9484-eaa9425c82bc"
ADVANCED = {"ConsistencyLevel": "eventual"}


class Desk:
    """Calls the control API and Graph of one world. Answers are (status, body, headers)."""

    def __init__(self, running: Running, http: aiohttp.ClientSession) -> None:
        self.running, self.http = running, http
        self.world: dict[str, Any] = {}
        self.token = ""

    async def open(self, **spec: Any) -> dict[str, Any]:
        status, self.world, _ = await self._call("POST", f"{self.running.graph}/_sandbox/worlds", spec)
        assert status == 201, self.world
        self.token = (await self.control("POST", "/token"))[1]["access_token"]
        return self.world

    def oid(self, alias: str) -> str:
        return self.world["people"][alias]["oid"]

    async def control(self, verb: str, path: str, body: Any = None) -> tuple[int, Any, Any]:
        root = f"{self.running.graph}/_sandbox/worlds/{self.world['tenant_id']}"
        return await self._call(verb, root + path, body)

    async def graph(
        self, verb: str, path: str, body: Any = None, version: str = "v1.0", **headers: str
    ) -> tuple[int, Any, Any]:
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        url = path if path.startswith("http") else f"{self.running.graph}/{version}{path}"
        return await self._call(verb, url, body, sent)

    async def phones(self, alias: str) -> dict[str, str]:
        status, body, _ = await self.graph("GET", f"/users/{self.oid(alias)}/authentication/phoneMethods")
        assert status == 200
        return {each["phoneType"]: each["phoneNumber"] for each in body["value"]}

    async def effects(self) -> list[dict[str, Any]]:
        return (await self.control("GET", "/journal"))[1]["effects"]

    async def _call(self, verb: str, url: str, body: Any = None, headers: Any = None) -> tuple[int, Any, Any]:
        async with self.http.request(verb, URL(url, encoded=True), json=body, headers=headers) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.text(), answer.headers


@asynccontextmanager
async def open_desk(state_dir: Path, **spec: Any):
    """A desk on a fresh sandbox."""
    running = await start(state_dir)
    try:
        async with aiohttp.ClientSession() as http:
            desk = Desk(running, http)
            await desk.open(**spec)
            yield desk
    finally:
        await running.close()
