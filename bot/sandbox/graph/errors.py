"""Graph's refusals: codes, texts and the shape of an error body.

Sources: Graph docs "errors", "json-batching", "aad-advanced-queries", "throttling", and public threads that
quote whole bodies. Texts in `OURS` have no published source: a client must not depend on their wording.
Must not know worlds or HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

AUTH_BACK_END = "badRequest"

#: Texts that Microsoft does not publish. They carry a prefix so that nobody takes them for the real ones.
_PREFIX = "[sandbox text] "
OURS = {
    name: _PREFIX + text
    for name, text in {
        "type_exists": "The user already has a phone method of this type.",
        "needs_mobile": "An alternate mobile phone needs a mobile phone first.",
        "alternate_left": "The mobile phone cannot be deleted while an alternate mobile phone exists.",
        "number_format": "The phone number is not in the format +{country code} {number}x{extension}.",
        "type_fixed": "The phone type of a method cannot be changed.",
        "type_unknown": "The phone type is not valid.",
        "both_needed": "phoneNumber and phoneType are required.",
        "read_only": "smsSignInState is read-only.",
        "unknown_property": "The body holds a property that this resource does not have.",
        "bad_body": "The body is not a JSON object.",
        "no_such_method": "The phone authentication method was not found.",
        "not_mobile": "SMS sign-in works for the mobile phone only.",
        "not_unique": "The phone number is the sign-in name of another user.",
        "write_blocked": "The authentication method is not enabled by policy.",
        "bad_preference": "The value of userPreferredMethodForSecondaryAuthentication is not valid.",
        "auth_user_unknown": "The user was not found.",
        "restricted": "The user is in a restricted management administrative unit.",
        "advanced_cast": "A cast on a transitive list needs $count=true and ConsistencyLevel: eventual.",
        "bad_filter": "The $filter or $search expression is not valid or not supported here.",
        "bad_option": "A query option is not supported here.",
        "too_many_groups": "At most 20 group ids may be checked at a time.",
        "batch_shape": "The batch is not valid: 1 to 20 requests, unique string ids, relative urls.",
        "batch_content_type": "A batch item with a body needs a Content-Type header.",
        "batch_dependency": "A request that this one depends on failed.",
        "token_missing": "Access token is empty.",
        "token_bad": "Access token validation failure.",
        "token_audience": "Access token validation failure. Invalid audience.",
        "token_expired": "Access token has expired or is not yet valid.",
        "no_route": "Resource not found for the segment.",
        "no_p2": "The tenant needs a Microsoft Entra ID P2 or ID Governance licence.",
    }.items()
}

DEFAULT_METHOD = (
    "The requested authentication method id of [{id}] matches the user's current default authentication "
    "method, and cannot be deleted until the default authentication method is changed"
)
SMS_POLICY = (
    "Can not enable Sms sign in on phone auth method as the credential policy is not enabled on user."
)
DENIED_AUTH = "Request Authorization failed"
DENIED_DIRECTORY = "Insufficient privileges to complete the operation."
NOT_ALLOWED = "Specified HTTP method is not allowed for the request target."
SEARCH_HEADER = (
    "Request with $search query parameter only works through MSGraph with a special request header: "
    "'ConsistencyLevel: eventual'"
)
SORTING = "Sorting not supported for current query."
COUNT = "$count is not currently supported."
THROTTLED = "Please retry again later."
#: Known from use, not from a page at hand; so are the texts of 500 and 503 in `by_status`.
GONE = "Resource '{id}' does not exist or one of its queried reference-property objects are not present."


@dataclass(eq=False)
class GraphError(Exception):
    """A refusal. `inner` joins innerError; `headers` join the response (Retry-After)."""

    status: int
    code: str
    message: str
    inner: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def auth_error(message: str, status: int = 400, code: str = AUTH_BACK_END) -> GraphError:
    """A refusal by the authentication-methods back end, which repeats its text in innerError."""
    return GraphError(status, code, message, {"message": message})


def not_found(which: str) -> GraphError:
    """404 of the directory for an id that is not there (or deleted)."""
    return GraphError(404, "Request_ResourceNotFound", GONE.format(id=which))


def denied(auth_back_end: bool) -> GraphError:
    """403, worded as the back end in question words it."""
    if auth_back_end:
        return auth_error(DENIED_AUTH, 403, "accessDenied")
    return GraphError(403, "Authorization_RequestDenied", DENIED_DIRECTORY)


def throttled(retry_after: float | None) -> GraphError:
    """429; Retry-After in seconds, left out when None."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    inner = {"code": "429", "message": "Please retry after", "status": "429"}
    return GraphError(429, "TooManyRequests", THROTTLED, inner, headers)


def by_status(status: int, path: str, retry_after: float | None) -> GraphError:
    """A typical refusal with this status, for faults that name only a status."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    if status == 429:
        return throttled(retry_after)
    if status == 403:
        error = denied("/authentication" in path)
    elif status == 404:
        error = not_found(path.rstrip("/").rsplit("/", 1)[-1])
    else:
        code, message = {
            401: ("InvalidAuthenticationToken", OURS["token_expired"]),
            409: ("phoneNumberNotUnique", OURS["not_unique"]),
            500: ("generalException", "An internal server error occurred while processing the request."),
            503: ("serviceNotAvailable", "The service is temporarily unavailable."),
            504: ("UnknownError", ""),
        }.get(status, ("UnknownError", ""))
        error = GraphError(status, code, message)
    error.headers.update(headers)
    return error


def body_of(error: GraphError, request_id: str, client_request_id: str, now: datetime) -> dict[str, Any]:
    """The JSON body of a refusal (Graph docs, "errors")."""
    inner = {
        **error.inner,
        "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request_id,
        "client-request-id": client_request_id,
    }
    return {"error": {"code": error.code, "message": error.message, "innerError": inner}}
