"""What the bot says about itself: log lines, correlation ids and counters.

Knows how to mask. Must not know anything else of ours: every other module may import it, it imports none.
"""

from __future__ import annotations

import ipaddress
import logging
import random
import re
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TextIO

import orjson
from prometheus_client import CollectorRegistry, Counter, generate_latest

_LETTERS = "bcdfghjkmnpqrstvwxz"
_NOISY = ("aiohttp", "asyncio", "azure", "botbuilder", "httpcore", "httpx", "msal", "msrest", "urllib3")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_OWN_FRAMES = 8

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
"""The id of the turn or job in progress; empty outside of one."""


def new_correlation() -> str:
    """Set and return a fresh id of 12 consonants. No digits, so that masking never eats it, and no words."""
    value = "".join(random.choices(_LETTERS, k=12))  # noqa: S311 - a name for log lines, no secret
    correlation_id.set(value)
    return value


# Spaces, brackets, dashes, dots, slashes, plus, percent (form and URL encoding), bullets and the invisible
# characters that come along when a number is pasted.
_BETWEEN = (
    r"[\s().\-/+%_*~\u00a0\u00ad\u00b7\u200b-\u200f\u2010-\u2015\u2022\u202a-\u202e\u202f\u2060-\u2064\ufeff]"
)
_SENSITIVE = re.compile(
    r"(?P<keep>"
    r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
    r"|\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d)?"
    r"|\bR-[0-9A-Z]{6}(?:-[0-9A-F]{4})?\b"
    r"|\b(?=[0-9]{0,31}[a-f])[0-9a-f]{32,}\b"
    r")"
    r"|(?P<token>\beyJ[\w-]{8,}(?:\.[\w-]+){1,4})"
    rf"|(?P<number>(?:\+|%2[Bb])?\d(?:{_BETWEEN}{{0,5}}\d){{6,}})"
)


def mask(text: str) -> str:
    """Hide whatever could be a phone number (seven digits or more, however spaced) and any token.

    GUIDs, hashes, request ids (R-7K2Q9M-4F3A) and ISO times survive. A number becomes six bullets and its
    last two digits: a log line must never be the place where a number can be read.
    """
    return _SENSITIVE.sub(_hidden, text)


def _hidden(found: re.Match[str]) -> str:
    if found["keep"] is not None:
        return found["keep"]
    if found["token"] is not None:
        return "[token]"
    return f"•••••• {found['number'][-2:]}"


def _shown(name: str, value: object) -> object:
    """One extra field of a log record, as JSON may carry it."""
    if value is None or isinstance(value, bool):
        return value
    if name == "peer":
        return _peer(str(value))
    if isinstance(value, float):
        return round(value, 4)
    masked = mask(str(value))
    return value if isinstance(value, int) and masked == str(value) else masked


def _peer(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return mask(value)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, cid, message, extras, error. Everything is masked.

    An exception is shown as its type, its masked message and the places it went through, without source
    lines.
    """

    def format(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = "a log line that could not be formatted"
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": mask(message),
        }
        if cid := correlation_id.get():
            line["cid"] = cid
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                line[name] = _shown(name, value)
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _error(record.exc_info[1])
        return orjson.dumps(line).decode()


def _error(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-_OWN_FRAMES:]
    where = [f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}" for frame in frames]
    shown: dict[str, Any] = {"type": type(error).__name__, "message": mask(str(error))[:500], "where": where}
    cause = error.__cause__
    if cause is not None:
        shown["cause"] = {"type": type(cause).__name__, "message": mask(str(cause))[:500]}
    return shown


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every log record, ours and the libraries', as masked JSON lines to `stream` (standard error).

    The HTTP and token libraries stay at WARNING: at INFO they print addresses, which hold ids and queries.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    # When a handler fails, the logging module prints the raw arguments; those may hold a number.
    logging.raiseExceptions = False


COUNTERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "turns": ("Turns that reached the bot", "kind"),
        "turn_errors": ("Turns that ended in an unexpected error", "kind"),
        "gate_refusals": ("Requests refused at the front door", "rule"),
        "http_refusals": ("Requests refused by the HTTP layer", "status"),
        "key_refreshes": ("Fetches of the channel's signing keys", "result"),
        "token_requests": ("Tokens asked of Entra", "result"),
        "sends": ("Messages to Teams", "result"),
        "graph_calls": ("Calls to Microsoft Graph", "result"),
        "graph_unrecognised": ("Graph answers that no rule of ours explains", "status"),
        "changes": ("Changes that entered a state", "state"),
        "votes": ("Votes that counted", "verdict"),
        "reviews": ("Reviews of break-glass changes", "what"),
        "unsealable": ("Sealed values that could not be opened", "what"),
        "disputes": ("Requests that the person concerned called not theirs", "state"),
        "freezes": ("Freezes set and lifted", "what"),
        "alerts": ("Alerts that did not reach somebody", "why"),
        "breaker": ("Times that the breaker closed", "what"),
        "messages": ("Outbox messages by what became of them", "result"),
        "refusals": ("Refusals by code", "code"),
        "jobs": ("Job steps", "job"),
    }
)
"""Every counter there is: name -> (help, name of its label). A label never names or counts a person."""


ALARMS: Mapping[str, str] = MappingProxyType(
    {
        "clock": "our clock and the database's differ too much: nothing is executed",
        "credential": "Entra refuses our credential: nothing can be read or written",
        "job": "a piece of work broke and is tried again",
        "message": "somebody could not be told, and will not be",
        "alert": "people who must look at something could not be told",
        "review": "a break-glass change was not reviewed in time",
        "seal": "a sealed number does not open: its change is ended",
        "row": "something stored cannot be read: it is put aside",
        "store": "the database takes nothing or does not answer: nothing is done",
    }
)
"""What a person must look at, by kind: each is an ERROR in the log with the field `alarm`, and counted."""

_SHARED = CollectorRegistry()
_RAISED = Counter("ringfence_alarms", "Alarms that a person must look at", ("kind",), registry=_SHARED)


def alarm(log: logging.Logger, kind: str, message: str, *, error: BaseException | None = None) -> None:
    """Raise one. Raises KeyError for a kind that is not in the table."""
    if kind not in ALARMS:
        raise KeyError(kind)
    _RAISED.labels(kind).inc()
    log.error(message, extra={"alarm": kind}, exc_info=error)


class Counters:
    """The counters of one process, on a registry of their own; alarms are the whole process's."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters = {
            name: Counter(f"ringfence_{name}", text, (label,), registry=self._registry)
            for name, (text, label) in COUNTERS.items()
        }

    def count(self, name: str, label: str = "") -> None:
        """Add one. Raises KeyError for a name that is not in the table."""
        self._counters[name].labels(label).inc()

    def render(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._registry) + generate_latest(_SHARED)
