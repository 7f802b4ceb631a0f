"""Who can sign in and reset by themselves, and who cannot: what the registration report says, counted.

Pure: lists in, counts out. Must not know where the lists come from, nor a number. Sources: Graph docs
"userRegistrationDetails" (capable = registered and allowed by policy), Entra docs
"howto-authentication-passwordless-security-key" (whoever registers a passkey signs in with MFA first).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: What the department is called where the directory has none.
NO_DEPARTMENT = ""
_PASSKEYS = ("passkey", "fido2")


class Passkey(StrEnum):
    """HAS: registered. READY: can sign in with MFA, and so can register one alone. NOT_READY: needs help."""

    HAS = "has"
    READY = "ready"
    NOT_READY = "not-ready"


class Reset(StrEnum):
    """USABLE: registered, and the policy lets the person. REGISTERED: registered only. NONE: neither."""

    USABLE = "usable"
    REGISTERED = "registered"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One row of the report. methods: the report's own words, for example mobilePhone."""

    oid: str
    name: str
    upn: str
    methods: tuple[str, ...]
    reset_registered: bool
    reset_usable: bool
    mfa_usable: bool
    updated_at: datetime | None = None

    @property
    def passkey(self) -> Passkey:
        if any(method.lower().startswith(_PASSKEYS) for method in self.methods):
            return Passkey.HAS
        return Passkey.READY if self.mfa_usable else Passkey.NOT_READY

    @property
    def reset(self) -> Reset:
        if self.reset_usable:
            return Reset.USABLE
        return Reset.REGISTERED if self.reset_registered else Reset.NONE


@dataclass(frozen=True, slots=True)
class Account:
    """What the directory says of an account: whether it is an enabled member's, and where it belongs."""

    oid: str
    counts: bool
    department: str = NO_DEPARTMENT


@dataclass(frozen=True, slots=True)
class Count:
    """People of one department, or of all. without: those with no method at all."""

    people: int
    without: int
    passkey: Mapping[Passkey, int]
    reset: Mapping[Reset, int]

    @property
    def usable_percent(self) -> int:
        """How many of a hundred can reset their password alone."""
        return self.reset[Reset.USABLE] * 100 // self.people if self.people else 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One person who counts, with the department."""

    department: str
    enrolment: Enrolment


@dataclass(frozen=True, slots=True)
class Coverage:
    """The whole report. as_of: the newest moment it tells of, None = it does not say. read_at: by us.

    departments: those with most people without a method first. left_out: guests and disabled accounts.
    missing: enabled members whom the report does not list yet (it lags behind the directory).
    """

    read_at: datetime
    as_of: datetime | None
    whole: Count
    departments: tuple[tuple[str, Count], ...]
    entries: tuple[Entry, ...]
    left_out: int
    missing: int


def coverage(enrolments: Iterable[Enrolment], accounts: Iterable[Account], read_at: datetime) -> Coverage:
    """Counts both lists together: the report does not say whose account is enabled, nor its department."""
    known = {account.oid: account for account in accounts}
    listed: set[str] = set()
    entries: list[Entry] = []
    left_out = 0
    for each in enrolments:
        account = known.get(each.oid)
        listed.add(each.oid)
        if account is None or not account.counts:
            left_out += 1
        else:
            entries.append(Entry(account.department, each))
    entries.sort(key=lambda entry: (entry.department.casefold(), entry.enrolment.name.casefold()))
    by_department: dict[str, list[Enrolment]] = {}
    for entry in entries:
        by_department.setdefault(entry.department, []).append(entry.enrolment)
    counted = [(department, _count(people)) for department, people in by_department.items()]
    counted.sort(key=lambda each: (-each[1].without, each[1].usable_percent, each[0].casefold()))
    times = [entry.enrolment.updated_at for entry in entries if entry.enrolment.updated_at is not None]
    return Coverage(
        read_at=read_at,
        as_of=max(times, default=None),
        whole=_count([entry.enrolment for entry in entries]),
        departments=tuple(counted),
        entries=tuple(entries),
        left_out=left_out,
        missing=sum(account.counts and account.oid not in listed for account in known.values()),
    )


def _count(people: list[Enrolment]) -> Count:
    return Count(
        people=len(people),
        without=sum(not each.methods for each in people),
        passkey={kind: sum(each.passkey is kind for each in people) for kind in Passkey},
        reset={kind: sum(each.reset is kind for each in people) for kind in Reset},
    )
