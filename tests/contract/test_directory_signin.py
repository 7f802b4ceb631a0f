"""One suite for every directory: how people sign in, in memory and over HTTP alike."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from bot.domain.change import Operation, OpKind
from bot.domain.methods import Default, Method, SmsState
from bot.domain.people import Phones, ProtectionRules
from bot.domain.phone import PhoneNumber, Slot, read_directory_number
from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain, Unread
from tests.contract.directory_stages import FakeStage, SandboxStage, Stage
from tests.doubles.directory import Fault

NOBODY = "00000000-0000-4000-8000-000000000000"
SET_MOBILE = Operation(1, OpKind.SET, Slot.MOBILE, "", "", "", "")
NEW = PhoneNumber("1", "2065550177")


@pytest_asyncio.fixture(params=["memory", "graph"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A directory that may see the default method."""
    if request.param == "memory":
        yield FakeStage("default-guard")
        return
    made = SandboxStage(request.getfixturevalue("urls"), "default-guard")
    yield made
    await made.aclose()


def call_id() -> str:
    return str(uuid.uuid4())


async def refused(stage: Stage, alias: str, *, enable: bool = True) -> DirectoryRefused:
    with pytest.raises(DirectoryRefused) as info:
        await stage.directory.sms_sign_in(stage.oid(alias), enable, call_id())
    return info.value


# --- methods and default ----------------------------------------------------------------------------------
async def test_methods_and_default_are_read(stage: Stage) -> None:
    """Every registered method by its kind, the default, and what Entra prefers by itself."""
    stage.sign_in("otto", methods=(Method.PASSWORD, Method.AUTHENTICATOR), default=Default.SMS)
    seen = await stage.directory.sign_in(stage.oid("otto"))
    assert seen.readable
    assert sorted(seen.methods) == sorted((Method.PASSWORD, Method.AUTHENTICATOR, Method.PHONE, Method.PHONE))
    assert (seen.default, seen.unknown_methods) == (Default.SMS, 0)
    assert seen.system_preferred is False
    assert seen.stronger_than_phone == (Method.AUTHENTICATOR,)


async def test_resets_are_read_with_their_times(stage: Stage) -> None:
    """When the password was changed comes with the person, when a pass was issued with the methods."""
    password, issued = (datetime(2026, 3, day, 8, 30, tzinfo=UTC) for day in (1, 2))
    stage.reset("otto", password=password, issued=issued)
    person = await stage.directory.person(stage.oid("otto"))
    assert person is not None
    assert person.password_changed_at == password
    seen = await stage.directory.sign_in(stage.oid("otto"))
    assert seen.passes == (issued,)
    stage.profile("phone-only")
    assert (await stage.directory.sign_in(stage.oid("otto"))).passes == ()


async def test_no_default_is_told_as_none(stage: Stage) -> None:
    """Nothing chosen is not the same as not readable."""
    stage.sign_in("marta", methods=(Method.PASSWORD,), default=Default.NONE)
    assert (await stage.directory.sign_in(stage.oid("marta"))).default is Default.NONE


async def test_the_default_is_set(stage: Stage) -> None:
    """One write; reading shows it."""
    stage.sign_in("otto", methods=(Method.PASSWORD, Method.AUTHENTICATOR), default=Default.SMS)
    receipt = await stage.directory.set_default(stage.oid("otto"), Default.PUSH, call_id())
    assert receipt.graph_request_id
    assert (await stage.directory.sign_in(stage.oid("otto"))).default is Default.PUSH
    for nothing in (Default.NONE, Default.UNKNOWN):
        with pytest.raises(ValueError, match="default"):
            await stage.directory.set_default(stage.oid("otto"), nothing, call_id())


async def test_without_the_profile_nothing_is_claimed(stage: Stage) -> None:
    """phone-only: not readable, with the cause; setting is refused before any call."""
    stage.profile("phone-only")
    seen = await stage.directory.sign_in(stage.oid("otto"))
    assert (seen.readable, seen.methods, seen.default) == (False, (), None)
    assert "phone-only" in seen.why
    with pytest.raises(DirectoryRefused) as info:
        await stage.directory.set_default(stage.oid("otto"), Default.PUSH, call_id())
    assert info.value.refusal.code == "directory.profile"


async def test_a_default_that_graph_moved_is_seen(stage: Stage) -> None:
    """Where the directory makes a new phone the default, reading afterwards shows it."""
    stage.sign_in("otto", methods=(Method.PASSWORD, Method.AUTHENTICATOR), default=Default.PUSH)
    stage.default_moves()
    await stage.directory.write(stage.oid("otto"), SET_MOBILE, NEW, call_id())
    assert (await stage.directory.sign_in(stage.oid("otto"))).default is Default.SMS


# --- sign-in by text message ------------------------------------------------------------------------------
async def test_sms_sign_in_is_switched_on_and_off(stage: Stage) -> None:
    """Where policy means it for sign-in: on, off, and off again, each one write that reading confirms."""
    stage.sign_in_names()
    oid = stage.oid("alice")
    assert (await stage.directory.sms_sign_in(oid, True, call_id())).graph_request_id
    assert (await stage.directory.phones(oid)).sms_sign_in is SmsState.READY
    for _ in range(2):
        await stage.directory.sms_sign_in(oid, False, call_id())
        assert (await stage.directory.phones(oid)).sms_sign_in is SmsState.NOT_ENABLED


async def test_sms_sign_in_outside_policy_is_explained(stage: Stage) -> None:
    """The refusal names the policy, and the phone's own state says the same."""
    assert (await refused(stage, "alice")).refusal.code == "directory.method-policy"
    phones = await stage.directory.phones(stage.oid("alice"))
    assert phones.sms_sign_in is SmsState.NOT_ALLOWED


async def test_a_taken_sign_in_name_is_explained(stage: Stage) -> None:
    """The number stays, it just cannot be a sign-in name; nobody is told that it was saved."""
    stage.sign_in_names()
    taken = read_directory_number("+1 2065550137")
    stage.set_phone("alice", Slot.MOBILE, taken)
    error = await refused(stage, "alice")
    assert error.refusal.code == "directory.sms-not-unique"
    assert not error.saved_anyway
    assert (await stage.directory.phones(stage.oid("alice"))).sms_sign_in is SmsState.NOT_UNIQUE


async def test_sms_sign_in_without_a_mobile_is_refused(stage: Stage) -> None:
    """There is nothing to switch, on or off."""
    stage.sign_in_names()
    for enable in (True, False):
        assert (await refused(stage, "marta", enable=enable)).refusal.code == "directory.method-gone"


async def test_a_cloud_without_it_refuses_before_asking(stage: Stage) -> None:
    """In China the call does not exist, and is not made."""
    stage.cloud("china")
    assert (await refused(stage, "alice")).refusal.code == "directory.cloud-without-sms"


async def test_other_slots_cannot_be_a_sign_in_name(stage: Stage) -> None:
    """Each slot has its own state."""
    phones = await stage.directory.phones(stage.oid("tessa"))
    assert phones.sms[Slot.ALTERNATE] is SmsState.NOT_SUPPORTED


@pytest.mark.parametrize("call", ["set_default", "sms_sign_in"])
@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.UNAVAILABLE, DirectoryUnavailable),
        (Fault.UNCERTAIN_BEFORE, DirectoryUncertain),
        (Fault.UNCERTAIN_AFTER, DirectoryUncertain),
        (Fault.REFUSED, DirectoryRefused),
    ],
)
async def test_a_write_that_goes_wrong_is_never_made_again(
    stage: Stage, call: str, fault: Fault, raised: type[Exception]
) -> None:
    """Each kind of trouble has its own exception, and the effect is there exactly when it happened."""
    stage.sign_in_names()
    stage.sign_in("otto", methods=(Method.PASSWORD, Method.AUTHENTICATOR), default=Default.SMS)
    stage.fail(call, fault)
    oid, directory = stage.oid("otto"), stage.directory
    writes = {
        "set_default": lambda: directory.set_default(oid, Default.PUSH, call_id()),
        "sms_sign_in": lambda: directory.sms_sign_in(oid, True, call_id()),
    }
    with pytest.raises(raised):
        await writes[call]()
    changed = fault is Fault.UNCERTAIN_AFTER
    if call == "set_default":
        assert ((await directory.sign_in(oid)).default is Default.PUSH) == changed
    else:
        assert ((await directory.phones(oid)).sms_sign_in is SmsState.READY) == changed


# --- what explains a state --------------------------------------------------------------------------------
async def test_the_policy_says_who_may_use_what(stage: Stage) -> None:
    """Groups in and out, sign-in or second factor only; an exclusion wins; the read has an age."""
    stage.join("operator", "alice")
    stage.sms_policy(include=["operator"], exclude=[], for_sign_in=True)
    policy = await stage.directory.method_policy()
    assert policy.groups == {stage.group("operator")}
    mine = await stage.directory.member_of(stage.oid("alice"), policy.groups)
    inside = policy.sms.of(stage.oid("alice"), mine)
    assert (inside.allowed, inside.usable_for_sign_in, inside.because) == (
        True,
        True,
        stage.group("operator"),
    )
    outside = policy.sms.of(stage.oid("marta"), frozenset())
    assert (outside.allowed, outside.excluded) == (False, False)
    assert policy.voice.of(stage.oid("marta"), frozenset()).allowed
    assert (policy.office_calls, policy.legacy_counts) == (True, False)
    assert policy.read_at.tzinfo is not None


async def test_an_exclusion_wins(stage: Stage) -> None:
    """Whoever is in both is out, and the group that decides is named."""
    stage.join("bulk", "alice")
    stage.sms_policy(include=[], exclude=["bulk"], for_sign_in=False)
    policy = await stage.directory.method_policy()
    verdict = policy.sms.of(stage.oid("alice"), frozenset({stage.group("bulk")}))
    assert (verdict.allowed, verdict.excluded, verdict.because) == (False, True, stage.group("bulk"))


async def test_licences_are_read(stage: Stage) -> None:
    """Enough to say whether sign-in by text message is licensed."""
    assert (await stage.directory.licences(stage.oid("alice"))).allow_sms_sign_in


async def test_the_report_may_know_nothing(stage: Stage) -> None:
    """Somebody who is not in the report is not readable there, which is not an error."""
    seen = await stage.directory.registration(stage.new_hire())
    assert not seen.readable
    assert "report" in seen.why


async def test_nobody_has_been_deleted(stage: Stage) -> None:
    """An empty recycle bin is empty."""
    assert list(await stage.directory.recently_deleted(5)) == []


# --- many people ------------------------------------------------------------------------------------------
async def test_phones_of_many_gives_everybody_once(stage: Stage) -> None:
    """Each person once, with the same phones as asked alone; who is not there is said to be gone."""
    aliases = ["alice", "marta", "otto", "tessa", "sasha", "alice"]
    oids = [stage.oid(alias) for alias in aliases]
    pairs = [pair async for pair in stage.directory.phones_of_many([*oids, NOBODY])]
    found = dict(pairs)
    assert len(pairs) == len(found) == 6
    gone = found.pop(NOBODY)
    assert isinstance(gone, Unread)
    assert gone.gone
    for oid, phones in found.items():
        assert isinstance(phones, Phones)
        assert phones == await stage.directory.phones(oid)


# --- PIM for groups ---------------------------------------------------------------------------------------
async def test_who_may_make_themselves_a_member_or_owner_is_protected(stage: Stage) -> None:
    """Eligibility for a role-assignable group protects; for a role group of ours only as an owner."""
    stage.join("security", "alice", "may_join")
    stage.join("security", "marta", "may_own")
    stage.join("operator", "jonas", "may_join")
    stage.join("operator", "xena", "may_own")
    own = frozenset({stage.group("operator")})
    facts = {
        alias: "; ".join((await stage.directory.protection(stage.oid(alias), ProtectionRules(), own)).facts)
        for alias in ("alice", "marta", "jonas", "xena", "nadia")
    }
    assert "may join the role-assignable group" in facts["alice"]
    assert "may own the role-assignable group" in facts["marta"]
    assert (facts["jonas"], facts["nadia"]) == ("", "")
    assert "may own the role-assignable group" in facts["xena"]


READS = ["sign_in", "method_policy", "licences", "registration", "recently_deleted"]


@pytest.mark.parametrize("call", READS)
async def test_a_read_that_cannot_be_made_says_so(stage: Stage, call: str) -> None:
    """No read ever answers with nothing when it could not ask."""
    oid = stage.oid("alice")
    asks = {
        "sign_in": lambda: stage.directory.sign_in(oid),
        "method_policy": stage.directory.method_policy,
        "licences": lambda: stage.directory.licences(oid),
        "registration": lambda: stage.directory.registration(oid),
        "recently_deleted": lambda: stage.directory.recently_deleted(3),
    }
    stage.fail(call, Fault.UNAVAILABLE)
    with pytest.raises(DirectoryUnavailable):
        await asks[call]()
