"""Installing our own Teams app for one person through Microsoft Graph.

Knows the two calls and what their answers mean. Must not decide for whom. Sources: Graph docs
"appcatalogs-list-teamsapps", "userteamwork-post-installedapps"; Teams docs "proactive bots and messages" (the
id of the manifest is the catalogue's externalId). That 409 means "it is there already" is unproven.
"""

from __future__ import annotations

from bot.domain.directory_reasons import APP_NOT_IN_CATALOGUE, INSTALL_REFUSED
from bot.domain.reason import Refusal
from bot.graph.client import GraphClient, ReadRefused
from bot.graph.decode import GraphError, read_error
from bot.graph.rows import Page, Row, checked_id
from bot.ports import DirectoryRefused, DirectoryUncertain

_DONE = (200, 201, 204, 409)


class _AppRow(Row):
    id: str


_AppPage = Page[_AppRow]


async def install(client: GraphClient, oid: str, app_id: str, call_id: str) -> None:
    """Raises DirectoryRefused, DirectoryUnavailable or DirectoryUncertain."""
    path = f"/users/{checked_id(oid)}/teamwork/installedApps"
    query = {"filter": f"externalId eq '{checked_id(app_id)}'", "select": "id"}
    try:
        found = await client.rows("/appCatalogs/teamsApps", _AppPage, query, most=1)
    except ReadRefused as refused:
        raise DirectoryRefused(_refusal(refused.error), refused.error.request_id) from None
    if not found:
        raise DirectoryRefused(APP_NOT_IN_CATALOGUE.refuse())
    bound = f"{client.root}/v1.0/appCatalogs/teamsApps/{found[0].id}"
    reply = await client.write("POST", path, {"teamsApp@odata.bind": bound}, call_id)
    if reply.status in _DONE:
        return
    if not 400 <= reply.status < 500:
        raise DirectoryUncertain(f"Graph answered {reply.status}", reply.request_id)
    error = read_error(reply.status, reply.body, reply.request_id)
    raise DirectoryRefused(_refusal(error), error.request_id)


def _refusal(error: GraphError) -> Refusal:
    return INSTALL_REFUSED.refuse(code=error.brief, request_id=error.request_id or "(none given)")
