"""What somebody wants, as one value: text, form and button all become a `Command`.

Knows every command and its shape. Must not know who asks, nor where the words came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.change import How, NoKind, Proof
from bot.domain.named import CardRef as CardRef
from bot.domain.named import RequestId as RequestId
from bot.domain.named import Who as Who
from bot.domain.named import WhoKind as WhoKind
from bot.domain.onboarding_commands import OnboardingCommand
from bot.domain.phone import Slot
from bot.domain.sheets import FileKind


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


@dataclass(frozen=True, slots=True)
class IssuePass:
    """A Temporary Access Pass for somebody new, shown once to the reader whom the policy names."""

    who: Who | None = None
    reason: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)
    from_form: bool = False
    proof: Proof | None = field(default=None, repr=False)


Order = SetPhone | RemovePhone | Swap | SmsSignIn | IssuePass
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
class Report:
    """Who has which methods registered, counted, and as a file."""

    kind: FileKind = FileKind.XLSX


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
    """By button (card) or typed (request with its tail); without the tail or `how` it shows the card.

    line: where the approver spoke to the person, in their own words.
    """

    request: RequestId
    card: CardRef | None = None
    how: How | None = None
    line: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Reject:
    """By button (card) or typed (request with its tail)."""

    request: RequestId
    because: str = field(default="", repr=False)
    card: CardRef | None = None
    kind: NoKind = NoKind.NOT_NOW


@dataclass(frozen=True, slots=True)
class ShowPass:
    """The reader of an approved pass asks for it, by the button of their own card and in no other way."""

    request: RequestId
    card: CardRef | None = None


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
class Bulk:
    """How a file of many changes is made: the template."""

    kind: FileKind = FileKind.XLSX


@dataclass(frozen=True, slots=True)
class BulkFile:
    """A file of many changes, as it was sent. content: its bytes, never kept."""

    name: str
    content: bytes = field(repr=False)


class BatchWord(StrEnum):
    """What can be said about a batch beside what can be said about any request."""

    HOLD = "hold"
    GO_ON = "go-on"
    RETRY = "retry"
    SKIP = "skip"
    OVERWRITE = "overwrite"
    ALTERNATE = "as-alternate"


@dataclass(frozen=True, slots=True)
class OfBatch:
    """By button (card) or typed (request)."""

    word: BatchWord
    request: RequestId
    card: CardRef | None = None


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


@dataclass(frozen=True, slots=True)
class BatchFile:
    """The plan of a batch row by row, or what became of its rows, as a file."""

    request: RequestId
    kind: FileKind = FileKind.XLSX


GivesFile = Report | Bulk | BatchFile
"""What is answered with a file: said once more when the file is taken."""

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
    | ShowPass
    | OfBatch
    | BatchFile
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
    | IssuePass
    | ShowPass
    | Check
    | Report
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
    | Bulk
    | BulkFile
    | OfBatch
    | BatchFile
    | Refresh
    | Tampered
    | Unknown
    | Malformed
    | OnboardingCommand
)
