"""What a call costs and which allowance it draws on.

Source: Graph docs "throttling-limits", identity and access: base costs of paths; $select takes one off,
$expand adds one, $top below 20 takes one off, never under 1; a write counts once more as a write. Paths of
methods are a lane of their own (see throttle.py).
"""

from __future__ import annotations

from collections.abc import Mapping

_USER = "/users/{user}"
#: Verb and template -> units; everything else costs 1. For a user what the page lists for "me".
_BASE = {
    ("GET", "/users"): 2,
    ("GET", "/groups/{group}/transitiveMembers"): 5,
    ("GET", "/groups/{group}/transitiveMembers/microsoft.graph.user"): 5,
    ("GET", f"{_USER}/transitiveMemberOf"): 2,
    ("GET", f"{_USER}/transitiveMemberOf/microsoft.graph.directoryRole"): 2,
    ("GET", f"{_USER}/transitiveMemberOf/microsoft.graph.group"): 2,
    ("GET", f"{_USER}/ownedObjects/microsoft.graph.group"): 2,
    ("GET", f"{_USER}/licenseDetails"): 2,
    ("POST", f"{_USER}/checkMemberGroups"): 4,
}
_SMALL_PAGE = 20
_WRITES = ("POST", "PATCH", "PUT", "DELETE")
#: POSTs that only read.
_READING = (f"{_USER}/checkMemberGroups",)


def lane_of(template: str) -> str:
    """The allowance: "methods", "reports" or "identity"."""
    if "/authentication/" in template:
        return "methods"
    return "reports" if template.startswith(("/reports/", "/auditLogs/")) else "identity"


def units(verb: str, template: str, options: Mapping[str, str]) -> int:
    """Resource units of one call."""
    cost = _BASE.get((verb, template), 1)
    cost -= "select" in options
    cost += "expand" in options
    top = options.get("top", "")
    cost -= top.isdigit() and int(top) < _SMALL_PAGE
    return max(1, cost)


def is_write(verb: str, template: str) -> bool:
    """Does it count against the allowance for writes?"""
    return verb in _WRITES and template not in _READING
