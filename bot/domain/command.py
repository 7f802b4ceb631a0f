"""What somebody wants, as one value: text, form and button all become a `Command`.

Knows every command and its shape. Must not know who asks, nor where the words came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.change import How, NoKind, Proof
from bot.domain.phone import Slot


class WhoKind(StrEnum):
    """How a person was named. Only `OID` is used in paths; everything else is looked up first."""

    OID = "oid"
    UPN = "upn"
    EMPLOYEE = "employee id"
    NAME = "name"
    ME = "me"


@dataclass(frozen=True, slots=True)
class Who:
    """A person as named by the user. value: as typed, trimmed; exact is true for a "quoted name".

    A misplaced number can end up here and in free text, so that none of them shows in a repr.
    """

    kind: WhoKind
    value: str = field(repr=False)
    exact: bool = False


@dataclass(frozen=True, slots=True)
class RequestId:
    """`R-7K2Q9M-4F3A` as typed. key: `7K2Q9M`; tail: four hex digits of the content hash, "" if left out."""

    key: str
    tail: str = ""

    def __str__(self) -> str:
        return f"R-{self.key}" + (f"-{self.tail}" if self.tail else "")


@dataclass(frozen=True, slots=True)
class CardRef:
    """What a button carries: the request and the nonce of the card it stands on. Nothing else is believed."""

    change_id: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Help:
    pass


@dataclass(frozen=True, slots=True)
class Hi:
    pass


@dataclass(frozen=True, slots=True)
class Whoami:
    pass


@dataclass(frozen=True, slots=True)
class Show:
    who: Who | None


@dataclass(frozen=True, slots=True)
class History:
    who: Who | None


@dataclass(frozen=True, slots=True)
class Explain:
    code: str


@dataclass(frozen=True, slots=True)
class MyRequests:
    pass


@dataclass(frozen=True, slots=True)
class Approvals:
    pass


@dataclass(frozen=True, slots=True)
class OpenRequests:
    pass


@dataclass(frozen=True, slots=True)
class Status:
    request: RequestId


@dataclass(frozen=True, slots=True)
class Repeat:
    request: RequestId


@dataclass(frozen=True, slots=True)
class SetPhone:
    """Set a slot. number is raw text (never logged); parts that were not said are None or ""."""

    who: Who | None = None
    slot: Slot | None = None
    number: str | None = field(default=None, repr=False)
    reason: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)
    from_form: bool = False
    proof: Proof | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RemovePhone:
    """Empty a slot."""

    who: Who | None = None
    slot: Slot | None = None
    reason: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)
    from_form: bool = False
    proof: Proof | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Swap:
    """Promote: the number of the alternate mobile becomes the mobile, and the old mobile is gone."""

    who: Who | None = None
    reason: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)
    from_form: bool = False
    proof: Proof | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SmsSignIn:
    """Let the mobile be a sign-in name (a text message replaces the password), or end that."""

    who: Who | None = None
    enable: bool = True
    reason: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)
    from_form: bool = False
    proof: Proof | None = field(default=None, repr=False)


Order = SetPhone | RemovePhone | Swap | SmsSignIn
"""Everything that asks for a change: each has a form, and `who`, `reason`, `ticket`, `from_form`, `proof`."""


@dataclass(frozen=True, slots=True)
class Check:
    """For what could this person use this number? number: raw text; None = the one that is registered."""

    who: Who | None = None
    slot: Slot | None = None
    number: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WhoHas:
    """Who is known to have this number? number: raw text, "" when it was not said. A reason is required."""

    number: str = field(default="", repr=False)
    reason: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Submit:
    """The requester sends the previewed change to its approvers: by button, or typed with the right tail."""

    card: CardRef | None
    request: RequestId | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """By button (card) or typed (request)."""

    request: RequestId
    card: CardRef | None = None


@dataclass(frozen=True, slots=True)
class Approve:
    """By button (card) or typed (request with its tail); without the tail or `how` it shows the card."""

    request: RequestId
    card: CardRef | None = None
    how: How | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """By button (card) or typed (request with its tail)."""

    request: RequestId
    because: str = field(default="", repr=False)
    card: CardRef | None = None
    kind: NoKind = NoKind.NOT_NOW


@dataclass(frozen=True, slots=True)
class Withdraw:
    """An approver takes their own approval back, before the write has been started."""

    request: RequestId
    card: CardRef | None = None


@dataclass(frozen=True, slots=True)
class NotMe:
    """The person concerned says that the request is not theirs: it ends if it can, and they are frozen."""

    request: RequestId
    card: CardRef | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """Another operator goes on with a request that still waits."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Undo:
    """A new request that restores what an applied one replaced."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Review:
    """Security has looked at a break-glass change."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing about this person's phones goes forward any more. Everybody may for themselves."""

    who: Who
    reason: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Unfreeze:
    """One of the two yeses of security that end a freeze."""

    who: Who


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is written any more, on any replica, until somebody resumes."""

    reason: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Resume:
    """Opens every switch that is closed; the breaker needs two admins."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """The requester reminds those who have not decided."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Out:
    """The speaker is away. until: the day of the return as typed, read in their own time zone."""

    until: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """A read-only redraw of a card; never decides anything."""

    card: CardRef


@dataclass(frozen=True, slots=True)
class Tampered:
    """Button data that is not what we sent: refused whole and audited."""

    what: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Words that are no command. nearest: the closest command we have, or ""."""

    text: str = field(repr=False)
    nearest: str = ""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A known command whose words cannot be right. usage: how it is written, with an example."""

    verb: str
    usage: str
    problem: str


AboutARequest = (
    Status
    | Repeat
    | Nudge
    | Take
    | Undo
    | Review
    | Cancel
    | Approve
    | Reject
    | Withdraw
    | NotMe
    | Submit
    | Refresh
)
"""Everything that names a request, by its ID or by a button of its card."""

Command = (
    Help
    | Hi
    | Whoami
    | Show
    | History
    | WhoHas
    | Explain
    | MyRequests
    | Approvals
    | OpenRequests
    | Status
    | Repeat
    | SetPhone
    | RemovePhone
    | Swap
    | SmsSignIn
    | Check
    | Submit
    | Cancel
    | Approve
    | Reject
    | Withdraw
    | NotMe
    | Take
    | Freeze
    | Unfreeze
    | Undo
    | Review
    | Pause
    | Resume
    | Nudge
    | Out
    | Refresh
    | Tampered
    | Unknown
    | Malformed
)
