"""The policies of the pretend tenant: which methods are on and for whom, and the authorization policy.

Sources: Graph docs "authenticationmethodspolicy", "smsauthenticationmethodconfiguration",
"voiceauthenticationmethodconfiguration", "emailauthenticationmethodconfiguration",
"temporaryaccesspassauthenticationmethodconfiguration", "authorizationpolicy-get".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..rules import Rules
from ..world import World
from .call import Answer, Call
from .errors import OURS, GraphError

_METHODS = ("Policy.Read.AuthenticationMethod", "Policy.ReadWrite.AuthenticationMethod", "Policy.Read.All")
_ALL = ("Policy.Read.All",)
_Shape = dict[str, Any]


def get_policy(call: Call) -> Answer:
    """GET /policies/authenticationMethodsPolicy."""
    call.allow(*_METHODS)
    world = call.world
    shapes = [shape(world) for name, shape in _CONFIGURATIONS.items() if _known(world, name)]
    registration = {"snoozeDurationInDays": 1, "state": "default", "excludeTargets": [], "includeTargets": []}
    return Answer(
        200,
        {
            "@odata.context": f"{call.root}/$metadata#authenticationMethodsPolicy",
            "id": "authenticationMethodsPolicy",
            "displayName": "Authentication Methods Policy",
            "description": "The tenant-wide policy that controls which authentication methods are allowed",
            "lastModifiedDateTime": "2026-01-12T08:00:00Z",
            "policyVersion": "1.5",
            "policyMigrationState": world.rules.migration_state,
            "reconfirmationInDays": None,
            "registrationEnforcement": {"authenticationMethodsRegistrationCampaign": registration},
            "authenticationMethodConfigurations": shapes,
        },
    )


def get_configuration(call: Call) -> Answer:
    """GET .../authenticationMethodConfigurations/{sms, voice, email or temporaryAccessPass}."""
    call.allow(*_METHODS)
    name = call.args["method"].lower()
    if name not in _CONFIGURATIONS or not _known(call.world, name):
        raise GraphError(404, "Request_ResourceNotFound", OURS["no_such_method"])
    head = {"@odata.context": f"{call.root}/$metadata#authenticationMethodConfigurations/$entity"}
    shape = _CONFIGURATIONS[name](call.world)
    return Answer(200, {"value": shape} if call.world.rules.policy_wrapped else head | shape)


def get_authorization(call: Call) -> Answer:
    """GET /policies/authorizationPolicy."""
    call.allow(*_ALL)
    return Answer(
        200,
        {
            "@odata.context": f"{call.root}/$metadata#policies/authorizationPolicy/$entity",
            "id": "authorizationPolicy",
            "displayName": "Authorization Policy",
            "description": "Used to manage authorization related settings across the company.",
            "allowInvitesFrom": "adminsAndGuestInviters",
            "allowedToSignUpEmailBasedSubscriptions": False,
            "allowedToUseSSPR": call.world.rules.allowed_to_use_sspr,
            "allowEmailVerifiedUsersToJoinOrganization": False,
            "blockMsolPowerShell": True,
            "guestUserRoleId": "2af84b1e-32c8-42b7-82bc-daa82404023b",
        },
    )


def _known(world: World, name: str) -> bool:
    return name != "sms" or world.rules.cloud != "china"


def _sms(world: World) -> _Shape:
    rules = world.rules
    shape = _configuration(world, "Sms", rules.sms_state, rules.sms_targets, rules.sms_excluded)
    for target in shape["includeTargets"]:
        target["isUsableForSignIn"] = _usable(rules, target["id"])
    return shape


def _usable(rules: Rules, target: str) -> bool:
    named = rules.sms_sign_in_targets
    return rules.sms_usable_for_sign_in if named is None else target in named


def _voice(world: World) -> _Shape:
    rules = world.rules
    allowed = rules.voice_office_allowed
    shape = _configuration(world, "Voice", rules.voice_state, rules.voice_targets, rules.voice_excluded)
    return shape | {"isOfficePhoneAllowed": str(allowed).lower() if rules.office_allowed_text else allowed}


def _email(world: World) -> _Shape:
    shape = _configuration(world, "Email", world.rules.email_state, world.rules.email_targets, [])
    return shape | {"allowExternalIdToUseEmailOtp": "default"}


def _pass(world: World) -> _Shape:
    rules = world.rules
    shape = _configuration(world, "TemporaryAccessPass", rules.tap_state, rules.tap_targets, [])
    return shape | {
        "defaultLifetimeInMinutes": 60,
        "defaultLength": 8,
        "minimumLifetimeInMinutes": rules.pass_least_minutes,
        "maximumLifetimeInMinutes": rules.pass_most_minutes,
        "isUsableOnce": False,
    }


_CONFIGURATIONS: dict[str, Callable[[World], _Shape]] = {
    "sms": _sms,
    "voice": _voice,
    "email": _email,
    "temporaryaccesspass": _pass,
}


def _configuration(world: World, name: str, state: str, targets: list[str], excluded: list[str]) -> _Shape:
    kind = name[0].lower() + name[1:]
    return {
        "@odata.type": f"#microsoft.graph.{kind}AuthenticationMethodConfiguration",
        "id": name,
        "state": state,
        "includeTargets": [_target(world, each) | {"isRegistrationRequired": False} for each in targets],
        "excludeTargets": [_target(world, each) for each in excluded],
    }


def _target(world: World, which: str) -> _Shape:
    return {"targetType": "user" if which in world.people else "group", "id": which}
