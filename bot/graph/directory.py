"""The Microsoft Graph side of the `Directory` port.

Knows which Graph call answers each question, and what an answer to a write proves. Must not know approvals,
policy or cards. Source of the phone calls: Graph docs "authentication-list-phonemethods",
"authentication-post-phonemethods", "phoneauthenticationmethod-update" and "-delete".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from bot.domain import directory_reasons as finer
from bot.domain import reasons
from bot.domain.change import Operation, OpKind
from bot.domain.command import Who
from bot.domain.coverage import Account, Enrolment
from bot.domain.methods import Default, Deleted, Licences, MethodPolicy, Registration, SignIn
from bot.domain.numbers import PeoplePage
from bot.domain.people import Listed, Person, Phones, Protection, ProtectionRules
from bot.domain.permissions import (
    DEFAULT_GUARD,
    ISSUE_PASSES,
    PHONE_ONLY,
    WRITE_METHODS,
    WRITE_PHONES,
    Permission,
)
from bot.domain.phone import PhoneNumber, Purpose, Slot
from bot.graph import denied, installing, lifecycle, passes, people, protection, relations, reports, signin
from bot.graph.client import GraphClient, ReadRefused, Reply
from bot.graph.decode import GraphError, read_error, refusal_of
from bot.graph.rows import (
    METHOD_IDS,
    PERSON_SELECT,
    GroupRow,
    IdPage,
    PhonePage,
    PhoneRow,
    UserPage,
    checked_id,
    phones_of,
)
from bot.graph.scan import Pace, Scan
from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain, Pass, Receipt, Unread

_LOG = logging.getLogger(__name__)
_GROUPS_PER_CHECK = 20  # Graph docs "user-checkmembergroups"
_BIGGEST_PAGE = 999
_DONE = (200, 201, 204)  # PATCH: 204 by the v1.0 sample, 200 by the beta page
_POLICY_LASTS = timedelta(seconds=60)
_BATCHES_IN_FLIGHT = 4
_SEND_WITHIN = timedelta(seconds=30)  # of the intent
_SETTLES_IN = timedelta(minutes=1)  # a new account is not everywhere at once


class GraphDirectory:
    """The directory of one tenant over Microsoft Graph v1.0. Object ids that are none raise ValueError."""

    def __init__(
        self,
        client: GraphClient,
        *,
        profile: str = PHONE_ONLY,
        cloud: str = "global",
        app_id: str = "",
        count: Callable[[str, str], None] = lambda name, label: None,
        in_flight: int = _BATCHES_IN_FLIGHT,
    ) -> None:
        """profile: which permissions we have. cloud: its name; China lacks the calls for SMS sign-in.

        app_id: of our Teams app, to install it for people.

        in_flight: batches under way at once where many people are read.
        count: takes the name of a counter ("graph_unrecognised") when no rule explains an answer.
        """
        self._client, self._profile, self._cloud = client, profile, cloud
        self._app_id = app_id
        self._count, self._in_flight = count, in_flight
        self._pim, self._pace = protection.Pim(), Pace()
        self._pass_runs = lifecycle.PassRuns()
        self._policy: MethodPolicy | None = None
        self._reading_policy = asyncio.Lock()

    async def resume(self) -> None:
        """Take back the pauses of an earlier process. Raises StoreUnavailable."""
        await self._client.resume()

    async def aclose(self) -> None:
        """Close the connections; nothing may be asked afterwards."""
        await self._client.aclose()

    async def find(self, who: Who, limit: int = 10) -> Sequence[Person]:
        return await people.find(self._client, who, limit)

    async def person(self, oid: str) -> Person | None:
        return await people.by_id(self._client, oid)

    async def people_page(self, cursor: str, limit: int) -> PeoplePage | None:
        return await people.page(self._client, cursor, min(limit, _BIGGEST_PAGE))

    async def manager(self, oid: str) -> Person | None:
        return await people.manager_of(self._client, oid)

    async def reports(self, oid: str, limit: int) -> Sequence[Person]:
        return await people.reports_of(self._client, oid, limit)

    async def created_since(self, at: datetime, limit: int) -> Sequence[Person]:
        return await people.created_since(self._client, at, limit)

    async def manager_changed(self, oid: str, since: datetime) -> datetime | None:
        return await relations.manager_changed(self._client, oid, since)

    async def stand_in(self, oid: str) -> Person | None:
        return await relations.stand_in(self._client, oid, self._client.now())

    async def phones(self, oid: str) -> Phones:
        oid = checked_id(oid)
        try:
            return phones_of(await self._methods(oid))
        except ReadRefused as refused:
            if refused.error.status == 404 and await people.by_id(self._client, oid) is not None:
                # Known to the directory, not yet to the back end of methods: a new account, by the docs.
                raise DirectoryUnavailable("the account is new and not everywhere yet", _SETTLES_IN) from None
            raise

    async def member_of(self, oid: str, groups: frozenset[str]) -> frozenset[str]:
        path = f"/users/{checked_id(oid)}/checkMemberGroups"
        asked = {checked_id(group): group for group in groups}
        ids = sorted(asked)
        answers = await asyncio.gather(
            *(
                self._client.read(path, IdPage, body={"groupIds": ids[at : at + _GROUPS_PER_CHECK]})
                for at in range(0, len(ids), _GROUPS_PER_CHECK)
            )
        )
        return frozenset(asked[each] for answer in answers for each in answer.value if each in asked)

    async def members(self, group: str, limit: int) -> Sequence[Person]:
        """Nobody for a group that does not exist (any more)."""
        path = f"/groups/{checked_id(group)}/transitiveMembers/microsoft.graph.user"
        query = {"select": PERSON_SELECT, "top": str(min(limit, _BIGGEST_PAGE))}
        try:
            rows = await self._client.rows(path, UserPage, query, advanced=True, most=limit)
        except ReadRefused as refused:
            if refused.error.status == 404:
                return ()
            raise
        return tuple(row.person() for row in rows)

    async def weak_groups(self, groups: frozenset[str]) -> frozenset[str]:
        """Graph docs "group resource type": isAssignableToRole, isManagementRestricted."""
        ids = sorted(groups)
        strong = await asyncio.gather(*(self._is_strong(checked_id(each)) for each in ids))
        return frozenset(each for each, is_strong in zip(ids, strong, strict=True) if not is_strong)

    async def group_names(self, groups: frozenset[str]) -> Mapping[str, str]:
        ids = sorted(groups)
        names = await asyncio.gather(*(self._group_name(checked_id(each)) for each in ids))
        return {each: name for each, name in zip(ids, names, strict=True) if name}

    async def _group_name(self, group: str) -> str:
        try:
            row = await self._client.read(f"/groups/{group}", GroupRow, {"select": "id,displayName"})
        except ReadRefused as refused:
            if refused.error.status == 404:
                return ""
            raise
        return row.displayName or ""

    async def _is_strong(self, group: str) -> bool:
        query = {"select": "id,displayName,isAssignableToRole,isManagementRestricted"}
        try:
            row = await self._client.read(f"/groups/{group}", GroupRow, query)
        except ReadRefused as refused:
            if refused.error.status == 404:
                return False
            raise
        return bool(row.isAssignableToRole or row.isManagementRestricted)

    async def protection(self, oid: str, rules: ProtectionRules, own_groups: frozenset[str]) -> Protection:
        return await protection.protection_of(self._client, oid, rules, own_groups, self._pim)

    async def write(
        self,
        target_oid: str,
        op: Operation,
        number: PhoneNumber | None,
        call_id: str,
        *,
        present: bool | None = None,
    ) -> Receipt:
        """One write by the fixed id of the slot; `set` reads first to know whether to POST or to PATCH.

        DirectoryRefused: 400 to 499. DirectoryUnavailable: the read failed, or the write was not sent,
        throttled or its token not accepted. DirectoryUncertain: no answer, 408, from 500, a redirect, or 404
        for a method that is to be changed or removed: it is gone, by us or by somebody else, and reading
        tells what is there now.
        """
        oid = checked_id(target_oid)
        if op.kind not in (OpKind.SET, OpKind.REMOVE):
            raise ValueError("a phone is set or removed; the rest has calls of its own")
        if (op.kind is OpKind.SET) != (number is not None):
            raise ValueError("a number belongs to `set` and to nothing else")
        self._client.may_write()
        verb, path, body = "DELETE", f"/users/{oid}/authentication/phoneMethods/{METHOD_IDS[op.slot]}", None
        if number is not None:
            body = {"phoneNumber": number.reveal(Purpose.SEND), "phoneType": op.slot.value}
            if present is None:
                held = await self._methods(oid)
                present = any(method.id.lower() == METHOD_IDS[op.slot] for method in held)
            verb, path = ("PATCH", path) if present else ("POST", path.rpartition("/")[0])
        if op.sent_at is not None and self._client.now() - op.sent_at > _SEND_WITHIN:
            # Whoever was stopped while reading may have been given up: others may have written since.
            raise DirectoryUnavailable("held up before sending")
        reply = await self._client.write(verb, path, body, call_id)
        if verb != "POST" and reply.status == 404:
            raise DirectoryUncertain("the phone method is not there", reply.request_id)
        return await self._judged(reply, oid, WRITE_PHONES, may_be_saved=True)

    async def sign_in(self, oid: str) -> SignIn:
        return await signin.sign_in_of(self._client, oid, self._profile)

    async def set_default(self, oid: str, default: Default, call_id: str) -> Receipt:
        """Graph docs "authentication-update" (beta only)."""
        oid = checked_id(oid)
        if default in (Default.NONE, Default.UNKNOWN):
            raise ValueError("that is no method to make the default")
        if self._profile != DEFAULT_GUARD:
            raise DirectoryRefused(finer.PROFILE.refuse(profile=self._profile))
        path, body = f"/users/{oid}/authentication/signInPreferences", {signin.PREFERENCE: default.value}
        reply = await self._client.write("PATCH", path, body, call_id, beta=True)
        return await self._judged(reply, oid, WRITE_METHODS)

    async def sms_sign_in(self, oid: str, enable: bool, call_id: str) -> Receipt:
        """Graph docs "phoneauthenticationmethod-enablesmssignin", "-disablesmssignin"; by object id only."""
        oid = checked_id(oid)
        if self._cloud == "china":
            raise DirectoryRefused(finer.CLOUD_WITHOUT_SMS.refuse(cloud=self._cloud))
        action = "enableSmsSignIn" if enable else "disableSmsSignIn"
        path = f"/users/{oid}/authentication/phoneMethods/{METHOD_IDS[Slot.MOBILE]}/{action}"
        reply = await self._client.write("POST", path, None, call_id)
        error = read_error(reply.status, reply.body, reply.request_id)
        # Without a code the path is wrong; the directory's own code means the person. The table knows both.
        if reply.status == 404 and error.code.lower() not in ("", "request_resourcenotfound"):
            facts = {"status": "404", "code": error.code, "request_id": error.request_id or "(none given)"}
            raise DirectoryRefused(finer.METHOD_GONE.refuse(who=oid, **facts), error.request_id)
        if _not_unique(error):
            raise DirectoryRefused(finer.SMS_NOT_UNIQUE.refuse(), error.request_id)
        return await self._judged(reply, oid, WRITE_PHONES)

    async def method_policy(self) -> MethodPolicy:
        async with self._reading_policy:
            held = self._policy
            if held is None or self._client.now() - held.read_at >= _POLICY_LASTS:
                held = self._policy = await signin.policy_of(self._client)
            return held

    async def licences(self, oid: str) -> Licences:
        return await signin.licences_of(self._client, oid)

    async def registration(self, oid: str) -> Registration:
        return await signin.registration_of(self._client, oid)

    async def enrolments(self) -> tuple[Enrolment, ...]:
        return await reports.enrolments(self._client)

    async def accounts(self) -> tuple[Account, ...]:
        return await reports.accounts(self._client)

    async def roster(self) -> tuple[Listed, ...]:
        return await reports.roster(self._client)

    def phones_of_many(self, oids: Sequence[str]) -> AsyncIterator[tuple[str, Phones | Unread]]:
        return Scan(self._client, oids, self._pace, self._in_flight).run()

    async def pass_due(self, oid: str) -> bool:
        return await self._pass_runs.due(self._client, oid)

    async def issue_pass(self, oid: str, minutes: int, call_id: str) -> Pass:
        """Unavailable where the person is known to the directory and not yet to the back end of methods."""
        oid = checked_id(oid)
        reply = await passes.ask(self._client, oid, minutes, call_id)
        if not 400 <= reply.status < 500:
            return passes.read_pass(reply, minutes)
        refusal, _ = refusal_of(read_error(reply.status, reply.body), oid)
        if refusal.reason is reasons.DIRECTORY_GONE and await people.by_id(self._client, oid) is not None:
            raise DirectoryUnavailable("the account is new and not everywhere yet", _SETTLES_IN)
        await self._refuse(reply, oid, ISSUE_PASSES)

    async def install_app(self, oid: str, call_id: str) -> None:
        await installing.install(self._client, oid, self._app_id, call_id)

    async def recently_deleted(self, limit: int) -> Sequence[Deleted]:
        return await signin.deleted_people(self._client, limit)

    async def _methods(self, oid: str) -> list[PhoneRow]:
        page = await self._client.read(f"/users/{oid}/authentication/phoneMethods", PhonePage)
        return page.value

    async def _judged(
        self, reply: Reply, oid: str, needed: Permission, *, may_be_saved: bool = False
    ) -> Receipt:
        """What an answer to a write proves. may_be_saved: 409 also comes when the number was saved."""
        if reply.status in _DONE:
            return Receipt(reply.request_id, reply.pressure)
        if not 400 <= reply.status < 500:
            raise DirectoryUncertain(f"Graph answered {reply.status}", reply.request_id)
        await self._refuse(reply, oid, needed, may_be_saved=may_be_saved)

    async def _refuse(
        self, reply: Reply, oid: str, needed: Permission, *, may_be_saved: bool = False
    ) -> NoReturn:
        """Raises DirectoryRefused for an answer from 400 to 499."""
        error = read_error(reply.status, reply.body, reply.request_id)
        refusal, known = refusal_of(error, oid)
        if not known:
            self._count("graph_unrecognised", str(error.status))
            _LOG.warning(
                "no rule explains this answer of Graph",
                extra={"answer": error.brief, "graph_request_id": error.request_id},
            )
        if refusal.reason is reasons.DIRECTORY_DENIED:
            refusal = await denied.explain_denied(self._client, error, oid, needed)
        raise DirectoryRefused(refusal, error.request_id, saved_anyway=may_be_saved and _not_unique(error))


def _not_unique(error: GraphError) -> bool:
    return error.status == 409 and error.code.lower() == "phonenumbernotunique"
