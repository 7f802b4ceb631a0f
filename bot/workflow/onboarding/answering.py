"""Answers to a card of an onboarding: the number, the ways out, “that is mine”, what becomes of the bridge.

Knows whose card it is and until when. Must not decide about the number or write it: what was entered becomes
a request like any other, judged, approved and carried out as such.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from bot.domain import reasons
from bot.domain.command import CardRef, SetPhone
from bot.domain.onboarding import ANSWERABLE, WAYS_OUT, Bridge, Onboarding, OnboardingStep, Stage
from bot.domain.onboarding_commands import ChooseBridge, Confirm, Register, TakeWayOut
from bot.domain.onboarding_reasons import (
    CARD_LATE,
    CARD_USED,
    CONFIRM_DIFFERS,
    COUNTRY_MISSING,
    LAST_FOUR_DIFFER,
    NO_CARD,
    NOT_YOURS,
    NUMBER_WRONG,
    SLOT_MISSING,
)
from bot.domain.outcome import Asks, Invitation, Outcome, Preview, Refused
from bot.domain.people import Actor, Person, Role
from bot.domain.phone import EXAMPLES, PhoneNumber, Purpose, Slot, calling_code, read_number
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.ports import Commit, DirectoryUnavailable, Lost, Message
from bot.workflow.disputing import Disputing
from bot.workflow.onboarding.messages import NEWS, REDRAW, card, event
from bot.workflow.onboarding.missing import Missing
from bot.workflow.parts import Envelope, Parts
from bot.workflow.planning import Case
from bot.workflow.requests import WHOLE_FORM, Requests
from bot.workflow.views import outcome_of

SLOTS: Final = (Slot.MOBILE, Slot.OFFICE)
_FOUR = re.compile(r"[0-9]{4}", re.ASCII)
#: Refusals that the person can mend on the card; the values stay then.
_MENDABLE = ("usage.number", "policy.number")


class Answering:
    """The side of the new person, and of whoever enters the number on their behalf."""

    def __init__(self, parts: Parts, requests: Requests, disputing: Disputing, missing: Missing) -> None:
        self._parts = parts
        self._requests = requests
        self._disputing = disputing
        self._missing = missing

    # --- looking ------------------------------------------------------------------------------------------
    async def own(self, actor: Actor, envelope: Envelope) -> Outcome:
        """The speaker's card as it stands. Whoever had said no may change their mind, while there is time."""
        found = await self._parts.store.onboarding_of(actor.oid)
        if found is None:
            return Refused((NO_CARD.refuse(),))
        if found.stage in WAYS_OUT and self._parts.now() < found.until:
            again = replace(found, stage=Stage.INVITED, round=found.round + 1, ended_at=None)
            kept = await self._keep(found, again, "again", actor.oid, envelope)
            found = kept or await self._parts.store.onboarding_of(actor.oid) or found
        return await self.present(found, actor.oid, actor.person)

    async def present(self, found: Onboarding, reader: str, person: Person | None = None) -> Outcome:
        """What its card shows to one reader now."""
        if found.change_id and reader == found.person.oid and found.stage is Stage.SUBMITTED:
            change = await self._parts.store.change(found.change_id)
            if change is not None and not found.entered_by:
                return await outcome_of(self._parts, change, reader)
        own = reader == found.person.oid
        asks = self._asks(found) if own else Asks.STATE
        region = person.usage_location or "" if person is not None else ""
        shown = self._invitation(found, reader, asks, region)
        if asks is Asks.STATE and found.stage is Stage.REGISTERED and own:
            return replace(shown, missing=await self._missing.after(found.person.oid))
        return shown

    def _asks(self, found: Onboarding) -> Asks:
        if found.answerable(self._parts.now()):
            return Asks.NUMBER
        if found.stage is Stage.REGISTERED and found.unconfirmed:
            return Asks.CONFIRM
        return Asks.BRIDGE if found.bridge is Bridge.PROPOSED else Asks.STATE

    def _invitation(self, found: Onboarding, reader: str, asks: Asks, region: str = "") -> Invitation:
        policy = self._parts.policy
        return Invitation(
            found,
            self._parts.onboarding_ref(found, reader),
            asks,
            own=reader == found.person.oid,
            region=region,
            regions=tuple(sorted(policy.numbers.countries)),
            last_four=policy.onboarding.last_four or asks is Asks.CONFIRM,
        )

    # --- the number ---------------------------------------------------------------------------------------
    async def register(self, command: Register, actor: Actor, envelope: Envelope) -> Outcome:
        """Validated here, whatever the client has checked; then a request, submitted in the same breath."""
        found = await self._parts.store.onboarding(command.card.change_id)
        try:
            stopped = await self._against(found, command, actor)
            if stopped is not None or found is None:
                return stopped or Refused((NO_CARD.refuse(),))
            person = await self._parts.directory.person(found.person.oid)
        except DirectoryUnavailable as error:
            return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what),))
        if person is None:
            return Refused((reasons.PERSON_UNKNOWN.refuse(who=found.person.upn),))
        read = self._read(command)
        if not isinstance(read, PhoneNumber):
            return self._again(found, command, actor, read)
        return await self._submit(found, command, read, person, actor, envelope)

    async def _against(self, found: Onboarding | None, command: Register, actor: Actor) -> Outcome | None:
        """Why this click does nothing: not theirs, answered before, too late. Never told more than that."""
        if found is None:
            return Refused((NO_CARD.refuse(),))
        own = actor.oid == found.person.oid
        if not own and not await self._may_stand_in(found, actor):
            return Refused((NOT_YOURS.refuse(),))
        over = self._parts.now() >= found.until and found.stage in ANSWERABLE
        if over or found.stage is Stage.SILENT:
            until = f"{found.until:%Y-%m-%d %H:%M} UTC"
            facts = {"until": until, "starter": found.starter.name, "who": found.person.upn}
            return Refused((CARD_LATE.refuse(**facts),))
        if not self._parts.is_genuine_invitation(command.card, found, actor.oid):
            return await self._used(found, actor) if own else Refused((CARD_USED.refuse(),))
        if not found.answerable(self._parts.now()):
            return await self._used(found, actor) if own else Refused((CARD_USED.refuse(),))
        return None

    async def _used(self, found: Onboarding, actor: Actor) -> Outcome:
        """A second press of the same button shows how the first one stands; an older card says so."""
        change = await self._parts.store.change(found.change_id) if found.change_id else None
        if change is not None and found.stage is Stage.SUBMITTED and change.requester.oid == actor.oid:
            return await outcome_of(self._parts, change, actor.oid)
        return Refused((CARD_USED.refuse(),))

    async def _may_stand_in(self, found: Onboarding, actor: Actor) -> bool:
        """A coordinator, or the manager of the person, looked up now."""
        if Role.COORDINATOR in actor.roles:
            return True
        manager = await self._parts.directory.manager(found.person.oid)
        return manager is not None and manager.oid == actor.oid and manager.enabled

    def _read(self, command: Register) -> PhoneNumber | tuple[tuple[str, Refusal], ...]:
        """The number, or every error beside its field."""
        errors: list[tuple[str, Refusal]] = []
        slot = command.slot if command.slot in SLOTS else None
        if slot is None:
            errors.append(("slot", SLOT_MISSING.refuse()))
        typed, region = command.number.strip(), command.region.strip().upper()
        if not typed.startswith("+") and not calling_code(region):
            errors.append(("region", COUNTRY_MISSING.refuse(example=EXAMPLES[Slot.MOBILE])))
            return tuple(errors)
        number = read_number(typed, slot or Slot.MOBILE, self._parts.policy.numbers, region)
        if isinstance(number, Refusal):
            # Of the helpdesk's words only those about the policy fit somebody who types their own number.
            policy = number.reason.family == "policy"
            example = EXAMPLES[slot or Slot.MOBILE]
            errors.append(("number", number if policy else NUMBER_WRONG.refuse(example=example)))
        elif self._parts.policy.onboarding.last_four and not ends_with(number, command.last_four):
            errors.append(("last_four", LAST_FOUR_DIFFER.refuse()))
        return tuple(errors) if errors or isinstance(number, Refusal) else number

    async def _submit(
        self,
        found: Onboarding,
        command: Register,
        number: PhoneNumber,
        person: Person,
        actor: Actor,
        envelope: Envelope,
    ) -> Outcome:
        slot = command.slot or Slot.MOBILE
        asked_twice = self._parts.policy.onboarding.last_four
        case = Case(
            actor.oid,
            person,
            Action.ONBOARD,
            slot,
            number,
            roles=actor.roles,
            onboarding=found,
            last_four=asked_twice,
        )
        said = SetPhone(reason=f"Onboarding {found.printed_id}, begun by {found.starter.name}")
        # The card has shown what is sent: one press makes the request and submits it.
        shown = await self._requests.preview(case, said, actor, replace(envelope, activity_id=""))
        if isinstance(shown, Preview):
            shown = await self._requests.submit(shown.view.change, actor, envelope)
        if not isinstance(shown, Refused):
            return shown
        now = await self._parts.store.onboarding(found.id)
        if now is not None and now.stage is not found.stage:
            return await self._used(now, actor)
        if all(refusal.code.startswith(_MENDABLE) for refusal in shown.refusals):
            return self._again(found, command, actor, tuple(("number", each) for each in shown.refusals))
        return self._again(found, command, actor, tuple((WHOLE_FORM, each) for each in shown.refusals))

    def _again(
        self, found: Onboarding, command: Register, actor: Actor, errors: tuple[tuple[str, Refusal], ...]
    ) -> Outcome:
        """The same card with what was typed, and what is wrong beside its field."""
        shown = self._invitation(found, actor.oid, Asks.NUMBER, command.region)
        return replace(shown, filled=command, errors=errors)

    # --- the ways out -------------------------------------------------------------------------------------
    async def way_out(self, command: TakeWayOut, actor: Actor, envelope: Envelope) -> Outcome:
        """No number, and no further question. The starter is told, with what helps instead."""
        found = await self._mine(command.card, actor)
        if isinstance(found, Refusal):
            return Refused((found,))
        if found.stage is command.way:
            return await self.present(found, actor.oid)
        if not found.answerable(self._parts.now()):
            return Refused((CARD_USED.refuse(),))
        ended = replace(found, stage=command.way, round=found.round + 1, ended_at=self._parts.now(), why=None)
        told = (card(ended, NEWS, found.starter.oid), card(ended, REDRAW, found.person.oid))
        kept = await self._keep(found, ended, command.way.value, actor.oid, envelope, *told)
        return await self.present(kept, actor.oid) if kept else Refused((CARD_USED.refuse(),))

    # --- a number that somebody else entered --------------------------------------------------------------
    async def confirm(self, command: Confirm, actor: Actor, envelope: Envelope) -> Outcome:
        """Compared with what the directory holds: the number itself is kept nowhere."""
        found = await self._mine(command.card, actor)
        if isinstance(found, Refusal):
            return Refused((found,))
        change = await self._parts.store.change(found.change_id) if found.change_id else None
        if change is None or found.stage is not Stage.REGISTERED or not found.unconfirmed:
            return Refused((CARD_USED.refuse(),))
        if not command.mine:
            return await self._disputing.not_me(change, actor, envelope)
        try:
            held = (await self._parts.directory.phones(actor.oid)).get(change.slot)
        except DirectoryUnavailable as error:
            return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what),))
        if held is None or not ends_with(held, command.last_four):
            # Whoever tries digits leaves a trace of each try.
            await self._keep(found, found, "confirm-wrong", actor.oid, envelope)
            shown = self._invitation(found, actor.oid, Asks.CONFIRM)
            return replace(shown, errors=(("last_four", CONFIRM_DIFFERS.refuse()),))
        now = self._parts.now()
        confirmed = replace(found, confirmed_at=now, round=found.round + 1)
        kept = await self._keep(found, confirmed, "confirmed", actor.oid, envelope)
        return await self.present(kept or found, actor.oid)

    # --- the bridge ---------------------------------------------------------------------------------------
    async def choose(self, command: ChooseBridge, actor: Actor, envelope: Envelope) -> Outcome:
        """What the person wants with it. Changing the phone stays a request of the helpdesk."""
        found = await self._mine(command.card, actor)
        if isinstance(found, Refusal):
            return Refused((found,))
        if found.bridge is not Bridge.PROPOSED:
            return Refused((CARD_USED.refuse(),))
        settled = replace(found, bridge=command.choice, stage=Stage.SETTLED, round=found.round + 1)
        told = () if command.choice is Bridge.KEEP else (card(settled, NEWS, found.starter.oid),)
        kept = await self._keep(found, settled, f"bridge-{command.choice.value}", actor.oid, envelope, *told)
        return await self.present(kept or found, actor.oid)

    # --- pieces -------------------------------------------------------------------------------------------
    async def _mine(self, ref: CardRef | None, actor: Actor) -> Onboarding | Refusal:
        """The speaker's own onboarding: by the card that was drawn for them, or the one they have."""
        if ref is None:
            return await self._parts.store.onboarding_of(actor.oid) or NO_CARD.refuse()
        found = await self._parts.store.onboarding(ref.change_id)
        if found is None:
            return NO_CARD.refuse()
        if found.person.oid != actor.oid:
            return NOT_YOURS.refuse()
        genuine = self._parts.is_genuine_invitation(ref, found, actor.oid)
        return found if genuine else CARD_USED.refuse()

    async def _keep(
        self,
        before: Onboarding,
        after: Onboarding,
        what: str,
        actor: str,
        envelope: Envelope,
        *told: Message,
    ) -> Onboarding | None:
        """One guarded step with its audit event; None = somebody was first."""
        done = await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                onboardings=(OnboardingStep(before, after),),
                events=(event(before, what, actor, envelope.correlation_id),),
                messages=told,
                received=envelope.received(),
            )
        )
        return None if isinstance(done, Lost) else await self._parts.store.onboarding(before.id)


def ends_with(number: PhoneNumber, typed: str) -> bool:
    """The last four digits, typed without seeing the number."""
    digits = number.reveal(Purpose.COMPARE).partition("x")[0].replace(" ", "")
    return bool(_FOUR.fullmatch(typed.strip())) and digits.endswith(typed.strip())
