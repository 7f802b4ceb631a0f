"""Who the bot is: ids, the tenants it answers to, the kind of registration, the credential.

Knows what makes an identity unsafe. Must not know hosts or the store; never shows a credential.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

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
    yield from _credential(names)


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
        yield Problem(
            name,
            "managed identity comes with a later version; this one signs in by client secret",
            "Register the bot as SingleTenant and give a client secret.",
        )
        if names.app_password.get_secret_value():
            yield Problem(
                "MicrosoftAppPassword",
                "a managed identity has no password: they contradict each other",
                "Remove the password or use SingleTenant.",
            )
    elif kind == "MultiTenant":
        yield Problem(name, "MultiTenant would take tokens made out by any directory", "Use SingleTenant.")
    elif kind != "SingleTenant":
        yield Problem(
            name,
            f"the type is unknown.{nearest(kind, ['SingleTenant', 'UserAssignedMSI'])}",
            "Use SingleTenant.",
        )


def _credential(names: Names) -> Iterator[Problem]:
    password, certificate = names.app_password.get_secret_value(), names.app_certificate_path
    make = "Make a client secret under “Certificates & secrets” and copy its value."
    if certificate:
        name = "MicrosoftAppCertificatePath"
        yield Problem(
            name,
            "sign-in by certificate comes with a later version; this one takes a client secret",
            "Remove it and set MicrosoftAppPassword.",
        )
        if not os.access(certificate, os.R_OK) or not Path(certificate).is_file():
            yield Problem(name, "the file cannot be read", "Check the path and its rights.")
        if password:
            yield Problem(
                name,
                "certificate and password are both set: nobody could tell which is used",
                "Keep one of the two; in this version MicrosoftAppPassword.",
            )
    if not password and not certificate and names.app_type != "UserAssignedMSI":
        yield Problem(
            "MicrosoftAppPassword", "it is missing, and without a credential there is no sign-in", make
        )
    elif password and object_id(password):
        yield Problem("MicrosoftAppPassword", "it is a GUID: that is the secret's ID, not its value", make)
    elif password != password.strip():
        yield Problem("MicrosoftAppPassword", "it begins or ends with a blank: not copied exactly", make)
