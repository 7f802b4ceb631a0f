"""Beginning onboardings: whom a command means, who may begin them, and one row for each.

Knows people and the terms of the policy. Must not take answers, nor enter a number for anybody. Starting is
not requesting: whoever enters the number is the requester.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain import reasons
from bot.domain.onboarding import Onboarding, OnboardingStep, Stage
from bot.domain.onboarding_commands import Onboard
from bot.domain.onboarding_reasons import CANNOT_REACH, NOBODY_NEW, TOO_MANY
from bot.domain.outcome import Asks, Choice, Invitation, OnboardingReport, Outcome, Refused
from bot.domain.people import Actor, Person, PersonRef, Role
from bot.domain.reason import Refusal
from bot.ports import Commit, DirectoryUnavailable, Message, Reach
from bot.workflow.lookup import Several, among, look_up
from bot.workflow.onboarding.eligibility import Eligibility
from bot.workflow.onboarding.messages import START, digest, event, invitation, step
from bot.workflow.parts import Envelope, Parts

#: Begun by one command: a slip must not write to the whole company.
MOST = 1_000
#: A manager has no more direct reports than the directory tells in one page.
MOST_REPORTS = 999
#: So many are looked at in a second: Teams allows 60 new chats in 30 seconds, and news of requests gets
#: through between them.
PER_SECOND = 2
A_DAY = timedelta(days=1)
#: Of those who are left out so many are named.
SHOWN = 10


class Starting:
    """The side of coordinators and managers."""

    def __init__(self, parts: Parts, eligibility: Eligibility) -> None:
        self._parts = parts
        self._eligibility = eligibility

    async def begin(self, command: Onboard, actor: Actor, envelope: Envelope) -> Outcome:
        """One person is judged at once, with every reason why not; of several each when its turn comes."""
        try:
            people = await self._people(command, actor)
            if not isinstance(people, list):
                return people
            if len(people) == 1 and command.who:
                return await self._one(people[0], actor, envelope, on_behalf=command.on_behalf)
            return await self._many(people, actor, envelope)
        except DirectoryUnavailable as error:
            return Refused((reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what),))

    # --- whom it means ------------------------------------------------------------------------------------
    async def _people(self, command: Onboard, actor: Actor) -> list[Person] | Choice | Refused:
        coordinator = Role.COORDINATOR in actor.roles
        if command.group or command.days:
            if not coordinator:
                return Refused((reasons.NO_ROLE.refuse(),))
            return await self._cohort(command, actor)
        found: list[Person | Several | Refusal]
        if coordinator:
            found = [await look_up(self._parts.directory, who, actor) for who in command.who]
        else:
            # Only among their own: whoever manages nobody learns nothing, whatever they type.
            mine = await self._parts.directory.reports(actor.oid, MOST_REPORTS)
            found = [among(mine, who) or reasons.NO_ROLE.refuse() for who in command.who]
            if any(isinstance(each, Refusal) for each in found):
                return Refused((reasons.NO_ROLE.refuse(),))
        people: dict[str, Person] = {}
        refusals: list[Refusal] = []
        for who, each in zip(command.who, found, strict=True):
            if isinstance(each, Several):
                if len(command.who) == 1:
                    return Choice(each.people, command)
                refusals.append(reasons.PERSON_TOO_MANY.refuse(who=who.value[:120]))
            elif isinstance(each, Refusal):
                refusals.append(each)
            else:
                people[each.oid] = each
        return Refused(tuple(refusals)) if refusals else list(people.values())

    async def _cohort(self, command: Onboard, actor: Actor) -> list[Person] | Refused:
        if command.group:
            found: Sequence[Person] = await self._parts.directory.members(command.group, MOST + 1)
            where = "In that group"
        else:
            since = self._parts.now() - timedelta(days=command.days)
            found = await self._parts.directory.created_since(since, MOST + 1)
            where = f"Among the accounts of the last {command.days} days"
        if len(found) > MOST:
            return Refused((TOO_MANY.refuse(most=f"{MOST:,}"),))
        people = [p for p in found if p.enabled and not p.guest and p.oid != actor.oid]
        return people or Refused((NOBODY_NEW.refuse(where=where),))

    # --- one ----------------------------------------------------------------------------------------------
    async def _one(self, person: Person, actor: Actor, envelope: Envelope, *, on_behalf: bool) -> Outcome:
        last = await self._parts.store.onboarding_of(person.oid)
        if last is not None and last.open and (on_behalf or last.starter.oid == actor.oid):
            # Asked again by the same person, or for the form: how it stands is the answer.
            return self._shown(last, actor, person, on_behalf=on_behalf)
        refusals = await self._eligibility.against(person, actor.oid, last)
        if refusals:
            return Refused(refusals)
        reach = await self._parts.messenger.reach(person.oid)
        made = self._made(person, actor, self._parts.ids.request_key())
        if reach.ok or not (reach.retry_after or self._parts.policy.onboarding.install):
            begun, messages = reached(self._parts, made, reach)
        else:
            # The worker finds out, or has the app installed: no write runs inside a turn.
            begun = replace(made, stage=Stage.WAITING)
            messages = (step(begun, START),)
        commit = Commit(
            at=self._parts.now(),
            onboardings=(OnboardingStep(None, begun),),
            events=(event(begun, "begun", actor.oid, envelope.correlation_id, by=actor.person.name),),
            messages=(*messages, digest(actor.oid, self._parts.now() + A_DAY)),
        )
        await self._parts.store.commit(commit)
        # Somebody else may have been first: then theirs stands.
        standing = await self._parts.store.onboarding_of(person.oid)
        return self._shown(standing or begun, actor, person, on_behalf=on_behalf)

    def _shown(self, onboarding: Onboarding, actor: Actor, person: Person, *, on_behalf: bool) -> Outcome:
        now = self._parts.now()
        asks = Asks.NUMBER if on_behalf and onboarding.answerable(now) else Asks.STATE
        return Invitation(
            onboarding,
            self._parts.onboarding_ref(onboarding, actor.oid),
            asks,
            own=False,
            region=person.usage_location or "",
            regions=tuple(sorted(self._parts.policy.numbers.countries)),
            last_four=self._parts.policy.onboarding.last_four,
        )

    # --- several ------------------------------------------------------------------------------------------
    async def _many(self, people: Sequence[Person], actor: Actor, envelope: Envelope) -> Outcome:
        now, cohort = self._parts.now(), self._parts.ids.request_key()
        known = await self._parts.store.onboardings_of([person.oid for person in people])
        refused = {p.oid: self._eligibility.known(p, actor.oid, known.get(p.oid)) for p in people}
        new = [self._made(person, actor, cohort) for person in people if not refused[person.oid]]
        begun = [replace(each, stage=Stage.WAITING) for each in new]
        starts = [step(each, START, now + timedelta(seconds=n / PER_SECOND)) for n, each in enumerate(begun)]
        by, correlation = actor.person.name, envelope.correlation_id
        events = [event(each, "begun", actor.oid, correlation, by=by) for each in begun]
        if begun:
            await self._parts.store.commit(
                Commit(
                    at=now,
                    onboardings=tuple(OnboardingStep(None, each) for each in begun),
                    events=tuple(events),
                    messages=(*starts, digest(actor.oid, now + A_DAY)),
                    received=envelope.received(),
                )
            )
        why = tuple(each for each in refused.values() if each is not None)
        return OnboardingReport(begun=len(begun), refused=why[:SHOWN], more_refused=max(len(why) - SHOWN, 0))

    def _made(self, person: Person, actor: Actor, cohort: str) -> Onboarding:
        now = self._parts.now()
        return Onboarding(
            id=self._parts.ids.request_key(),
            tenant_id=self._parts.tenant_id,
            person=PersonRef.of(person),
            starter=PersonRef.of(actor.person),
            cohort=cohort,
            stage=Stage.INVITED,
            row_version=1,
            created_at=now,
            until=now + timedelta(days=self._parts.policy.onboarding.stop_days),
        )


def reached(parts: Parts, onboarding: Onboarding, reach: Reach) -> tuple[Onboarding, tuple[Message, ...]]:
    """Invited with the card on its way, or not to be reached, with the reason."""
    if reach.ok:
        invited = replace(onboarding, stage=Stage.INVITED, invited_at=parts.now(), why=None)
        return invited, invitation(invited, parts.policy.onboarding, parts.now())
    return unreachable(onboarding, reach.why), ()


def unreachable(onboarding: Onboarding, why: str) -> Onboarding:
    """No card gets to the person; somebody else can enter the number."""
    person = onboarding.person
    said = CANNOT_REACH.refuse(name=person.name, why=why or "there is no chat", who=person.upn)
    return replace(onboarding, stage=Stage.UNREACHABLE, why=said)
