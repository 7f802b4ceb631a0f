"""What a command asks for, whoever it is about, and which field of the form a refusal belongs to.

Knows commands. Must not look anybody up.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.command import IssuePass, Order, RemovePhone, SetPhone, SmsSignIn, Swap
from bot.domain.people import Person
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.workflow.proofs import FIELDS


@dataclass(frozen=True, slots=True)
class Wish:
    """What a command asks for, whoever it is about."""

    action: Action
    slot: Slot
    enable: bool = False


def wish_of(command: Order) -> Wish | None:
    """None when something is missing that only the form can ask for."""
    match command:
        case SetPhone(slot=Slot() as slot, number=str() as number) if number.strip():
            return Wish(Action.SET, slot)
        case RemovePhone(slot=Slot() as slot):
            return Wish(Action.REMOVE, slot)
        case Swap():
            return Wish(Action.SWAP, Slot.MOBILE)
        case SmsSignIn(enable=enable):
            return Wish(Action.SMS, Slot.MOBILE, enable)
        case IssuePass():
            return Wish(Action.PASS, Slot.MOBILE)
        case _:
            return None


def beside_fields(
    found: Person | Refusal, number: PhoneNumber | Refusal | None, proof: Refusal | None = None
) -> tuple[tuple[str, Refusal], ...]:
    """Refusals by the field of the form that has to be corrected."""
    errors = []
    if isinstance(found, Refusal):
        errors.append(("who", found))
    if isinstance(number, Refusal):
        errors.append(("number", number))
    if proof is not None:
        errors.append((FIELDS[proof.code], proof))
    return tuple(errors)
