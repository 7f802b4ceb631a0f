"""All authentication methods of a person, the default among them, and the policy that allows them.

Sources: Graph docs "authentication-list-methods", "authentication-get" (beta), "authenticationmethodspolicy",
"smsauthenticationmethodconfiguration". signInPreferences exists in beta only.
"""

from __future__ import annotations

from typing import Any

from ..world import Person, World, stable_id
from .call import Answer, Call
from .errors import OURS, GraphError, auth_error
from .phones import read_methods, target, writable

_WRITE = ("UserAuthenticationMethod.ReadWrite.All",)
_READ = (*_WRITE, "UserAuthenticationMethod.Read.All")
_POLICY = ("Policy.Read.AuthenticationMethod", "Policy.Read.All")
_PREFERENCE = "userPreferredMethodForSecondaryAuthentication"
_PREFERENCES = ("push", "oath", "voiceMobile", "voiceAlternateMobile", "voiceOffice", "sms")
_PASSWORD_ID = "28c10230-6103-485e-b985-444c60001490"


def list_methods(call: Call) -> Answer:
    """GET /users/{id}/authentication/methods: told apart by @odata.type, no sign of the default."""
    call.allow(*_READ, auth_back_end=True)
    person = target(call)
    phones = [
        {"@odata.type": "#microsoft.graph.phoneAuthenticationMethod", **method}
        for method in read_methods(call, person)
    ]
    others = [_other(person, kind) for kind in person.other_methods]
    context = f"{call.root}/$metadata#users('{call.args['user']}')/authentication/methods"
    return Answer(200, {"@odata.context": context, "value": others + phones})


def _other(person: Person, kind: str) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "@odata.type": f"#microsoft.graph.{kind}AuthenticationMethod",
        "id": _PASSWORD_ID if kind == "password" else stable_id(person.oid, kind),
        "createdDateTime": person.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if kind == "password":
        return shape | {"password": None}
    if kind == "microsoftAuthenticator":
        return shape | {"displayName": "Pocket phone", "deviceTag": "SoftwareTokenActivated"}
    return shape


def get_preferences(call: Call) -> Answer:
    """GET beta .../signInPreferences."""
    call.allow(*_READ, auth_back_end=True)
    person = target(call)
    return Answer(
        200,
        {
            "@odata.context": f"{call.root}/$metadata#users('{call.args['user']}')/authentication"
            "/signInPreferences",
            "isSystemPreferredAuthenticationMethodEnabled": call.world.rules.system_preferred,
            _PREFERENCE: person.default_method,
        },
    )


def set_preferences(call: Call) -> Answer:
    """PATCH beta .../signInPreferences: 204."""
    call.allow(*_WRITE, auth_back_end=True)
    person = writable(call)
    wanted = call.json(auth_error).get(_PREFERENCE)
    if wanted not in _PREFERENCES:
        raise auth_error(OURS["bad_preference"])
    before, person.default_method = person.default_method, wanted
    call.effect(person, "default", None, (before, wanted))
    return Answer(204)


def get_policy(call: Call) -> Answer:
    """GET /policies/authenticationMethodsPolicy."""
    call.allow(*_POLICY)
    world = call.world
    return Answer(
        200,
        {
            "@odata.context": f"{call.root}/$metadata#authenticationMethodsPolicy",
            "id": "authenticationMethodsPolicy",
            "displayName": "Authentication Methods Policy",
            "policyMigrationState": world.rules.migration_state,
            "reconfirmationInDays": None,
            "authenticationMethodConfigurations": [_sms(world), _voice(world)],
        },
    )


def get_configuration(call: Call) -> Answer:
    """GET .../authenticationMethodConfigurations/{sms or voice}."""
    call.allow(*_POLICY)
    shape = {"sms": _sms, "voice": _voice}.get(call.args["method"].lower())
    if shape is None:
        raise GraphError(404, "Request_ResourceNotFound", OURS["no_such_method"])
    context = f"{call.root}/$metadata#authenticationMethodConfigurations/$entity"
    return Answer(200, {"@odata.context": context, **shape(call.world)})


def _sms(world: World) -> dict[str, Any]:
    rules = world.rules
    use = {"isRegistrationRequired": False, "isUsableForSignIn": rules.sms_usable_for_sign_in}
    return {
        "@odata.type": "#microsoft.graph.smsAuthenticationMethodConfiguration",
        "id": "Sms",
        "state": rules.sms_state,
        "includeTargets": [_group(each) | use for each in rules.sms_targets],
        "excludeTargets": [_group(each) for each in rules.sms_excluded],
    }


def _voice(world: World) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.voiceAuthenticationMethodConfiguration",
        "id": "Voice",
        "state": world.rules.voice_state,
        "isOfficePhoneAllowed": world.rules.voice_office_allowed,
        "includeTargets": [_group("all_users") | {"isRegistrationRequired": False}],
        "excludeTargets": [],
    }


def _group(which: str) -> dict[str, Any]:
    return {"targetType": "group", "id": which}
