"""Things that go wrong on purpose: slow, broken, lost, throttled or stale answers, per world.

A server of the sandbox calls `await faults.apply(server, request)` before the effect (an answer means: send
this and do nothing) and `await faults.after(request, response)` when the effect has happened. Knows how each
server words its errors; must not know what an effect is.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from .graph.errors import NO_CONTROLLER, GraphError, body_of, by_status

SERVERS = ("graph", "login", "teams", "metadata", "files")
#: kind -> what happens. Kinds in _AFTER let the effect happen first.
KINDS = {
    "status": "answer `status` (with `retry_after`, `code`, `message` when given)",
    "latency": "wait `ms`, then go on as usual",
    "hang": "wait `ms`, then drop the connection; no effect",
    "reset": "drop the connection at once; no effect",
    "reset_after": "let the effect happen, then drop the connection",
    "timeout_after": "let the effect happen, wait `ms`, then drop the connection",
    "html": "answer `status` (502) with an HTML page",
    "no_error": "answer `status` (404) with a JSON body that has no `error`",
    "token_expired": "answer 401 as for an expired token",
    "stale_reads": "for `ms` after a write, reads of phones show the earlier value",
}
_AFTER = ("reset_after", "timeout_after")
#: Kinds that can hit one item of a batch; the others hit the batch as a whole.
_IN_BATCH = ("status", "token_expired", "html", "no_error")


@dataclass(slots=True)
class Fault:
    """One planned misfortune. `path` is a regular expression searched in the raw path and query.

    The first `skip` matching requests pass; then `times` are hit (None = until removed), each `every`-th of
    them. `ms` in milliseconds, `retry_after` in seconds. `verb` None = any.
    """

    kind: str
    server: str = "graph"
    verb: str | None = None
    path: str = ""
    times: int | None = 1
    skip: int = 0
    status: int | None = None
    retry_after: float | None = None
    ms: float = 0
    code: str | None = None
    message: str | None = None
    every: int = 1
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    hits: int = 0
    passed: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown kind or server, or a broken expression."""
        if self.kind not in KINDS:
            raise ValueError(f"no such kind of fault: {self.kind} (known: {', '.join(KINDS)})")
        if self.server not in SERVERS:
            raise ValueError(f"no such server: {self.server} (known: {', '.join(SERVERS)})")
        try:
            re.compile(self.path)
        except re.error as broken:
            raise ValueError(f"path is not a regular expression: {broken}") from None

    def fits(self, server: str, verb: str, path: str) -> bool:
        """Does it concern this request (whatever its counts say)?"""
        return (
            self.server == server
            and (self.verb is None or self.verb.upper() == verb)
            and re.search(self.path, path) is not None
        )

    def use(self) -> bool:
        """Count one fitting request; True when this one is hit."""
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.passed += 1
        if self.passed % self.every:
            return False
        self.hits += 1
        return True

    def as_graph_error(self, path: str) -> GraphError:
        """The refusal Graph would give (for the `status` and `token_expired` kinds)."""
        status = 401 if self.kind == "token_expired" else self.status or 500
        error = by_status(status, path, self.retry_after)
        error.code = self.code or error.code
        error.message = self.message or error.message
        return error

    def as_item(
        self, path: str, ids: tuple[str, str], now: datetime
    ) -> tuple[int, dict[str, Any] | str, dict[str, str]]:
        """Status, body and headers of one item of a batch; `ids` are request id and client request id."""
        if self.kind == "html":
            return self.status or 502, _PAGE, {"Content-Type": "text/html"}
        if self.kind == "no_error":
            return self.status or 404, _no_error(path), {}
        error = self.as_graph_error(path)
        return error.status, body_of(error, *ids, now), dict(error.headers)


#: Where a fault waits in its request until the effect has happened.
_MARK = web.RequestKey("sandbox_fault", Fault)


class Faults:
    """The planned misfortunes of one world, tried in the order they were added."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.planned: list[Fault] = []
        self._now = now

    def add(self, **fields: Any) -> Fault:
        """Plan one (fields of Fault). Raises ValueError or TypeError when they make no sense."""
        fault = Fault(**fields)
        self.planned.append(fault)
        return fault

    def remove(self, fault_id: str) -> bool:
        """Forget one; False when there is none with this id."""
        before = len(self.planned)
        self.planned = [f for f in self.planned if f.id != fault_id]
        return len(self.planned) < before

    def clear(self) -> None:
        """Forget all."""
        self.planned.clear()

    async def apply(self, server: str, request: web.Request) -> web.StreamResponse | None:
        """Before the effect: an answer to send instead, or None to go on (perhaps after a wait)."""
        if not self.planned:
            return None
        for fault in self._fitting(server, request.method, request.raw_path):
            if not fault.use():
                continue
            if fault.kind == "latency":
                await asyncio.sleep(fault.ms / 1000)
                continue
            if fault.kind in _AFTER:
                request[_MARK] = fault
                return None
            return await _instead(fault, server, request, self._now())
        return None

    async def after(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """After the effect: the answer to send; the connection may be gone by then."""
        fault = request.get(_MARK)
        if fault is None:
            return response
        if fault.kind == "timeout_after":
            await asyncio.sleep(fault.ms / 1000)
        return _drop(request)

    def for_item(self, server: str, verb: str, path: str) -> Fault | None:
        """The fault that hits one item inside a batch, if any."""
        for fault in self._fitting(server, verb, path):
            if fault.kind in _IN_BATCH and fault.use():
                return fault
        return None

    def stale_ms(self, server: str, verb: str, path: str) -> float:
        """How far back (ms) this read should look; 0 = the present."""
        for fault in self.planned:
            if fault.kind == "stale_reads" and fault.fits(server, verb, path) and fault.use():
                return fault.ms
        return 0

    def _fitting(self, server: str, verb: str, path: str) -> list[Fault]:
        return [f for f in self.planned if f.kind != "stale_reads" and f.fits(server, verb, path)]


async def _instead(fault: Fault, server: str, request: web.Request, now: datetime) -> web.StreamResponse:
    if fault.ms:
        await asyncio.sleep(fault.ms / 1000)
    if fault.kind in ("hang", "reset"):
        return _drop(request)
    if fault.kind == "html":
        return web.Response(status=fault.status or 502, text=_PAGE, content_type="text/html")
    if fault.kind == "no_error":
        return web.json_response(_no_error(str(request.url)), status=fault.status or 404)
    return _refusal(fault, server, request, now)


_PAGE = "<!DOCTYPE html><html><head><title>Error</title></head><body>Service unavailable</body></html>"


def _no_error(uri: str) -> dict[str, Any]:
    return {
        "Message": f"No HTTP resource was found that matches the request URI '{uri}'.",
        "MessageDetail": NO_CONTROLLER,
    }


def _drop(request: web.Request) -> web.StreamResponse:
    """Cut the connection. The returned answer never leaves."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _refusal(fault: Fault, server: str, request: web.Request, now: datetime) -> web.Response:
    status = 401 if fault.kind == "token_expired" else fault.status or 500
    request_id = str(uuid.uuid4())
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    if server == "graph":
        error = fault.as_graph_error(request.path)
        client_id = request.headers.get("client-request-id", request_id)
        headers |= {**error.headers, "request-id": request_id, "client-request-id": client_id}
        return web.json_response(body_of(error, request_id, client_id, now), status=status, headers=headers)
    if server == "login":
        code = fault.code or ("invalid_client" if status == 401 else "temporarily_unavailable")
        text = fault.message or "AADSTS90033: A transient error has occurred. Please try again."
        body: dict[str, Any] = {"error": code, "error_description": text, "trace_id": request_id}
    else:
        text = fault.message or "Refused by the sandbox."
        code = fault.code or _CONNECTOR_CODES.get(status, "ServiceError")
        body = {"error": {"code": code, "message": text}}
    return web.json_response(body, status=status, headers=headers)


_CONNECTOR_CODES = {
    401: "Unauthorized",
    403: "BotNotInConversationRoster",
    404: "ConversationNotFound",
    412: "PreconditionFailed",
    429: "TooManyRequests",
}
