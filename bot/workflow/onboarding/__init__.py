"""New people register their own first phone: begun by somebody else, entered on a card, decided like any
other request.

Knows which of the parts answers which command. Must not hold rules: they are in the parts.
"""

from __future__ import annotations

from bot.domain import onboarding_commands as oc
from bot.domain.onboarding import Onboarding
from bot.domain.outcome import Outcome
from bot.domain.people import Actor
from bot.ports import Delivered, Message
from bot.workflow.deciding import Deciding
from bot.workflow.disputing import Disputing
from bot.workflow.judging import Judge
from bot.workflow.onboarding.answering import Answering
from bot.workflow.onboarding.driving import Driving
from bot.workflow.onboarding.eligibility import Eligibility
from bot.workflow.onboarding.missing import Missing
from bot.workflow.onboarding.reporting import Reporting
from bot.workflow.onboarding.reviewing_many import ReviewingMany
from bot.workflow.onboarding.starting import Starting
from bot.workflow.parts import Envelope, Parts
from bot.workflow.requests import Requests


class Onboardings:
    """The one door to onboarding, for the desk, the driver and the messenger."""

    def __init__(
        self, parts: Parts, judge: Judge, requests: Requests, disputing: Disputing, deciding: Deciding
    ) -> None:
        eligibility, missing = Eligibility(parts, judge), Missing(parts)
        self._starting = Starting(parts, eligibility)
        self._reporting = Reporting(parts)
        self._answering = Answering(parts, requests, disputing, missing)
        self._driving = Driving(parts, eligibility, self._answering, missing, self._reporting)
        self._many = ReviewingMany(parts, deciding, self._reporting)

    async def answer(self, command: oc.OnboardingCommand, actor: Actor, envelope: Envelope) -> Outcome:
        """The answer to one command."""
        match command:
            case oc.Onboard():
                return await self._starting.begin(command, actor, envelope)
            case oc.OwnOnboarding():
                return await self._answering.own(actor, envelope)
            case oc.Register():
                return await self._answering.register(command, actor, envelope)
            case oc.TakeWayOut():
                return await self._answering.way_out(command, actor, envelope)
            case oc.Confirm():
                return await self._answering.confirm(command, actor, envelope)
            case oc.ChooseBridge():
                return await self._answering.choose(command, actor, envelope)
            case oc.Report():
                return await self._reporting.report()
            case oc.NewPeople():
                return await self._reporting.waiting_for(actor.oid)
            case oc.ApproveAllBut():
                return await self._many.approve(command, actor, envelope)

    def handles(self, message: Message) -> bool:
        """True for what is done and not sent."""
        return self._driving.handles(message)

    async def handle(self, message: Message) -> Delivered:
        """A step by the clock."""
        return await self._driving.handle(message)

    async def shown(self, message: Message) -> Outcome | None:
        """What a card shows when it is sent; None = it is not sent any more."""
        return await self._driving.shown(message)

    async def present(self, onboarding: Onboarding, reader: str) -> Outcome:
        """How a posted card is redrawn."""
        return await self._answering.present(onboarding, reader)

    async def undelivered(self, message: Message, why: str) -> None:
        """A card was given up."""
        await self._driving.undelivered(message, why)
