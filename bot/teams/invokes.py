"""Answers to invokes: the exact body for each kind, also when nobody answered or the handler failed.

Knows the shapes that Teams clients accept. Must not know what our buttons do. A malformed or empty answer
shows "Unable to reach app" and makes some clients send the invoke again. Source: Microsoft Learn,
"Universal Actions for Adaptive Cards", "Dialogs", "Message extensions", "Typeahead search", "Bot SSO".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botbuilder.core import InvokeResponse
from msrest.serialization import Model

from .codec import encode

_SEARCH = "application/vnd.microsoft.search.searchResponse"
_ERROR = "application/vnd.microsoft.error"
_DIALOGS = frozenset(
    {
        "task/fetch",
        "task/submit",
        "message/fetchTask",
        "composeExtension/fetchTask",
        "composeExtension/submitAction",
    }
)
_EXTENSIONS = frozenset(
    {
        "composeExtension/query",
        "composeExtension/queryLink",
        "composeExtension/anonymousQueryLink",
        "composeExtension/selectItem",
        "composeExtension/querySettingUrl",
    }
)
# Teams wants nothing but a 200 for these. An invoke without a name is a card's old-style action.
_ACKNOWLEDGED = frozenset(
    {
        "",
        "actionableMessage/executeAction",
        "composeExtension/onCardButtonClicked",
        "composeExtension/setting",
        "fileConsent/invoke",
        "message/submitAction",
        "signin/failure",
        "signin/verifyState",
    }
)
_NOT_OFFERED = "This bot does not offer that."


@dataclass(frozen=True, slots=True)
class InvokeReply:
    """What goes back over HTTP, exactly: the status and the JSON body (None = empty)."""

    status: int = 200
    body: dict[str, Any] | None = None


def unanswered(name: str, value: object) -> InvokeReply:
    """A well-formed "not here" for an invoke that no handler answered."""
    if name == "adaptiveCard/action":
        return card_error(400, "NotSupported", _NOT_OFFERED)
    if name == "application/search":
        return InvokeReply(200, {"statusCode": 200, "type": _SEARCH, "value": {"results": []}})
    if name == "signin/tokenExchange":
        # 412 tells the client that it need not wait for a silent sign-in.
        asked = value if isinstance(value, dict) else {}
        return InvokeReply(
            412,
            {
                "id": asked.get("id"),
                "connectionName": asked.get("connectionName"),
                "failureDetail": _NOT_OFFERED,
            },
        )
    if name in _ACKNOWLEDGED:
        return InvokeReply(200)
    return _said(name, _NOT_OFFERED) or InvokeReply(
        501, {"error": {"code": "NotImplemented", "message": _NOT_OFFERED}}
    )


def failed(name: str, text: str) -> InvokeReply:
    """What the person sees when a handler broke: `text`, in the form their client can show. Always HTTP
    200.
    """
    return _said(name, text) or card_error(500, "InternalError", text)


def card_error(status: int, code: str, message: str) -> InvokeReply:
    """The error of a card action: HTTP says 200, the outcome is in the body."""
    return InvokeReply(
        200, {"statusCode": status, "type": _ERROR, "value": {"code": code, "message": message}}
    )


def _said(name: str, text: str) -> InvokeReply | None:
    if name in _DIALOGS:
        return InvokeReply(200, {"task": {"type": "message", "value": text}})
    if name in _EXTENSIONS:
        return InvokeReply(200, {"composeExtension": {"type": "message", "text": text}})
    return None


def reply_for(result: object, name: str, value: object) -> InvokeReply:
    """The reply for whatever a handler left: an InvokeReply, the SDK's InvokeResponse, or nothing."""
    if isinstance(result, InvokeReply):
        return result
    if not isinstance(result, InvokeResponse) or not isinstance(result.status, int):
        return unanswered(name, value)
    body = encode(result.body) if isinstance(result.body, Model) else result.body
    if result.status < 400 and isinstance(body, dict | None) and (body or name in _ACKNOWLEDGED):
        return InvokeReply(result.status, body)
    if name == "adaptiveCard/action" and result.status == 400:
        # The SDK puts an Exception object into its own error body, which nothing can serialise.
        return card_error(400, "BadRequest", "The action could not be read.")
    return unanswered(name, value)
