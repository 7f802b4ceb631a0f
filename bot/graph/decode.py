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

from bot.domain import directory_reasons as finer
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
    def no_licence(self) -> bool:
        """The tenant lacks the licence for PIM: a fact, not a failure to read."""
        return self.code.lower() == NO_LICENCE.lower()

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
    _Line(finer.PASS_NOT_ALLOWED, fragment="authmethodtype [temporaryaccesspass]"),
    _Line(finer.PASS_NOT_ALLOWED, 400, fragment="invalid lifetimeinminutes specified"),
    _Line(finer.PASS_GUEST, fragment="cannot be added to an external guest user"),
    _Line(reasons.DIRECTORY_NOT_UNIQUE, code="phonenumbernotunique"),
    _Line(reasons.DIRECTORY_POLICY, code="disabledbypolicy"),
    _Line(reasons.DIRECTORY_POLICY, fragment="credential policy is not enabled on user"),
    _Line(finer.STEP_UP, fragment="insufficient_claims"),
    _Line(finer.NO_USER, fragment="the user is unauthenticated"),
    _Line(finer.LICENCE_MISSING, code=NO_LICENCE.lower()),
    _Line(finer.LICENCE_MISSING, code="authentication_requestfromnonpremiumtenantorb2ctenant"),
    _Line(finer.TOKEN_REFUSED, 401),
    _Line(reasons.DIRECTORY_DENIED, 403, code="accessdenied"),
    _Line(reasons.DIRECTORY_DENIED, 403, code="authorization_requestdenied"),
    _Line(reasons.DIRECTORY_DENIED, 403, code="permissionscopenotgranted"),
    _Line(reasons.DIRECTORY_GONE, 404, code="request_resourcenotfound"),
    _Line(reasons.DIRECTORY_GONE, 404, code="resourcenotfound"),
    _Line(finer.WRONG_CALL, fragment="no http resource was found"),
    _Line(finer.WRONG_CALL, fragment="resource not found for the segment"),
    _Line(finer.WRONG_CALL, 405),
    _Line(finer.WRONG_CALL, 400, code="request_unsupportedquery"),
    _Line(finer.WRONG_CALL, 400, code="request_badrequest"),
    _Line(finer.THROTTLED, 429),
    _Line(reasons.DIRECTORY_RULE, 400, code="badrequest"),
    _Line(finer.OVERLOADED, 500),
    _Line(finer.OVERLOADED, 502),
    _Line(finer.OVERLOADED, 503),
    _Line(finer.OVERLOADED, 504),
)


def read_error(status: int, body: object, request_id: str = "") -> GraphError:
    """What an error answer says, whatever its body is: JSON with or without `error`, HTML, or nothing.

    body: bytes, or what was inside a batch.

    request_id: the `request-id` header, "" when there was none (then innerError is asked).
    """
    whole = _object_of(body)
    error = whole.get("error")
    if not isinstance(error, Mapping):
        error = {"message": whole.get("Message")}  # what a wrong route of the back end behind Graph says
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


def _object_of(body: object) -> Mapping[str, Any]:
    parsed = body
    if isinstance(body, bytes):
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            return {}
    return parsed if isinstance(parsed, dict) else {}


def _request_id(text: str) -> str:
    return text if _REQUEST_ID.match(text) else ""
