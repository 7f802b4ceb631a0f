"""Registration reports of made-up companies, for the tests of cards and of the report itself.

Knows domain values only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cards_examples as examples

from bot.domain import outcome as o
from bot.domain.coverage import Account, Coverage, Enrolment, coverage
from bot.domain.people import Reader, Role

NOW = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
DEPARTMENTS = (
    *("Sales", "Retail", "Human Resources", "Finance", "Research & Development", "Legal", "Works"),
    *("Logistics", "", "Facilities"),
)
COORDINATOR = Reader(examples.MEGAN.oid, "en-GB", "Europe/Berlin", frozenset({Role.COORDINATOR}))


def oid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def enrolment(number: int, *methods: str, registered: bool = False, usable: bool = False) -> Enrolment:
    """One row; whoever has any method can sign in with MFA."""
    name = f"Person {number:03d}"
    upn = f"person{number:03d}@contoso.com"
    return Enrolment(
        oid(number), name, upn, methods, registered, usable, bool(methods), NOW - timedelta(hours=5)
    )


def company(people: int = 240) -> Coverage:
    """Some without, some with a passkey, some whose reset the policy does not allow."""
    rows, accounts = [], []
    for number in range(people):
        methods = {0: (), 1: ("mobilePhone", "passKeyDeviceBound")}.get(number % 7, ("mobilePhone",))
        rows.append(
            enrolment(number, *methods, registered=number % 7 > 0, usable=number % 7 > 0 and number % 5 > 1)
        )
        accounts.append(Account(oid(number), number % 40 != 39, DEPARTMENTS[number * number % 10]))
    accounts.append(Account(oid(people), True, "Sales"))
    return coverage(rows, accounts, NOW)


def outcomes() -> dict[str, tuple[o.Outcome, Reader]]:
    """The cards of `report`."""
    whole = [enrolment(n, "mobilePhone", registered=True, usable=True) for n in range(3)]
    small = coverage(whole, [Account(oid(n), True, "Sales") for n in range(3)], NOW)
    empty = coverage([], [], NOW)
    made = o.Document("result-R-7K2Q9M-4F3A.xlsx", b"", "file R-7K2Q9M-4F3A")
    counts = o.Row(("4800", "3200", "16"))
    return {
        "batch-file": (o.Page(o.PageKind.BATCH_FILE, (counts,), document=made, more=5_000), COORDINATOR),
        "report": (o.Page(o.PageKind.REPORT, coverage=company()), COORDINATOR),
        "report-whole": (o.Page(o.PageKind.REPORT, coverage=small), COORDINATOR),
        "report-empty": (o.Page(o.PageKind.REPORT, coverage=empty), COORDINATOR),
    }
