"""Log lines never show a number or a token, ids survive, counters have no people in them."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bot
from bot.telemetry import (
    COUNTERS,
    Counters,
    JsonLines,
    configure_logging,
    correlation_id,
    mask,
    new_correlation,
)


@pytest.fixture(name="lines")
def _lines() -> Iterator[Any]:
    """A configured root logger; yields a function that returns what was written, as objects."""
    root = logging.getLogger()
    saved = (root.handlers[:], root.level, logging.raiseExceptions)
    levels = {name: logging.getLogger(name).level for name in ("aiohttp", "httpx", "msal")}
    stream = io.StringIO()
    configure_logging("info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], logging.raiseExceptions = saved[0], saved[2]
    root.setLevel(saved[1])
    logging.captureWarnings(False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    "written",
    [
        "+1 206 555 0100",
        "+12065550100",
        "(206) 555-0100",
        "206.555.0100",
        "tel:+1-206-555-0100",
        "0044 20 7946 0958",
        "+44\u00a020\u202f7946\u20110958",
        "\u206020\u200b6555\u200e0100",
        "%2B1%20206%20555%200100",
        "+1+206+555+0100",
        "+1 (206) -- 555 // 0100",
        "x12065550100y",
        "5550100",
        "\u0661\u0662\u0660\u0666\u0665\u0665\u0665\u0660\u0661\u0660\u0660",
        "\uff12\uff10\uff16\uff15\uff15\uff15\uff10\uff11\uff10\uff10",
    ],
)
def test_a_number_in_any_dress_is_hidden(written: str) -> None:
    """Whatever stands between the digits, at most the last two remain."""
    shown = mask(f"before {written} after")
    assert len(re.findall(r"\d", shown)) <= 2
    assert "••••••" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@pytest.mark.parametrize(
    "written",
    [
        "cccccccc-0000-4000-8000-00000000000c",
        "12345678-1234-1234-1234-123456789012",
        "R-7K2Q9M-4F3A",
        "R-723456-1234",
        "2026-03-02T09:00:00.123Z",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "change:mobile:applied",
        "status 403 after 12.5 ms",
        "127.0.0.1:39781",
        "AADSTS700016",
    ],
)
def test_ids_and_times_survive(written: str) -> None:
    """What helps to find a request is not eaten by the mask."""
    assert mask(f"see {written} there") == f"see {written} there"


@given(
    st.lists(st.integers(0, 9), min_size=7, max_size=15),
    st.lists(
        st.sampled_from(["", " ", "-", ".", " (", ") ", "/", "%20", "\u00a0"]), min_size=15, max_size=15
    ),
)
def test_no_spacing_lets_a_number_through(digits: list[int], between: list[str]) -> None:
    """For any digits and any usual spacing, the digits do not appear in what is written."""
    written = "".join(f"{digit}{gap}" for digit, gap in zip(digits, between, strict=False))
    left = re.findall(r"\d", mask("n=" + written.replace("%20", "%")))
    assert len(left) <= 2


def test_message_args_extras_and_errors_are_masked(lines: Any) -> None:
    """No part of a record shows a number or a token, whichever way it came in."""
    log = logging.getLogger("bot.test")
    number, token = "+1 206 555 0100", "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"
    try:
        try:
            raise KeyError(number)
        except KeyError as error:
            raise ValueError(f"bad {number} {token}") from error
    except ValueError:
        log.exception("failed for %s", number, extra={"call": number, "raw": 12065550100, "auth": token})
    [line] = lines()
    text = json.dumps(line)
    assert "555" not in text
    assert "eyJ" not in text
    assert line["error"]["type"] == "ValueError"
    assert line["error"]["cause"]["type"] == "KeyError"
    assert line["error"]["where"][0].endswith("test_message_args_extras_and_errors_are_masked")
    assert "raise ValueError" not in text


def test_a_line_has_its_facts_as_fields(lines: Any) -> None:
    """Time, level, logger, correlation id and extras are fields; an address stays readable."""
    cid = new_correlation()
    logging.getLogger("bot.test").warning(
        "refused", extra={"status": 401, "peer": "203.0.113.245", "ok": True, "ms": 1.23456789}
    )
    [line] = lines()
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "bot.test", "refused")
    assert (line["status"], line["peer"], line["ok"], line["ms"]) == (401, "203.0.113.245", True, 1.2346)
    assert line["cid"] == cid
    assert mask(cid) == cid
    correlation_id.set("")


def test_a_line_that_cannot_be_formatted_shows_no_arguments(
    lines: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong format string costs the message, not a leak of its arguments."""
    logging.getLogger("bot.test").warning("%d people", "+1 206 555 0100")
    [line] = lines()
    assert line["message"] == "a log line that could not be formatted"
    assert "555" not in capsys.readouterr().err


def test_libraries_that_print_addresses_are_quiet(lines: Any) -> None:
    """HTTP and token libraries are heard from WARNING on."""
    for name in ("httpx", "aiohttp.access", "msal.application", "urllib3.connectionpool"):
        logging.getLogger(name).info("GET https://graph.example/users?token=secret")
    assert lines() == []


def test_a_format_can_be_asked_for_alone() -> None:
    """The formatter needs no configuration."""
    record = logging.makeLogRecord({"msg": "call 206 555 0100", "levelname": "INFO", "name": "x"})
    assert json.loads(JsonLines().format(record))["message"] == "call •••••• 00"


def test_counters_come_from_one_table_without_people() -> None:
    """A name that is not in the table cannot be counted; what is counted can be read."""
    counters = Counters()
    counters.count("gate_refusals", "tenant")
    counters.count("gate_refusals", "tenant")
    counters.count("turns")
    assert b'ringfence_gate_refusals_total{rule="tenant"} 2.0' in counters.render()
    with pytest.raises(KeyError):
        counters.count("people", "alice")
    assert not {label for _, label in COUNTERS.values()} & {"user", "person", "oid", "upn", "number"}


def test_everything_that_is_counted_has_a_counter() -> None:
    """A name without a counter would break the turn or the job that counts it, in production only."""
    root = Path(bot.__file__).parent
    counted = {
        (node.args[0].value, path.name)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "count"
        and "metrics" in ast.unparse(node.func.value)
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(counted) > 10
    assert {(name, where) for name, where in counted if name not in COUNTERS} == set()
