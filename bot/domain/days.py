"""A day as people type it: `2026-12-24`, `24 dec`, `dec 24 2027`, `friday`, `tomorrow`.

Knows days, not hours or time zones: whoever asks says which day is today. What could mean two
days is no day.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORTEST = 3
_NUMBER = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th|\.)?", re.ASCII)
_YEAR = re.compile(r"20[0-9]{2}", re.ASCII)


def read_day(text: str, today: date) -> date | None:
    """The day that is meant, None when it is none or could be two. A weekday is the next one after today."""
    words = text.lower().replace(",", " ").split()
    if words[:1] == ["next"] and len(words) == 2 and _weekday(words[1]) is not None:
        return None  # this week's or the next? People differ
    if len(words) == 1:
        return _one(words[0], today)
    if len(words) in (2, 3):
        return _day_and_month(words, today)
    return None


def _one(word: str, today: date) -> date | None:
    if word in ("today", "now"):
        return today
    if word == "tomorrow":
        return today + timedelta(days=1)
    weekday = _weekday(word)
    if weekday is not None:
        return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    try:
        return date.fromisoformat(word) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", word) else None
    except ValueError:
        return None


def _day_and_month(words: list[str], today: date) -> date | None:
    """`24 dec`, `dec 24`, each with or without a year; without one it is the next such day."""
    numbers = [match for word in words[:2] if (match := _NUMBER.fullmatch(word))]
    months = [month for word in words[:2] if (month := _month(word)) is not None]
    year = words[2] if len(words) == 3 else ""
    if len(numbers) != 1 or len(months) != 1 or (year and not _YEAR.fullmatch(year)):
        return None
    day, month = int(numbers[0][1]), months[0]
    try:
        found = date(int(year) if year else today.year, month, day)
        return found if year or found >= today else date(today.year + 1, month, day)
    except ValueError:
        return None


def _weekday(word: str) -> int | None:
    return _named(word, _WEEKDAYS)


def _month(word: str) -> int | None:
    found = _named(word.rstrip("."), _MONTHS)
    return None if found is None else found + 1


def _named(word: str, names: tuple[str, ...]) -> int | None:
    """By its beginning: three letters tell them all apart."""
    return next((n for n, name in enumerate(names) if len(word) >= _SHORTEST and name.startswith(word)), None)
