"""The directory's log of changed managers, and who stands in for an approver.

Sources: Graph docs "directoryaudit-list" (v1.0) and "approverdelegate-get" (beta), whose table of permissions
names none for an app; the activity and its property as seen in public scripts ("Update user", "Manager").
"""

from __future__ import annotations

from typing import Any

from ..world import Person, stable_id, stamp
from .call import Answer, Call
from .errors import NO_P1, GraphError, denied
from .odata import fits, parse_filter
from .users import paged

_READ = ("AuditLog.Read.All",)


def list_audits(call: Call) -> Answer:
    """GET /auditLogs/directoryAudits, with $filter, newest first, paged: changes of managers only."""
    call.only_options("filter", "orderby", "top", "skiptoken")
    call.allow(*_READ)
    if not call.world.rules.has_p1:
        raise GraphError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", NO_P1)
    rows = [_row(person) for person in call.world.people.values() if person.manager_changed is not None]
    if "filter" in call.options:
        tree = call.details["filter"] = parse_filter(call.options["filter"])
        rows = [row for row in rows if fits(tree, _flat(row).__getitem__)]
    rows.sort(key=lambda row: str(row["activityDateTime"]), reverse=True)
    return paged(call, "auditLogs/directoryAudits", rows, call.world.rules.page_size)


def get_stand_in(call: Call) -> Answer:
    """GET /users/{id}/identityGovernance/approverDelegate; null when there is none."""
    call.only_options()
    person = call.person(call.args["user"])
    if not call.world.rules.app_reads_stand_ins:
        raise denied(False)
    where = f"users('{person.oid}')/identityGovernance/approverDelegate"
    other = call.world.people.get(person.stand_in or "")
    body: dict[str, Any] = {"@odata.context": f"{call.root}/$metadata#{where}"}
    if other is None:
        return Answer(200, {**body, "value": None})
    schedule: dict[str, Any] = {
        "startDateTime": stamp(person.created),
        "expiration": {"type": "noExpiration"},
    }
    if person.stand_in_until is not None:
        schedule["expiration"] = {"type": "afterDateTime", "endDateTime": stamp(person.stand_in_until)}
    delegate = {"@odata.type": "#microsoft.graph.singleUser", "id": other.oid}
    return Answer(200, {**body, "delegate": delegate, "schedule": schedule})


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "targetResources/id": [target["id"] for target in row["targetResources"]]}


def _row(person: Person) -> dict[str, Any]:
    moment = stamp(person.manager_changed or person.created)
    return {
        "id": f"Directory_{stable_id('manager', person.oid, moment)}",
        "category": "UserManagement",
        "correlationId": stable_id("correlation", person.oid, moment),
        "result": "success",
        "resultReason": "",
        "activityDisplayName": "Update user",
        "activityDateTime": moment,
        "loggedByService": "Core Directory",
        "operationType": "Update",
        "initiatedBy": {"app": None, "user": None},
        "targetResources": [
            {
                "id": person.oid,
                "displayName": person.display_name,
                "type": "User",
                "userPrincipalName": person.upn,
                "modifiedProperties": [{"displayName": "Manager", "oldValue": "[]", "newValue": "[]"}],
            }
        ],
        "additionalDetails": [],
    }
