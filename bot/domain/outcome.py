"""One word out: every answer is one of these outcomes; cards draw them, nothing else does.

Knows what is said. Must not know how it looks, in which language, or to whom it is sent.
Everything here is masked, except `Preview.in_full` and `SetForm.number`: the requester's own typing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.absence import Absence
from bot.domain.change import Change
from bot.domain.command import CardRef, Check, Freeze, History, Order, Show, Unfreeze
from bot.domain.freeze import Freeze as Mark
from bot.domain.numbers import WhoHasAnswer
from bot.domain.people import Person, Role
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
    """A change as one reader may see it. card: what its buttons carry. paused: why it is not carried out."""

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
    """One line of a page. change: a request (shown with its id and a status button), or cells of text."""

    cells: tuple[str, ...] = ()
    change: Change | None = None
    at: datetime | None = None


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
    ABSENCE = "absence"
    DIGEST = "digest"


#: Rows left out are counted this far: nobody reads the difference, and counting all takes long.
MORE_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """A list or a text to read. more: how many rows were left out; MORE_COUNTED = so many at least.

    standing: of `show`. verdicts, slot, number (masked): of `check`. freeze: the last one of the person.
    switches: as they stand.
    absence: None = the reader is here again; more: how many requests go to others; of a
    digest: how many wait.
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


@dataclass(frozen=True, slots=True)
class Choice:
    """Several people match; nobody is picked. then: the command that waits, with everything else said.

    methods: as of a form, where `then` has one.
    """

    people: tuple[Person, ...]
    then: Order | Show | History | Check | Freeze | Unfreeze
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
)
