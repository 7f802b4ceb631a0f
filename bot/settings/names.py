"""Every setting: public name, type, default, why it exists, and what an unsafe value would do.

Knows the names (a public contract) and what one value alone may be. Must not know other settings' values:
what fits together is judged in `environment`. The page docs/settings.md is written from here.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


def _setting(default: Any, why: str, unsafe: str, alias: str | None = None) -> Any:
    return Field(default=default, description=why, json_schema_extra={"unsafe": unsafe}, alias=alias)


class Names(BaseSettings):
    """The values as given, typed. An empty value means the default. Values never appear in its errors."""

    model_config = SettingsConfigDict(
        alias_generator=str.upper, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    app_id: str = _setting(
        "",
        "Application (client) ID of the bot's app registration. Tokens from Teams must be made out to it.",
        "Without it a bot would take tokens made out to anybody; start is refused.",
        "MicrosoftAppId",
    )
    app_tenant_id: str = _setting(
        "",
        "Directory (tenant) ID. The one directory that this bot reads, changes and answers to.",
        "Another tenant's ID would open the bot to its people.",
        "MicrosoftAppTenantId",
    )
    app_type: str = _setting(
        "SingleTenant",
        "How the bot is registered: SingleTenant (secret or certificate) or UserAssignedMSI (a managed "
        "identity of Azure, named by MicrosoftAppId; no credential to keep).",
        "MultiTenant, or a misspelt type that falls back to it, would let every tenant's tokens in.",
        "MicrosoftAppType",
    )
    app_password: SecretStr = _setting(
        SecretStr(""),
        "Client secret (its value, not its ID). The bot signs in to Entra with it.",
        "Whoever holds it can change phones as the bot: keep it out of files that are shared.",
        "MicrosoftAppPassword",
    )
    app_certificate_path: str = _setting(
        "",
        "PEM file with the private key, its certificate, then the chain: sign-in without a secret. Read "
        "again for each token, so a renewed file counts without a restart.",
        "Two credentials at once would hide which one is in use; that is refused.",
        "MicrosoftAppCertificatePath",
    )
    graph_app_id: str = _setting(
        "",
        "Application (client) ID of an app of its own for Microsoft Graph, so that the identity which talks "
        "to Teams holds no permission on people's phones. Default: MicrosoftAppId does both.",
        "None: a second identity is the safer side.",
    )
    graph_app_password: SecretStr = _setting(
        SecretStr(""),
        "Client secret of GRAPH_APP_ID.",
        "Whoever holds it can change phones: keep it out of files that are shared.",
    )
    graph_app_certificate_path: str = _setting(
        "",
        "PEM file (key, certificate, chain) of GRAPH_APP_ID. With GRAPH_APP_ID and neither this nor a "
        "password that app is a managed identity, where MicrosoftAppType is UserAssignedMSI.",
        "Two credentials at once would hide which one is in use; that is refused.",
    )
    allowed_tenants: str = _setting(
        "",
        "Tenants whose people may speak to the bot. Default and only possible value: MicrosoftAppTenantId.",
        "Any other tenant's people could ask for changes here.",
    )
    cloud: Literal["global", "gcc", "gcch", "dod", "china"] = _setting(
        "global",
        "The Microsoft cloud. It decides every host below: global, gcc, gcch, dod or china.",
        "Tokens of one cloud would be offered to another.",
    )
    bot_openid_metadata_url: str = _setting(
        "",
        "Where the keys are published that Teams signs with. Default: the cloud's own.",
        "Whoever owns this host can sign as Teams, for anybody.",
    )
    bot_token_issuer: str = _setting(
        "",
        "The issuer that tokens from Teams must name. Default: the cloud's own.",
        "Tokens made for something else would be taken as coming from Teams.",
    )
    service_url_hosts: str = _setting(
        "",
        "Hosts that answers may be sent to, bare names with commas. Default: the cloud's own.",
        "Our token and people's names would be sent to whoever is listed.",
    )
    file_hosts: str = _setting(
        "",
        "Hosts that files are fetched from and put to, bare names with commas: the company's SharePoint and "
        "OneDrive, for example contoso.sharepoint.com,contoso-my.sharepoint.com. Default: any SharePoint of "
        "the cloud; where bots cannot exchange files (gcch, dod, china): none.",
        "A file would be fetched from whoever is listed, without any token of ours.",
    )
    login_base_url: str = _setting(
        "",
        "Root of the sign-in host, without tenant. Default: the cloud's own.",
        "The client secret is sent there.",
    )
    graph_base_url: str = _setting(
        "",
        "Root of Microsoft Graph, without version. Default: the cloud's own.",
        "Clear phone numbers and a token that changes them are sent there.",
    )
    database_url: SecretStr = _setting(
        SecretStr("sqlite:///var/ringfence.db"),
        "Where requests, votes and the audit are kept: sqlite:///FILE or "
        "postgresql://USER:PASSWORD@HOST/NAME (postgresql+psycopg:// means the same).",
        "In memory only, approvals and audit would be gone after a restart; that is refused.",
    )
    data_keys: SecretStr = _setting(
        SecretStr(""),
        "Keys that pending numbers are sealed with: id:base64-of-32-bytes, with commas; the first encrypts, "
        "all decrypt. Missing on SQLite: a key file (0600) beside it. Missing on PostgreSQL: refused.",
        "A short or repeated key makes the seal worthless; a lost key makes pending numbers unreadable.",
    )
    policy_file: str = _setting(
        "policy.toml",
        "The approval policy: who may ask, who must approve (policy.example.toml explains it).",
        "Without a policy there is nobody who approves; start is refused.",
    )
    host: str = _setting(
        "127.0.0.1",
        "Address the bot listens on. 0.0.0.0 in a container, behind something that ends TLS.",
        "Reachable from outside while ALLOW_LOOPBACK is on, made-up tokens would work; that is refused.",
    )
    port: int = Field(
        default=3978,
        ge=1,
        le=65535,
        description="Port of POST /api/messages, /healthz and /readyz.",
        json_schema_extra={"unsafe": "None known."},
    )
    metrics_port: int = Field(
        default=9464,
        ge=0,
        le=65535,
        description="Port of /metrics, on 127.0.0.1 only. 0 = off. A taken port refuses the start.",
        json_schema_extra={"unsafe": "The same as PORT: figures about the bot would be public; refused."},
    )
    drain_seconds: int = Field(
        default=0,
        ge=0,
        le=120,
        description="How many seconds the bot still answers after it was told to stop, while /readyz already "
        "says no. Behind a load balancer: longer than it takes to notice, so that a restart loses no click.",
        json_schema_extra={"unsafe": "None: a click that meets a closed door is sent again by Teams."},
    )
    send_pace: Literal["teams", "none"] = _setting(
        "teams",
        "teams = never send faster than Microsoft Teams allows: 7 in a second and 60 in 30 seconds for a "
        "chat, 50 in a second for the tenant. none = as fast as it goes, only with ALLOW_LOOPBACK.",
        "Faster than Teams allows, cards come late, because they are refused and sent again.",
    )
    graph_profile: Literal["phone-only", "default-guard"] = _setting(
        "phone-only",
        "Which Graph permissions the bot uses (docs/permissions.md). phone-only cannot see or restore the "
        "default sign-in method; default-guard can, and holds more power.",
        "A profile beyond what was granted would promise what it cannot keep.",
    )
    read_only: bool = _setting(
        False,
        "true = answer questions, change nothing in the directory.",
        "None: on is the safer side.",
    )
    allow_loopback: bool = _setting(
        False,
        "true = everything outside is simulated on this machine (for the sandbox). Then metadata, "
        "service hosts, login, Graph and HOST must be loopback, and forwarding headers are refused.",
        "Mixed with real hosts, made-up tokens would change real phones; every mixture is refused.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting(
        "INFO",
        "How much is logged: DEBUG, INFO, WARNING or ERROR. Numbers and tokens are masked at every level.",
        "ERROR hides refused sign-ins and attacks.",
    )

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed over counts: the caller has already merged environment and `.env`."""
        return (init_settings,)


def public_names() -> dict[str, str]:
    """Field name by public name, in the order of the page."""
    return {info.alias or name.upper(): name for name, info in Names.model_fields.items()}
