"""Issuing a Temporary Access Pass through Microsoft Graph.

Knows the one call, what it asks for, and what a yes holds. Must not know for whom or why, and must not let
the secret out anywhere but in the `Pass`: no log, no exception, no representation. Sources: Graph docs
"authentication-post-temporaryaccesspassmethods" (an earlier pass is deleted by a new one; without
startDateTime it works at once) and "temporaryaccesspassauthenticationmethod" (isUsable,
methodUsabilityReason).
"""

from __future__ import annotations

import re

from pydantic import Field

from bot.domain.directory_reasons import PASS_UNUSABLE
from bot.graph.client import GraphClient, Reply
from bot.graph.rows import Row, checked_id, read_row
from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain, Pass

_MADE = 201
_WORD = re.compile(r"[A-Za-z]{1,32}\Z")
_SOON = "notyetvalid"  # clocks of two servers differ by moments; samples spell it NotYetValid and notYetValid


class _PassRow(Row):
    temporaryAccessPass: str | None = Field(None, repr=False)  # noqa: N815
    lifetimeInMinutes: int | None = None  # noqa: N815
    isUsable: bool | None = None  # noqa: N815
    methodUsabilityReason: str | None = None  # noqa: N815


async def ask(client: GraphClient, oid: str, minutes: int, call_id: str) -> Reply:
    """One write. Raises DirectoryUnavailable or DirectoryUncertain as `GraphClient.write`."""
    path = f"/users/{checked_id(oid)}/authentication/temporaryAccessPassMethods"
    return await client.write("POST", path, {"lifetimeInMinutes": minutes, "isUsableOnce": True}, call_id)


def read_pass(reply: Reply, minutes: int) -> Pass:
    """The pass in an answer that is no refusal. minutes: what was asked for, if the answer does not say.

    DirectoryUncertain: one may be there that we have not seen. DirectoryRefused: the one that is there does
    not work, and so nobody gets it.
    """
    if reply.status != _MADE:
        raise DirectoryUncertain(f"Graph answered {reply.status}", reply.request_id)
    try:
        row = read_row(_PassRow, reply.body)
    except DirectoryUnavailable:
        raise DirectoryUncertain("a pass was made, in a form we do not know", reply.request_id) from None
    if not row.temporaryAccessPass:
        raise DirectoryUncertain("a pass was made, and not told", reply.request_id)
    why = row.methodUsabilityReason or ""
    if row.isUsable is False and why.lower() != _SOON:
        code = why if _WORD.match(why) else "no reason given"
        refusal = PASS_UNUSABLE.refuse(code=code, request_id=reply.request_id or "(none given)")
        raise DirectoryRefused(refusal, reply.request_id)
    return Pass(row.temporaryAccessPass, row.lifetimeInMinutes or minutes, reply.request_id)
