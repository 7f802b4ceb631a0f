"""Who may be onboarded: everything that stands in the way, found before anybody is written to.

Knows the terms of the policy and the directory's facts. Must not write or send.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain import reasons
from bot.domain.onboarding import WAYS_OUT, Onboarding
from bot.domain.onboarding_reasons import (
    ALREADY_INVITED,
    HAS_METHOD,
    NOT_FOR_KIND,
    NOT_NEW,
    PASS_DUE,
    SAID_NO,
    YOURSELF,
)
from bot.domain.people import Person, TargetKind
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable
from bot.workflow.freezing import frozen
from bot.workflow.judging import Judge, kind_of
from bot.workflow.parts import Parts

_FINE = (TargetKind.ORDINARY, TargetKind.NEW_HIRE)


class Eligibility:
    """Judges people as new people."""

    def __init__(self, parts: Parts, judge: Judge) -> None:
        self._parts = parts
        self._judge = judge

    async def against(self, person: Person, starter: str, last: Onboarding | None) -> tuple[Refusal, ...]:
        """Everything that stands in the way, empty = may be invited. last: their onboarding so far.

        Raises DirectoryUnavailable where only a later try tells.
        """
        known = self.known(person, starter, last)
        if known is not None:
            return (known,)
        if not person.enabled:
            return (reasons.TARGET_DISABLED.refuse(name=person.name),)
        found = [self._not_new(person)]
        facts = await self._judge.gather(person)
        if isinstance(facts, Refusal):
            if facts.code in (reasons.PROTECTION_UNKNOWN.code, reasons.DIRECTORY_UNAVAILABLE.code):
                raise DirectoryUnavailable(facts.facts.get("what", "the facts about the person"))
            return (facts,)
        kind = kind_of(person, facts)
        if facts.protection:
            held = "; ".join(facts.protection.facts)
            found.append(reasons.PROTECTED.refuse(name=person.name, facts=held))
        elif kind not in _FINE:
            found.append(NOT_FOR_KIND.refuse(name=person.name, kind=kind.value))
        if facts.has_method:
            found.append(HAS_METHOD.refuse(name=person.name, who=person.upn, methods=facts.has_method))
        if not facts.sign_in.passes and await self._pass_due(person):
            found.append(PASS_DUE.refuse(name=person.name))
        freeze = await self._parts.store.freeze_of(person.oid)
        found.append(frozen(freeze) if freeze else None)
        return tuple(each for each in found if each is not None)

    async def _pass_due(self, person: Person) -> bool:
        """Where that can be read; elsewhere nobody can tell, and nothing is refused for it."""
        try:
            return await self._parts.directory.pass_due(person.oid)
        except DirectoryUnavailable:
            return False

    def known(self, person: Person, starter: str, last: Onboarding | None) -> Refusal | None:
        """What is known without asking the directory."""
        if person.oid == starter:
            return YOURSELF.refuse(who=person.upn)
        if last is None:
            return None
        if last.open:
            stage = last.stage.value.replace("-", " ")
            return ALREADY_INVITED.refuse(name=person.name, starter=last.starter.name, stage=stage)
        return SAID_NO.refuse(name=person.name) if last.stage in WAYS_OUT else None

    def _not_new(self, person: Person) -> Refusal | None:
        """Outside the days around the hire date, or around the making of the account where there is none."""
        days = self._parts.policy.onboarding.hired_within_days
        since = person.hired_at or person.created_at
        if not days:
            return None
        if since is not None and abs(self._parts.now() - since) <= timedelta(days=days):
            return None
        facts = {"name": person.name, "who": person.upn, "days": str(days), "since": _day(since)}
        return NOT_NEW.refuse(**facts)


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "not told by the directory"
