"""What happens to onboardings by the clock: looked at in turn, reminded, ended, watched, reported.

Knows the steps and their times. Must not take answers. Every step first reads how things stand now: one that
comes twice, or too late, does nothing; a process that dies leaves it to the next, with its lease.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from bot.domain import reasons
from bot.domain.audit import AuditEvent
from bot.domain.onboarding import ANSWERABLE, Bridge, Onboarding, OnboardingStep, Stage
from bot.domain.onboarding_reasons import PASS_DUE
from bot.domain.outcome import Asks, Invitation, Outcome
from bot.ports import (
    Commit,
    Delivered,
    Delivery,
    DirectoryRefused,
    DirectoryUnavailable,
    DirectoryUncertain,
    Lost,
    Message,
    MessageKind,
)
from bot.workflow.onboarding.answering import Answering
from bot.workflow.onboarding.eligibility import Eligibility
from bot.workflow.onboarding.messages import (
    AFTER,
    ASK_THEM,
    BRIDGE,
    CONFIRM,
    DIGEST,
    LOOK,
    NEWS,
    REDRAW,
    REGISTERED,
    REMIND,
    REMINDER,
    REPORT,
    START,
    STOP,
    WORKER,
    card,
    digest,
    event,
    step,
)
from bot.workflow.onboarding.missing import Missing
from bot.workflow.onboarding.reporting import Reporting
from bot.workflow.onboarding.starting import A_DAY, reached, unreachable
from bot.workflow.parts import Parts
from bot.workflow.requests import MOVE_TRIES

DONE = Delivered(Delivery.DONE)
#: So long Teams takes to know of an installation.
INSTALLS_IN = timedelta(seconds=20)
#: So long it is tried to ask somebody who is not here yet.
ASKED_DAYS = 120
#: Whoever registers something stronger mostly does so in the first days.
_LOOKS = (1, 3, 7, 14, 30, 60, 90, 180, 365)


class Driving:
    """The worker's side of onboardings."""

    def __init__(
        self,
        parts: Parts,
        eligibility: Eligibility,
        answering: Answering,
        missing: Missing,
        reporting: Reporting,
    ) -> None:
        self._parts = parts
        self._eligibility = eligibility
        self._answering = answering
        self._missing = missing
        self._reporting = reporting
        self._steps: Mapping[str, Callable[[Onboarding], Awaitable[bool]]] = MappingProxyType(
            {
                START: self._start,
                REMIND: self._remind,
                STOP: self._stop,
                LOOK: self._look,
                ASK_THEM: self._ask_them,
            }
        )

    def handles(self, message: Message) -> bool:
        return message.kind is MessageKind.STEP

    async def handle(self, message: Message) -> Delivered:
        """One step. An unreadable directory puts it off; nothing is lost."""
        try:
            if message.topic == DIGEST:
                return await self._digest(message)
            if message.topic == REGISTERED:
                return await self._registered(message)
            todo = self._steps.get(message.topic)
            for _ in range(MOVE_TRIES):
                found = await self._parts.store.onboarding(message.subject)
                if found is None or todo is None or await todo(found):
                    return DONE
            return Delivered(Delivery.LATER, "it moves all the time")
        except DirectoryUnavailable as error:
            return Delivered(Delivery.LATER, error.what, error.retry_after)

    # --- steps: False = somebody moved it meanwhile, and it is looked at again ----------------------------
    async def _start(self, found: Onboarding) -> bool:
        """Judged now, not when the command was typed; then invited, or the reason why not is kept."""
        if found.stage is not Stage.WAITING:
            return True
        person = await self._parts.directory.person(found.person.oid)
        if person is None:
            gone = reasons.PERSON_UNKNOWN.refuse(who=found.person.upn)
            refused = replace(found, stage=Stage.REFUSED, why=gone, ended_at=self._parts.now())
            return await self._keep(found, refused, "refused", {"code": gone.code})
        refusals = await self._eligibility.against(person, found.starter.oid, None)
        if refusals and refusals[0].code == PASS_DUE.code:
            tomorrow = self._parts.now() + A_DAY
            if tomorrow < found.until:
                day = (tomorrow - found.created_at).days
                again = step(found, START, tomorrow, day + 1)
                return await self._keep(found, found, "put-off", {"code": PASS_DUE.code}, (again,))
        if refusals:
            refused = replace(found, stage=Stage.REFUSED, why=refusals[0], ended_at=self._parts.now())
            codes = ", ".join(refusal.code for refusal in refusals)
            return await self._keep(found, refused, "refused", {"code": codes})
        reach = await self._parts.messenger.reach(person.oid)
        if reach.retry_after is not None:
            raise DirectoryUnavailable(reach.why, reach.retry_after)
        if not reach.ok and self._parts.policy.onboarding.install and not found.installed:
            return await self._install(found)
        after, messages = reached(self._parts, found, reach)
        what = "invited" if after.stage is Stage.INVITED else "unreachable"
        return await self._keep(found, after, what, told=messages)

    async def _install(self, found: Onboarding) -> bool:
        """Our app, for somebody whom no card reaches, once; then they are looked at again."""
        what, facts = "installed", {"code": ""}
        intent = event(found, "installing", WORKER)
        await self._parts.store.append_audit(self._parts.now(), [intent])
        try:
            if self._parts.read_only:
                raise DirectoryRefused(reasons.READ_ONLY.refuse())
            await self._parts.directory.install_app(found.person.oid, self._parts.ids.correlation())
        except DirectoryRefused as error:
            what, facts = "not-installed", {"code": error.refusal.code}
        except DirectoryUncertain as error:
            what, facts = "not-installed", {"code": error.what}
        after = replace(found, installed=True)
        again = step(found, START, self._parts.now() + INSTALLS_IN, 1)
        return await self._keep(found, after, what, facts, (again,))

    async def _remind(self, found: Onboarding) -> bool:
        if found.stage is not Stage.INVITED:
            return True
        after = replace(found, reminders=found.reminders + 1)
        told = card(found, REMINDER, found.person.oid, after.reminders)
        return await self._keep(found, after, "reminded", {"n": str(after.reminders)}, (told,))

    async def _stop(self, found: Onboarding) -> bool:
        """Silence is an end, never an answer."""
        if found.stage not in ANSWERABLE or self._parts.now() < found.until:
            return True
        ended = replace(found, stage=Stage.SILENT, round=found.round + 1, ended_at=self._parts.now())
        told = (card(ended, NEWS, found.starter.oid), card(ended, REDRAW, found.person.oid))
        return await self._keep(found, ended, "silent", told=told)

    async def _ask_them(self, found: Onboarding) -> bool:
        """Whose number somebody else entered is asked as soon as they can be reached: on day one."""
        if found.stage is not Stage.REGISTERED or not found.unconfirmed:
            return True
        reach = await self._parts.messenger.reach(found.person.oid)
        if reach.retry_after is not None:
            raise DirectoryUnavailable(reach.why, reach.retry_after)
        if reach.ok:
            told = card(found, CONFIRM, found.person.oid)
        else:
            day = (self._parts.now() - (found.ended_at or found.created_at)).days + 1
            if day > ASKED_DAYS:
                return True
            told = step(found, ASK_THEM, self._parts.now() + A_DAY, day)
        await self._parts.store.commit(Commit(at=self._parts.now(), messages=(told,)))
        return True

    async def _look(self, found: Onboarding) -> bool:
        """Is there something stronger by now? Asked rarely, and not for ever."""
        if found.stage is not Stage.REGISTERED or found.bridge is not Bridge.NONE:
            return True
        stronger = await self._missing.stronger(found.person.oid)
        if stronger:
            proposed = replace(found, bridge=Bridge.PROPOSED)
            words = ", ".join(method.words for method in stronger)
            told = card(found, BRIDGE, found.person.oid)
            return await self._keep(found, proposed, "stronger", {"methods": words}, (told,))
        after = self._next_look(found)
        if after is None:
            over = replace(found, stage=Stage.SETTLED)
            return await self._keep(found, over, "watched", {"readable": "no" if stronger is None else "yes"})
        await self._parts.store.commit(Commit(at=self._parts.now(), messages=(after,)))
        return True

    async def _registered(self, message: Message) -> Delivered:
        """What is still missing, or the question whether the number is theirs; and the first look."""
        found = await self._parts.store.onboarding_of(message.subject)
        if found is None or found.stage is not Stage.REGISTERED:
            return DONE
        first = self._next_look(found)
        told = step(found, ASK_THEM) if found.unconfirmed else card(found, AFTER, found.person.oid)
        messages = (told,) if first is None else (told, first)
        await self._parts.store.commit(Commit(at=self._parts.now(), messages=messages))
        return DONE

    async def _digest(self, message: Message) -> Delivered:
        """The day's report, as long as something of theirs is open."""
        starter, now = message.subject, self._parts.now()
        if not await self._reporting.has_open(starter):
            return DONE
        told = Message(f"{message.key}:card", MessageKind.ONBOARDING, "", starter, topic=REPORT)
        messages = (told, digest(starter, now + A_DAY))
        await self._parts.store.commit(Commit(at=now, messages=messages))
        return DONE

    def _next_look(self, found: Onboarding) -> Message | None:
        """The next of the days on which it is looked again, counted from the write."""
        since = found.ended_at or found.created_at
        most = self._parts.policy.onboarding.bridge_days
        days = [day for day in _LOOKS if day <= most]
        left = [day for day in days if since + timedelta(days=day) > self._parts.now()]
        return step(found, LOOK, since + timedelta(days=left[0]), left[0]) if left else None

    # --- cards --------------------------------------------------------------------------------------------
    async def shown(self, message: Message) -> Outcome | None:
        """What a card of the outbox shows now; None = there is nothing to say any more."""
        if message.topic == REPORT:
            return await self._reporting.report(message.to_oid)
        found = await self._parts.store.onboarding(message.subject)
        if found is None:
            return None
        if message.topic == NEWS:
            return Invitation(found, self._parts.onboarding_ref(found, message.to_oid), Asks.STATE, own=False)
        if message.topic == BRIDGE and found.bridge is not Bridge.PROPOSED:
            return None
        if message.topic not in (AFTER, BRIDGE, CONFIRM, REDRAW) and not found.answerable(self._parts.now()):
            return None
        try:
            person = await self._parts.directory.person(found.person.oid)
        except DirectoryUnavailable:
            person = None
        return await self._answering.present(found, message.to_oid, person)

    async def undelivered(self, message: Message, why: str) -> None:
        """The card does not get there: the coordinator sees it, and somebody else can enter the number."""
        for _ in range(MOVE_TRIES):
            found = await self._parts.store.onboarding(message.subject)
            if found is None or found.stage is not Stage.INVITED or message.to_oid != found.person.oid:
                return
            if await self._keep(found, unreachable(found, why), "unreachable", {"why": why}):
                return

    async def _keep(
        self,
        before: Onboarding,
        after: Onboarding,
        what: str,
        facts: Mapping[str, str] = MappingProxyType({}),
        told: tuple[Message, ...] = (),
    ) -> bool:
        """One guarded step; False = it is not as `before` any more, and nothing was kept."""
        events: tuple[AuditEvent, ...] = (event(before, what, WORKER, **facts),)
        done = await self._parts.store.commit(
            Commit(
                at=self._parts.now(),
                onboardings=(OnboardingStep(before, after),),
                events=events,
                messages=told,
            )
        )
        return not isinstance(done, Lost)
