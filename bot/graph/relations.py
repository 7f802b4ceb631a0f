"""Since when somebody has their manager, and who stands in for somebody, read from Microsoft Graph.

Knows the calls and shapes of those answers. Must not judge them. Sources: Graph docs "directoryaudit-list"
(v1.0) and "approverdelegate-get" (beta; v1.0 does not have it). Both may be out of reach
of an app: then DirectoryUnavailable says why in words.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot.domain.people import Person
from bot.graph import people
from bot.graph.client import GraphClient, ReadRefused
from bot.graph.rows import Page, Row, checked_id
from bot.ports import DirectoryUnavailable

_AUDITS = "audits"  # a lane of its own: 5 calls in 10 s (Graph docs "throttling-limits")
_READ_AT_MOST = 500
_SINGLE = "#microsoft.graph.singleUser"


class _PropertyRow(Row):
    displayName: str | None = None  # noqa: N815


class _TargetRow(Row):
    id: str | None = None
    modifiedProperties: tuple[_PropertyRow, ...] = ()  # noqa: N815


class _AuditRow(Row):
    activityDateTime: datetime  # noqa: N815
    result: str | None = None
    targetResources: tuple[_TargetRow, ...] = ()  # noqa: N815


class _AuditPage(Page[_AuditRow]):
    pass


class _ExpirationRow(Row):
    endDateTime: datetime | None = None  # noqa: N815


class _ScheduleRow(Row):
    startDateTime: datetime | None = None  # noqa: N815
    expiration: _ExpirationRow | None = None


class _StandInRow(Row):
    """delegate: of a singleUser the id is `userId` by the metadata, `id` in the sample of the page."""

    delegate: dict[str, object] | None = None
    schedule: _ScheduleRow | None = None


async def manager_changed(client: GraphClient, oid: str, since: datetime) -> datetime | None:
    """When the log last shows a change of the manager, None = not since then."""
    oid = checked_id(oid)
    when = f"activityDateTime ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    query = {
        "filter": f"{when} and targetResources/any(t:t/id eq '{oid}')",
        "orderby": "activityDateTime desc",
        "top": str(_READ_AT_MOST),
    }
    try:
        page = await client.read("/auditLogs/directoryAudits", _AuditPage, query, lane=_AUDITS)
    except ReadRefused as refused:
        if refused.error.status == 403 or refused.error.no_licence:
            raise DirectoryUnavailable("the directory's log is not open to us") from None
        raise
    times = [row.activityDateTime for row in page.value if _is_about_manager(row, oid)]
    if not times and page.next is not None:
        raise DirectoryUnavailable("the directory's log holds more about them than can be read")
    return max(times, default=None)


async def stand_in(client: GraphClient, oid: str, now: datetime) -> Person | None:
    """The one person who decides in this one's place now; a group that does is nobody in particular."""
    path = f"/users/{checked_id(oid)}/identityGovernance/approverDelegate"
    try:
        row = await client.read(path, _StandInRow, beta=True)
    except ReadRefused as refused:
        if refused.error.status == 404:
            return None
        if refused.error.status == 403:
            raise DirectoryUnavailable("the directory does not tell an app who stands in") from None
        raise
    if row.delegate is None or not _runs(row.schedule, now) or row.delegate.get("@odata.type") != _SINGLE:
        return None
    named = row.delegate.get("userId") or row.delegate.get("id")
    return await people.by_id(client, str(named)) if named else None


def _is_about_manager(row: _AuditRow, oid: str) -> bool:
    if row.result not in (None, "success"):
        return False
    changed = [each for each in row.targetResources if (each.id or "").casefold() == oid]
    names = {(prop.displayName or "").casefold() for each in changed for prop in each.modifiedProperties}
    return "manager" in names


def _runs(schedule: _ScheduleRow | None, now: datetime) -> bool:
    """Without a schedule a delegation runs at once and does not end."""
    if schedule is None:
        return True
    end = schedule.expiration.endDateTime if schedule.expiration else None
    begun = schedule.startDateTime is None or schedule.startDateTime <= now
    return begun and (end is None or now < end)
