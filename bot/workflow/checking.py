"""`check`: for what a person could use a number, from everything that can be read. It writes nothing.

Knows which readings the verdicts need and gathers them side by side; a reading that fails is handed on as
such. Must not judge: that is `domain.usability`. Preview, bulk and onboarding may ask here as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import TypeVar

from bot.domain import reasons, usability
from bot.domain.command import Check
from bot.domain.command_docs import doc_of
from bot.domain.methods import Licences, MethodPolicy, Registration
from bot.domain.outcome import Choice, Outcome, Page, PageKind, Refused
from bot.domain.people import Actor, Person, Phones, object_id
from bot.domain.phone import PhoneNumber, Slot, read_number
from bot.domain.reason import Refusal
from bot.domain.usability import Known, Silent, Verdict
from bot.ports import DirectoryUnavailable
from bot.workflow.holders import other_holders
from bot.workflow.lookup import Several, look_up
from bot.workflow.parts import Parts

_NOT_ASKED = Silent("not asked for this phone")
_Read = TypeVar("_Read")


class Checking:
    """Gathers what is known of a person and asks for the verdicts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def answer(self, command: Check, actor: Actor) -> Outcome:
        """A page of four verdicts; a wrong number or an incomplete command is refused before any reading."""
        if command.who is None or command.slot is None:
            missing = (
                "whose phone" if command.who is None else "which phone (mobile, alternate mobile, office)"
            )
            return _incomplete(f"Please say {missing}.")
        number = None
        if command.number is not None:
            read = read_number(command.number, command.slot, self._parts.policy.numbers)
            if isinstance(read, Refusal):
                return Refused((read,))
            number = read
        found = await look_up(self._parts.directory, command.who, actor)
        if isinstance(found, Refusal):
            return Refused((found,))
        if isinstance(found, Several):
            return Choice(found.people, command)
        known = await self._gather(found, command.slot)
        if number is None:
            held = self._held(known, command.slot)
            if not isinstance(held, PhoneNumber):
                return held
            number = held
        return Page(
            PageKind.CHECK,
            person=found,
            roles=actor.roles,
            verdicts=await self._judged(known, command.slot, number),
            slot=command.slot,
            number=number.masked,
        )

    async def verdicts(self, person: Person, slot: Slot, number: PhoneNumber | None) -> tuple[Verdict, ...]:
        """The same verdicts for other use cases. number: None = only what holds for any number."""
        return await self._judged(await self._gather(person, slot), slot, number)

    async def _judged(self, known: Known, slot: Slot, number: PhoneNumber | None) -> tuple[Verdict, ...]:
        if number is not None and slot is Slot.MOBILE and not known.person.guest:
            known = replace(known, other_holder=await self._other_holder(number, known.person.oid))
        return usability.verdicts(known, slot, number)

    async def _other_holder(self, number: PhoneNumber, oid: str) -> bool | None:
        """Whether another account signs in with it. No only when everybody and the recycle bin are known."""
        holders = await other_holders(self._parts, number, Slot.MOBILE, oid)
        if any(each.sign_in for each in holders.known):
            return True
        if not holders.complete:
            return None
        deleted = await _or_silent(self._parts.directory.recently_deleted(1))
        return None if isinstance(deleted, Silent) or deleted else False

    async def _gather(self, person: Person, slot: Slot) -> Known:
        """Everything that can be read for the uses of this slot, side by side. Never raises for silence."""
        directory = self._parts.directory
        phones, rules, licences, report = await asyncio.gather(
            _or_silent(directory.phones(person.oid)),
            self._policy(person.oid),
            self._licences(person, slot),
            self._report(person.oid, slot),
        )
        policy, member_of, names = rules
        return Known(person, phones, policy, member_of, licences, report, names, self._parts.cloud)

    async def _policy(
        self, oid: str
    ) -> tuple[MethodPolicy | Silent, frozenset[str] | Silent, Mapping[str, str]]:
        """The policy, and of the groups it names those the person is in, and their names."""
        directory = self._parts.directory
        policy = await _or_silent(directory.method_policy())
        if isinstance(policy, Silent):
            return policy, policy, {}
        groups = frozenset(group for group in policy.groups - {oid} if object_id(group))
        if not groups:
            return policy, frozenset(), {}
        member_of, names = await asyncio.gather(
            _or_silent(directory.member_of(oid, groups)), _or_silent(directory.group_names(groups))
        )
        return policy, member_of, {} if isinstance(names, Silent) else names

    async def _licences(self, person: Person, slot: Slot) -> Licences | Silent:
        """Only sign-in by text message asks for them."""
        if slot is not Slot.MOBILE or person.guest:
            return _NOT_ASKED
        return await _or_silent(self._parts.directory.licences(person.oid))

    async def _report(self, oid: str, slot: Slot) -> Registration:
        """Only password reset asks for it; few calls of that kind are allowed."""
        if slot is Slot.ALTERNATE:
            return Registration(readable=False, why=_NOT_ASKED.why)
        report = await _or_silent(self._parts.directory.registration(oid))
        return Registration(readable=False, why=report.why) if isinstance(report, Silent) else report

    def _held(self, known: Known, slot: Slot) -> PhoneNumber | Refused:
        if not isinstance(known.phones, Phones):
            return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=known.phones.why),))
        held = known.phones.get(slot)
        return held or _incomplete(f"{known.person.name} has no {slot.word}: say which number to check.")


async def _or_silent(reading: Awaitable[_Read]) -> _Read | Silent:
    try:
        return await reading
    except DirectoryUnavailable as error:
        return Silent(error.what)


def _incomplete(problem: str) -> Refused:
    doc = doc_of("check")
    return Refused((reasons.MALFORMED.refuse(verb=doc.verb, usage=doc.how, problem=problem),))
