"""Who the bot is: ids, the tenants it answers to, the kind of registration, the credential.

Knows what makes an identity unsafe. Must not know hosts or the store; never shows a credential.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from bot.domain.people import object_id
from bot.settings.names import Names
from bot.settings.problems import Problem, nearest


def problems(names: Names) -> Iterator[Problem]:
    """Everything that is wrong with ids, tenants, type and credential."""
    yield from guid("MicrosoftAppId", names.app_id)
    yield from guid("MicrosoftAppTenantId", names.app_tenant_id)
    tenant = object_id(names.app_tenant_id)
    allowed = {object_id(text) for text in names.allowed_tenants.split(",") if text.strip()}
    if names.allowed_tenants.strip() and allowed != {tenant}:
        yield Problem(
            "ALLOWED_TENANTS",
            "one installation answers to one directory, the app's own",
            "Leave it out, or give exactly the value of MicrosoftAppTenantId.",
        )
    yield from _app_type(names)
    yield from _credentials(names)


def guid(name: str, text: str) -> Iterator[Problem]:
    """Complaints about one id: missing, no GUID, or the GUID of nothing."""
    what = "Copy it from the app registration's overview page in the Entra admin center."
    if not text:
        yield Problem(name, "it is missing", what)
    elif object_id(text) is None or set(text) <= set("{0-}"):
        yield Problem(name, "it is not a GUID (8-4-4-4-12 hex digits) of anything", what)


def _app_type(names: Names) -> Iterator[Problem]:
    kind, name = names.app_type, "MicrosoftAppType"
    if kind == "UserAssignedMSI":
        if names.allow_loopback:
            yield Problem(
                name,
                "a managed identity gets real tokens, while ALLOW_LOOPBACK is on: a mixture",
                "Use SingleTenant with the simulator's secret, or turn ALLOW_LOOPBACK off.",
            )
        for other, given in (
            ("MicrosoftAppPassword", names.app_password.get_secret_value()),
            ("MicrosoftAppCertificatePath", names.app_certificate_path),
        ):
            if given:
                yield Problem(
                    other,
                    "a managed identity has no credential: they contradict each other",
                    "Remove it or use SingleTenant.",
                )
    elif kind == "MultiTenant":
        yield Problem(name, "MultiTenant would take tokens made out by any directory", "Use SingleTenant.")
    elif kind != "SingleTenant":
        yield Problem(
            name,
            f"the type is unknown.{nearest(kind, ['SingleTenant', 'UserAssignedMSI'])}",
            "Use SingleTenant.",
        )


def _credentials(names: Names) -> Iterator[Problem]:
    managed = names.app_type == "UserAssignedMSI"
    if not managed:
        yield from _credential(
            ("MicrosoftAppPassword", names.app_password.get_secret_value()),
            ("MicrosoftAppCertificatePath", names.app_certificate_path),
            needed=True,
        )
    password, certificate = names.graph_app_password.get_secret_value(), names.graph_app_certificate_path
    if names.graph_app_id:
        yield from guid("GRAPH_APP_ID", names.graph_app_id)
        yield from _credential(
            ("GRAPH_APP_PASSWORD", password),
            ("GRAPH_APP_CERTIFICATE_PATH", certificate),
            needed=not managed,
        )
    elif password or certificate:
        yield Problem(
            "GRAPH_APP_ID",
            "it is missing, while there is a credential for it",
            "Set it, or remove GRAPH_APP_PASSWORD and GRAPH_APP_CERTIFICATE_PATH.",
        )


def _credential(secret: tuple[str, str], file: tuple[str, str], *, needed: bool) -> Iterator[Problem]:
    """Exactly one of the two, and one that can work."""
    (name, password), (path_name, path) = secret, file
    make = "Make a client secret under “Certificates & secrets” and copy its value."
    if path:
        yield from _certificate(path_name, Path(path))
        if password:
            yield Problem(
                path_name,
                "certificate and password are both set: nobody could tell which is used",
                "Keep one of the two, the certificate if you can.",
            )
    elif not password:
        if needed:
            yield Problem(name, "it is missing, and without a credential there is no sign-in", make)
    elif object_id(password):
        yield Problem(name, "it is a GUID: that is the secret's ID, not its value", make)
    elif password != password.strip():
        yield Problem(name, "it begins or ends with a blank: not copied exactly", make)


def _certificate(name: str, path: Path) -> Iterator[Problem]:
    """Complaints about the PEM file; its content is never shown."""
    mend = "One PEM file: the private key without a password, its certificate, then the chain."
    if not path.is_file() or not os.access(path, os.R_OK):
        yield Problem(name, "the file cannot be read", "Check the path and its rights.")
        return
    pem = path.read_bytes()
    try:
        key = load_pem_private_key(pem[_key_at(pem) :], None)
        certificates = load_pem_x509_certificates(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        yield Problem(name, "it holds no private key with a certificate that I can read", mend)
        return
    if not isinstance(key, RSAPrivateKey):
        yield Problem(name, "its key is not an RSA key, and Entra takes no other", mend)
    elif certificates[0].public_key() != key.public_key():
        yield Problem(name, "its first certificate is not the one of its key", mend)


def _key_at(pem: bytes) -> int:
    """Where the block with the private key begins. Raises ValueError when there is none."""
    return pem.rindex(b"-----BEGIN", 0, pem.index(b"PRIVATE KEY-----") + 1)
