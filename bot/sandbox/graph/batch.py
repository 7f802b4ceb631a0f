"""The form of a $batch: what is well-formed, in which order its items run, how an answer looks inside it.

Source: Graph docs "json-batching" (1 to 20 items, unique ids, relative urls, dependsOn, 424, answers in any
order). Must not know worlds or what a call does.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from .call import Answer
from .errors import OURS, GraphError

MOST = 20


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a batch. `headers` have their usual letter case; `body` is JSON text, b"" = none."""

    id: str
    verb: str
    url: str
    headers: dict[str, str]
    body: bytes
    depends_on: tuple[str, ...] = field(default=())

    def check(self, statuses: dict[str, int]) -> None:
        """Raise 424 when a request this one depends on failed, 400 for a body without Content-Type."""
        if any(statuses.get(each, 424) >= 400 for each in self.depends_on):
            raise GraphError(424, "FailedDependency", OURS["batch_dependency"])
        if self.body and "Content-Type" not in self.headers:
            raise GraphError(400, "BadRequest", OURS["batch_content_type"])


def read(verb: str, body: bytes) -> list[Item]:
    """The items, each after those it depends on; GraphError 400 or 405 when it is not well-formed."""
    if verb != "POST":
        raise GraphError(405, "Request_BadRequest", OURS["batch_shape"])
    wrong = GraphError(400, "BadRequest", OURS["batch_shape"])
    try:
        raw = json.loads(body)["requests"]
    except (ValueError, KeyError, TypeError):
        raise wrong from None
    if not isinstance(raw, list) or not 1 <= len(raw) <= MOST:
        raise wrong
    items = [_item(each) for each in raw]
    if None in items or len({item.id for item in items if item}) != len(items):
        raise wrong
    return _ordered([item for item in items if item], wrong)


def _item(raw: Any) -> Item | None:
    if not isinstance(raw, dict):
        return None
    item_id, verb, url = raw.get("id"), raw.get("method"), raw.get("url")
    headers, before = raw.get("headers") or {}, raw.get("dependsOn") or []
    if not (isinstance(item_id, str) and item_id and isinstance(verb, str) and isinstance(url, str)):
        return None
    if "://" in url or not isinstance(headers, dict) or not isinstance(before, list):
        return None
    body = json.dumps(raw["body"]).encode() if raw.get("body") is not None else b""
    named = {_HEADERS.get(str(k).lower(), str(k).title()): str(v) for k, v in headers.items()}
    return Item(item_id, verb.upper(), url, named, body, tuple(str(each) for each in before))


_HEADERS = {"consistencylevel": "ConsistencyLevel"}


def _ordered(items: list[Item], wrong: GraphError) -> list[Item]:
    ready: list[Item] = []
    done: set[str] = set()
    left = items
    while left:
        free = [item for item in left if done.issuperset(item.depends_on)]
        if not free:
            raise wrong
        ready += free
        done.update(item.id for item in free)
        left = [item for item in left if item.id not in done]
    return ready


def shown(item: Item, answer: Answer, request_id: str) -> dict[str, Any]:
    """One entry of `responses`. Text that is no JSON comes in base64."""
    headers = {**answer.headers, "request-id": request_id}
    shape: dict[str, Any] = {"id": item.id, "status": answer.status, "headers": headers}
    if answer.body is None:
        return shape
    if isinstance(answer.body, str):
        headers.setdefault("Content-Type", "text/plain")
        return shape | {"body": base64.b64encode(answer.body.encode()).decode()}
    headers["Content-Type"] = "application/json"
    return shape | {"body": answer.body}
