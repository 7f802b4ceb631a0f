"""Lifecycle workflows as far as a Temporary Access Pass comes from one: list, tasks, people in scope.

Sources: Graph docs "identitygovernance-lifecycleworkflowscontainer-list-workflows",
"identitygovernance-workflow-list-tasks", "workflow-list-executionscope". Must not run anything.
"""

from __future__ import annotations

from ..world import stable_id
from . import users
from .call import Answer, Call
from .errors import not_found
from .odata import fits, parse_filter

READ = (
    "LifecycleWorkflows.Read.All",
    "LifecycleWorkflows-Workflow.Read.All",
    "LifecycleWorkflows.ReadWrite.All",
)
_MAKE_PASS = "1b555e50-7f65-41d5-b514-5894a026d10d"


def workflow_id(call: Call) -> str:
    """The one workflow of the pretend tenant."""
    return stable_id(call.world.tenant_id, "workflow", "joiner")


def list_workflows(call: Call) -> Answer:
    """GET /identityGovernance/lifecycleWorkflows/workflows."""
    call.only_options("select", "filter", "top", "skiptoken")
    call.allow(*READ)
    row = {
        "id": workflow_id(call),
        "category": "joiner",
        "displayName": "Onboard a new employee",
        "isEnabled": True,
        "isSchedulingEnabled": True,
    }
    shown = [row] if call.world.rules.pass_scope else []
    if "filter" in call.options:
        tree = call.details["filter"] = parse_filter(call.options["filter"])
        shown = [each for each in shown if fits(tree, each.__getitem__)]
    return users.paged(call, "identityGovernance/lifecycleWorkflows/workflows", shown, 100)


def list_tasks(call: Call) -> Answer:
    """GET .../workflows/{id}/tasks."""
    _known(call)
    task = {"id": stable_id(call.world.tenant_id, "task"), "isEnabled": True, "taskDefinitionId": _MAKE_PASS}
    return users.paged(call, "identityGovernance/lifecycleWorkflows/workflows/tasks", [task], 100)


def execution_scope(call: Call) -> Answer:
    """GET .../workflows/{id}/executionScope: users who meet the conditions, processed or not."""
    _known(call)
    scope = call.world.rules.pass_scope
    rows = [{"id": oid} for oid in scope if oid in call.world.people]
    if "filter" in call.options:
        tree = call.details["filter"] = parse_filter(call.options["filter"])
        rows = [row for row in rows if fits(tree, row.__getitem__)]
    return users.paged(call, "users", rows, 100)


def _known(call: Call) -> None:
    call.only_options("select", "filter", "top", "skiptoken")
    call.allow(*READ)
    if call.args["workflow"] != workflow_id(call):
        raise not_found("workflow")
