"""Risk signals as sentences, for whoever decides and for the requester.

Knows the words of each signal. Must not know how one is found, nor what a rule makes of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from bot.domain.change import Change
from bot.domain.signals import Signal

from .sheet import Sheet
from .words import Words, msg

# By `Signal.key`. Facts: name (of the person concerned), requester, those of the signal; `at` as local time.
SIGNALS: Final[dict[str, str]] = {
    "vip": msg("{name} is on the list of people who need special care."),
    "country-change": msg("The new number is of another country ({new}) than the phones held ({held})."),
    "country-change:location": msg(
        "The new number is of another country ({new}) than the location of the account ({location})."
    ),
    "out-of-hours": msg("It was asked outside working hours, at {local} ({zone})."),
    "out-of-hours:day": msg("It was asked on a day without work, {local} ({zone})."),
    "number-shared": msg("Other people known to have this number: {count}."),
    "number-shared:asked": msg("An open request would give this number to somebody else, too ({count})."),
    "index-incomplete": msg("I do not know everybody's numbers yet, so somebody else may have this one too."),
    "second-change": msg("It is change number {count} for {name} within 24 hours."),
    "operator-burst": msg("It is request number {count} of {requester} within an hour."),
    "first-phone-beside-stronger": msg("{name} has a stronger method; a phone beside it is a weaker way in."),
    "last-method": msg(
        "It is the only sign-in method of {name} besides the password: they may be locked out."
    ),
    "recent-reset": msg("The password of {name} was changed recently, {at}."),
    "recent-pass": msg("A Temporary Access Pass was issued for {name} recently, {at}."),
}


def signals(sheet: Sheet, _: Words, change: Change) -> None:
    """One line for each signal of the change."""
    for signal in change.risks:
        sheet.point(SIGNALS.get(signal.key, "{key}"), "⚠", **_facts(_, change, signal))


def _facts(_: Words, change: Change, signal: Signal) -> dict[str, str]:
    facts = {"key": signal.key, "name": change.target.name, "requester": change.requester.name}
    facts |= dict(signal.facts)
    if "at" in facts:
        facts["at"] = _.when(datetime.fromisoformat(facts["at"]))
    return facts
