"""The catalogue of Teams apps, and installing one for a person.

Sources: Graph docs "appcatalogs-list-teamsapps", "userteamwork-post-installedapps"; Teams docs
"graph-proactive-bots-and-messages". Must not know the channel: who is installed, it reads from the world.
"""

from __future__ import annotations

from ..world import stable_id
from .call import Answer, Call
from .errors import OURS, GraphError
from .odata import fits, parse_filter

_INSTALL = ("TeamsAppInstallation.ReadWriteSelfForUser.All", "TeamsAppInstallation.ReadWriteForUser.All")
_BIND = "teamsApp@odata.bind"


def list_apps(call: Call) -> Answer:
    """GET /appCatalogs/teamsApps: ours is the only one of the organisation."""
    call.only_options("select", "filter", "top", "expand")
    call.allow("AppCatalog.Read.All", "AppCatalog.ReadWrite.All")
    app = {
        "id": catalogue_id(call),
        "externalId": call.world.app_id,
        "displayName": "Ringfence",
        "distributionMethod": "organization",
    }
    shown = [app] if call.world.rules.app_in_catalogue else []
    if "filter" in call.options:
        tree = call.details["filter"] = parse_filter(call.options["filter"])
        shown = [each for each in shown if fits(tree, each.__getitem__)]
    return Answer(200, {"@odata.context": f"{call.root}/$metadata#appCatalogs/teamsApps", "value": shown})


def install_app(call: Call) -> Answer:
    """POST /users/{id}/teamwork/installedApps: 201 without a body; 409 when it is there."""
    call.allow(*_INSTALL)
    person = call.person(call.args["user"])
    bound = call.json(lambda text: GraphError(400, "BadRequest", text)).get(_BIND)
    if not isinstance(bound, str) or not bound.endswith(f"/appCatalogs/teamsApps/{catalogue_id(call)}"):
        raise GraphError(404, "NotFound", OURS["app_unknown"])
    if person.installed:
        raise GraphError(409, "Conflict", OURS["app_installed"])
    person.installed = True
    return Answer(201)


def catalogue_id(call: Call) -> str:
    """The id that the catalogue gave to our app."""
    return stable_id(call.world.tenant_id, "app", call.world.app_id)
