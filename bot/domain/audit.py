"""Audit events and the keyed chain over them: pure functions of bytes.

Knows event names (`change:mobile:applied`), the canonical form and the link. Must not know the store or
the clock, and holds no clear number: facts are masked before they come here.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

SCHEMA = 1
GENESIS = "0" * 64
# Made once: the chain is verified a million records at a time.
_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that happened. actor: object id, or `ringfence` for the worker. subject: the target's oid."""

    name: str
    actor: str
    subject: str
    change_id: str = ""
    correlation_id: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An event in its place: stream, seq from 1 without gaps, and the link to the one before."""

    stream: str
    seq: int
    at: datetime
    event: AuditEvent
    schema: int
    key_id: str
    prev: str
    mac: str


def canonical(stream: str, seq: int, at: datetime, event: AuditEvent, key_id: str, prev: str) -> bytes:
    """The bytes a link is computed over. at: aware UTC, kept to the microsecond."""
    body = {
        "schema": SCHEMA,
        "stream": stream,
        "seq": seq,
        "at": at.isoformat(timespec="microseconds")[:26] + "Z",
        "name": event.name,
        "actor": event.actor,
        "subject": event.subject,
        "change": event.change_id,
        "correlation": event.correlation_id,
        "facts": dict(event.facts),
        "key": key_id,
        "prev": prev,
    }
    return _ENCODE(body).encode()


def link(key: bytes, message: bytes) -> str:
    """HMAC-SHA256 in hex: the `mac` of a record and the `prev` of the next."""
    return hmac.digest(key, message, "sha256").hex()
