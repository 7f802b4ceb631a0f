"""The registration report: what each person has registered, late as the real one.

Sources: Graph docs "authenticationmethodsroot-list-userregistrationdetails", "userregistrationdetails";
the refusal without a licence as quoted in a public issue. SSPR counts phones (not the alternate), e-mail,
Authenticator and codes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..world import Person, PhoneSnapshot, World
from .call import Answer, Call
from .errors import NO_P1, GraphError, not_found
from .odata import fits, parse_filter
from .signin import registered, system_preferred
from .users import paged

_READ = ("AuditLog.Read.All",)
_PHONES = {"mobile": "mobilePhone", "alternateMobile": "alternateMobilePhone", "office": "officePhone"}
_OTHERS = {
    "email": ["email"],
    "microsoftAuthenticator": ["microsoftAuthenticatorPush", "softwareOneTimePasscode"],
    "softwareOath": ["softwareOneTimePasscode"],
    "fido2": ["passKeyDeviceBound"],
    "windowsHelloForBusiness": ["windowsHelloForBusiness"],
    "temporaryAccessPass": ["temporaryAccessPass"],
    "platformCredential": ["macOsSecureEnclaveKey"],
}
_PASSWORDLESS = {"passKeyDeviceBound", "windowsHelloForBusiness", "macOsSecureEnclaveKey"}
_NOT_MFA = {"email"}
_NOT_SSPR = {"alternateMobilePhone", "temporaryAccessPass", *_PASSWORDLESS}
#: System-preferred order (Entra docs, "concept-system-preferred-multifactor-authentication").
_STRONGEST = ("push", "oath", "sms", "voiceMobile", "voiceAlternateMobile", "voiceOffice")


def _may_read(call: Call) -> datetime:
    """Permission and licence; gives the moment the report tells of."""
    call.allow(*_READ)
    if not call.world.rules.has_p1:
        raise GraphError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", NO_P1)
    return call.world.later(-call.world.rules.report_lag_ms / 1000)


def list_details(call: Call) -> Answer:
    """GET /reports/authenticationMethods/userRegistrationDetails, with $filter, paged."""
    call.only_options("filter", "orderby", "top", "skiptoken")
    when = _may_read(call)
    rows = [_row(call, p, when) for p in call.world.people.values() if _listed(p, when)]
    if "filter" in call.options:
        tree = call.details["filter"] = parse_filter(call.options["filter"])
        rows = [row for row in rows if fits(tree, row.__getitem__)]
    order, _, way = call.options.get("orderby", "").partition(" ")
    if order:
        rows.sort(key=lambda row: str(row.get(order, "")).casefold(), reverse=way == "desc")
    context = "reports/authenticationMethods/userRegistrationDetails"
    return paged(call, context, rows, call.world.rules.page_size)


def get_details(call: Call) -> Answer:
    """GET /reports/authenticationMethods/userRegistrationDetails/{object id}; 404 for one not yet in it."""
    when = _may_read(call)
    person = call.world.people.get(call.args["user"].lower())
    if person is None or not _listed(person, when):
        raise not_found(call.args["user"])
    kind = "reports/authenticationMethods/userRegistrationDetails/$entity"
    return Answer(200, {"@odata.context": f"{call.root}/$metadata#{kind}", **_row(call, person, when)})


def _listed(person: Person, when: datetime) -> bool:
    return not person.deleted and person.created <= when


def _row(call: Call, person: Person, when: datetime) -> dict[str, Any]:
    world, then = call.world, person.phones_at(when)
    methods = _methods(person, then)
    second = [each for each in methods if each not in _NOT_MFA]
    usable = [each for each in second if _allowed(world, person, each)]
    resets = [each for each in methods if each not in _NOT_SSPR]
    reset_ready = len(resets) >= world.rules.sspr_needed
    preferences = registered(person, then.phones)
    return {
        "id": person.oid,
        "userPrincipalName": person.upn,
        "userDisplayName": person.display_name,
        "userType": person.user_type.lower(),
        "isAdmin": bool(world.roles_of(person)),
        "isSsprRegistered": reset_ready,
        "isSsprEnabled": world.rules.sspr_enabled,
        "isSsprCapable": reset_ready and world.rules.sspr_enabled,
        "isMfaRegistered": bool(second),
        "isMfaCapable": bool(usable),
        "isPasswordlessCapable": not _PASSWORDLESS.isdisjoint(methods),
        "methodsRegistered": methods,
        "isSystemPreferredAuthenticationMethodEnabled": system_preferred(call, person),
        "systemPreferredAuthenticationMethods": [each for each in _STRONGEST if each in preferences][:1],
        "userPreferredMethodForSecondaryAuthentication": then.default_method or "none",
        "lastUpdatedDateTime": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _methods(person: Person, then: PhoneSnapshot) -> list[str]:
    others = [name for kind in person.other_methods for name in _OTHERS.get(kind, ())]
    return list(dict.fromkeys([name for kind, name in _PHONES.items() if kind in then.phones] + others))


def _allowed(world: World, person: Person, method: str) -> bool:
    """Does policy let the person use this method? Policies of other methods than phones are taken as on."""
    phone_type = next((kind for kind, name in _PHONES.items() if name == method), None)
    return phone_type is None or world.phone_allowed(person, phone_type)
