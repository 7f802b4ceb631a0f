"""Graph's refusals: codes, texts and the shape of an error body.

Sources: Graph docs "errors", "json-batching", "aad-advanced-queries", "throttling", and public threads that
quote whole bodies. Texts in `OURS` have no published source and say so by their prefix: a client must not
depend on their wording. Every other text stands in `SOURCES` with its source. Must not know worlds or HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

AUTH_BACK_END = "badRequest"

#: Texts that Microsoft does not publish. They carry a prefix so that nobody takes them for the real ones.
PREFIX = "[sandbox text] "
OURS = {
    name: PREFIX + text
    for name, text in {
        "app_installed": "The app is installed for this user already.",
        "app_unknown": "The app to install is not in the catalogue.",
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
        "bad_pass": "lifetimeInMinutes must be a number from 10 to 43200, and isUsableOnce a Boolean.",
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
        "bad_requirement": "The value of perUserMfaState is not valid.",
        "not_registered": "The preferred method is not registered for the user.",
        "guest_sms": "SMS sign-in is not available for guests.",
        "voice_set": "SMS sign-in needs an account without a voice number.",
        "filter_needed": "A $filter on principalId or groupId is needed.",
        "too_new": "The user was not found (created a moment ago).",
        "server_error": "An internal server error occurred while processing the request.",
        "unavailable": "The service is temporarily unavailable.",
        "gone": "The resource '{id}' does not exist or one of its reference properties is not present.",
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
SMS_POLICY_NEW = (
    "Cannot enable SMS sign-in on phone auth method as the credential policy is not enabled on user"
)
PASS_POLICY = (
    "Converged UserCredentialPolicy does not allow creating or updating this authentication method. "
    "AuthMethodType [TemporaryAccessPass]."
)
PASS_LIFETIME = "Invalid LifetimeInMinutes specified. The valid range between {least} and {most}."
PASS_GUEST = "Temporary Access Pass cannot be added to an external guest user"
NO_P2 = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."
NO_P1 = "Neither tenant is B2C or tenant doesn't have premium license"
NO_SCOPE = (
    '{"errorCode":"PermissionScopeNotGranted","message":"Authorization failed due to missing permission '
    'scope {scopes}.","instanceAnnotations":[]}'
)
NO_HTTP_RESOURCE = (
    "No HTTP resource was found that matches the request URI "
    "'https://mface.windowsazure.com/odata/users('{user}')/authentication/methods('{method}')'."
)
NO_CONTROLLER = "No type was found that matches the controller named 'users'."
THROTTLED_INNER = "Please retry after"

#: Where each text that is not ours was published or seen.
SOURCES = {
    DEFAULT_METHOD: "microsoft-graph-docs-contrib issue 1888 (whole body)",
    SMS_POLICY: "whole body in a reader's comment, 2022-06-28",
    SMS_POLICY_NEW: "msgraph-sdk-dotnet issue 2549 (2024), code not quoted",
    DENIED_AUTH: "azure-docs issue 114024",
    DENIED_DIRECTORY: "Graph docs, json-batching (sample)",
    NOT_ALLOWED: "Graph docs, json-batching (sample)",
    SEARCH_HEADER: "Graph docs, aad-advanced-queries",
    SORTING: "Microsoft 365 developer blog, May 2020",
    COUNT: "Graph docs, aad-advanced-queries",
    THROTTLED: "Graph docs, throttling",
    THROTTLED_INNER: "Graph docs, throttling",
    PASS_POLICY: "azure-docs issue 111778 (2023), MyWorkID issue 47 (2025), code and status not quoted",
    PASS_LIFETIME: "microsoft-graph-docs pull request 12187 (whole body, 2021)",
    PASS_GUEST: "Entra docs, howto-authentication-temporary-access-pass; code and status not quoted",
    NO_P2: "maester issue 1421 (whole body, 2026)",
    NO_P1: "microsoft-graph-docs issue 12919",
    NO_SCOPE: "terraform-provider-azuread issue 1386",
    NO_HTTP_RESOURCE: "msgraph-sdk-powershell issue 937",
    NO_CONTROLLER: "msgraph-sdk-powershell issue 937",
}


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
    return GraphError(404, "Request_ResourceNotFound", OURS["gone"].format(id=which))


def denied(auth_back_end: bool) -> GraphError:
    """403, worded as the back end in question words it."""
    if auth_back_end:
        return auth_error(DENIED_AUTH, 403, "accessDenied")
    return GraphError(403, "Authorization_RequestDenied", DENIED_DIRECTORY)


def no_scope(*scopes: str) -> GraphError:
    """403 of PIM for a missing permission: JSON in the message, code UnknownError."""
    return GraphError(403, "UnknownError", NO_SCOPE.replace("{scopes}", ",".join(scopes)))


def throttled(retry_after: float | None) -> GraphError:
    """429; Retry-After in seconds, left out when None."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    inner = {"code": "429", "message": THROTTLED_INNER, "status": "429"}
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
            500: ("generalException", OURS["server_error"]),
            503: ("serviceNotAvailable", OURS["unavailable"]),
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
