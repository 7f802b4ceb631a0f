"""What an activity must look like before anything of ours reads it: rule by rule, each with its name.

Knows the shape of an activity, tenants, service addresses. Must not know HTTP, keys or signatures.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

_GUID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")
_NIL = "00000000-0000-0000-0000-000000000000"
_URL_TEXT = re.compile(r"[!-~]{8,512}")
CHANNEL = "msteams"

WITH_SENDER = frozenset({"message", "invoke"})
REFERENCES = frozenset({"installationUpdate", "conversationUpdate"})
KNOWN = (
    WITH_SENDER
    | REFERENCES
    | {"messageUpdate", "messageDelete", "messageReaction", "event", "typing", "endOfConversation"}
)


@dataclass(frozen=True, slots=True)
class GateRules:
    """What the gate compares with.

    `tenant_ids` are GUIDs in lower case; `service_hosts` bare host names in lower case; `max_body` bytes;
    `max_depth` levels of JSON. `allow_loopback` admits http on 127.0.0.1, ::1 and localhost (if listed), and
    nobody from outside.
    """

    app_id: str
    tenant_ids: frozenset[str]
    issuer: str
    service_hosts: frozenset[str]
    allow_loopback: bool = False
    max_body: int = 256 * 1024
    max_depth: int = 48
    leeway_seconds: int = 60


def guid(value: object) -> str | None:
    """A GUID in its one normal form (lower case, no braces), or None. The nil GUID names nobody."""
    found = _GUID.fullmatch(value) if isinstance(value, str) else None
    normal = found[1].lower() if found else None
    return None if normal == _NIL else normal


@lru_cache(maxsize=64)
def is_loopback(host: str | None) -> bool:
    """True for localhost and for the loopback addresses."""
    if host == "localhost":
        return True
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=256)
def service_url_problem(url: str, rules: GateRules) -> str | None:
    """Why we would not send our token to this address, or None: https, port 443, no user, exact host."""
    if not _URL_TEXT.fullmatch(url) or "\\" in url:
        return "not a plain address"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "not an address"
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in url or "#" in url:
        return "an address with a user, a query or a fragment"
    host = parts.hostname or ""
    if host not in rules.service_hosts:
        return "the host is not on the list"
    if rules.allow_loopback and is_loopback(host):
        return None if parts.scheme in ("http", "https") else "neither http nor https"
    if parts.scheme != "https":
        return "not https"
    return None if port in (None, 443) else "not port 443"


def _part(activity: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = activity.get(name)
    return part if isinstance(part, dict) else {}


def _type(activity: Mapping[str, Any], claims: Mapping[str, Any], rules: GateRules) -> str | None:
    kind = activity.get("type")
    return None if isinstance(kind, str) and kind else "the activity has no type"


def _parts(activity: Mapping[str, Any], claims: Mapping[str, Any], rules: GateRules) -> str | None:
    for name in ("from", "recipient", "conversation", "channelData"):
        if not isinstance(activity.get(name), dict | None):
            return f"{name} is not an object"
    if activity.get("type") in WITH_SENDER and not _part(activity, "conversation").get("id"):
        return "there is no conversation"
    return None


def _channel(activity: Mapping[str, Any], claims: Mapping[str, Any], rules: GateRules) -> str | None:
    return None if activity.get("channelId") == CHANNEL else "not the Teams channel"


def _service_url(activity: Mapping[str, Any], claims: Mapping[str, Any], rules: GateRules) -> str | None:
    url = activity.get("serviceUrl")
    return None if isinstance(url, str) and url else "the activity has no serviceUrl"


def _same_url(activity: Mapping[str, Any], claims: Mapping[str, Any], rules: GateRules) -> str | None:
    url, claimed = activity.get("serviceUrl"), claims.get("serviceurl")
    if not isinstance(url, str) or not isinstance(claimed, str):
        return "serviceUrl cannot be compared with the token"
    return None if url.removesuffix("/") == claimed.removesuffix("/") else "serviceUrl is not the token's"


def _host(activity: Mapping[str, Any], claims: Mapping[str, Any], rules: GateRules) -> str | None:
    url = activity.get("serviceUrl")
    return service_url_problem(url, rules) if isinstance(url, str) else "no address"


def tenants_named(activity: Mapping[str, Any]) -> list[object]:
    """Every tenant the activity names, as written; null counts as absent."""
    tenant = _part(activity, "channelData").get("tenant")
    named = [
        _part(activity, "conversation").get("tenantId"),
        tenant.get("id") if isinstance(tenant, dict) else tenant,
    ]
    return [value for value in named if value is not None]


def _tenant(activity: Mapping[str, Any], claims: Mapping[str, Any], rules: GateRules) -> str | None:
    found = {guid(value) for value in tenants_named(activity)}
    if not found:
        return "no tenant is named"
    if len(found) > 1:
        return "the activity names two tenants"
    return None if found <= rules.tenant_ids else "not a tenant of ours"


def _sender(activity: Mapping[str, Any], claims: Mapping[str, Any], rules: GateRules) -> str | None:
    if activity.get("type") not in WITH_SENDER or guid(_part(activity, "from").get("aadObjectId")):
        return None
    return "the sender has no directory object id"


ACTIVITY_RULES: tuple[
    tuple[str, int, Callable[[Mapping[str, Any], Mapping[str, Any], GateRules], str | None]], ...
] = (
    ("activity.type", 400, _type),
    ("activity.parts", 400, _parts),
    ("activity.channel", 401, _channel),
    ("service-url.present", 401, _service_url),
    ("service-url.claim", 401, _same_url),
    ("service-url.host", 401, _host),
    ("tenant", 403, _tenant),
    ("sender", 403, _sender),
)
"""Name, HTTP status of a refusal, check. A check returns why it says no, or None."""


def why_ignored(activity: Mapping[str, Any]) -> str | None:
    """Why an activity that broke no rule is answered 200 and dropped, or None when the bot shall see it."""
    kind = activity["type"]
    if kind not in KNOWN:
        return "a type of activity that means nothing to us"
    if kind in REFERENCES or guid(_part(activity, "from").get("aadObjectId")):
        return None
    return "no sender, and nothing to learn from it"


def normalised(activity: dict[str, Any]) -> dict[str, Any]:
    """The same activity with its sender's object id in normal form, so that no later comparison can miss
    it.
    """
    sender = activity.get("from")
    if isinstance(sender, dict) and (oid := guid(sender.get("aadObjectId"))):
        sender["aadObjectId"] = oid
    return activity
