"""The registration report, counted: who counts, what each count means, which department comes first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cards_report import NOW, company, enrolment, oid

from bot.domain.coverage import Account, Passkey, Reset, coverage


def accounts(*departments: str) -> list[Account]:
    return [Account(oid(n), True, department) for n, department in enumerate(departments)]


@pytest.mark.parametrize(
    ("methods", "usable", "expected"),
    [
        ((), False, Passkey.NOT_READY),
        (("email",), False, Passkey.NOT_READY),
        (("mobilePhone",), True, Passkey.READY),
        (("windowsHelloForBusiness",), True, Passkey.READY),
        (("mobilePhone", "passKeyDeviceBound"), True, Passkey.HAS),
        (("passKeyDeviceBoundAuthenticator",), True, Passkey.HAS),
        (("fido2SecurityKey",), False, Passkey.HAS),
    ],
)
def test_ready_for_a_passkey_is_who_can_sign_in_with_mfa(
    methods: tuple[str, ...], usable: bool, expected: Passkey
):
    """Whoever registers a passkey signs in with MFA first; whoever has one is past that."""
    row = enrolment(1, *methods)
    found = type(row)(row.oid, row.name, row.upn, methods, False, False, usable)
    assert found.passkey is expected


@pytest.mark.parametrize(
    ("registered", "usable", "expected"),
    [(True, True, Reset.USABLE), (True, False, Reset.REGISTERED), (False, False, Reset.NONE)],
)
def test_registered_is_not_usable(registered: bool, usable: bool, expected: Reset):
    """The report tells both: a method that no policy allows is merely registered."""
    assert enrolment(1, "mobilePhone", registered=registered, usable=usable).reset is expected


def test_guests_and_disabled_accounts_do_not_count_and_newcomers_are_named():
    """The report lists accounts that nobody uses, and lacks those that it has not seen yet."""
    rows = [enrolment(0), enrolment(1, "mobilePhone"), enrolment(7)]
    found = coverage(
        rows, [Account(oid(0), True, "A"), Account(oid(1), False, "A"), Account(oid(2), True, "A")], NOW
    )
    assert (found.whole.people, found.whole.without, found.left_out, found.missing) == (1, 1, 2, 1)


def test_departments_with_most_people_without_come_first():
    """That is where somebody has to go."""
    rows = [enrolment(0, "mobilePhone"), enrolment(1), enrolment(2), enrolment(3)]
    found = coverage(rows, accounts("Sales", "Works", "Works", ""), NOW)
    assert [(name, count.without) for name, count in found.departments] == [
        ("Works", 2),
        ("", 1),
        ("Sales", 0),
    ]
    assert found.as_of == NOW - timedelta(hours=5)


def test_every_person_is_counted_once_in_each_count():
    """The parts of each bar add up to everybody."""
    whole = company().whole
    assert sum(whole.passkey.values()) == sum(whole.reset.values()) == whole.people
    assert sum(count.people for _, count in company().departments) == whole.people
