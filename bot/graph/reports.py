"""The registration report and the accounts behind it, read from Microsoft Graph page by page.

Knows the calls, their pace and what a refusal of them means. Must not count anything. Sources: Graph docs
"authenticationmethodsroot-list-userregistrationdetails", "throttling-limits" (reports: five calls in ten
seconds), "paging"; the answer to tenants without the licence as quoted in a public issue.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import Field

from bot.domain import report_reasons
from bot.domain.coverage import Account, Enrolment
from bot.domain.people import Listed
from bot.graph.client import GraphClient, NotSignedIn, ReadRefused
from bot.graph.rows import PERSON_SELECT, Id, Page, Row, UserRow
from bot.ports import DirectoryRefused, DirectoryUnavailable

_DETAILS = "/reports/authenticationMethods/userRegistrationDetails"
_LANE = "reports"
_APART_SECONDS = 2.1
_BIGGEST_PAGE = "999"
_MOST_PAGES = 5_000
_PATIENCE = timedelta(minutes=5)
_NO_LICENCE = "authentication_requestfromnonpremiumtenantorb2ctenant"
_T = TypeVar("_T", bound=Row)


class _DetailsRow(Row):
    id: Id
    userPrincipalName: str | None = None  # noqa: N815
    userDisplayName: str | None = None  # noqa: N815
    isSsprRegistered: bool = False  # noqa: N815
    isSsprCapable: bool = False  # noqa: N815
    isMfaCapable: bool = False  # noqa: N815
    methodsRegistered: list[str] = Field(default_factory=list)  # noqa: N815
    lastUpdatedDateTime: datetime | None = None  # noqa: N815

    def enrolment(self) -> Enrolment:
        return Enrolment(
            oid=self.id,
            name=self.userDisplayName or "",
            upn=self.userPrincipalName or "",
            methods=tuple(self.methodsRegistered),
            reset_registered=self.isSsprRegistered,
            reset_usable=self.isSsprCapable,
            mfa_usable=self.isMfaCapable,
            updated_at=self.lastUpdatedDateTime,
        )


class _AccountRow(Row):
    id: Id
    accountEnabled: bool | None = None  # noqa: N815
    userType: str | None = None  # noqa: N815
    department: str | None = None

    def account(self) -> Account:
        member = (self.userType or "Member").lower() == "member"
        return Account(self.id, member and self.accountEnabled is not False, (self.department or "").strip())


class _DetailsPage(Page[_DetailsRow]):
    """Rows of the report."""


class _AccountPage(Page[_AccountRow]):
    """Rows of accounts."""


async def enrolments(client: GraphClient) -> tuple[Enrolment, ...]:
    """The whole report. Raises DirectoryRefused where there is none for us, else DirectoryUnavailable."""
    try:
        rows = await _all(client, _DETAILS, _DetailsPage, {"top": _BIGGEST_PAGE}, _LANE, _APART_SECONDS)
    except ReadRefused as refused:
        if refused.error.code.lower() == _NO_LICENCE:
            raise DirectoryRefused(report_reasons.REPORT_LICENCE.refuse()) from refused
        if refused.error.status == 403:
            raise DirectoryRefused(report_reasons.REPORT_PERMISSION.refuse()) from refused
        raise
    return tuple(row.enrolment() for row in rows)


class _RosterRow(UserRow):
    proxyAddresses: list[str] = Field(default_factory=list)  # noqa: N815

    def listed(self) -> Listed:
        mails = [each[5:] for each in self.proxyAddresses if each[:5].lower() == "smtp:"]
        return Listed(self.person(), tuple(dict.fromkeys([*([self.mail] if self.mail else []), *mails])))


_RosterPage = Page[_RosterRow]


async def accounts(client: GraphClient) -> tuple[Account, ...]:
    """Every account of the directory. Raises DirectoryUnavailable."""
    query = {"select": "id,accountEnabled,userType,department", "top": _BIGGEST_PAGE}
    return tuple(row.account() for row in await _all(client, "/users", _AccountPage, query, "", 0.0))


async def roster(client: GraphClient) -> tuple[Listed, ...]:
    """Everybody with all their addresses (Graph docs "user": proxyAddresses). Raises DirectoryUnavailable."""
    query = {"select": f"{PERSON_SELECT},proxyAddresses", "top": _BIGGEST_PAGE}
    return tuple(row.listed() for row in await _all(client, "/users", _RosterPage, query, "", 0.0))


async def _all(
    client: GraphClient, path: str, shape: type[Page[_T]], query: dict[str, str], lane: str, apart: float
) -> list[_T]:
    rows: list[_T] = []
    link = ""
    for _ in range(_MOST_PAGES):
        page = await _page(client, path, shape, query, lane, link)
        rows += page.value
        if page.next is None:
            return rows
        link = page.next
        if apart:
            await client.sleep(apart)
    raise DirectoryUnavailable("more pages than can be right")


async def _page(
    client: GraphClient, path: str, shape: type[Page[_T]], query: dict[str, str], lane: str, link: str
) -> Page[_T]:
    """One page; a pause that the directory asks for is waited out, up to some minutes in all."""
    began = client.now()
    while True:
        try:
            if link:
                return await client.follow(link, shape, lane=lane)
            return await client.read(path, shape, query, lane=lane)
        except (ReadRefused, NotSignedIn):
            raise
        except DirectoryUnavailable as error:
            if client.now() - began > _PATIENCE:
                raise
            wait = error.retry_after or timedelta(seconds=5)
            await client.sleep(max(wait.total_seconds(), 0.1))
