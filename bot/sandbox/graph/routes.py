"""Which path and verb is which handler. Paths are matched on raw segments, then decoded, so that an encoded
slash stays inside its segment and nothing is normalised.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from . import (
    apps,
    groups,
    licences,
    lifecycle,
    passes,
    phones,
    policy,
    relations,
    reports,
    roles,
    signin,
    users,
)
from .call import Answer, Call
from .errors import NOT_ALLOWED, OURS, GraphError

Handler = Callable[[Call], Answer]
_USER = "/users/{user}"
_AUTH = f"{_USER}/authentication"
_PHONE = f"{_AUTH}/phoneMethods/{{method}}"
_POLICY = "/policies/authenticationMethodsPolicy"
_ROLES = "/roleManagement/directory"
_REPORT = "/reports/authenticationMethods/userRegistrationDetails"
_WORKFLOWS = "/identityGovernance/lifecycleWorkflows/workflows"
_PIM_GROUPS = "/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances"
#: A key in brackets, as in /users('ada@contoso.example').
_KEYED = re.compile(r"([A-Za-z]+)\('(.*)'\)")
_ALIAS = re.compile(r"graph\.[A-Za-z]+")

_ROUTES: dict[str, dict[str, Handler]] = {
    "/users": {"GET": users.list_users},
    "/users/$count": {"GET": users.count_users},
    _USER: {"GET": users.get_user},
    f"{_USER}/manager": {"GET": users.get_manager},
    f"{_USER}/directReports": {"GET": users.direct_reports},
    f"{_USER}/licenseDetails": {"GET": licences.details},
    f"{_USER}/checkMemberGroups": {"POST": groups.check_member_groups},
    f"{_USER}/transitiveMemberOf": {"GET": groups.all_held},
    f"{_USER}/transitiveMemberOf/microsoft.graph.directoryRole": {"GET": groups.roles_held},
    f"{_USER}/transitiveMemberOf/microsoft.graph.group": {"GET": groups.groups_held},
    f"{_USER}/ownedObjects/microsoft.graph.group": {"GET": groups.groups_owned},
    f"{_AUTH}/methods": {"GET": signin.list_methods},
    f"{_AUTH}/methods/{{method}}": {"DELETE": phones.wrong_controller, "PATCH": phones.wrong_controller},
    f"{_AUTH}/phoneMethods": {"GET": phones.list_phones, "POST": phones.create_phone},
    _PHONE: {"GET": phones.get_phone, "PATCH": phones.update_phone, "DELETE": phones.delete_phone},
    f"{_PHONE}/enableSmsSignIn": {"POST": phones.enable_sms},
    f"{_PHONE}/disableSmsSignIn": {"POST": phones.disable_sms},
    f"{_AUTH}/temporaryAccessPassMethods": {"GET": passes.list_passes, "POST": passes.create_pass},
    "/groups/{group}": {"GET": groups.get_group},
    "/groups/{group}/transitiveMembers": {"GET": groups.transitive_members},
    "/groups/{group}/transitiveMembers/microsoft.graph.user": {"GET": groups.transitive_people},
    f"{_ROLES}/roleAssignments": {"GET": roles.role_assignments},
    f"{_ROLES}/roleEligibilityScheduleInstances": {"GET": roles.role_eligibility},
    f"{_ROLES}/roleDefinitions": {"GET": roles.list_definitions},
    f"{_ROLES}/roleDefinitions/{{role}}": {"GET": roles.get_definition},
    _PIM_GROUPS: {"GET": roles.group_eligibility},
    "/directory/deletedItems/microsoft.graph.user": {"GET": users.deleted_users},
    _POLICY: {"GET": policy.get_policy},
    f"{_POLICY}/authenticationMethodConfigurations/{{method}}": {"GET": policy.get_configuration},
    _WORKFLOWS: {"GET": lifecycle.list_workflows},
    f"{_WORKFLOWS}/{{workflow}}/tasks": {"GET": lifecycle.list_tasks},
    f"{_WORKFLOWS}/{{workflow}}/executionScope": {"GET": lifecycle.execution_scope},
    "/appCatalogs/teamsApps": {"GET": apps.list_apps},
    f"{_USER}/teamwork/installedApps": {"POST": apps.install_app},
    "/policies/authorizationPolicy": {"GET": policy.get_authorization},
    "/auditLogs/directoryAudits": {"GET": relations.list_audits},
    _REPORT: {"GET": reports.list_details},
    f"{_REPORT}/{{user}}": {"GET": reports.get_details},
}
_BETA: dict[str, dict[str, Handler]] = {
    f"{_USER}/identityGovernance/approverDelegate": {"GET": relations.get_stand_in},
    f"{_AUTH}/signInPreferences": {"GET": signin.get_preferences, "PATCH": signin.set_preferences},
    f"{_AUTH}/requirements": {"GET": signin.get_requirements, "PATCH": signin.set_requirements},
    f"{_ROLES}/transitiveRoleAssignments": {"GET": roles.transitive_assignments},
}


@dataclass(frozen=True, slots=True)
class Route:
    """A found route: its template, the decoded path parameters, the handler."""

    template: str
    args: dict[str, str]
    handler: Handler


def _table(*parts: dict[str, dict[str, Handler]]) -> list[tuple[str, list[str], dict[str, Handler]]]:
    return [(path, path.split("/")[1:], verbs) for part in parts for path, verbs in part.items()]


_TABLES = {"v1.0": _table(_ROUTES), "beta": _table(_ROUTES, _BETA)}


def find(version: str, verb: str, path: str) -> Route:
    """The route of a raw path below the version; GraphError 400 (no such path) or 405 (not this verb)."""
    segments = [part for raw in path.split("/")[1:] for part in _parts(unquote(raw))]
    for template, pattern, verbs in _TABLES[version]:
        args = _match(pattern, segments)
        if args is None:
            continue
        if verb not in verbs:
            raise GraphError(405, "Request_BadRequest", NOT_ALLOWED)
        return Route(template, args, verbs[verb])
    raise GraphError(400, "BadRequest", OURS["no_route"])


def _parts(segment: str) -> list[str]:
    """One segment, or two for a name with its key in brackets."""
    keyed = _KEYED.fullmatch(segment)
    if keyed is not None:
        return [keyed[1], keyed[2].replace("''", "'")]
    # "graph" is the published alias of the namespace "microsoft.graph"; clients made from metadata use it.
    return [f"microsoft.{segment}" if _ALIAS.fullmatch(segment) else segment]


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    args: dict[str, str] = {}
    for want, have in zip(pattern, segments, strict=True):
        if want.startswith("{"):
            if not have:
                return None
            args[want[1:-1]] = have
        elif want.casefold() != have.casefold():
            return None
    return args
