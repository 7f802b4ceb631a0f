"""One Graph call and its answer, free of HTTP: the same for a request and for an item of a batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..world import Person, World
from .errors import OURS, GraphError, denied, not_found


@dataclass(slots=True)
class Call:
    """What a handler gets. `args` are the decoded path parameters, `options` the query without "$".

    `raw_path` is what came over the wire (for faults and logs); `root` is the base URL with version.
    """

    world: World
    root: str
    version: str
    verb: str
    raw_path: str
    args: dict[str, str]
    options: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    client_request_id: str
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def advanced(self) -> bool:
        """Are $count=true and ConsistencyLevel: eventual both there?"""
        return self.eventual and self.options.get("count", "").lower() == "true"

    @property
    def eventual(self) -> bool:
        """Is the header ConsistencyLevel: eventual there?"""
        return self.headers.get("ConsistencyLevel", "").lower() == "eventual"

    def json(self, error: Callable[[str], GraphError]) -> dict[str, Any]:
        """The body as an object without @odata.* keys; `error(text)` is raised when it is not one."""
        try:
            body = json.loads(self.body)
        except ValueError:
            raise error(OURS["bad_body"]) from None
        if not isinstance(body, dict):
            raise error(OURS["bad_body"])
        return {key: value for key, value in body.items() if not key.startswith("@odata.")}

    def only_options(self, *known: str) -> None:
        """Refuse query options that this simulator does not implement, so that no client trusts them."""
        for name in self.options:
            if name not in known:
                raise GraphError(400, "Request_UnsupportedQuery", f"{OURS['bad_option']} ${name}")

    def allow(self, *permissions: str, auth_back_end: bool = False) -> None:
        """Raise 403 unless the app holds one of these permissions."""
        if self.world.permissions.isdisjoint(permissions):
            raise denied(auth_back_end)

    def may(self, *permissions: str) -> bool:
        """Does the app hold one of these permissions?"""
        return not self.world.permissions.isdisjoint(permissions)

    def person(self, which: str) -> Person:
        """The live person with this object id or UPN (an alias is not known to Graph); 404 otherwise."""
        person = self.world.find(which)
        if person is None or person.deleted or which.casefold() not in (person.oid, person.upn.casefold()):
            raise not_found(which)
        return person

    def effect(self, person: Person, what: str, phone_type: str | None, change: tuple[Any, Any]) -> None:
        """Note an accepted write in the journal; `change` is (before, after)."""
        self.world.journal.effect(
            at=self.world.now().isoformat(),
            tenant=self.world.tenant_id,
            oid=person.oid,
            method=self.verb,
            what=what,
            phone_type=phone_type,
            before=change[0],
            after=change[1],
            client_request_id=self.client_request_id,
            request_id=self.request_id,
        )


@dataclass(slots=True)
class Answer:
    """What goes back. `body` None = no body."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
