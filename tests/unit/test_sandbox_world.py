"""The seeded company: who is in it, and that a world is the same every time it is made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.sandbox.people import change
from bot.sandbox.world import World
from bot.sandbox.worlds import Worlds

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def make(**spec: object) -> World:
    return Worlds(lambda: START).create(dict(spec))


def test_a_named_world_has_the_same_ids_every_time() -> None:
    """Two processes that make "demo" agree on tenant, app, secret and people; unnamed worlds never meet."""
    one, two, other = make(name="demo"), make(name="demo"), make()
    assert (one.tenant_id, one.app_id, one.secret) == (two.tenant_id, two.app_id, two.secret)
    assert list(one.people) == list(two.people)
    assert not set(one.people) & set(other.people)


def test_the_company_holds_everybody_a_test_needs() -> None:
    """At least 40 people, each found by alias, UPN and object id in any letter case."""
    world = make()
    assert len(world.people) >= 40
    for person in world.people.values():
        assert person.alias
        assert world.find(person.alias.upper()) is person
        assert world.find(person.upn.upper()) is person
        assert world.find(person.oid.upper()) is person
        assert person.oid not in person.mri
        assert person.mri.startswith("29:")


def test_managers_that_cannot_be_asked_are_there() -> None:
    """Missing, without the app, disabled, and the helpdesk's own: one target for each."""
    world = make()

    def boss(alias: str):
        person = world.find(alias)
        assert person is not None
        return world.people.get(person.manager_oid or "")

    assert boss("mina") is None
    assert boss("nora") is world.find("ned")
    assert not boss("nora").installed
    assert not boss("dora").account_enabled
    assert boss("paul") is world.find("olivia")
    marta = boss("alice")
    assert marta.installed
    assert not {g.id for g in world.groups_of(marta.oid)} & set(world.role_groups.values())


def test_protected_people_are_there() -> None:
    """Every way of being privileged has a person."""
    world = make()
    person = {
        alias: world.find(alias) for alias in ("gabriel", "petra", "piers", "rita", "rhea", "rolf", "ruth")
    }
    assert world.roles_of(person["gabriel"])
    assert person["petra"].eligible_roles
    assert any(g.eligible_roles for g in world.groups_of(person["piers"].oid))
    assert world.roles_of(person["rita"])
    assert any(g.role_assignable for g in world.groups_of(person["rhea"].oid))
    assert any(person["rolf"].oid in g.owners for g in world.groups.values() if g.role_assignable)
    assert person["ruth"].management_restricted


def test_nested_members_are_found_once_and_in_circles() -> None:
    """Nested groups count, deleted people do not, and a circle of groups ends."""
    world = make()
    operators = world.find_group("operator")
    assert world.find("nadia") in world.members(operators)
    assert operators in world.groups_of(world.find("nadia").oid)
    world.find_group("Night desk").nested.append(operators.id)
    world.find("omar").deleted = True
    members = world.members(operators)
    assert len(members) == len({p.oid for p in members})
    assert world.find("omar") not in members


def test_generated_people_and_people_of_the_spec() -> None:
    """`size` adds plain people; `people` adds or changes some."""
    world = make(size=25, people=[{"alias": "ivy", "manager": "marta"}, {"alias": "alice", "enabled": False}])
    assert world.find("p00024") is not None
    assert world.find("ivy").manager_oid == world.find("marta").oid
    assert world.find("alice").account_enabled is False
    assert not make(seed="empty").people


@pytest.mark.parametrize(
    "spec",
    [
        {"seed": "zoo"},
        {"rules": {"nonsense": 1}},
        {"people": [{"alias": "alice", "shoe_size": 44}]},
        {"people": [{"alias": "alice", "manager": "nobody"}]},
        {"people": [{}]},
    ],
)
def test_a_spec_that_names_nothing_real_is_refused(spec: dict[str, object]) -> None:
    """A misspelt knob must not pass as a test that proves nothing."""
    with pytest.raises(ValueError, match=r"no such|alias"):
        make(**spec)


def test_no_two_people_share_a_number() -> None:
    """A clash in a test is one that the test made itself."""
    numbers = [number for person in make(size=60_000).people.values() for number in person.phones.values()]
    assert len(numbers) == len(set(numbers))


def test_a_changed_name_is_found_and_the_old_one_is_not() -> None:
    """A renamed UPN moves; the object id stays."""
    world = make()
    alice = world.find("alice")
    change(world, alice, {"upn": "alice.new@contoso.example"})
    assert world.find("alice.new@contoso.example") is alice
    assert world.find("alice@contoso.example") is None


def test_worlds_do_not_share_what_can_change() -> None:
    """A write in one world is not seen in another."""
    one, two = make(), make()
    one.find("alice").phones["mobile"] = "+1 2065550199"
    one.find("alice").other_methods.append("fido2")
    assert two.find("alice").phones == {"mobile": "+1 2065550110"}
    assert two.find("alice").other_methods == ["password"]


def test_phones_can_be_read_as_they_were() -> None:
    """Stale reads look back over several writes."""
    alice = make().find("alice")
    alice.remember(START)
    alice.phones = {"mobile": "second"}
    alice.remember(START + timedelta(seconds=10))
    alice.phones = {}
    assert alice.phones_at(START - timedelta(seconds=1)).phones == {"mobile": "+1 2065550110"}
    assert alice.phones_at(START + timedelta(seconds=5)).phones == {"mobile": "second"}
    assert alice.phones_at(START + timedelta(seconds=10)).phones == {}
