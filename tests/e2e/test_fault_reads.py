"""Reads that go wrong in every way: refused with the right words, or said not to be known; no write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest
from stage import Stage
from table_drive import DOMAIN, Row, World, code_of

from bot.sandbox.screen import told

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
Json = dict[str, Any]
#: What every request of the kind meets, without an end.
MISFORTUNES: dict[str, Json] = {
    "401": {"kind": "token_expired"},
    "403": {"kind": "status", "status": 403},
    "404": {"kind": "status", "status": 404},
    "409": {"kind": "status", "status": 409},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "timeout": {"kind": "hang", "ms": 30},
    "reset": {"kind": "reset"},
    "answer lost": {"kind": "reset_after"},
    "HTML": {"kind": "html"},
    "HTML, 200": {"kind": "html", "status": 200},
    "no error in it": {"kind": "no_error", "status": 400},
}
THROTTLED: dict[str, Json] = {
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 30},
    "429": {"kind": "status", "status": 429},
}
UNREAD, UNKNOWN = "directory.unavailable", "policy.protection-unknown"
RIGHTS, PREVIEW = "access.cannot-check", "preview"
#: What a paused lane may stop first: other reads of the same command wait in it as well.
PAUSED = {UNREAD, UNKNOWN, RIGHTS, PREVIEW}


@dataclass(frozen=True, slots=True)
class Read:
    """A kind of read: its path ({oid}: the target's, {alias}, {olivia}), how a command for it ends, and where
    not so. says: words of the answer. shared: every command makes the same request."""

    path: str
    ends: str
    special: Mapping[str, str] = field(default_factory=dict)
    says: str = ""
    shared: bool = False
    group: str = ""


READS = {
    "find": Read(r"/users(/|\?.*){alias}(%40|@)", UNREAD),
    "person": Read(r"/users/{olivia}\?", RIGHTS, {"404": "access.not-allowed"}, shared=True),
    "groups of the actor": Read(r"/users/{olivia}/checkMemberGroups", RIGHTS, shared=True),
    "manager": Read(r"/users/{oid}/manager", UNREAD, {"404": PREVIEW}),
    "phones": Read(r"/users/{oid}/authentication/phoneMethods", UNREAD),
    "member_of": Read(r"/users/{oid}/checkMemberGroups", UNKNOWN),
    "members": Read(
        *(r"/groups/.*/transitiveMembers", UNREAD, {"404": "policy.nobody-to-ask"}),
        shared=True,
        group="Phone desk operators",
    ),
    "protection: unit": Read(r"/users/{oid}\?.*select=id%2CisManagementRestricted$", UNKNOWN),
    "protection: roles": Read(r"/users/{oid}/transitiveMemberOf/microsoft.graph.directoryRole", UNKNOWN),
    "protection: groups": Read(r"/users/{oid}/transitiveMemberOf/microsoft.graph.group", UNKNOWN),
    "protection: owned": Read(r"/users/{oid}/ownedObjects", UNKNOWN),
    "protection: assigned": Read(r"roleAssignments.*{oid}", UNKNOWN),
    "protection: eligible": Read(r"roleEligibilityScheduleInstances", UNKNOWN, shared=True),
    "protection: PIM for groups": Read(r"\$batch", UNKNOWN, shared=True),
    "sign_in: default": Read(
        r"/users/{oid}/authentication/signInPreferences", PREVIEW, says="I cannot read which sign-in method"
    ),
    "sign_in: methods": Read(
        r"/users/{oid}/authentication/methods", PREVIEW, says="I cannot read which sign-in method"
    ),
    "method_policy": Read(
        r"/policies/authenticationMethodsPolicy", PREVIEW, says="I switch that off again", shared=True
    ),
}


@pytest.mark.parametrize("name", READS)
async def test_a_read_that_goes_wrong_ends_as_it_should(name: str, opened: Opened) -> None:
    """What must be known is refused with what to do; what only makes the preview fuller is said not known."""
    read = READS[name]
    cases = {**MISFORTUNES, **THROTTLED}
    if name != "phones":
        del cases["429"]  # the lane of reads is one: once is enough for the wait that nobody told
    rows = tuple(Row(each, "M", "set mobile N", "", group=read.group) for each in cases)
    world = World(name, rows, more={"GRAPH_PROFILE": "default-guard"})
    async with opened(spec=world.spec(), more=world.more) as stage:
        await world.prepare(stage)
        await stage.say("olivia", "hi")
        if read.shared:
            answers = [await _alone(stage, read, n, cases[row.case]) for n, row in enumerate(rows)]
        else:
            for n, row in enumerate(rows[: len(MISFORTUNES)]):
                await stage.fault(**MISFORTUNES[row.case], path=_path(stage, read, n), times=None)
            answers = list(await asyncio.gather(*(_asked(stage, n) for n in range(len(MISFORTUNES)))))
            await _all_hit(stage)
            for n in range(len(MISFORTUNES), len(rows)):
                answers.append(await _alone(stage, read, n, cases[rows[n].case]))
        judged = zip(rows, answers, strict=True)
        wrong = [f"{row.case}: {said}" for row, said in judged if not _right(read, row, said)]
        assert not wrong, "\n".join(wrong)
        await stage.ends_with()


def _right(read: Read, row: Row, said: str) -> bool:
    ended = PREVIEW if "Preview: nothing is sent yet" in said else code_of(said)
    if row.case in THROTTLED:
        return ended in PAUSED
    helped = ended == PREVIEW or "What to do:" in said
    expected = read.special.get(row.case, read.ends)
    return ended == expected and helped and (read.says in said or ended != read.ends)


def _path(stage: Stage, read: Read, n: int) -> str:
    alias = f"row{n:03}"
    found = read.path.replace("{alias}", alias).replace("{oid}", stage.oid(alias))
    return found.replace("{olivia}", stage.oid("olivia"))


async def _all_hit(stage: Stage) -> None:
    """No fault was planned in vain."""
    faults = (await stage.control("GET", "faults"))["faults"]
    assert [each["path"] for each in faults if not each["hits"]] == []
    await stage.heal()


async def _alone(stage: Stage, read: Read, n: int, fault: Json) -> str:
    """With this fault only; a pause of the lane and what is remembered of the policy are over before."""
    await stage.later(seconds=70)
    await stage.fault(**fault, path=_path(stage, read, n), times=None)
    said = await _asked(stage, n)
    await _all_hit(stage)
    return said


async def _asked(stage: Stage, n: int) -> str:
    """The answer to a command, when it is there."""
    typed = f"set mobile for row{n:03}@{DOMAIN} to +1 206555{3000 + n} because lost phone"
    request = (await stage.say("olivia", typed))["activity_id"]

    async def answer() -> str:
        said = [told(each) for each in await stage.from_bot("olivia") if each["reply_to"] == request]
        return "" if not said or "One moment" in said[-1] else " ".join(said[-1].split())

    found: str = await stage.wait_for(answer)
    return found


NO_GROUPS = {
    *("User.Read.All", "UserAuthMethod-Phone.ReadWrite.All", "RoleManagement.Read.Directory"),
    *("RoleEligibilitySchedule.Read.Directory", "PrivilegedEligibilitySchedule.Read.AzureADGroup"),
    *("Policy.Read.AuthenticationMethod", "AuditLog.Read.All", "UserAuthenticationMethod.ReadWrite.All"),
}


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("pia", "may join the role-assignable group Key keepers (PIM for groups)"),
        ("oona", "may own the role-assignable group Key keepers (PIM for groups)"),
        ("petra", "is eligible for a directory role (PIM)"),
    ],
)
async def test_who_may_become_privileged_is_protected(who: str, why: str, stage: Stage) -> None:
    """Eligible members and owners of privileged groups, and of roles, are refused, and the fact is named."""
    said = await stage.ask("olivia", f"set mobile for {who} to +1 206 555 0100 because lost phone")
    assert code_of(said) == "policy.protected"
    assert why in said
    await stage.ends_with()


@pytest.mark.parametrize("status", [400, 403])
async def test_a_tenant_without_p2_has_no_pim_and_works(status: int, opened: Opened) -> None:
    """Nobody is eligible for anything where the licence is missing; roles that are held still protect."""
    async with opened(spec={"rules": {"has_p2": False, "no_p2_status": status}}) as stage:
        await stage.pending()
        await stage.click("marta", "Approve")
        await stage.wait_for(stage.effects)
        said = await stage.ask("olivia", "set mobile for gabriel to +1 206 555 0101 because lost phone")
        assert code_of(said) == "policy.protected"
        await stage.ends_with(("alice", "mobile", "+1 2065550100"))


async def test_an_app_that_may_not_read_groups_refuses(stage: Stage) -> None:
    """Neither anybody's rights nor anybody's protection can be known then: every answer is no."""
    await stage.ask("olivia", "hi")
    await stage.control("PATCH", "", {"permissions": sorted(NO_GROUPS)})
    said = await stage.ask("olivia", "set mobile for alice to +1 206 555 0100 because lost phone")
    assert code_of(said) == RIGHTS
    assert "without an answer the answer is no" in said
    await stage.ends_with()
