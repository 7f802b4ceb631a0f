"""Addresses of the outside: either all are the known hosts of one cloud, or all are this machine.

A mixture is how a test set-up leaks real tokens, or how a made-up key server opens a real bot; so it is
refused in every direction. Knows hosts and clouds. Must not know the environment or secrets.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.settings.clouds import CLOUDS, Cloud, home_of
from bot.settings.problems import Problem

# Read by one narrow pattern, not by a tolerant parser: what it does not fit is not an address for us.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[A-Za-z0-9._~/-]*)?"
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Address:
    """A web address taken apart. host in lower case without brackets; path "" for a root."""

    scheme: str
    host: str
    port: str
    path: str

    def __str__(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{shown}" + (f":{self.port}" if self.port else "") + self.path


@dataclass(frozen=True, slots=True)
class Asked:
    """What was set. Empty text = not set, the cloud's own address is meant."""

    cloud: Cloud
    loopback: bool
    metadata_url: str
    token_issuer: str
    service_hosts: tuple[str, ...]
    file_hosts: tuple[str, ...]
    login_base_url: str
    graph_base_url: str
    host: str


def is_loopback(host: str) -> bool:
    """True for `localhost` and the loopback addresses; false for any other name, whatever it resolves to."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_url(text: str) -> Address | None:
    """An http(s) address without user, query and fragment, or None."""
    found = _URL.fullmatch(text)
    if found is None or (found["port"] and not 0 < int(found["port"]) < 65536):
        return None
    path = (found["path"] or "").rstrip("/")
    return Address(found["scheme"], found["host"].strip("[]").lower(), found["port"] or "", path)


def problems(asked: Asked) -> Iterator[Problem]:
    """Everything that is wrong with the addresses, each naming its setting."""
    cloud = asked.cloud
    yield from _url("BOT_OPENID_METADATA_URL", asked.metadata_url, asked, {cloud.metadata_host}, root=False)
    yield from _url("LOGIN_BASE_URL", asked.login_base_url, asked, set(cloud.login_hosts), root=True)
    yield from _url("GRAPH_BASE_URL", asked.graph_base_url, asked, {cloud.graph_host}, root=True)
    yield from _issuer(asked)
    yield from _service_hosts(asked)
    yield from _file_hosts(asked)
    yield from _listener(asked)


def _url(name: str, text: str, asked: Asked, known: set[str], *, root: bool) -> Iterator[Problem]:
    if not text:
        if asked.loopback:
            yield _not_moved(name, next(iter(sorted(known))))
        return
    address = read_url(text)
    if address is None:
        yield _unreadable(name, text)
        return
    if root and address.path:
        yield Problem(
            name,
            "it has a path, but this is a root: version and tenant are added by the bot",
            "Leave only scheme and host, for example https://graph.microsoft.com.",
        )
    if address.port and not is_loopback(address.host):
        yield Problem(
            name,
            "it has a port, and Microsoft's services are only on the standard one",
            "Leave the port out.",
        )
    if address.scheme == "http" and not is_loopback(address.host):
        yield Problem(name, "it is http: tokens or keys would travel in clear", "Use https.")
    elif address.scheme == "http" and name == "LOGIN_BASE_URL":
        yield Problem(
            name,
            "sign-in is over https only, on this machine too (MSAL insists on it)",
            "Use https, and name the certificate's authority in REQUESTS_CA_BUNDLE.",
        )
    yield from _host(name, address.host, asked, known)


def _unreadable(name: str, text: str) -> Problem:
    if "@" in text:
        why = "it has a user part: such an address hides where it really leads"
    elif "?" in text or "#" in text:
        why = "it has a query or a fragment"
    elif "*" in text:
        why = "it has a wildcard, and hosts are compared whole"
    else:
        why = "it is not a plain http(s) address"
    return Problem(name, why, "Give scheme and host in plain letters, or leave the setting out.")


def _not_moved(name: str, real: str) -> Problem:
    return Problem(
        name,
        f"it is not set, so it would be the real host {real}, while ALLOW_LOOPBACK is on: a mixture",
        "Set it to an address on this machine, or turn ALLOW_LOOPBACK off.",
    )


def _host(name: str, host: str, asked: Asked, known: set[str]) -> Iterator[Problem]:
    if asked.loopback:
        if not is_loopback(host):
            yield Problem(
                name,
                f"{host} is not on this machine, while ALLOW_LOOPBACK is on: a mixture",
                "Set it to an address on this machine, or turn ALLOW_LOOPBACK off.",
            )
    elif is_loopback(host):
        yield Problem(
            name,
            f"{host} is this machine, while ALLOW_LOOPBACK is off: a mixture",
            "Leave the setting out, or turn ALLOW_LOOPBACK on and move every address here.",
        )
    elif host not in known:
        home = home_of(host)
        belongs = f"belongs to the cloud {home}" if home else "is no host of Microsoft's that I know"
        yield Problem(
            name,
            f"{host} {belongs}; CLOUD is {asked.cloud.name}",
            f"Leave the setting out, or use {' or '.join(sorted(known))}.",
        )


def _issuer(asked: Asked) -> Iterator[Problem]:
    issuer = asked.token_issuer
    known = {cloud.token_issuer for cloud in CLOUDS.values()}
    if not issuer or issuer == asked.cloud.token_issuer:
        return
    address = read_url(issuer)
    if asked.loopback and (issuer in known or (address is not None and is_loopback(address.host))):
        return
    yield Problem(
        "BOT_TOKEN_ISSUER",
        f"tokens of another issuer would be taken as coming from Teams; CLOUD is {asked.cloud.name}",
        f"Leave the setting out; it is then {asked.cloud.token_issuer}.",
    )


def _service_hosts(asked: Asked) -> Iterator[Problem]:
    name = "SERVICE_URL_HOSTS"
    if not asked.service_hosts and asked.loopback:
        yield _not_moved(name, next(iter(sorted(asked.cloud.service_hosts))))
    for host in asked.service_hosts:
        if "*" in host:
            yield Problem(
                name, "it has a wildcard: our token would go to any host that fits", "Name each host in full."
            )
        elif not is_loopback(host) and not _NAME.fullmatch(host):
            yield Problem(
                name,
                "an entry is not a bare host name",
                "Name hosts without scheme, port and path, with commas between.",
            )
        else:
            yield from _host(name, host.lower(), asked, set(asked.cloud.service_hosts))


def _file_hosts(asked: Asked) -> Iterator[Problem]:
    """Files are fetched without a token, so the names are the company's; a sandbox stays on this machine."""
    name = "FILE_HOSTS"
    for host in asked.file_hosts:
        if is_loopback(host) != asked.loopback:
            here = "not on this machine, while ALLOW_LOOPBACK is on"
            there = "this machine, while ALLOW_LOOPBACK is off"
            why = f"{host} is {here if asked.loopback else there}: a mixture"
            yield Problem(name, why, "Leave the setting out, or name the company's SharePoint hosts.")
        elif not asked.loopback and (not _NAME.fullmatch(host) or "." not in host or _is_address(host)):
            yield Problem(
                name,
                "an entry is not a bare host name",
                "Name hosts without scheme, port and path, with commas between.",
            )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _listener(asked: Asked) -> Iterator[Problem]:
    host = asked.host
    if asked.loopback and not is_loopback(host):
        yield Problem(
            "HOST",
            "others could reach the bot while ALLOW_LOOPBACK lets made-up tokens in",
            "Set HOST to 127.0.0.1, or turn ALLOW_LOOPBACK off.",
        )
    elif not is_loopback(host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            yield Problem(
                "HOST",
                "it is not an address to listen on",
                "Use 127.0.0.1 behind a proxy on this machine, or 0.0.0.0 in a container.",
            )
