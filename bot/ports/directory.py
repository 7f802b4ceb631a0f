"""Microsoft Entra as the workflow sees it: one Protocol, its values, and the three ways a call can fail.

Knows values of the domain. Must not know Graph.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.change import Operation
from bot.domain.command import Who
from bot.domain.methods import Default, Deleted, Licences, MethodPolicy, Registration, SignIn
from bot.domain.people import Person, Phones, Protection, ProtectionRules
from bot.domain.phone import PhoneNumber
from bot.domain.reason import Refusal


class DirectoryRefused(Exception):
    """The directory said no and did nothing. refusal: the registered reason with its facts.

    saved_anyway: the answer is known to come also when the number was saved (409 phoneNumberNotUnique).
    """

    def __init__(self, refusal: Refusal, graph_request_id: str = "", *, saved_anyway: bool = False) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.graph_request_id = graph_request_id
        self.saved_anyway = saved_anyway


class DirectoryUnavailable(Exception):
    """Provably not done: not sent, throttled or not signed in. what: short words without people."""

    def __init__(self, what: str, retry_after: timedelta | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after


class DirectoryUncertain(Exception):
    """A write was sent and no answer can be trusted: only reading tells."""

    def __init__(self, what: str, graph_request_id: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.graph_request_id = graph_request_id


@dataclass(frozen=True, slots=True)
class Receipt:
    """Graph's yes to one write. pressure: how much of the allowance is used, when Graph told (above 0.8)."""

    graph_request_id: str
    pressure: float | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """One person of many whose phones could not be read. why: short words without people.

    gone: the directory does not have the account.
    """

    why: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """A Temporary Access Pass as the directory gave it, once and never again. secret: shown, never kept."""

    secret: str = field(repr=False)
    minutes: int
    graph_request_id: str = ""


class Directory(Protocol):
    """Microsoft Entra as the workflow sees it. Reads raise DirectoryUnavailable; only object ids in paths."""

    async def find(self, who: Who, limit: int = 10) -> Sequence[Person]:
        """Everybody the words fit, at most limit + 1 (more = too many). Never a similar person."""
        ...

    async def person(self, oid: str) -> Person | None: ...

    async def manager(self, oid: str) -> Person | None: ...

    async def reports(self, oid: str, limit: int) -> Sequence[Person]:
        """The people whose manager this person is, at most limit."""
        ...

    async def created_since(self, at: datetime, limit: int) -> Sequence[Person]:
        """Accounts made since then, at most limit. An index that lags may leave out the very newest."""
        ...

    async def manager_changed(self, oid: str, since: datetime) -> datetime | None:
        """When somebody's manager was changed last; None = not since then, as far as the log goes back.

        Raises DirectoryUnavailable where the log cannot be read.
        """
        ...

    async def stand_in(self, oid: str) -> Person | None:
        """Whom the directory names as deciding in this person's place now."""
        ...

    async def phones(self, oid: str) -> Phones: ...

    async def member_of(self, oid: str, groups: frozenset[str]) -> frozenset[str]:
        """The subset of groups the person is in, nested membership included."""
        ...

    async def members(self, group: str, limit: int) -> Sequence[Person]:
        """People in the group, nested included, at most limit, paged."""
        ...

    async def weak_groups(self, groups: frozenset[str]) -> frozenset[str]:
        """Those that are neither role-assignable nor in a restricted administrative unit, or do not exist."""
        ...

    async def group_names(self, groups: frozenset[str]) -> Mapping[str, str]:
        """Display names by id, for sentences. A group that is not there is left out."""
        ...

    async def protection(self, oid: str, rules: ProtectionRules, own_groups: frozenset[str]) -> Protection:
        """What protects the person. own_groups: our role groups, whose membership alone does not protect.

        Raises DirectoryUnavailable when any part cannot be read (the caller fails closed).
        """
        ...

    async def write(
        self,
        target_oid: str,
        op: Operation,
        number: PhoneNumber | None,
        call_id: str,
        *,
        present: bool | None = None,
    ) -> Receipt:
        """Exactly one HTTP write. present: whether the slot holds a number, as just read; None = it is read.

        Raises DirectoryRefused, DirectoryUnavailable or DirectoryUncertain."""
        ...

    async def sign_in(self, oid: str) -> SignIn:
        """Methods and default, live. readable=False where permissions do not reach; other trouble raises."""
        ...

    async def set_default(self, oid: str, default: Default, call_id: str) -> Receipt:
        """Make it the default method. One write, raising as `write`; ValueError for NONE and UNKNOWN.

        DirectoryRefused (directory.profile) before any call where the permission profile cannot do it.
        """
        ...

    async def sms_sign_in(self, oid: str, enable: bool, call_id: str) -> Receipt:
        """Switch sign-in by text message for the mobile. One write, raising as `write`.

        DirectoryRefused (directory.cloud-without-sms) before any call in a cloud that does not have it.
        """
        ...

    async def method_policy(self) -> MethodPolicy:
        """The tenant's policy for texts and calls, at most 60 s old (`read_at` tells)."""
        ...

    async def licences(self, oid: str) -> Licences: ...

    async def registration(self, oid: str) -> Registration:
        """What the lagging report says; readable=False when it cannot be had. Never a proof of a write."""
        ...

    def phones_of_many(self, oids: Sequence[str]) -> AsyncIterator[tuple[str, Phones | Unread]]:
        """Everybody's phones, each person once, in any order, as fast as the directory lets us.

        A pause of the directory is waited out. Raises DirectoryUnavailable when signing in fails; what
        was yielded before stays true.
        """
        ...

    async def pass_due(self, oid: str) -> bool:
        """A lifecycle workflow is to make a Temporary Access Pass for the person, or has just made one."""
        ...

    async def issue_pass(self, oid: str, minutes: int, call_id: str) -> Pass:
        """Make a Temporary Access Pass that works once, from now on; an earlier one is void with it.

        One write, raising as `write`. After DirectoryUncertain one may be there that nobody has seen.
        """
        ...

    async def install_app(self, oid: str, call_id: str) -> None:
        """Have our app in Teams installed for the person; that it is there already is fine.

        One write, raising as `write`.
        """
        ...

    async def recently_deleted(self, limit: int) -> Sequence[Deleted]:
        """Accounts in the recycle bin, at most limit: one of them may hold a number. Only a hint."""
        ...
