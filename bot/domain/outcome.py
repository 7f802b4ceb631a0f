"""One word out: every answer is one of these outcomes; cards draw them, nothing else does.

Knows what is said. Must not know how it looks, in which language, or to whom it is sent.
Everything here is masked, except `Preview.in_full` and `SetForm.number`: the requester's own typing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.absence import Absence
from bot.domain.bulk import BatchView
from bot.domain.change import Change
from bot.domain.command import CardRef, Check, Freeze, History, Order, Show, Unfreeze
from bot.domain.coverage import Coverage
from bot.domain.freeze import Freeze as Mark
from bot.domain.numbers import WhoHasAnswer
from bot.domain.onboarding import Onboarding, Stage
from bot.domain.onboarding_commands import Onboard, Register
from bot.domain.people import Person, PersonRef, Role
from bot.domain.phone import Slot
from bot.domain.policy import Action, Method
from bot.domain.reason import Reason, Refusal
from bot.domain.standing import Standing
from bot.domain.switch import Switch
from bot.domain.usability import Verdict


class Audience(StrEnum):
    """Why somebody sees a change: decides the sentences and the buttons, never the rights."""

    REQUESTER = "requester"
    APPROVER = "approver"
    TARGET = "target"
    ONLOOKER = "onlooker"


@dataclass(frozen=True, slots=True)
class View:
    """A change as one reader may see it. card: what its buttons carry. paused: why it is not carried out.

    wants_line: an approval must say on which line, known before, the approver spoke to the person.
    batch: of the head of a batch, its plan and how far it is.
    """

    change: Change
    audience: Audience
    card: CardRef
    may_vote: bool = False
    may_cancel: bool = False
    may_submit: bool = False
    may_withdraw: bool = False
    may_dispute: bool = False
    paused: Switch | None = None
    may_undo: bool = False
    may_review: bool = False
    wants_line: bool = False
    may_show_pass: bool = False
    batch: BatchView | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """One sentence of the preview about what will happen, by key (see cards/words) with its facts."""

    key: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """Not sent yet. in_full: the new number in clear for reading back, None when sent or after 10 min."""

    view: View
    effects: tuple[Effect, ...] = ()
    in_full: str | None = field(default=None, repr=False)
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class AwaitingApproval:
    """Submitted, waiting for a decision. said: extra sentence for the reader (for example a stale card)."""

    view: View
    said: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Working:
    """Under way: approved and being carried out (view), or still reading the directory (view is None)."""

    view: View | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    view: View


@dataclass(frozen=True, slots=True)
class AlreadySo:
    """The directory already holds it: no write, no approval. now: masked, "" = the slot is empty."""

    target: Person
    slot: Slot
    now: str
    action: Action = Action.SET
    enable: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """We said no, nothing was called. view is given when the no ended or concerns a request.

    nearest: the closest command we know, offered as a button; "" = none.
    """

    refusals: tuple[Refusal, ...]
    view: View | None = None
    nearest: str = ""

    @property
    def tells_an_ending(self) -> bool:
        """It shows how a request ended; what was just said was not refused."""
        return self.view is not None and self.refusals == (self.view.change.ending,)


@dataclass(frozen=True, slots=True)
class Failed:
    """The directory said no, or holds a value that a human must look at."""

    refusal: Refusal
    view: View


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Sent, no certain answer yet: we will find out by reading."""

    view: View


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a page. change: a request (shown with its id and a status button), or cells of text.

    Of a history the first cell is the name of the audit event.
    """

    cells: tuple[str, ...] = ()
    change: Change | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A file beside an answer, masked. name: with its ending. command: the typed words that give it again.

    Whoever takes the file says them once more, so that rights are judged at that moment and nothing is kept.
    """

    name: str
    content: bytes = field(repr=False)
    command: str


class PageKind(StrEnum):
    HELP = "help"
    HI = "hi"
    WHOAMI = "whoami"
    SHOW = "show"
    CHECK = "check"
    HISTORY = "history"
    MY_REQUESTS = "my-requests"
    APPROVALS = "approvals"
    OPEN = "open"
    EXPLAIN = "explain"
    WHO_HAS = "who-has"
    FREEZE = "freeze"
    SWITCHES = "switches"
    AT_LIMIT = "at-limit"
    HASTY = "hasty"
    FLOODED = "flooded"
    MANY_OPEN = "many-open"
    SAME_NUMBER = "same-number"
    REPORT = "report"
    BATCH_FILE = "batch-file"
    ABSENCE = "absence"
    DIGEST = "digest"
    BULK = "bulk"


#: Rows left out are counted this far: nobody reads the difference, and counting all takes long.
MORE_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """A list or a text to read. more: how many rows were left out; MORE_COUNTED = so many at least.

    standing: of `show`. verdicts, slot, number (masked): of `check`. freeze: the last one of the person.
    switches: as they stand.
    absence: None = the reader is here again; more: how many requests go to others; of a
    digest: how many wait. document: a file that is offered below the card.
    coverage: of `report`. more: of `file`, its rows.
    """

    kind: PageKind
    rows: tuple[Row, ...] = ()
    person: Person | None = None
    roles: frozenset[Role] = frozenset()
    reason: Reason | None = None
    more: int = 0
    who_has: WhoHasAnswer | None = None
    standing: Standing | None = None
    verdicts: tuple[Verdict, ...] = ()
    slot: Slot | None = None
    number: str = ""
    freeze: Mark | None = None
    switches: tuple[Switch, ...] = ()
    absence: Absence | None = None
    document: Document | None = None
    coverage: Coverage | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Several people match; nobody is picked. then: the command that waits, with everything else said.

    methods: as of a form, where `then` has one.
    """

    people: tuple[Person, ...]
    then: Order | Show | History | Check | Freeze | Unfreeze | Onboard
    methods: tuple[Method, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one order, filled with what was said. errors: refusal by field (who, slot, number, ...).

    target: the person already resolved, if any. methods: of proving who the caller is, one of which must be
    said; empty = nothing is asked.
    """

    filled: Order
    errors: tuple[tuple[str, Refusal], ...] = ()
    target: Person | None = None
    methods: tuple[Method, ...] = ()


class Asks(StrEnum):
    """What a card of an onboarding wants of its reader. state: nothing, it says how it stands."""

    NUMBER = "number"
    CONFIRM = "confirm"
    BRIDGE = "bridge"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A card of one onboarding for one reader: the person, or whoever enters the number on their behalf.

    region: ISO code that stands preselected. regions: those that may be chosen, empty = any. filled: what was
    typed, kept when something is wrong with it. errors: as of a form. missing: keys of what is still missing
    afterwards, with facts. stronger: in words what was registered since.
    """

    onboarding: Onboarding
    card: CardRef
    asks: Asks
    own: bool = True
    region: str = ""
    regions: tuple[str, ...] = ()
    last_four: bool = False
    filled: Register | None = field(default=None, repr=False)
    errors: tuple[tuple[str, Refusal], ...] = ()
    missing: tuple[Effect, ...] = ()
    stronger: str = ""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class OnboardingReport:
    """How onboardings stand. counts: together all of them. rows: those that somebody must look at.

    unconfirmed: of those that are written, entered by somebody else and not confirmed by the person yet.

    begun: how many this command began, None = a report. refused: who was left out, and why.
    """

    counts: tuple[tuple[Stage, int], ...] = ()
    rows: tuple[Onboarding, ...] = ()
    more: int = 0
    unconfirmed: int = 0
    begun: int | None = None
    refused: tuple[Refusal, ...] = ()
    more_refused: int = 0


@dataclass(frozen=True, slots=True)
class NewPeopleList:
    """The first phones that wait for the reader. views: each with the reader's own card."""

    views: tuple[View, ...] = ()
    more: int = 0
    approved: int = 0
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class PassShown:
    """A Temporary Access Pass for its one reader: drawn where nothing of it stays, and nowhere else.

    own: the reader is the person. minutes: it is good for so long.
    """

    target: PersonRef
    secret: str = field(repr=False)
    minutes: int
    own: bool


Outcome = (
    Preview
    | AwaitingApproval
    | Working
    | Applied
    | AlreadySo
    | Refused
    | Failed
    | Unconfirmed
    | Page
    | Choice
    | Form
    | Invitation
    | OnboardingReport
    | NewPeopleList
    | PassShown
)
