"""All authentication methods of a person, the default among them, and per-user MFA.

Sources: Graph docs "authentication-list-methods", "authentication-get" and "authentication-update" (beta);
shapes of the methods from Graph's metadata. signInPreferences and requirements exist in beta only.
"""

from __future__ import annotations

from typing import Any

from ..world import Person, stable_id, stamp
from .call import Answer, Call
from .errors import OURS, auth_error
from .passes import PASS, as_pass
from .phones import SERVES, read_methods, target, writable

_WRITE = ("UserAuthenticationMethod.ReadWrite.All",)
_READ = (*_WRITE, "UserAuthenticationMethod.Read.All")
_PREFERENCE = "userPreferredMethodForSecondaryAuthentication"
#: Preference -> the methods of which one must be there. Phones are named by their type.
_NEEDS = {
    "push": {"microsoftAuthenticator"},
    "oath": {"softwareOath", "microsoftAuthenticator"},
    **{each: {phone} for phone, served in SERVES.items() for each in served},
}
_FIXED_IDS = {
    "password": "28c10230-6103-485e-b985-444c60001490",
    "email": "3ddfcfc8-9383-446f-83cc-3ab9be4be18f",
}
_MFA_STATES = ("disabled", "enabled", "enforced")
#: What each kind of method has beside id and createdDateTime.
_SHAPES: dict[str, dict[str, Any]] = {
    "password": {"password": None},
    "microsoftAuthenticator": {
        "displayName": "Pocket phone",
        "deviceTag": "SoftwareTokenActivated",
        "phoneAppVersion": "6.2507.4749",
    },
    "softwareOath": {"secretKey": None},
    "fido2": {
        "displayName": "Blue key",
        "aaGuid": "cb69481e-8ff7-4039-93ec-0a2729a154a8",
        "model": "YubiKey 5 Series",
        "attestationCertificates": [],
        "attestationLevel": "attested",
    },
    "windowsHelloForBusiness": {"displayName": "Desk computer", "keyStrength": "normal"},
    "platformCredential": {"displayName": "Lap computer", "platform": "macOS", "keyStrength": "normal"},
}


def list_methods(call: Call) -> Answer:
    """GET /users/{id}/authentication/methods: told apart by @odata.type, no sign of the default."""
    call.allow(*_READ, auth_back_end=True)
    person = target(call)
    phones = [
        {"@odata.type": "#microsoft.graph.phoneAuthenticationMethod", **method}
        for method in read_methods(call, person)
    ]
    others = [_other(call, person, kind) for kind in person.other_methods]
    context = f"{call.root}/$metadata#users('{call.args['user']}')/authentication/methods"
    return Answer(200, {"@odata.context": context, "value": others + phones})


def _other(call: Call, person: Person, kind: str) -> dict[str, Any]:
    if kind == PASS:
        return {"@odata.type": f"#microsoft.graph.{kind}AuthenticationMethod", **as_pass(call.world, person)}
    # createdDateTime of a password is when it was last changed (Graph docs "passwordauthenticationmethod").
    created = stamp((person.password_changed if kind == "password" else None) or person.created)
    shape: dict[str, Any] = {
        "@odata.type": f"#microsoft.graph.{kind}AuthenticationMethod",
        "id": _FIXED_IDS.get(kind) or stable_id(person.oid, kind),
        "createdDateTime": created,
    }
    if kind == "email":
        return shape | {"emailAddress": f"{person.alias or 'someone'}@private.example"}
    return shape | _SHAPES.get(kind, {})


def registered(person: Person, phones: dict[str, str]) -> set[str]:
    """Preferences that this person's methods can serve."""
    have = {*person.other_methods, *phones}
    return {preference for preference, needs in _NEEDS.items() if needs & have}


def system_preferred(call: Call, person: Person) -> bool:
    """Is the strongest method asked for, whatever the person prefers?"""
    return call.world.rules.system_preferred if person.system_preferred is None else person.system_preferred


def get_preferences(call: Call) -> Answer:
    """GET beta .../signInPreferences; as stale as reads of methods by the rule `stale_ms`."""
    call.allow(*_READ, auth_back_end=True)
    person = target(call)
    then = person.phones_at(call.world.later(-call.world.rules.stale_ms / 1000))
    return Answer(
        200,
        {
            "@odata.context": f"{call.root}/$metadata#users('{call.args['user']}')/authentication"
            "/signInPreferences",
            "isSystemPreferredAuthenticationMethodEnabled": system_preferred(call, person),
            _PREFERENCE: then.default_method,
        },
    )


def set_preferences(call: Call) -> Answer:
    """PATCH beta .../signInPreferences: 204. The preferred method must be registered (the text is ours)."""
    call.allow(*_WRITE, auth_back_end=True)
    person = writable(call)
    wanted = call.json(auth_error).get(_PREFERENCE)
    if wanted not in _NEEDS:
        raise auth_error(OURS["bad_preference"])
    if wanted not in registered(person, person.phones):
        raise auth_error(OURS["not_registered"])
    person.remember(call.world.now())
    before, person.default_method = person.default_method, wanted
    call.effect(person, "default", None, (before, wanted))
    return Answer(204)


def get_requirements(call: Call) -> Answer:
    """GET beta .../requirements."""
    call.allow("Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod", auth_back_end=True)
    person = target(call)
    context = f"{call.root}/$metadata#users('{call.args['user']}')/authentication/requirements"
    return Answer(200, {"@odata.context": context, "perUserMfaState": person.per_user_mfa})


def set_requirements(call: Call) -> Answer:
    """PATCH beta .../requirements: 204."""
    call.allow("Policy.ReadWrite.AuthenticationMethod", auth_back_end=True)
    person = writable(call)
    wanted = call.json(auth_error).get("perUserMfaState")
    if wanted not in _MFA_STATES:
        raise auth_error(OURS["bad_requirement"])
    before, person.per_user_mfa = person.per_user_mfa, wanted
    call.effect(person, "requirement", None, (before, wanted))
    return Answer(204)
