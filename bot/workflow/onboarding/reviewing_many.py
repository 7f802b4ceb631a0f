"""Approving many first phones at once, but for those that are chosen: one vote each, as if pressed singly.

Knows the list and that it must be the reader's own. Must not weaken anything: each vote is judged by itself.
"""

from __future__ import annotations

from bot.domain import reasons
from bot.domain.change import Change, State, Verdict
from bot.domain.decision_reasons import HOW_MISSING
from bot.domain.onboarding_commands import ApproveAllBut
from bot.domain.outcome import NewPeopleList, Outcome, Refused
from bot.domain.people import Actor
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.workflow.deciding import Ballot, Deciding
from bot.workflow.onboarding.reporting import LISTED, Reporting
from bot.workflow.parts import Envelope, Parts


class ReviewingMany:
    """The manager with several new people."""

    def __init__(self, parts: Parts, deciding: Deciding, reporting: Reporting) -> None:
        self._parts = parts
        self._deciding = deciding
        self._reporting = reporting

    async def approve(self, command: ApproveAllBut, actor: Actor, envelope: Envelope) -> Outcome:
        """What is approved is exactly what stood on the reader's list; anything else decides nothing."""
        chosen = [card for card in command.cards[:LISTED] if card.change_id not in command.but]
        changes: list[Change] = []
        for card in chosen:
            change = await self._parts.store.change(card.change_id)
            genuine = change is not None and self._parts.is_genuine(card, change, actor.oid)
            if change is None or not genuine or change.action is not Action.ONBOARD:
                return Refused((reasons.CARD_STALE.refuse(id=f"R-{card.change_id}"),))
            changes.append(change)
        if command.how is None:
            shown = await self._reporting.waiting_for(actor.oid)
            said = HOW_MISSING.refuse(id="the list", name="each of them")
            return NewPeopleList(shown.views, shown.more, refusals=(said,))
        approved, refusals = 0, list[Refusal]()
        for change in changes:
            if change.state is not State.PENDING:
                continue
            # Each has an inbox row of its own by its state: a second delivery finds them decided.
            single = Envelope(actor.oid, correlation_id=envelope.correlation_id)
            ballot = Ballot(Verdict.APPROVE, how=command.how, because=command.line)
            said_so = await self._deciding.vote(ballot, change, actor, single)
            if isinstance(said_so, Refused):
                refusals += said_so.refusals
            else:
                approved += 1
        rest = await self._reporting.waiting_for(actor.oid)
        return NewPeopleList(rest.views, rest.more, approved=approved, refusals=tuple(refusals))
