"""Graph's refusals become our reasons, whatever shape they come in, and nothing of a body gets out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.graph.decode import read_error, refusal_of

SAMPLES = sorted((Path(__file__).parent / "samples" / "graph").glob("*.json"))
REQUEST_ID = "6f1b8a0e-5b6d-4a52-9d1c-0c0b7a1d2e3f"
WHO = "11111111-1111-4111-8111-111111111111"


def load(path: Path) -> tuple[int, bytes, str]:
    sample = json.loads(path.read_text())
    body = sample["body"]
    return sample["status"], (body if isinstance(body, str) else json.dumps(body)).encode(), sample["reason"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_recorded_answer_has_its_reason(path: Path) -> None:
    """A recorded body maps to its registered code; only the unrecognised ones are reported as unknown."""
    status, body, reason = load(path)
    refusal, known = refusal_of(read_error(status, body), WHO)
    assert refusal.code == reason
    assert known == (reason != "directory.unrecognised")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_no_part_of_a_message_reaches_people_or_logs(path: Path) -> None:
    """Facts and representations hold the code and ids only; a number in a body stays there."""
    status, body, _ = load(path)
    error = read_error(status, body)
    refusal, _ = refusal_of(error, WHO)
    said = " ".join([*refusal.facts.values(), repr(error), error.brief])
    assert "2065550177" not in said
    assert "authentication method id of" not in said
    assert "<html" not in said.lower()


def test_the_request_id_is_found_in_header_or_body() -> None:
    """Graph's request id is kept from wherever it is, and a missing one is said to be missing."""
    body = json.dumps({"error": {"code": "x", "innerError": {"request-id": REQUEST_ID}}}).encode()
    assert read_error(400, body).request_id == REQUEST_ID
    assert read_error(400, b"", "aaaaaaaa-0000").request_id == "aaaaaaaa-0000"
    refusal, _ = refusal_of(read_error(400, b"", "not an id\r\n"), WHO)
    assert refusal.facts["request_id"] == "(none given)"


def test_deeply_nested_and_broken_json_is_survived() -> None:
    """A hostile body is an unrecognised answer, not a crash."""
    for body in (b"[" * 100_000, b"\xff\xfe", b'{"error": {"code": 7, "message": [], "innerError": "x"}}'):
        assert refusal_of(read_error(400, body), WHO)[0].code == "directory.unrecognised"
