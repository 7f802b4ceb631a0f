"""Graph over HTTP: token, world, faults, batch, headers, and the log of requests.

Sources: Graph docs "json-batching", "errors", "best-practices-concept" (request-id, client-request-id).
Must not know what the handlers do.
"""

from __future__ import annotations

import json
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
from .call import Answer, Call
from .errors import OURS, GraphError, body_of
from .routes import find

_BATCH = "/$batch"
_MAX_BATCH = 20


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
        template = "(none)"
        details: dict[str, Any] = {"client": ids[1], "version": version}
        try:
            route = find(version, verb, path.removeprefix(f"/{version}"))
            template = route.template
            pairs = parse_qsl(query, keep_blank_values=True)
            options = {key.removeprefix("$"): value for key, value in pairs}
            root = f"{self.bases[0]}/{version}"
            args = (route.args, options, headers, body, *ids, details)
            answer = route.handler(Call(world, root, version, verb, raw_path, *args))
        except GraphError as refusal:
            answer = _refused(refusal, *ids, self._worlds)
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
        """POST /$batch: up to 20 calls, each answered on its own."""
        try:
            items = _batch_items(verb, body)
        except GraphError as refusal:
            _note(world, verb, _BATCH, f"/{version}{_BATCH}", refusal.status, {"client": ids[1]})
            return _refused(refusal, *ids, self._worlds)
        _note(world, verb, _BATCH, f"/{version}{_BATCH}", 200, {"client": ids[1], "items": len(items)})
        statuses: dict[str, int] = {}
        responses = []
        for item in items:
            answer = self._item(world, version, item, statuses, ids[1])
            statuses[item["id"]] = answer.status
            responses.append(
                {"id": item["id"], "status": answer.status, "headers": answer.headers, "body": answer.body}
            )
        return Answer(200, {"responses": responses})

    def _item(
        self, world: World, version: str, item: dict[str, Any], before: dict[str, int], client_id: str
    ) -> Answer:
        headers = {str(key).title(): str(value) for key, value in (item.get("headers") or {}).items()}
        headers["ConsistencyLevel"] = headers.get("Consistencylevel", "")
        ids = (str(uuid.uuid4()), headers.get("Client-Request-Id", client_id))
        raw_path = f"/{version}/{str(item['url']).lstrip('/')}"
        verb = str(item["method"]).upper()
        try:
            if any(before.get(each, 424) >= 400 for each in item.get("dependsOn") or ()):
                raise GraphError(424, "FailedDependency", OURS["batch_dependency"])
            if "body" in item and "Content-Type" not in headers:
                raise GraphError(400, "BadRequest", OURS["batch_content_type"])
            fault = world.faults.for_item("graph", verb, raw_path)
            if fault is not None:
                raise fault.as_graph_error(raw_path)
        except GraphError as refusal:
            _note(world, verb, "(batch item)", raw_path, refusal.status, {"batch": item["id"]})
            return _refused(refusal, *ids, self._worlds)
        body = json.dumps(item["body"]).encode() if "body" in item else b""
        answer = self.answer(world, version, verb, raw_path, headers, body, ids)
        answer.headers |= {"request-id": ids[0]}
        if answer.body is not None:
            answer.headers["Content-Type"] = "application/json"
        return answer


def _batch_items(verb: str, body: bytes) -> list[dict[str, Any]]:
    """The items of a well-formed batch; GraphError 400 or 405 otherwise."""
    if verb != "POST":
        raise GraphError(405, "Request_BadRequest", OURS["batch_shape"])
    wrong = GraphError(400, "BadRequest", OURS["batch_shape"])
    try:
        items = json.loads(body)["requests"]
    except (ValueError, KeyError, TypeError):
        raise wrong from None
    if not isinstance(items, list) or not 1 <= len(items) <= _MAX_BATCH:
        raise wrong
    ids: set[str] = set()
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or item["id"] in ids:
            raise wrong
        if not isinstance(item.get("url"), str) or not isinstance(item.get("method"), str):
            raise wrong
        if "://" in item["url"]:
            raise wrong
        ids.add(item["id"])
    return items


def _refused(refusal: GraphError, request_id: str, client_id: str, worlds: Worlds) -> Answer:
    body = body_of(refusal, request_id, client_id, worlds.now())
    return Answer(refusal.status, body, dict(refusal.headers))


def _note(world: World, verb: str, route: str, path: str, status: int, details: dict[str, Any]) -> None:
    at = world.now().isoformat()
    world.journal.request(Seen(at, "graph", verb, route, path, status, details))
