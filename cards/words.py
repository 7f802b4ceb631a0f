"""Sentences in the reader's language, with facts put in safely, and dates in the reader's time.

Knows: gettext catalogues, placeholders, time zones. Must not know: cards. Every fact that enters a sentence
is made inert and masked here, so that no drawing function can forget it. Catalogues, when there are any,
lie in `cards/locale/<language>/LC_MESSAGES/ringfence.mo`; a missing one means English.
"""

from __future__ import annotations

import gettext
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.people import Reader
from bot.domain.phone import Slot

from .foreign import LONG, SHORT, free, plain

_LOCALES: Final = Path(__file__).parent / "locale"
_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2}\Z")
_FREE_FACTS: Final = frozenset({"reason", "because"})
_LONG_FACTS: Final = frozenset({"missing", "facts", "approvers", "what", "names", "problem", "state", "why"})
# Written by us: may hold an example number (the documented +1 202 555 0123) or a command in backticks.
_OWN_FACTS: Final = frozenset({"example", "suggestion", "usage"})
_RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "iw", "ps", "ur", "yi", "ckb", "dv", "sd", "ug"})
_FORMATTER = Formatter()


def msg(message: str) -> str:
    """Marks a message id that is translated later (xgettext keyword)."""
    return message


_DAYS: Final = tuple(map(msg, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")))
_MONTHS: Final = tuple(
    map(msg, ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"))
)
_SLOTS: Final = {
    Slot.MOBILE: msg("mobile"),
    Slot.ALTERNATE: msg("alternate mobile"),
    Slot.OFFICE: msg("office phone"),
}


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a sentence. strong: a fact that the eye should find. code: something to type."""

    text: str
    strong: bool = False
    code: bool = False


class Words:
    """The words of one language and time zone. Calling it fills a message; facts are named, always."""

    def __init__(self, locale: str, timezone: str, locales: Path = _LOCALES) -> None:
        """locales: where the catalogues lie."""
        self._catalogue, self.lang = _catalogue(locale, locales)
        self.rtl = self.lang.split("-")[0] in _RIGHT_TO_LEFT
        self._zone, self._zone_name = _zone(timezone)

    def __call__(self, message: str, /, **facts: str) -> str:
        """The message with its facts, without the backticks around what is to be typed."""
        return "".join(run.text for run in self.runs(message, **facts))

    def runs(self, message: str, /, **facts: str) -> list[Run]:
        """The message cut into runs: facts are strong, `typed words` are code (facts inside them too).

        Raises KeyError when the message names a fact that is not given.
        """
        runs: list[Run] = []
        code = False
        for literal, name, _, _ in _FORMATTER.parse(self._catalogue.gettext(message)):
            for n, part in enumerate(literal.split("`")):
                code = code ^ (n > 0)
                runs.append(Run(part, code=code))
            if name:
                found = _fact(name, facts[name], code)
                runs.extend(_isolated(found) if self.rtl and found else found)
        return joined(runs)

    def when(self, moment: datetime, year: bool = False) -> str:
        """`Mon 23 Nov, 14:05` in the reader's time zone; with ` UTC` when we do not know a nearer one."""
        local = moment.astimezone(self._zone)
        message = msg("{day} {date} {month} {year}, {time}") if year else msg("{day} {date} {month}, {time}")
        return self(
            message,
            day=self(_DAYS[local.weekday()]),
            date=str(local.day),
            month=self(_MONTHS[local.month - 1]),
            year=str(local.year),
            time=f"{local:%H:%M}{self._zone_name}",
        )

    def slot(self, slot: Slot) -> str:
        """The slot as people say it: mobile, alternate mobile, office phone."""
        return self(_SLOTS[slot])

    def all_of(self, names: list[str], most: int = 3) -> str:
        """`A`, `A and B`, `A, B, C and 4 others`: people all of whom must act."""
        if len(names) < 2:
            return self.listed(names)
        if len(names) > most:
            shown = ", ".join(plain(name) for name in names[:most])
            return self(msg("{names} and {count} others"), names=shown, count=str(len(names) - most))
        *first, last = (plain(name) for name in names)
        return self(msg("{names} and {last}"), names=", ".join(first), last=last)

    def listed(self, names: list[str], most: int = 3) -> str:
        """`A`, `A or B`, `A, B, C or 4 others`: people of whom any may act."""
        if not names:
            return self(msg("nobody"))
        if len(names) == 1:
            return plain(names[0], SHORT)
        if len(names) > most:
            shown = ", ".join(plain(name) for name in names[:most])
            return self(msg("{names} or {count} others"), names=shown, count=str(len(names) - most))
        shown = ", ".join(plain(name) for name in names[:-1])
        return self(msg("{names} or {last}"), names=shown, last=names[-1])


@lru_cache(maxsize=256)
def words_for(locale: str, timezone: str) -> Words:
    """Words by locale and time zone. Both come from the client; unusable ones mean English and UTC."""
    return Words(locale, timezone)


def words_of(reader: Reader) -> Words:
    return words_for(reader.locale, reader.timezone)


def _fact(name: str, value: str, code: bool) -> list[Run]:
    if name in _OWN_FACTS:
        return [
            Run(plain(part, LONG, mask=False), strong=name == "example", code=code ^ bool(n % 2))
            for n, part in enumerate(value.split("`"))
        ]
    if name in _FREE_FACTS:
        return [Run(free(value), strong=True)]
    cap = LONG if name in _LONG_FACTS else SHORT
    return [Run(plain(value, cap), strong=not code and cap == SHORT, code=code)]


def _isolated(runs: list[Run]) -> list[Run]:
    """A fact that keeps its own direction inside a sentence written from right to left (FSI ... PDI)."""
    first, last = runs[0], runs[-1]
    opened = [replace(first, text=f"\u2068{first.text}"), *runs[1:]]
    closing = opened[-1] if len(runs) == 1 else last
    return [*opened[:-1], replace(closing, text=f"{closing.text}\u2069")]


def joined(runs: list[Run]) -> list[Run]:
    """Neighbours of one look as one run, empty ones left out."""
    out: list[Run] = []
    for run in runs:
        if out and (out[-1].strong, out[-1].code) == (run.strong, run.code):
            out[-1] = Run(out[-1].text + run.text, run.strong, run.code)
        elif run.text:
            out.append(run)
    return out


def _catalogue(locale: str, locales: Path) -> tuple[gettext.NullTranslations, str]:
    """The catalogue of the nearest language and its tag; the tag is checked because it becomes a path."""
    if _TAG.match(locale):
        for tag in (locale.replace("-", "_"), locale.split("-")[0]):
            found = gettext.find("ringfence", locales, [tag])
            if found:
                return gettext.translation("ringfence", locales, [tag]), tag.replace("_", "-")
    return gettext.NullTranslations(), "en"


def _zone(timezone: str) -> tuple[tzinfo, str]:
    try:
        return ZoneInfo(timezone), " UTC" if timezone in ("UTC", "Etc/UTC") else ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC, " UTC"
