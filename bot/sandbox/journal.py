"""What the pretend directory remembers of what was done to it: accepted writes, and every request.

The journal is the judge of a test: an effect is listed here if and only if the directory changed (or
accepted to change). It knows nothing of HTTP or of people; it stores what it is told.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_KEPT_REQUESTS = 50_000


@dataclass(frozen=True, slots=True)
class Effect:
    """One accepted directory write.

    `what` is "phone", "sms", "default", "requirement" or "pass"; `before` and `after` are the number (as
    Graph writes it), the SMS sign-in state, the default method, the state of per-user MFA or the minutes of
    a pass (never its secret); None = absent. `at` is ISO 8601 UTC.
    """

    seq: int
    at: str
    tenant: str
    oid: str
    method: str
    what: str
    phone_type: str | None
    before: str | None
    after: str | None
    client_request_id: str | None
    request_id: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that reached a server of the sandbox ("graph", "login", "teams", "metadata", "files").

    `route` is the template ("/users/{id}"), `path` the raw target as it came over the wire, `details`
    whatever the server adds (parsed filter and search, batch item id, ...).
    """

    at: str
    server: str
    verb: str
    route: str
    path: str
    status: int | None
    details: dict[str, Any]


class Journal:
    """Effects and requests of one world. With a file, effects are also appended to it as JSON lines."""

    def __init__(self, file: Path | None = None) -> None:
        self.effects: list[Effect] = []
        self.requests: deque[Seen] = deque(maxlen=_KEPT_REQUESTS)
        self.counts: Counter[tuple[str, str]] = Counter()
        self._file = file

    def effect(self, **fields: Any) -> Effect:
        """Note one accepted write (the fields of Effect without `seq`)."""
        effect = Effect(seq=len(self.effects) + 1, **fields)
        self.effects.append(effect)
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(asdict(effect), ensure_ascii=False) + "\n")
        return effect

    def request(self, seen: Seen) -> None:
        """Note one request; counted by (verb, route) for ever, kept whole for the last 50,000."""
        self.requests.append(seen)
        self.counts[(seen.verb, seen.route)] += 1

    def clear(self) -> None:
        """Forget everything seen so far (the file keeps what it has)."""
        self.effects.clear()
        self.requests.clear()
        self.counts.clear()

    def as_json(self, oids: Iterable[str] | None = None) -> dict[str, Any]:
        """`{"effects": [...], "counts": {"VERB route": n}}`, optionally for some people only."""
        wanted = None if oids is None else set(oids)
        return {
            "effects": [asdict(e) for e in self.effects if wanted is None or e.oid in wanted],
            "counts": {f"{verb} {route}": n for (verb, route), n in sorted(self.counts.items())},
        }
