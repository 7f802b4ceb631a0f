"""Is a Temporary Access Pass to be made for somebody by a lifecycle workflow?

Knows the calls and shapes. Must not judge what follows. The task fails for a person who has any method
(Entra docs "lifecycle-workflow-tasks"), so that a phone must not come before it. Sources: Graph docs
"identitygovernance-lifecycleworkflowscontainer-list-workflows", "identitygovernance-workflow-list-tasks" and
"workflow-list-executionscope" (v1.0: users who meet the conditions, processed or not).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from bot.graph.client import GraphClient, ReadRefused
from bot.graph.rows import Id, Page, Row, checked_id

#: "Generate Temporary Access Pass and send via email to user's manager", the same in every tenant.
PASS_TASK = "1b555e50-7f65-41d5-b514-5894a026d10d"  # noqa: S105 - the id of a task
_ROOT = "/identityGovernance/lifecycleWorkflows/workflows"
_KEPT = timedelta(minutes=10)


class _WorkflowRow(Row):
    id: Id
    isSchedulingEnabled: bool | None = None  # noqa: N815


class _TaskRow(Row):
    taskDefinitionId: str = Field("")  # noqa: N815
    isEnabled: bool | None = None  # noqa: N815


class _UserRow(Row):
    id: Id


_WorkflowPage = Page[_WorkflowRow]
_TaskPage = Page[_TaskRow]
_UserPage = Page[_UserRow]


class PassRuns:
    """Remembers for a while which workflows make passes: they change rarely."""

    def __init__(self) -> None:
        self._known: tuple[datetime, tuple[str, ...]] | None = None
        self._refused: tuple[datetime, ReadRefused] | None = None

    async def due(self, client: GraphClient, oid: str) -> bool:
        """Raises DirectoryUnavailable where it cannot be read: no permission, no licence, no answer."""
        wanted = checked_id(oid)
        if self._refused is not None and client.now() - self._refused[0] < _KEPT:
            raise self._refused[1]
        for workflow in await self._making_passes(client):
            query = {"filter": f"id eq '{wanted}'", "select": "id"}
            if await client.rows(f"{_ROOT}/{workflow}/executionScope", _UserPage, query, most=1):
                return True
        return False

    async def _making_passes(self, client: GraphClient) -> tuple[str, ...]:
        now = client.now()
        if self._known is not None and now - self._known[0] < _KEPT:
            return self._known[1]
        try:
            joiners = await client.rows(_ROOT, _WorkflowPage, {"filter": "category eq 'joiner'"})
        except ReadRefused as refused:
            # Not granted, or no licence: that is not asked again for each person.
            self._refused = (now, refused)
            raise
        found = []
        for workflow in joiners:
            if workflow.isSchedulingEnabled is False:
                continue
            tasks = await client.rows(f"{_ROOT}/{checked_id(workflow.id)}/tasks", _TaskPage)
            if any(task.taskDefinitionId.lower() == PASS_TASK and task.isEnabled for task in tasks):
                found.append(workflow.id)
        self._known = (now, tuple(found))
        return tuple(found)
