"""Graph over HTTP: token, world, faults, throttling, batch, headers, and the log of requests.

Sources: Graph docs "json-batching", "errors", "best-practices-concept" (request-id, client-request-id).
Must not know what the handlers do.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from ..journal import Seen
from ..login import TokenError, claims_of
from ..world import World
from ..worlds import Worlds
from . import batch
from .batch import Item
from .call import Answer, Call
from .costs import is_write, lane_of, units
from .errors import OURS, GraphError, body_of, throttled
from .routes import find

_BATCH = "/$batch"


class Graph:
    """The HTTP face. `bases` are the roots (no version) under which clients know us; the first is ours."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self.bases: tuple[str, ...] = ("",)

    def add_routes(self, app: web.Application) -> None:
        """Everything below /v1.0 and /beta."""
        app.router.add_route("*", "/{version:v1\\.0|beta}/{tail:.*}", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request from token to headers."""
        version = request.match_info["version"]
        request_id = str(uuid.uuid4())
        client_id = request.headers.get("client-request-id", request_id)
        try:
            world = self._world(request)
        except GraphError as refusal:
            answer = _refused(refusal, request_id, client_id, self._worlds)
            return self._http(answer, request_id, client_id)
        body = await request.read()
        early = await world.faults.apply("graph", request)
        if early is not None:
            _note(world, request.method, "(fault)", request.raw_path, early.status, {"client": client_id})
            return early
        ids = (request_id, client_id)
        if request.raw_path.split("?", 1)[0] == f"/{version}{_BATCH}":
            answer = self._batch(world, version, request.method, body, ids)
        else:
            answer = self.answer(world, version, request.method, request.raw_path, request.headers, body, ids)
        return await world.faults.after(request, self._http(answer, *ids))

    def answer(
        self,
        world: World,
        version: str,
        verb: str,
        raw_path: str,
        headers: Mapping[str, str],
        body: bytes,
        ids: tuple[str, str],
    ) -> Answer:
        """Route, run and log one call; refusals become answers."""
        path, _, query = raw_path.partition("#")[0].partition("?")
        template, told = "(none)", {}
        details: dict[str, Any] = {"client": ids[1], "version": version}
        try:
            route = find(version, verb, path.removeprefix(f"/{version}"))
            template = route.template
            pairs = parse_qsl(query, keep_blank_values=True)
            options = {key.removeprefix("$"): value for key, value in pairs}
            told = _metered(world, verb, template, options)
            root = f"{self.bases[0]}/{version}"
            args = (route.args, options, headers, body, *ids, details)
            seen = _lagging(world, verb, template, headers)
            answer = route.handler(Call(seen, root, version, verb, raw_path, *args))
        except GraphError as refusal:
            answer = _refused(refusal, *ids, self._worlds)
        answer.headers = {**told, **answer.headers}
        _note(world, verb, template, raw_path, answer.status, details)
        return answer

    def _world(self, request: web.Request) -> World:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            claims = claims_of(token if scheme.lower() == "bearer" else "", self.bases)
        except TokenError as refused:
            raise GraphError(401, "InvalidAuthenticationToken", OURS[f"token_{refused.reason}"]) from None
        world = self._worlds.by_tenant(claims["tid"])
        if world is None or world.app_id != claims["appid"]:
            raise GraphError(401, "InvalidAuthenticationToken", OURS["token_bad"])
        return world

    def _http(self, answer: Answer, request_id: str, client_id: str) -> web.Response:
        headers = {
            **answer.headers,
            "request-id": request_id,
            "client-request-id": client_id,
            "Date": format_datetime(self._worlds.now(), usegmt=True),
        }
        if answer.body is None:
            return web.Response(status=answer.status, headers=headers)
        if isinstance(answer.body, str):
            return web.Response(status=answer.status, headers=headers, text=answer.body)
        headers["OData-Version"] = "4.0"
        text = json.dumps(answer.body, ensure_ascii=False)
        return web.Response(
            status=answer.status, headers=headers, text=text, content_type="application/json", charset="utf-8"
        )

    def _batch(self, world: World, version: str, verb: str, body: bytes, ids: tuple[str, str]) -> Answer:
        """POST /$batch: up to 20 calls, each answered on its own, in no order."""
        path = f"/{version}{_BATCH}"
        try:
            items = batch.read(verb, body)
        except GraphError as refusal:
            _note(world, verb, _BATCH, path, refusal.status, {"client": ids[1]})
            return _refused(refusal, *ids, self._worlds)
        _note(world, verb, _BATCH, path, 200, {"client": ids[1], "items": len(items)})
        statuses: dict[str, int] = {}
        responses = []
        for item in items:
            inner = (str(uuid.uuid4()), item.headers.get("Client-Request-Id", ids[1]))
            answer = self._item(world, version, item, statuses, inner)
            statuses[item.id] = answer.status
            responses.append(batch.shown(item, answer, inner[0]))
        random.shuffle(responses)
        return Answer(200, {"responses": responses})

    def _item(
        self, world: World, version: str, item: Item, statuses: dict[str, int], ids: tuple[str, str]
    ) -> Answer:
        raw_path = f"/{version}/{item.url.lstrip('/')}"
        try:
            item.check(statuses)
        except GraphError as refusal:
            _note(world, item.verb, "(batch item)", raw_path, refusal.status, {"batch": item.id})
            return _refused(refusal, *ids, self._worlds)
        fault = world.faults.for_item("graph", item.verb, raw_path)
        if fault is not None:
            status, body, headers = fault.as_item(raw_path, ids, self._worlds.now())
            _note(world, item.verb, "(batch item)", raw_path, status, {"batch": item.id})
            return Answer(status, body, headers)
        return self.answer(world, version, item.verb, raw_path, item.headers, item.body, ids)


def _metered(world: World, verb: str, template: str, options: dict[str, str]) -> dict[str, str]:
    """Count the call against its allowance: headers for the answer, or GraphError 429."""
    cost = units(verb, template, options)
    verdict = world.throttle.meter(lane_of(template), cost, is_write(verb, template))
    if verdict.refused:
        refusal = throttled(verdict.retry_after)
        refusal.headers |= verdict.headers
        raise refusal
    return verdict.headers


def _lagging(world: World, verb: str, template: str, headers: Mapping[str, str]) -> World:
    """The world as this read sees it: advanced queries come from an index that is behind."""
    lag = world.rules.advanced_lag_ms
    if not lag or verb != "GET" or "/authentication/" in template:
        return world
    eventual = headers.get("ConsistencyLevel", "").lower() == "eventual"
    return world.as_of(world.later(-lag / 1000)) if eventual else world


def _refused(refusal: GraphError, request_id: str, client_id: str, worlds: Worlds) -> Answer:
    body = body_of(refusal, request_id, client_id, worlds.now())
    return Answer(refusal.status, body, dict(refusal.headers))


def _note(world: World, verb: str, route: str, path: str, status: int, details: dict[str, Any]) -> None:
    at = world.now().isoformat()
    world.journal.request(Seen(at, "graph", verb, route, path, status, details))
