"""Every reason of the directory says cause, evidence, fix and who, with a page of the vendor behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.domain.reason import Reason
from bot.domain.reasons import every
from bot.graph.decode import read_error, refusal_of

SAMPLES = sorted((Path(__file__).parent / "samples" / "graph").glob("*.json"))
#: Not an answer of Graph's: our own words for a directory that cannot be had, or did not keep a value.
_OURS = {"directory.unavailable", "directory.unrecognised", "directory.not-kept", "directory.half-done"}
DIRECTORY = [reason for reason in every() if reason.family == "directory"]


@pytest.mark.parametrize("reason", [r for r in DIRECTORY if r.link], ids=lambda reason: reason.code)
def test_links_are_pages_of_the_vendor(reason: Reason) -> None:
    """Whoever mends it finds the vendor's own words."""
    assert reason.link.startswith("https://learn.microsoft.com/")
    assert " " not in reason.link


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_recorded_answer_is_explained_with_its_evidence(path: Path) -> None:
    """Raw code and Graph's request id are kept, and a known answer has a fix and a link."""
    sample = json.loads(path.read_text())
    body = sample["body"]
    raw = (body if isinstance(body, str) else json.dumps(body)).encode()
    error = read_error(sample["status"], raw, "6f1b8a0e-5b6d-4a52-9d1c-0c0b7a1d2e3f")
    refusal, known = refusal_of(error, "11111111-1111-4111-8111-111111111111")
    assert refusal.facts["request_id"] == error.request_id
    said = refusal.reason.why + str(dict(refusal.facts))
    assert (error.code or "without a code") in said
    assert refusal.reason.next_step
    assert bool(refusal.reason.link) == known or refusal.code in _OURS
