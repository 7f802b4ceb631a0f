"""The Microsoft clouds: which hosts belong to which, and nothing else.

Sources: "National cloud deployments" (Graph), "Authentication with the Bot Connector API", "Configure Bot
Framework bots for US Government customers", "Send proactive messages" and the Teams SDK's page on sovereign
clouds. Must not know what anybody has set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Cloud:
    """One cloud. Addresses are without trailing slash; hosts are bare. The first login host is the default.

    start_url: where a conversation is begun when Teams has not told us an address yet; "" = nowhere.
    file_suffix: how hosts end where files of Teams lie; "" = bots cannot exchange files there ("Send and
    receive files using a bot").
    """

    name: str
    login_hosts: tuple[str, ...]
    graph_host: str
    token_issuer: str
    metadata_url: str
    service_hosts: frozenset[str]
    start_url: str
    file_suffix: str = ""

    @property
    def login_base_url(self) -> str:
        return f"https://{self.login_hosts[0]}"

    @property
    def graph_base_url(self) -> str:
        return f"https://{self.graph_host}"

    @property
    def metadata_host(self) -> str:
        return self.metadata_url.split("/")[2]

    @property
    def bot_scope(self) -> str:
        """The scope of the token that we show Teams: the channel's own issuer is its resource."""
        return f"{self.token_issuer}/.default"


_METADATA = "/v1/.well-known/openidconfiguration"
_PUBLIC = "https://login.botframework.com" + _METADATA
_GOVERNMENT = "https://login.botframework.azure.us" + _METADATA
_CHINA = "https://login.botframework.azure.cn" + _METADATA


def _cloud(
    name: str,
    login: tuple[str, ...],
    graph: str,
    issuer: str,
    metadata: str,
    service: str,
    start: str,
    files: str = "",
) -> Cloud:
    return Cloud(name, login, graph, issuer, metadata, frozenset({service}), start, files)


CLOUDS: Mapping[str, Cloud] = MappingProxyType(
    {
        cloud.name: cloud
        for cloud in (
            _cloud(
                "global",
                ("login.microsoftonline.com",),
                "graph.microsoft.com",
                "https://api.botframework.com",
                _PUBLIC,
                "smba.trafficmanager.net",
                "https://smba.trafficmanager.net/teams",
                ".sharepoint.com",
            ),
            _cloud(
                "gcc",
                ("login.microsoftonline.com",),
                "graph.microsoft.com",
                "https://api.botframework.com",
                _PUBLIC,
                "smba.infra.gcc.teams.microsoft.com",
                "https://smba.infra.gcc.teams.microsoft.com/teams",
                ".sharepoint.com",
            ),
            _cloud(
                "gcch",
                ("login.microsoftonline.us",),
                "graph.microsoft.us",
                "https://api.botframework.us",
                _GOVERNMENT,
                "smba.infra.gov.teams.microsoft.us",
                "https://smba.infra.gov.teams.microsoft.us/teams",
            ),
            _cloud(
                "dod",
                ("login.microsoftonline.us",),
                "dod-graph.microsoft.us",
                "https://api.botframework.us",
                _GOVERNMENT,
                "smba.infra.dod.teams.microsoft.us",
                "https://smba.infra.dod.teams.microsoft.us/teams",
            ),
            _cloud(
                "china",
                ("login.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
                "microsoftgraph.chinacloudapi.cn",
                "https://api.botframework.azure.cn",
                _CHINA,
                "frontend.botapi.msg.infra.teams.microsoftonline.cn",
                "",
            ),
        )
    }
)


def home_of(host: str) -> str:
    """The name of a cloud that the host belongs to, or ""."""
    for cloud in CLOUDS.values():
        if host in {*cloud.login_hosts, cloud.graph_host, cloud.metadata_host, *cloud.service_hosts}:
            return cloud.name
    return ""
