"""The Microsoft Graph side of the `Directory` port.

Knows which Graph call answers each question, and what an answer to a write proves. Must not know approvals,
policy or cards. Source of the phone calls: Graph docs "authentication-list-phonemethods",
"authentication-post-phonemethods", "phoneauthenticationmethod-update" and "-delete".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from bot.domain.change import Operation, OpKind
from bot.domain.command import Who
from bot.domain.people import Person, Phones, Protection, ProtectionRules
from bot.domain.phone import PhoneNumber, Purpose
from bot.graph import people, protection
from bot.graph.client import GraphClient, ReadRefused, Reply
from bot.graph.decode import read_error, refusal_of
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
from bot.ports import DirectoryRefused, DirectoryUncertain, Receipt

_LOG = logging.getLogger(__name__)
_GROUPS_PER_CHECK = 20  # Graph docs "user-checkmembergroups"
_BIGGEST_PAGE = 999
_DONE = (200, 201, 204)  # PATCH: 204 by the v1.0 sample, 200 by the beta page


class GraphDirectory:
    """The directory of one tenant over Microsoft Graph v1.0. Object ids that are none raise ValueError."""

    def __init__(
        self, client: GraphClient, *, count: Callable[[str, str], None] = lambda name, label: None
    ) -> None:
        """count: takes the name of a counter ("graph_unrecognised") when no rule explains an answer."""
        self._client = client
        self._count = count

    async def aclose(self) -> None:
        """Close the connections; nothing may be asked afterwards."""
        await self._client.aclose()

    async def find(self, who: Who, limit: int = 10) -> Sequence[Person]:
        return await people.find(self._client, who, limit)

    async def person(self, oid: str) -> Person | None:
        return await people.by_id(self._client, oid)

    async def manager(self, oid: str) -> Person | None:
        return await people.manager_of(self._client, oid)

    async def phones(self, oid: str) -> Phones:
        return phones_of(await self._methods(checked_id(oid)))

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
        return await protection.protection_of(self._client, oid, rules, own_groups)

    async def write(
        self, target_oid: str, op: Operation, number: PhoneNumber | None, call_id: str
    ) -> Receipt:
        """One write by the fixed id of the slot; `set` reads first to know whether to POST or to PATCH.

        DirectoryRefused: 400 to 499. DirectoryUnavailable: the read failed, or the write was not sent,
        throttled or its token not accepted. DirectoryUncertain: no answer, 408, from 500, a redirect, or 404
        for a method that is to be changed or removed: it is gone, by us or by somebody else, and reading
        tells what is there now.
        """
        oid = checked_id(target_oid)
        if (op.kind is OpKind.SET) != (number is not None):
            raise ValueError("a number belongs to `set` and to nothing else")
        self._client.may_write()
        verb, path, body = "DELETE", f"/users/{oid}/authentication/phoneMethods/{METHOD_IDS[op.slot]}", None
        if number is not None:
            body = {"phoneNumber": number.reveal(Purpose.SEND), "phoneType": op.slot.value}
            present = any(method.id.lower() == METHOD_IDS[op.slot] for method in await self._methods(oid))
            verb, path = ("PATCH", path) if present else ("POST", path.rpartition("/")[0])
        reply = await self._client.write(verb, path, body, call_id)
        return self._judged(reply, oid, by_method=verb != "POST")

    async def _methods(self, oid: str) -> list[PhoneRow]:
        page = await self._client.read(f"/users/{oid}/authentication/phoneMethods", PhonePage)
        return page.value

    def _judged(self, reply: Reply, target_oid: str, *, by_method: bool) -> Receipt:
        """What an answer to a write proves. by_method: the path named a method, not only the list."""
        if reply.status in _DONE:
            return Receipt(reply.request_id)
        if not 400 <= reply.status < 500:
            raise DirectoryUncertain(f"Graph answered {reply.status}", reply.request_id)
        if by_method and reply.status == 404:
            raise DirectoryUncertain("the phone method is not there", reply.request_id)
        error = read_error(reply.status, reply.body, reply.request_id)
        refusal, known = refusal_of(error, target_oid)
        if not known:
            self._count("graph_unrecognised", str(error.status))
            _LOG.warning(
                "no rule explains this answer of Graph",
                extra={"answer": error.brief, "graph_request_id": error.request_id},
            )
        not_unique = error.status == 409 and error.code.lower() == "phonenumbernotunique"
        raise DirectoryRefused(refusal, error.request_id, saved_anyway=not_unique)
