"""Typed words about onboarding to a command.

Knows what follows each of its verbs. Must not know who asks, what exists, or what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bot.domain import onboarding_commands as oc
from bot.domain.command import Command, Malformed, Who
from bot.domain.command_docs import doc_of
from bot.domain.naming import read_who
from bot.domain.onboarding import Bridge, Stage
from bot.domain.orders import is_number, polite
from bot.domain.people import object_id
from bot.domain.words import Line, Word

MOST_DAYS = 365
_BEHALF = ("on", "behalf")
_EVERYBODY = frozenset({"everybody", "everyone", "all", "new", "people"})
_LINKS = frozenset({"created", "made", "in", "within", "the", "last", "since", "of", "from", "hired"})
_FOUR = re.compile(r"[0-9]{4}", re.ASCII)


def _onboard(verb: str, words: Sequence[Word], line: Line) -> Command:
    words = polite(words)
    if any(is_number(word) for word in words):
        return _malformed(verb, "That is a phone number; whoever is new enters it on the card.")
    behalf = tuple(word.key for word in words[-2:]) == _BEHALF
    words = words[:-2] if behalf else words
    if words and words[0].key == "group":
        group = object_id(words[1].inner) if len(words) == 2 else None
        return oc.Onboard(group=group) if group else _malformed(verb, "A group is named by its object id.")
    if words and words[0].key in _EVERYBODY:
        days = _days(words[1:])
        problem = f"Say of how many days, 1 to {MOST_DAYS}: `onboard everybody created in the last 14 days`."
        return oc.Onboard(days=days) if days else _malformed(verb, problem)
    who = _people(words)
    if not who:
        return _malformed(verb, "The person is missing.")
    if behalf and len(who) > 1:
        return _malformed(verb, "On behalf of one person at a time: each has a number of their own.")
    return oc.Onboard(who=who, on_behalf=behalf)


def _people(words: Sequence[Word]) -> tuple[Who, ...]:
    """People between commas and `and`."""
    found: list[Who] = []
    part: list[Word] = []
    for word in (*words, None):
        ends = word is None or word.key in ("and", "&") or word.raw.endswith(",")
        if word is not None and word.key not in ("and", "&") and word.raw != ",":
            part.append(word)
        if ends:
            who = read_who(part)
            found += [who] if who is not None else []
            part = []
    return tuple(dict.fromkeys(found))


def _days(words: Sequence[Word]) -> int:
    """`created in the last 14 days` as 14; 0 for anything else."""
    rest = [word.key for word in words if word.key not in _LINKS and word.key not in _EVERYBODY]
    if len(rest) != 2 or rest[1] not in ("days", "day") or not (rest[0].isascii() and rest[0].isdigit()):
        return 0
    days = int(rest[0]) if len(rest[0]) <= 3 else 0
    return days if days <= MOST_DAYS else 0


def _confirm(verb: str, words: Sequence[Word], line: Line) -> Command:
    words = polite(words)
    digits = words[0].key if len(words) == 1 else ""
    if not _FOUR.fullmatch(digits):
        return _malformed(verb, "I need the last four digits of the number, and nothing else.")
    return oc.Confirm(True, digits)


def _bridge(verb: str, words: Sequence[Word], line: Line) -> Command:
    said = " ".join(word.key for word in polite(words))
    choice = {"keep": Bridge.KEEP, "demote": Bridge.DEMOTE, "remove": Bridge.REMOVE}.get(said)
    return oc.ChooseBridge(choice) if choice else _malformed(verb, "Say keep, demote or remove.")


def _alone(command: Command) -> Callable[[str, Sequence[Word], Line], Command]:
    def read(verb: str, words: Sequence[Word], line: Line) -> Command:
        return _malformed(verb, "It stands alone.") if polite(words) else command

    return read


def _malformed(verb: str, problem: str) -> Malformed:
    return Malformed(verb, doc_of(verb).how, problem)


READERS: Mapping[str, Callable[[str, Sequence[Word], Line], Command]] = MappingProxyType(
    {
        "onboard": _onboard,
        "onboarding": _alone(oc.OwnOnboarding()),
        "no phone": _alone(oc.TakeWayOut(Stage.NO_PHONE)),
        "prefer not": _alone(oc.TakeWayOut(Stage.PREFERS_NOT)),
        "confirm": _confirm,
        "not my number": _alone(oc.Confirm(False)),
        "bridge": _bridge,
        "onboarding report": _alone(oc.Report()),
        "new people": _alone(oc.NewPeople()),
    }
)
