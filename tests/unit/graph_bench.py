"""A Graph of answers written beforehand, for the tests of the adapter. Knows HTTP shapes and no rules."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.graph import GraphClient, GraphDirectory, Lanes
from bot.ports import LaneBook

ROOT = "https://graph.example"
OID = "11111111-1111-4111-8111-111111111111"
ALICE = {"id": OID, "displayName": "Alice", "userPrincipalName": "alice@x.example", "accountEnabled": True}
Answer = httpx.Response | Exception


class HandClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = datetime(2030, 1, 1, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


class CountingTokens:
    """Tokens that tell how often they were renewed."""

    def __init__(self) -> None:
        self.refreshed = 0
        self.error: Exception | None = None
        self.fixed = ""

    async def get(self, scope: str) -> str:
        assert scope == f"{ROOT}/.default"
        if self.error:
            raise self.error
        return self.fixed or f"token-{self.refreshed}"

    async def refresh(self, scope: str) -> str:
        self.refreshed += 1
        return await self.get(scope)


class Bench:
    """A directory over answers written beforehand; the last one is repeated."""

    def __init__(
        self,
        *answers: Answer,
        by: Callable[[httpx.Request], Answer] | None = None,
        profile: str = "default-guard",
        book: LaneBook | None = None,
        kind: type[GraphClient] = GraphClient,
    ) -> None:
        self.kind = kind
        self.answers = list(answers)
        self.by = by
        self.requests: list[httpx.Request] = []
        self.clock, self.tokens, self.counted = HandClock(), CountingTokens(), Counter[str]()
        self.lanes = Lanes(lambda: 1.0)
        self.book = book
        self.directory = GraphDirectory(self.client(), profile=profile, count=self.count)

    def client(self) -> GraphClient:
        return self.kind(
            ROOT,
            "tenant",
            self.tokens,
            self.clock,
            self.lanes,
            lambda: 0.5,
            transport=httpx.MockTransport(self._answer),
            sleep=self.clock.sleep,
            count=self.count,
            book=self.book,
        )

    def count(self, name: str, label: str = "") -> None:
        self.counted[name] += 1

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.by is not None:
            answer = self.by(request)
        else:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def verbs(self) -> list[str]:
        return [request.method for request in self.requests]


def ok(body: Any = None, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers={"request-id": "aaaaaaaa-1111", **headers})


def said(status: int, code: str = "x", message: str = "", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": code, "message": message}}, headers=headers)


def listed(*items: Any, link: str | None = None) -> httpx.Response:
    return ok({"value": list(items), **({"@odata.nextLink": link} if link else {})})


def batched(request: httpx.Request, by: Callable[[str], dict[str, Any]]) -> httpx.Response:
    """The answer to a batch, item by item (status, body, headers), in reverse as Graph may."""
    asked = json.loads(request.content)["requests"]
    return ok({"responses": [{"id": each["id"], **by(each["url"])} for each in asked[::-1]]})


async def caught(kind: type[Exception], work: Awaitable[object]) -> Any:
    with pytest.raises(kind) as info:
        await work
    return info.value
