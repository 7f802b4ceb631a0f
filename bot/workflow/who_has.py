"""`who has NUMBER because TEXT`: an answer that says how much it knows, and a question that is audited.

Knows the index and the directory. Must not answer before the question is in the audit, nor say "nobody"
while somebody was not looked at.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.domain import reasons
from bot.domain.audit import AuditEvent
from bot.domain.command import WhoHas
from bot.domain.command_docs import doc_of
from bot.domain.methods import Deleted
from bot.domain.numbers import Holder, WhoHasAnswer
from bot.domain.outcome import Outcome, Page, PageKind, Refused
from bot.domain.people import Actor, Person
from bot.domain.phone import LINE_TYPES, NumberRules, PhoneNumber, Slot, hide_numbers, read_number
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable
from bot.workflow.holders import READ_AGAIN, Checked, holders_now
from bot.workflow.parts import Envelope, Parts

_DELETED_READ = 100
_ANY_KIND = frozenset({*LINE_TYPES.values(), "satellite or international"})
#: A question may be about any number, also one that nobody may set here.
_ANY_NUMBER = NumberRules(frozenset(), _ANY_KIND, _ANY_KIND)


class Asking:
    """Answers one question at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def answer(self, command: WhoHas, actor: Actor, envelope: Envelope) -> Outcome:
        """Refused without a reason or a readable number. Raises StoreUnavailable: no audit, no answer."""
        number = self._number(command)
        if isinstance(number, Refusal):
            return Refused((number,))
        known = await self._parts.index.holders(number)
        checked, deleted, coverage = await asyncio.gather(
            holders_now(self._parts, number, known), self._deleted(), self._parts.index.counted_coverage()
        )
        checked = _with_extension(checked, number)
        named = list(dict.fromkeys(each.oid for each in checked.holdings))[:READ_AGAIN]
        people = {p.oid: p for p in await asyncio.gather(*map(self._person, named)) if p is not None}
        holders = tuple(
            Holder(people[each.oid], each.slot, each.sign_in, each.seen_at, each.oid in checked.fresh)
            for each in checked.holdings
            if each.oid in people
        )
        gone = checked.gone | (frozenset(named) - people.keys())
        answer = WhoHasAnswer(
            number.masked,
            self._parts.now(),
            coverage,
            holders,
            sum(each.oid not in named for each in checked.holdings),
            deleted,
            tuple(each for each in deleted or () if each.oid in gone),
        )
        await self._audit(command, actor, envelope, answer)
        return Page(PageKind.WHO_HAS, roles=actor.roles, who_has=answer)

    def _number(self, command: WhoHas) -> PhoneNumber | Refusal:
        doc = doc_of("who has")
        if not command.number:
            return reasons.MALFORMED.refuse(verb=doc.verb, usage=doc.how, problem="The number is missing.")
        if not command.reason:
            problem = "The reason is missing: whose phone a number is, is nobody's business without one."
            return reasons.MALFORMED.refuse(verb=doc.verb, usage=doc.how, problem=problem)
        return read_number(command.number, Slot.OFFICE, _ANY_NUMBER)

    async def _person(self, oid: str) -> Person | None:
        """Somebody who cannot be read now is shown by object id: a holder is never left out."""
        try:
            return await self._parts.directory.person(oid)
        except DirectoryUnavailable:
            return Person(oid, oid, "")

    async def _deleted(self) -> tuple[Deleted, ...] | None:
        try:
            found = await self._parts.directory.recently_deleted(_DELETED_READ)
        except DirectoryUnavailable:
            return None
        return tuple(sorted(found, key=_newest, reverse=True))

    async def _audit(self, command: WhoHas, actor: Actor, envelope: Envelope, answer: WhoHasAnswer) -> None:
        facts = {
            "number": answer.number,
            "because": hide_numbers(command.reason),
            "ticket": hide_numbers(command.ticket),
            "found": str(len(answer.holders) + answer.unnamed),
            "percent": "" if answer.coverage.percent is None else str(answer.coverage.percent),
            "by": actor.person.name,
        }
        event = AuditEvent("numbers:lookup:asked", actor.oid, "", "", envelope.correlation_id, facts)
        await self._parts.store.append_audit(self._parts.now(), [event])


def _newest(deleted: Deleted) -> str:
    return deleted.deleted_at.isoformat() if deleted.deleted_at else ""


def _with_extension(checked: Checked, number: PhoneNumber) -> Checked:
    """The index knows no extensions: behind a switchboard's number only office phones can be meant."""
    if not number.extension:
        return checked
    return replace(checked, holdings=tuple(each for each in checked.holdings if each.slot is Slot.OFFICE))
