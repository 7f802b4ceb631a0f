"""The link of the audit chain: every field counts, and the form stays what it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.audit import GENESIS, AuditEvent, canonical, link

AT = datetime(2026, 11, 23, 9, 30, 15, 42, tzinfo=UTC)
EVENT = AuditEvent("change:mobile:applied", "actor", "subject", "AAAAA1", "corr", {"b": "2", "a": "ü"})
PLACE: dict[str, Any] = {
    "stream": "main",
    "seq": 7,
    "at": AT,
    "event": EVENT,
    "key_id": "k1",
    "prev": GENESIS,
}


def test_the_canonical_form_is_frozen() -> None:
    """Records written today must verify with any later version: this text may never change."""
    assert canonical(**PLACE) == (
        b'{"actor":"actor","at":"2026-11-23T09:30:15.000042Z","change":"AAAAA1","correlation":"corr",'
        b'"facts":{"a":"\\u00fc","b":"2"},"key":"k1","name":"change:mobile:applied","prev":"'
        + GENESIS.encode()
        + b'","schema":1,"seq":7,"stream":"main","subject":"subject"}'
    )


CHANGED: dict[str, dict[str, Any]] = {
    "stream": {"stream": "other"},
    "seq": {"seq": 8},
    "time": {"at": AT + timedelta(microseconds=1)},
    "key": {"key_id": "k2"},
    "link": {"prev": "1" + GENESIS[1:]},
    "name": {"event": replace(EVENT, name="x")},
    "actor": {"event": replace(EVENT, actor="x")},
    "subject": {"event": replace(EVENT, subject="x")},
    "change": {"event": replace(EVENT, change_id="x")},
    "correlation": {"event": replace(EVENT, correlation_id="x")},
    "fact": {"event": replace(EVENT, facts={"b": "2", "a": "u"})},
    "fewer facts": {"event": replace(EVENT, facts={"b": "2"})},
}


@pytest.mark.parametrize("what", CHANGED)
def test_every_field_is_covered(what: str) -> None:
    """Changing any field changes the link."""
    assert link(b"k", canonical(**PLACE | CHANGED[what])) != link(b"k", canonical(**PLACE))


def test_the_link_needs_the_key() -> None:
    """Another key, another link; the order of facts does not matter."""
    assert link(b"k", canonical(**PLACE)) != link(b"l", canonical(**PLACE))
    turned = replace(EVENT, facts={"a": "ü", "b": "2"})
    assert canonical(**PLACE | {"event": turned}) == canonical(**PLACE)
