"""How a person signs in, read from Microsoft Graph: methods, default, policy, licences, registration.

Knows the calls and shapes of those answers. Must not judge them. `signInPreferences` is the only call to
beta: v1.0 does not have it. Sources: Graph docs "authentication-list-methods", "authentication-get" (beta),
"authenticationmethodspolicy-get", "user-list-licensedetails", "userregistrationdetails-get",
"directory-deleteditems-list".
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from pydantic import Field

from bot.domain.methods import (
    Default,
    Deleted,
    Licences,
    Method,
    MethodPolicy,
    MethodRule,
    Migration,
    PolicyTarget,
    Registration,
    SignIn,
)
from bot.domain.permissions import DEFAULT_GUARD
from bot.graph.client import GraphClient, ReadRefused
from bot.graph.rows import Id, Page, Row, checked_id, word

PREFERENCE = "userPreferredMethodForSecondaryAuthentication"
_PREFIX, _SUFFIX = "#microsoft.graph.", "AuthenticationMethod"
_KINDS = {kind.value.lower(): kind for kind in Method}
_REPORTS = "reports"  # a lane of its own: 5 calls in 10 s (Graph docs "throttling-limits")


class _MethodRow(Row):
    """The times are read of a temporaryAccessPass only; startDateTime may be later than its making."""

    type: str = Field("", alias="@odata.type")
    createdDateTime: datetime | None = None  # noqa: N815
    startDateTime: datetime | None = None  # noqa: N815


class _PreferencesRow(Row):
    isSystemPreferredAuthenticationMethodEnabled: bool | None = None  # noqa: N815
    userPreferredMethodForSecondaryAuthentication: str | None = None  # noqa: N815


class _TargetRow(Row):
    id: str
    isUsableForSignIn: bool | None = None  # noqa: N815


class _ConfigurationRow(Row):
    """isOfficePhoneAllowed: a Boolean by the metadata, a string in a sample of the docs."""

    id: str
    state: str | None = None
    includeTargets: list[_TargetRow] = Field(default_factory=list)  # noqa: N815
    excludeTargets: list[_TargetRow] = Field(default_factory=list)  # noqa: N815
    isOfficePhoneAllowed: bool | None = None  # noqa: N815


class _PolicyRow(Row):
    policyMigrationState: str | None = None  # noqa: N815
    authenticationMethodConfigurations: list[_ConfigurationRow]  # noqa: N815


class _PlanRow(Row):
    servicePlanName: str | None = None  # noqa: N815
    provisioningStatus: str | None = None  # noqa: N815


class _LicenceRow(Row):
    skuPartNumber: str | None = None  # noqa: N815
    servicePlans: list[_PlanRow] = Field(default_factory=list)  # noqa: N815


class _RegistrationRow(Row):
    isSsprRegistered: bool | None = None  # noqa: N815
    isSsprEnabled: bool | None = None  # noqa: N815
    isSsprCapable: bool | None = None  # noqa: N815
    isMfaRegistered: bool | None = None  # noqa: N815
    isMfaCapable: bool | None = None  # noqa: N815
    methodsRegistered: list[str] = Field(default_factory=list)  # noqa: N815
    lastUpdatedDateTime: datetime | None = None  # noqa: N815


class _DeletedRow(Row):
    id: Id
    displayName: str | None = None  # noqa: N815
    userPrincipalName: str | None = None  # noqa: N815
    deletedDateTime: datetime | None = None  # noqa: N815


_MethodPage = Page[_MethodRow]
_LicencePage = Page[_LicenceRow]
_DeletedPage = Page[_DeletedRow]


async def sign_in_of(client: GraphClient, oid: str, profile: str) -> SignIn:
    """Methods and default. Not readable: the profile does not reach it, or Graph says 403."""
    path = f"/users/{checked_id(oid)}/authentication"
    if profile != DEFAULT_GUARD:
        return SignIn(readable=False, why=f"the permission profile {profile} does not reach it")
    try:
        preferences, methods = await asyncio.gather(
            client.read(f"{path}/signInPreferences", _PreferencesRow, beta=True),
            client.rows(f"{path}/methods", _MethodPage),
        )
    except ReadRefused as refused:
        if refused.error.status != 403:
            raise
        return SignIn(readable=False, why=refused.what)
    kinds = [_kind(row.type) for row in methods]
    chosen = preferences.userPreferredMethodForSecondaryAuthentication or Default.NONE
    return SignIn(
        methods=tuple(kind for kind in kinds if kind is not None),
        unknown_methods=sum(kind is None for kind in kinds),
        default=word(Default, chosen),
        system_preferred=preferences.isSystemPreferredAuthenticationMethodEnabled,
        passes=tuple(_issued(row for row in methods if _kind(row.type) is Method.TEMPORARY_PASS)),
    )


def _issued(passes: Iterable[_MethodRow]) -> Iterator[datetime]:
    """When each was made, or else from when on it can be used. One that tells neither is left out."""
    for row in passes:
        issued = row.createdDateTime or row.startDateTime
        if issued is not None:
            yield issued


def _kind(odata_type: str) -> Method | None:
    """`#microsoft.graph.fido2AuthenticationMethod` -> FIDO2."""
    middle = odata_type.removeprefix(_PREFIX)
    return _KINDS.get(middle.removesuffix(_SUFFIX).lower()) if middle.endswith(_SUFFIX) else None


async def policy_of(client: GraphClient) -> MethodPolicy:
    """The whole authentication methods policy in one read. A method that is not in it is off."""
    read_at = client.now()
    row = await client.read("/policies/authenticationMethodsPolicy", _PolicyRow)
    by_id = {each.id.lower(): each for each in row.authenticationMethodConfigurations}
    voice = by_id.get("voice")
    return MethodPolicy(
        sms=_rule(by_id.get("sms")),
        voice=_rule(voice),
        office_calls=voice.isOfficePhoneAllowed if voice else None,
        migration=word(Migration, row.policyMigrationState),
        read_at=read_at,
    )


def _rule(row: _ConfigurationRow | None) -> MethodRule:
    if row is None:
        return MethodRule(False)
    include, exclude = (
        tuple(PolicyTarget(each.id.lower(), each.isUsableForSignIn is True) for each in targets)
        for targets in (row.includeTargets, row.excludeTargets)
    )
    return MethodRule(row.state == "enabled", include, exclude)


async def licences_of(client: GraphClient, oid: str) -> Licences:
    """SKUs, and the plans of them that are switched on."""
    rows = await client.rows(f"/users/{checked_id(oid)}/licenseDetails", _LicencePage)
    plans = (plan for row in rows for plan in row.servicePlans if plan.provisioningStatus != "Disabled")
    return Licences(
        frozenset(row.skuPartNumber for row in rows if row.skuPartNumber),
        frozenset(plan.servicePlanName for plan in plans if plan.servicePlanName),
    )


async def registration_of(client: GraphClient, oid: str) -> Registration:
    """The report's line for one person. Not readable: no permission, no licence, or not in the report yet."""
    path = f"/reports/authenticationMethods/userRegistrationDetails/{checked_id(oid)}"
    try:
        row = await client.read(path, _RegistrationRow, lane=_REPORTS)
    except ReadRefused as refused:
        if refused.error.status == 404:
            return Registration(readable=False, why="the report does not know the person yet")
        if refused.error.status == 403 or refused.error.no_licence:
            return Registration(readable=False, why=refused.what)
        raise
    return Registration(
        updated_at=row.lastUpdatedDateTime,
        sspr_registered=row.isSsprRegistered,
        sspr_enabled=row.isSsprEnabled,
        sspr_capable=row.isSsprCapable,
        mfa_registered=row.isMfaRegistered,
        mfa_capable=row.isMfaCapable,
        methods=tuple(row.methodsRegistered),
    )


async def deleted_people(client: GraphClient, limit: int) -> Sequence[Deleted]:
    """Accounts in the recycle bin, in Graph's order."""
    query = {"select": "id,displayName,userPrincipalName,deletedDateTime", "top": str(min(limit, 999))}
    rows = await client.rows("/directory/deletedItems/microsoft.graph.user", _DeletedPage, query, most=limit)
    return tuple(
        Deleted(row.id, row.displayName or "", row.userPrincipalName or "", row.deletedDateTime)
        for row in rows
    )
