"""People of security and admins around the house of doubles, and what they do most.

Knows the house. Must not assert more than that a step was possible.
"""

from __future__ import annotations

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.people import Person, Role
from bot.domain.policy import Policy
from tests.doubles.directory import FakeDirectory, Group
from tests.doubles.house import SAM, SECURITY, House, directory, group_id, oid, policy

SUE, SID, SOL = (oid(n) for n in range(21, 24))


def guarded() -> FakeDirectory:
    """The directory of the house with four people of security: Sam, Sue, Sid and Sol."""
    found = directory()
    for who, name in ((SUE, "Sue Stone"), (SID, "Sid Sharp"), (SOL, "Sol Steel")):
        found.people[who] = Person(who, name, f"{name.split()[0].lower()}@contoso.example")
        found.groups[SECURITY].members.add(who)
    return found


def who(person: str) -> c.Who:
    return c.Who(c.WhoKind.OID, person)


async def freeze(h: House, target: str, by: str = SAM, why: str = "a strange call") -> o.Outcome:
    return await h.desk.handle(c.Freeze(who(target), why), h.envelope(by))


async def unfreeze(h: House, target: str, by: str) -> o.Outcome:
    return await h.desk.handle(c.Unfreeze(who(target)), h.envelope(by))


async def is_frozen(h: House, target: str) -> bool:
    return await h.store.freeze_of(target) is not None


ANN, BEN = oid(31), oid(32)
ADMINS = group_id(9)


def administered(**changed: object) -> tuple[FakeDirectory, Policy]:
    """The guarded directory with two admins, Ann and Ben, and the policy that knows them."""
    found = guarded()
    for person, name in ((ANN, "Ann Admin"), (BEN, "Ben Boss")):
        found.people[person] = Person(person, name, f"{name.split()[0].lower()}@contoso.example")
    found.groups[ADMINS] = Group(ADMINS, "Admins", members={ANN, BEN}, role_assignable=True)
    roles = {**policy().roles, Role.ADMIN: frozenset({ADMINS})}
    return found, policy(roles=roles, **changed)
