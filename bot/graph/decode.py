"""Graph's error answers in our words: a pure table of (status, error.code, message fragment) -> reason.

Knows every shape an error body has been seen in. Must not do I/O, and must not let a message or a body out:
they may hold a number. Sources: Graph docs "errors", "phoneauthenticationmethod-*", and public reports that
quote whole bodies; each line of the table has a recorded sample in the tests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.domain import reasons
from bot.domain.reason import Reason, Refusal

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}\Z")
_DIGITS = re.compile(r"[0-9]{5}")
_REQUEST_ID = re.compile(r"[0-9A-Fa-f-]{8,64}\Z")
NO_LICENCE = "AadPremiumLicenseRequired"


@dataclass(frozen=True, slots=True)
class GraphError:
    """What an error answer said. code: "" when none is fit to repeat. text: lower case, only for matching."""

    status: int
    code: str
    request_id: str
    text: str = field(repr=False)

    @property
    def brief(self) -> str:
        """`403 accessDenied`: fit for people and logs."""
        return f"{self.status} {self.code}".rstrip()


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the table; a part that is None fits everything. code and fragment in lower case."""

    reason: Reason
    status: int | None = None
    code: str | None = None
    fragment: str | None = None

    def fits(self, error: GraphError) -> bool:
        return (
            self.status in (None, error.status)
            and self.code in (None, error.code.lower())
            and (self.fragment is None or self.fragment in error.text)
        )


# The authentication-methods back end uses one code for many causes, so fragments come before codes.
_TABLE = (
    _Line(reasons.DIRECTORY_RESTRICTED_UNIT, fragment="restricted management administrative unit"),
    _Line(reasons.DIRECTORY_DEFAULT, 400, fragment="current default authentication method"),
    _Line(reasons.DIRECTORY_DEFAULT, 400, fragment="cannot delete default method"),
    _Line(reasons.DIRECTORY_NOT_UNIQUE, code="phonenumbernotunique"),
    _Line(reasons.DIRECTORY_POLICY, code="disabledbypolicy"),
    _Line(reasons.DIRECTORY_POLICY, fragment="credential policy is not enabled on user"),
    _Line(reasons.DIRECTORY_DENIED, 403, code="accessdenied"),
    _Line(reasons.DIRECTORY_DENIED, 403, code="authorization_requestdenied"),
    _Line(reasons.DIRECTORY_DENIED, 403, fragment="insufficient_claims"),
    _Line(reasons.DIRECTORY_GONE, 404, code="request_resourcenotfound"),
    _Line(reasons.DIRECTORY_GONE, 404, code="resourcenotfound"),
    _Line(reasons.DIRECTORY_RULE, 400, code="badrequest"),
)


def read_error(status: int, body: bytes, request_id: str = "") -> GraphError:
    """What an error answer says, whatever its body is: JSON with or without `error`, HTML, or nothing.

    request_id: the `request-id` header, "" when there was none (then innerError is asked).
    """
    error = _error_of(body)
    inner = error.get("innerError") or error.get("innererror")
    inner = inner if isinstance(inner, Mapping) else {}
    code = str(error.get("code") or "")
    texts = (error.get("message"), inner.get("message"))
    return GraphError(
        status=status,
        code=code if _CODE.match(code) and not _DIGITS.search(code) else "",
        request_id=_request_id(request_id) or _request_id(str(inner.get("request-id") or "")),
        text="\n".join(text for text in texts if isinstance(text, str)).lower(),
    )


def refusal_of(error: GraphError, who: str) -> tuple[Refusal, bool]:
    """The reason for people, and whether the table knew it. who: how the person can be named in a command."""
    facts: Mapping[str, Callable[[], str]] = {
        "status": lambda: str(error.status),
        "code": lambda: error.code or "without a code",
        "request_id": lambda: error.request_id or "(none given)",
        "who": lambda: who,
    }
    line = next((line for line in _TABLE if line.fits(error)), None)
    reason = line.reason if line is not None else reasons.DIRECTORY_UNRECOGNISED
    return reason.refuse(**{name: facts[name]() for name in reason.facts}), line is not None


def _error_of(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else {}


def _request_id(text: str) -> str:
    return text if _REQUEST_ID.match(text) else ""
