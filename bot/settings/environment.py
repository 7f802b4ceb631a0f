"""Environment and `.env` -> one frozen `Settings`, or a refusal that lists everything wrong at once.

Knows which values fit together and which are unsafe. Must not know the policy's content, nor any network.
No complaint ever holds a value that could be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr, ValidationError

from bot.domain.people import object_id
from bot.settings import addresses, identity, storage
from bot.settings.addresses import Asked, read_url
from bot.settings.clouds import CLOUDS, Cloud
from bot.settings.dotenv_file import read_dotenv
from bot.settings.names import Names, public_names
from bot.settings.problems import Problem, Refused, nearest
from bot.settings.storage import Database, DataKey


class SettingsRefused(Refused):
    """The settings are unsafe or incomplete; `problems` names each setting, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An app that signs in: with a secret, a certificate file, or (neither) as a managed identity."""

    app_id: str
    secret: SecretStr
    certificate: Path | None

    @property
    def managed(self) -> bool:
        return self.certificate is None and not self.secret.get_secret_value()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the bot is told from outside, checked. Ids: lower-case GUIDs. Addresses: no last slash.

    identity: who talks to Teams; graph_identity: who talks to Graph, the same unless set apart.
    service_hosts, file_hosts: bare lower-case names; file_hosts empty = as the cloud says.
    custom_login_host: MSAL must not ask Microsoft about the host.
    start_url: where conversations begin when none is stored, None when only a stored one helps (sandbox,
    China). data_keys: empty = the store makes a key file beside `database.sqlite_path`.
    """

    identity: Identity
    graph_identity: Identity
    tenant_id: str
    cloud: Cloud
    metadata_url: str
    token_issuer: str
    service_hosts: frozenset[str]
    file_hosts: frozenset[str]
    login_base_url: str
    graph_base_url: str
    start_url: str | None
    database: Database
    data_keys: tuple[DataKey, ...] = field(repr=False)
    policy_file: Path
    host: str
    port: int
    metrics_port: int
    drain_seconds: int
    send_pace: str
    graph_profile: str
    read_only: bool
    allow_loopback: bool
    log_level: str

    @property
    def app_id(self) -> str:
        """Whom tokens from Teams must be made out to."""
        return self.identity.app_id

    @property
    def tenants(self) -> frozenset[str]:
        """Whose people may speak to us: exactly the app's own directory."""
        return frozenset({self.tenant_id})

    @property
    def custom_login_host(self) -> bool:
        return self.allow_loopback

    @property
    def graph_scope(self) -> str:
        """Scope of tokens for Graph: the cloud's real resource, also where its address is simulated."""
        return f"{self.cloud.graph_base_url}/.default"

    @property
    def bot_scope(self) -> str:
        """Scope of tokens for sending to Teams."""
        return self.cloud.bot_scope

    @property
    def refuse_forwarded(self) -> bool:
        """Requests with Forwarded or X-Forwarded-* headers are refused: a sandbox has no proxy before it."""
        return self.allow_loopback


def load_settings(environ: Mapping[str, str], env_file: Path | None = None) -> Settings:
    """The settings from the environment, which wins, and a `.env` file. Raises SettingsRefused."""
    given, found = _given(environ, env_file)
    names, untyped = _typed(given)
    found += untyped
    cloud = CLOUDS[names.cloud]
    asked = _asked(names, cloud)
    database = storage.read_database(names.database_url.get_secret_value())
    keys = names.data_keys.get_secret_value()
    data_keys = storage.read_keys(keys) if keys else ()
    bad = {problem.where for problem in untyped}
    found += identity.problems(names)
    found += addresses.problems(asked) if "CLOUD" not in bad else ()
    found += storage.problems(database, data_keys)
    found += _service(names)
    if found or isinstance(database, Problem) or isinstance(data_keys, Problem):
        raise SettingsRefused(dict.fromkeys(found))
    return _settings(names, asked, database, data_keys)


def read_app_id(environ: Mapping[str, str], env_file: Path | None = None) -> str:
    """Only the app id, for work that needs nothing else. Raises SettingsRefused."""
    given, found = _given(environ, env_file)
    app_id = object_id(given.get("MicrosoftAppId", ""))
    found += [] if app_id else list(identity.guid("MicrosoftAppId", given.get("MicrosoftAppId", "")))
    if found or app_id is None:
        raise SettingsRefused(found)
    return app_id


def read_policy_path(environ: Mapping[str, str], env_file: Path | None = None) -> Path:
    """Only where the policy file is. Raises SettingsRefused when the `.env` file cannot be used."""
    given, found = _given(environ, env_file)
    if found:
        raise SettingsRefused(found)
    return Path(given.get("POLICY_FILE", Names.model_fields["policy_file"].default))


def _given(environ: Mapping[str, str], env_file: Path | None) -> tuple[dict[str, str], list[Problem]]:
    names = public_names()
    from_file, found = read_dotenv(env_file, names) if env_file else ({}, [])
    merged = {**from_file, **{name: environ[name] for name in names if environ.get(name)}}
    folded = {name.casefold(): name for name in names}
    for other in environ:
        name = folded.get(other.casefold())
        if name and other != name and name not in environ:
            found.append(
                Problem(
                    name,
                    f"the environment has {other}, which is not read: the spelling counts",
                    f"Rename it to {name}, or remove it.",
                )
            )
    return {name: value for name, value in merged.items() if value.strip()}, found


def _typed(given: dict[str, str]) -> tuple[Names, list[Problem]]:
    try:
        return Names.model_validate(given), []
    except ValidationError as error:
        problems = [
            _untyped(str(item["loc"][0]), item["type"], item.get("ctx", {}), given)
            for item in error.errors(include_input=False, include_url=False)
        ]
    # The rest is judged with defaults in the place of what is unreadable, so that all comes out at once.
    bad = {problem.where for problem in problems}
    return Names.model_validate({name: value for name, value in given.items() if name not in bad}), problems


def _untyped(name: str, kind: str, context: Mapping[str, object], given: Mapping[str, str]) -> Problem:
    if kind == "literal_error":
        expected = str(context["expected"]).replace("'", "")
        hint = nearest(given[name], expected.replace(" or ", ", ").split(", "))
        return Problem(name, f"the value is unknown.{hint}", f"Use {expected}.")
    if kind == "bool_parsing":
        return Problem(name, "it is neither true nor false", "Write true or false.")
    if name == "DRAIN_SECONDS":
        return Problem(name, "it is not a number of seconds", "Write a whole number from 0 to 120.")
    return Problem(name, "it is not a port number", "Write a whole number up to 65535.")


def _asked(names: Names, cloud: Cloud) -> Asked:
    return Asked(
        cloud=cloud,
        loopback=names.allow_loopback,
        metadata_url=names.bot_openid_metadata_url.strip(),
        token_issuer=names.bot_token_issuer.strip(),
        service_hosts=_listed(names.service_url_hosts),
        file_hosts=_listed(names.file_hosts),
        login_base_url=names.login_base_url.strip(),
        graph_base_url=names.graph_base_url.strip(),
        host=names.host.strip(),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def _service(names: Names) -> Iterator[Problem]:
    if names.metrics_port == names.port:
        yield Problem(
            "METRICS_PORT",
            "it is the same as PORT: figures would be public, if both could start",
            "Choose another port, or 0 to switch metrics off.",
        )
    if names.send_pace == "none" and not names.allow_loopback:
        yield Problem(
            "SEND_PACE",
            "without a pace Microsoft Teams refuses what is sent too fast",
            "Leave it out; `none` is for the sandbox.",
        )
    path = Path(names.policy_file)
    if not path.is_file() or not os.access(path, os.R_OK):
        yield Problem(
            "POLICY_FILE",
            f"there is no readable file {names.policy_file}, so nobody could approve",
            "Copy policy.example.toml to policy.toml and fill in your groups.",
        )


def _settings(names: Names, asked: Asked, database: Database, keys: tuple[DataKey, ...]) -> Settings:
    cloud = asked.cloud
    hosts = frozenset(host.lower() for host in asked.service_hosts) or cloud.service_hosts
    own = _identity(names.app_id, names.app_password, names.app_certificate_path)
    graph = _identity(names.graph_app_id, names.graph_app_password, names.graph_app_certificate_path)
    return Settings(
        identity=own,
        graph_identity=graph if names.graph_app_id else own,
        tenant_id=object_id(names.app_tenant_id) or "",
        cloud=cloud,
        metadata_url=_plain(asked.metadata_url) or cloud.metadata_url,
        token_issuer=asked.token_issuer or cloud.token_issuer,
        service_hosts=hosts,
        file_hosts=frozenset(host.lower() for host in asked.file_hosts),
        login_base_url=_plain(asked.login_base_url) or cloud.login_base_url,
        graph_base_url=_plain(asked.graph_base_url) or cloud.graph_base_url,
        start_url=None if asked.loopback else cloud.start_url or None,
        database=database,
        data_keys=keys,
        policy_file=Path(names.policy_file),
        host=asked.host,
        port=names.port,
        metrics_port=names.metrics_port,
        drain_seconds=names.drain_seconds,
        graph_profile=names.graph_profile,
        send_pace=names.send_pace,
        read_only=names.read_only,
        allow_loopback=names.allow_loopback,
        log_level=names.log_level,
    )


def _identity(app_id: str, secret: SecretStr, certificate: str) -> Identity:
    return Identity(object_id(app_id) or "", secret, Path(certificate) if certificate else None)


def _plain(text: str) -> str:
    address = read_url(text)
    return str(address) if address else ""
