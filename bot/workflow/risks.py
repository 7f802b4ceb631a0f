"""What makes a request riskier than another: found before the rule is picked, so that a rule may look at it.

Knows the terms of the policy, the directory's facts and what was asked for lately. Must not judge: what a
signal leads to is the rules' business. What cannot be read gives no signal; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.phone import Slot, calling_code
from bot.domain.policy import Risk, RiskTerms
from bot.domain.signals import Signal
from bot.ports import Recent
from bot.workflow.holders import Holders
from bot.workflow.parts import Parts
from bot.workflow.planning import Case, Facts, is_first_beside_stronger, is_last_method, number_after

AN_HOUR, A_DAY = timedelta(hours=1), timedelta(hours=24)
#: A password as old as its account was given with it: that is no reset.
WITH_THE_ACCOUNT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What signals are found in. recent: without the request itself. holders: of the new number."""

    now: datetime
    terms: RiskTerms
    case: Case
    facts: Facts
    holders: Holders = Holders()  # noqa: RUF009 - a frozen value
    recent: Recent = Recent()  # noqa: RUF009 - a frozen value


class Signals:
    """Finds the signals of one case."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def of(self, case: Case, facts: Facts, holders: Holders) -> tuple[Signal, ...]:
        """In the order of `Risk`. holders: others who have the new number, as far as known."""
        now = self._parts.now()
        number = number_after(case, facts)
        shared = case.action.brings_a_number and case.slot is not Slot.OFFICE
        recent = await self._parts.store.recent(
            (case.requester, now - AN_HOUR),
            (case.target.oid, now - A_DAY),
            self._parts.number_key(number) if shared else "",
        )
        return found_in(Circumstances(now, self._parts.policy.risk, case, facts, holders, recent))


def holders_in(signals: Iterable[Signal]) -> int:
    """How many other people are known to have the new number, by what was found."""
    found = (dict(each.facts) for each in signals if each.risk is Risk.SHARED and not each.variant)
    return sum(int(facts["count"]) for facts in found)


def found_in(around: Circumstances) -> tuple[Signal, ...]:
    """All signals of the circumstances. Pure."""
    return tuple(_all(around))


def _all(around: Circumstances) -> Iterator[Signal]:
    if around.facts.vip:
        yield Signal(Risk.VIP)
    yield from _country(around)
    yield from _hours(around)
    yield from _holders(around)
    if around.recent.of_target:
        yield Signal(Risk.SECOND, facts=(("count", str(around.recent.of_target + 1)),))
    asked = around.recent.by_requester + 1
    if around.terms.burst_per_hour and asked > around.terms.burst_per_hour:
        yield Signal(Risk.BURST, facts=(("count", str(asked)),))
    if is_first_beside_stronger(around.case, around.facts):
        yield Signal(Risk.FIRST_PHONE)
    if is_last_method(around.case, around.facts):
        yield Signal(Risk.LAST_METHOD)
    yield from _resets(around)


def _country(around: Circumstances) -> Iterator[Signal]:
    """The new number's country against those of the phones held, or else of the account's location."""
    new = around.case.number
    if new is None:
        return
    held = sorted({number.country for number in around.facts.phones.by_slot.values()})
    if held:
        if new.country not in held:
            codes = ", ".join(f"+{code}" for code in held)
            yield Signal(Risk.COUNTRY, facts=(("new", f"+{new.country}"), ("held", codes)))
        return
    location = around.case.target.usage_location or ""
    code = calling_code(location)
    if code and code != new.country:
        yield Signal(Risk.COUNTRY, "location", (("new", f"+{new.country}"), ("location", location)))


def _hours(around: Circumstances) -> Iterator[Signal]:
    terms = around.terms
    if terms.opens == terms.closes:
        return
    local = around.now.astimezone(ZoneInfo(terms.timezone))
    minute = local.hour * 60 + local.minute
    # Hours may go over midnight; the day that counts is the one on which they began.
    over_night = terms.closes < terms.opens
    began = local - timedelta(days=1) if over_night and minute < terms.closes else local
    facts = (("local", f"{local:%Y-%m-%d %H:%M}"), ("zone", terms.timezone))
    if began.weekday() not in terms.workdays:
        yield Signal(Risk.HOURS, "day", facts)
        return
    is_open = minute >= terms.opens if over_night else terms.opens <= minute
    is_open = (is_open or minute < terms.closes) if over_night else is_open and minute < terms.closes
    if not is_open:
        yield Signal(Risk.HOURS, facts=facts)


def _holders(around: Circumstances) -> Iterator[Signal]:
    if around.holders.people:
        yield Signal(Risk.SHARED, facts=(("count", str(len(around.holders.people))),))
    elif around.recent.same_number:
        yield Signal(Risk.SHARED, "asked", (("count", str(around.recent.same_number)),))
    if not around.holders.complete:
        yield Signal(Risk.INDEX)


def _resets(around: Circumstances) -> Iterator[Signal]:
    since = around.now - timedelta(hours=around.terms.recent_hours)
    person = around.case.target
    changed = person.password_changed_at
    with_account = (
        changed is not None
        and person.created_at is not None
        and changed - person.created_at <= WITH_THE_ACCOUNT
    )
    if changed is not None and changed > since and not with_account:
        yield Signal(Risk.RESET, facts=(("at", changed.isoformat()),))
    issued = [at for at in around.facts.sign_in.passes if at > since]
    if issued:
        yield Signal(Risk.TAP, facts=(("at", max(issued).isoformat()),))
