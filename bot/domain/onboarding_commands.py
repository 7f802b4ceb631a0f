"""What people say about onboarding, as values: begin one, answer its card, look at many, decide about many.

Knows each command's shape. Must not know who asks, nor where the words came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.domain.change import How
from bot.domain.named import CardRef, Who
from bot.domain.onboarding import Bridge, Stage
from bot.domain.phone import Slot


@dataclass(frozen=True, slots=True)
class Onboard:
    """Begin onboardings. Exactly one of: who (people), group (an object id), days (accounts made since then).

    on_behalf: the speaker enters the number, because the person cannot be reached here.
    """

    who: tuple[Who, ...] = ()
    group: str = ""
    days: int = 0
    on_behalf: bool = False


@dataclass(frozen=True, slots=True)
class OwnOnboarding:
    """The speaker's own card, again."""


@dataclass(frozen=True, slots=True)
class Register:
    """What was filled in on the card, raw. region: ISO code chosen for a number without +."""

    card: CardRef
    slot: Slot | None = None
    region: str = ""
    number: str = field(default="", repr=False)
    last_four: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TakeWayOut:
    """One of the two honest ways out. card: None = typed, about the speaker's own onboarding."""

    way: Stage
    card: CardRef | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """About a number that somebody else entered: it is mine (with its last digits), or it is not."""

    mine: bool
    last_four: str = field(default="", repr=False)
    card: CardRef | None = None


@dataclass(frozen=True, slots=True)
class ChooseBridge:
    """What is to become of the first number now that there is something stronger."""

    choice: Bridge
    card: CardRef | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How the onboardings stand."""


@dataclass(frozen=True, slots=True)
class NewPeople:
    """The first phones that wait for the speaker's decision, as one list."""


@dataclass(frozen=True, slots=True)
class ApproveAllBut:
    """Approves what stands on the list, but for some. cards: all of the list; but: ids of requests."""

    cards: tuple[CardRef, ...]
    but: frozenset[str] = frozenset()
    how: How | None = None
    line: str = field(default="", repr=False)


OnboardingCommand = (
    Onboard
    | OwnOnboarding
    | Register
    | TakeWayOut
    | Confirm
    | ChooseBridge
    | Report
    | NewPeople
    | ApproveAllBut
)
