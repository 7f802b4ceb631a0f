"""One suite for every directory: what the workflow may rely on, in memory and over HTTP alike."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.domain.change import Operation, OpKind
from bot.domain.command import Who, WhoKind
from bot.domain.people import ProtectionRules
from bot.domain.phone import PhoneNumber, Slot, read_directory_number
from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain
from tests.contract.directory_stages import DOMAIN, FakeStage, SandboxStage, Seen, Stage
from tests.doubles.directory import DIRECTORY_READERS, GLOBAL_ADMINISTRATOR, Fault

NEW = PhoneNumber("1", "2065550177")
NOBODY = "00000000-0000-4000-8000-000000000000"
NO_RULES = ProtectionRules()


@pytest_asyncio.fixture(params=["memory", "graph"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    if request.param == "memory":
        yield FakeStage()
        return
    made = SandboxStage(request.getfixturevalue("urls"))
    yield made
    await made.aclose()


def op(kind: OpKind, slot: Slot) -> Operation:
    return Operation(1, kind, slot, "", "", "", "")


def call_id() -> str:
    return str(uuid.uuid4())


async def names(
    stage: Stage, kind: WhoKind, value: str, limit: int = 10, *, exact: bool = False
) -> list[str]:
    found = await stage.directory.find(Who(kind, value, exact), limit)
    return [person.upn.split("@")[0] for person in found]


# --- everybody --------------------------------------------------------------------------------------------
async def test_everybody_page_by_page(stage: Stage) -> None:
    """Each person once over all pages, with the count on the first; a guest and a disabled one, too."""
    found: list[str] = []
    page = await stage.directory.people_page("", 4)
    assert page is not None
    total = page.total
    while page is not None:
        assert len(page.people) <= 4
        found += page.people
        page = await stage.directory.people_page(page.next, 4) if page.next else None
    assert len(found) == len(set(found)) == total
    assert {stage.oid("alice"), stage.oid("guest"), stage.oid("ruth")} <= set(found)


# --- finding people ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (WhoKind.UPN, f"alice@{DOMAIN}", ["alice"]),
        (WhoKind.UPN, f"ALICE@{DOMAIN}", ["alice"]),
        (WhoKind.UPN, f"siobhan.o'brien@{DOMAIN}", ["siobhan.o'brien"]),
        (WhoKind.UPN, f"gina_fabrikam.example#EXT#@{DOMAIN}", ["gina_fabrikam.example#EXT#"]),
        (WhoKind.UPN, f"xena@{DOMAIN}", ["x.frost"]),
        (WhoKind.UPN, f"x.frost@{DOMAIN}", ["xavier", "x.frost"]),
        (WhoKind.UPN, f"nobody@{DOMAIN}", []),
        (WhoKind.UPN, f"\u0430lice@{DOMAIN}", []),
        (WhoKind.UPN, f"\uff41lice@{DOMAIN}", []),
        (WhoKind.UPN, "../groups", []),
        (WhoKind.UPN, "$count", []),
        (WhoKind.EMPLOYEE, "E7001", ["jonas", "jonas2"]),
        (WhoKind.EMPLOYEE, "E7001' or employeeId ne '", []),
        (WhoKind.NAME, "alice", ["alice"]),
        (WhoKind.NAME, "anders", ["alice"]),
        (WhoKind.NAME, "Siobhan O'Brien", ["siobhan.o'brien"]),
        (WhoKind.NAME, "jonas", ["jonas2", "jonas", "jonathan"]),
        (WhoKind.NAME, "x' or startswith(displayName,'A", []),
        (WhoKind.NAME, 'zz" OR "displayName:alice', []),
        (WhoKind.NAME, "!!!", []),
        (WhoKind.NAME, " ", []),
    ],
)
async def test_people_are_found_by_what_was_typed_and_by_nothing_else(
    stage: Stage, kind: WhoKind, value: str, expected: list[str]
) -> None:
    """Words find exactly the people they fit; look-alikes and query text find nobody."""
    found = await names(stage, kind, value)
    assert sorted(found) == sorted(expected)


async def test_a_quoted_name_finds_only_that_name(stage: Stage) -> None:
    """An exact name leaves out those that merely begin with it, and shows both who have it."""
    assert await names(stage, WhoKind.NAME, "jonas bergfeld", exact=True) == ["jonas2", "jonas"]


async def test_a_list_of_people_is_sorted_and_says_when_there_are_more(stage: Stage) -> None:
    """By name, then UPN; one more than the limit tells that the list was cut."""
    assert await names(stage, WhoKind.NAME, "jonas") == ["jonas2", "jonas", "jonathan"]
    assert len(await names(stage, WhoKind.NAME, "jonas", limit=1)) == 2


async def test_a_person_is_looked_up_by_object_id_in_any_spelling(stage: Stage) -> None:
    """Upper case and braces are the same id; an unknown id is nobody; text that is none is a mistake."""
    oid = stage.oid("marta")
    for spelling in (oid, oid.upper(), f"{{{oid}}}"):
        person = await stage.directory.person(spelling)
        assert person is not None
        assert (person.oid, person.name, person.department) == (oid, "Marta Mayfair", "Sales")
    assert await stage.directory.person(NOBODY) is None
    assert [p.oid for p in await stage.directory.find(Who(WhoKind.OID, oid))] == [oid]
    for nonsense in ("me", "../groups/x", f"{oid}/manager", ""):
        with pytest.raises(ValueError, match="object id"):
            await stage.directory.person(nonsense)


async def test_guests_and_disabled_people_are_recognised(stage: Stage) -> None:
    """The flags that decide whether somebody may act come through."""
    guest = await stage.directory.person(stage.oid("guest"))
    alice = await stage.directory.person(stage.oid("alice"))
    assert guest is not None
    assert alice is not None
    assert (guest.guest, guest.enabled) == (True, False)
    assert (alice.guest, alice.enabled) == (False, True)


async def test_a_manager_or_none(stage: Stage) -> None:
    """Who has a manager gets that person; who has none gets none."""
    manager = await stage.directory.manager(stage.oid("alice"))
    assert manager is not None
    assert manager.oid == stage.oid("marta")
    assert await stage.directory.manager(stage.oid("marta")) is None


# --- groups -----------------------------------------------------------------------------------------------
async def test_membership_counts_through_nested_groups(stage: Stage) -> None:
    """Nested membership is membership, for the person and in the list; unasked groups do not show."""
    stage.nest("operator", "bulk")
    stage.join("bulk", "nadia")
    stage.join("operator", "alice")
    asked = frozenset(stage.group(name) for name in ("operator", "bulk", "admin"))
    expected = {stage.group("operator"), stage.group("bulk")}
    assert await stage.directory.member_of(stage.oid("nadia"), asked) == expected
    assert await stage.directory.member_of(stage.oid("nadia"), frozenset()) == frozenset()
    members = await stage.directory.members(stage.group("operator"), 50)
    assert {person.oid for person in members} == {stage.oid("nadia"), stage.oid("alice")}


async def test_more_than_twenty_groups_are_checked(stage: Stage) -> None:
    """No group is left out because there are many."""
    stage.join("admin", "nadia")
    many = frozenset({stage.group("admin"), *(str(uuid.uuid4()) for _ in range(45))})
    assert await stage.directory.member_of(stage.oid("nadia"), many) == {stage.group("admin")}


async def test_members_are_read_over_all_pages_up_to_the_limit(stage: Stage) -> None:
    """A long group is read to its end, or cut at the limit; an unknown group is empty."""
    for alias in ("alice", "marta", "jonas", "jonas2", "xavier", "xena", "otto", "tessa"):
        stage.join("approver", alias)
    assert len(await stage.directory.members(stage.group("approver"), 50)) == 8
    assert len(await stage.directory.members(stage.group("approver"), 7)) == 7
    assert list(await stage.directory.members(NOBODY, 5)) == []


async def test_a_group_that_anybody_may_fill_is_weak(stage: Stage) -> None:
    """A role-assignable group is strong; one that does not exist is weak."""
    strong = stage.group("operator")
    assert await stage.directory.weak_groups(frozenset({strong, NOBODY})) == {NOBODY}


async def test_groups_are_named_and_those_that_are_not_there_are_left_out(stage: Stage) -> None:
    """A sentence about a group can say its name; an id that is no group gives no name and no error."""
    operators = stage.group("operator")
    names = await stage.directory.group_names(frozenset({operators, NOBODY}))
    assert set(names) == {operators}
    assert names[operators]


# --- protection -------------------------------------------------------------------------------------------
async def protection(stage: Stage, alias: str, rules: ProtectionRules = NO_RULES) -> str:
    own = frozenset(stage.group(name) for name in ("operator", "approver"))
    return "; ".join((await stage.directory.protection(stage.oid(alias), rules, own)).facts)


async def test_ordinary_people_and_our_own_role_members_are_not_protected(stage: Stage) -> None:
    """A colleague without roles is not protected, nor is somebody only because of a role of ours."""
    stage.join("operator", "nadia")
    assert await protection(stage, "alice") == ""
    assert await protection(stage, "nadia") == ""


async def test_a_directory_role_protects_unless_it_is_allow_listed(stage: Stage) -> None:
    """Held by oneself or through a group of ours; only the listed template ids are let off."""
    stage.roles("alice", [GLOBAL_ADMINISTRATOR], [])
    stage.roles("marta", [DIRECTORY_READERS], [])
    stage.join("operator", "nadia")
    stage.group_roles("operator", [GLOBAL_ADMINISTRATOR], [])
    allow = ProtectionRules(allow_roles=frozenset({DIRECTORY_READERS}))
    assert await protection(stage, "alice", allow) == "holds the directory role Global Administrator"
    assert "Directory Readers" in await protection(stage, "marta")
    assert await protection(stage, "marta", allow) == ""
    assert "Global Administrator" in await protection(stage, "nadia", allow)


async def test_who_may_activate_a_role_is_protected(stage: Stage) -> None:
    """PIM eligibility protects, the person's own and that of a group, even of ours."""
    stage.roles("alice", [], [GLOBAL_ADMINISTRATOR])
    stage.join("operator", "nadia")
    stage.group_roles("operator", [], [GLOBAL_ADMINISTRATOR])
    assert await protection(stage, "alice") == "is eligible for a directory role (PIM)"
    assert await protection(stage, "nadia") == "is eligible for a directory role (PIM)"
    assert await protection(stage, "marta") == ""


async def test_role_assignable_groups_protect_members_and_owners(stage: Stage) -> None:
    """Somebody else's group protects its members; any such group, ours too, protects its owners."""
    stage.join("security", "alice")
    stage.join("operator", "marta", "owners")
    assert "member of the role-assignable group Phone desk securitys" in await protection(stage, "alice")
    assert "owns the role-assignable group Phone desk operators" in await protection(stage, "marta")


async def test_restricted_units_and_our_lists_protect(stage: Stage) -> None:
    """The restricted unit, the break-glass list and protected groups, however the ids are spelled."""
    stage.join("operator", "nadia")
    rules = ProtectionRules(
        people=frozenset({stage.oid("alice")}), groups=frozenset({stage.group("operator")})
    )
    assert await protection(stage, "ruth") == "is in a restricted administrative unit"
    assert await protection(stage, "alice", rules) == "is on the list of protected people"
    assert await protection(stage, "nadia", rules) == "is in the protected group Phone desk operators"


async def test_an_unreadable_protection_fact_is_no_answer(stage: Stage) -> None:
    """When one part cannot be read, nobody is called unprotected."""
    stage.fail("protection", Fault.UNAVAILABLE)
    with pytest.raises(DirectoryUnavailable):
        await protection(stage, "alice")


# --- phones -----------------------------------------------------------------------------------------------
async def test_phones_come_by_slot(stage: Stage) -> None:
    """Each slot has its number, the office one its extension; a missing slot is empty."""
    phones = await stage.directory.phones(stage.oid("otto"))
    assert set(phones.by_slot) == {Slot.MOBILE, Slot.OFFICE}
    assert phones.by_slot[Slot.OFFICE].same_as(PhoneNumber("1", "2065550133", "12"))
    assert (await stage.directory.phones(stage.oid("marta"))).by_slot == {}


@pytest.mark.parametrize(
    ("alias", "slot", "before"),
    [
        ("marta", Slot.MOBILE, None),
        ("alice", Slot.MOBILE, "+1 2065550110"),
        ("otto", Slot.OFFICE, "+1 2065550133x12"),
    ],
)
async def test_set_writes_once_whether_the_slot_was_empty_or_not(
    stage: Stage, alias: str, slot: Slot, before: str | None
) -> None:
    """One effect, with our call id on it, and reading shows the new number."""
    this = call_id()
    receipt = await stage.directory.write(stage.oid(alias), op(OpKind.SET, slot), NEW, this)
    assert receipt.graph_request_id
    assert stage.effects() == [Seen(stage.oid(alias), slot.value, before, "+1 2065550177", this)]
    shown = (await stage.directory.phones(stage.oid(alias))).get(slot)
    assert shown is not None
    assert shown.same_as(NEW)


async def test_remove_empties_the_slot(stage: Stage) -> None:
    """One effect, and the slot is empty afterwards."""
    this = call_id()
    await stage.directory.write(stage.oid("tessa"), op(OpKind.REMOVE, Slot.ALTERNATE), None, this)
    assert stage.effects() == [Seen(stage.oid("tessa"), "alternateMobile", "+1 2065550135", None, this)]
    assert Slot.ALTERNATE not in (await stage.directory.phones(stage.oid("tessa"))).by_slot


async def test_removing_what_is_not_there_is_uncertain(stage: Stage) -> None:
    """It may have been our own earlier try: only reading tells."""
    with pytest.raises(DirectoryUncertain):
        await stage.directory.write(stage.oid("marta"), op(OpKind.REMOVE, Slot.MOBILE), None, call_id())
    assert stage.effects() == []


@pytest.mark.parametrize(
    ("alias", "kind", "slot", "code"),
    [
        ("marta", OpKind.SET, Slot.ALTERNATE, "directory.rule"),
        ("tessa", OpKind.REMOVE, Slot.MOBILE, "directory.rule"),
        ("otto", OpKind.REMOVE, Slot.MOBILE, "directory.default-method"),
        ("ruth", OpKind.SET, Slot.MOBILE, "directory.restricted-unit"),
    ],
)
async def test_the_directorys_own_rules_are_refusals_without_effect(
    stage: Stage, alias: str, kind: OpKind, slot: Slot, code: str
) -> None:
    """A rule of the directory comes back as its reason, and nothing has changed."""
    number = NEW if kind is OpKind.SET else None
    with pytest.raises(DirectoryRefused) as refused:
        await stage.directory.write(stage.oid(alias), op(kind, slot), number, call_id())
    assert refused.value.refusal.code == code
    assert not refused.value.saved_anyway
    assert stage.effects() == []


async def test_a_number_that_is_a_sign_in_name_may_be_saved_all_the_same(stage: Stage) -> None:
    """The refusal says that the number may be there, and here it is."""
    stage.sign_in_names()
    taken = read_directory_number("+1 2065550137")
    with pytest.raises(DirectoryRefused) as refused:
        await stage.directory.write(stage.oid("marta"), op(OpKind.SET, Slot.MOBILE), taken, call_id())
    assert refused.value.refusal.code == "directory.number-not-unique"
    assert refused.value.saved_anyway
    shown = (await stage.directory.phones(stage.oid("marta"))).get(Slot.MOBILE)
    assert shown is not None
    assert shown.same_as(taken)


@pytest.mark.parametrize(
    ("fault", "raised", "effects"),
    [
        (Fault.UNAVAILABLE, DirectoryUnavailable, 0),
        (Fault.UNCERTAIN_BEFORE, DirectoryUncertain, 0),
        (Fault.UNCERTAIN_AFTER, DirectoryUncertain, 1),
        (Fault.REFUSED, DirectoryRefused, 0),
    ],
)
async def test_a_write_that_goes_wrong_is_never_made_again(
    stage: Stage, fault: Fault, raised: type[Exception], effects: int
) -> None:
    """Each kind of trouble has its own exception, and the directory saw at most one effect."""
    stage.fail("write", fault)
    with pytest.raises(raised):
        await stage.directory.write(stage.oid("marta"), op(OpKind.SET, Slot.MOBILE), NEW, call_id())
    assert len(stage.effects()) == effects


@pytest.mark.parametrize("call", ["find", "person", "manager", "phones", "member_of", "members"])
async def test_a_read_that_cannot_be_made_says_so(stage: Stage, call: str) -> None:
    """No read ever answers with nothing when it could not ask."""
    oid, group, who = stage.oid("alice"), stage.group("operator"), Who(WhoKind.EMPLOYEE, "E7001")
    asks = {
        "find": lambda: stage.directory.find(who),
        "person": lambda: stage.directory.person(oid),
        "manager": lambda: stage.directory.manager(oid),
        "phones": lambda: stage.directory.phones(oid),
        "member_of": lambda: stage.directory.member_of(oid, frozenset({group})),
        "members": lambda: stage.directory.members(group, 5),
    }
    stage.fail(call, Fault.UNAVAILABLE)
    with pytest.raises(DirectoryUnavailable):
        await asks[call]()


async def test_many_questions_at_once_get_their_own_answers(stage: Stage) -> None:
    """Concurrency mixes nothing up."""
    aliases = ["alice", "marta", "jonas", "jonas2", "xavier", "xena"] * 5
    people = await asyncio.gather(*(stage.directory.person(stage.oid(alias)) for alias in aliases))
    assert [person.oid for person in people if person] == [stage.oid(alias) for alias in aliases]


async def test_typed_text_reaches_graph_as_one_literal(urls: dict[str, str]) -> None:
    """On the wire every path is one of two templates, and Graph reads the typed text as one value."""
    stage = SandboxStage(urls)
    hostile = (
        "../groups/x",
        "a/authentication/methods?x=",
        "%2e%2e",
        "me",
        "$batch",
        "$x@tallow.example",
        "a#b@tallow.example",
        "a@b/../c",
        "o'x@tallow.example",
        "a;b@c",
        "x&$filter=y",
    )
    for text in hostile:
        assert await names(stage, WhoKind.UPN, text) == []
        assert await names(stage, WhoKind.NAME, text) == []
    seen = stage.requests(server="graph")
    assert {each["route"] for each in seen} == {"/users", "/users/{user}"}
    assert {each["status"] for each in seen} == {200, 404}
    filters = [json.dumps(each["details"].get("filter"), ensure_ascii=False) for each in seen]
    assert all(any(json.dumps(text)[1:-1] in tree for tree in filters) for text in hostile)
    await stage.aclose()
