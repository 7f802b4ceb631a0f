"""Finding clear phone numbers and secrets in whatever was written, also when they are disguised.

Knows the ways in which a number can stand in a text. Must not know what wrote it.
"""

from __future__ import annotations

import base64
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BETWEEN = rb"(?:[\s().\-/+_*~]|\xc2\xa0|\\u00a0|%20|%2B|\\u2011|\xe2\x80\x91){0,3}"


@dataclass(frozen=True, slots=True)
class Clear:
    """One number in clear: digits of the calling code and of the rest, no plus, no extension."""

    country: str
    national: str

    @classmethod
    def read(cls, text: str) -> Clear:
        """From `+1 2065550100`, with any spacing; the calling code ends at the first space."""
        head, _, rest = text.strip().removeprefix("+").partition(" ")
        return cls(head, re.sub(r"\D", "", rest.split("x")[0]))


def disguises(number: Clear) -> Iterator[tuple[str, re.Pattern[bytes]]]:
    """Name of the disguise and the pattern that finds it in bytes."""
    digits = number.country + number.national
    # Other digits right before or behind would make it another number (or part of an id).
    spread = _BETWEEN.join(re.escape(digit.encode()) for digit in number.national)
    country = rb"(?:" + number.country.encode() + _BETWEEN + rb")?"
    yield "digits, however spaced", re.compile(rb"(?<!\d)" + country + spread + rb"(?!\d)")
    encoded = urllib.parse.quote("+" + digits, safe="")
    for name, plain in (
        ("hex", digits.encode().hex()),
        ("hex", number.national.encode().hex()),
        ("URL-encoded", encoded),
        ("URL-encoded", _percent(number.national)),
    ):
        yield name, re.compile(re.escape(plain.encode()), re.IGNORECASE)
    for text in (digits, number.national, "+" + digits, f"+{number.country} {number.national}"):
        for shift in range(3):
            yield f"base64, shifted by {shift}", re.compile(re.escape(_inner_base64(text.encode(), shift)))


def _percent(text: str) -> str:
    return "".join(f"%{ord(char):02X}" for char in text)


def _inner_base64(raw: bytes, shift: int) -> bytes:
    """The part of the encoding that does not depend on what stands before and behind."""
    encoded = base64.b64encode(b"\0" * shift + raw)
    start = {0: 0, 1: 2, 2: 3}[shift]
    end = (shift + len(raw)) * 8 // 6
    return encoded[start:end]


def found(numbers: Iterable[Clear], text: bytes) -> list[str]:
    """Each number that stands in the text, with the disguise and what is around it."""
    hits = []
    for number in numbers:
        for name, pattern in disguises(number):
            if match := pattern.search(text):
                around = text[max(0, match.start() - 60) : match.end() + 20]
                hits.append(f"+{number.country}…{number.national[-2:]} as {name}: {around!r}")
    return hits


def secrets_found(secrets: Iterable[str], text: bytes) -> list[str]:
    """Tokens by their shape, and the given secrets plain, URL-encoded and in base64."""
    hits = [str(m) for m in re.findall(rb"eyJ[\w-]{8,}\.[\w-]{8,}|[Bb]earer +[\w.-]{20,}", text)]
    for secret in secrets:
        forms = [secret.encode(), urllib.parse.quote(secret, safe="").encode()]
        forms += [_inner_base64(secret.encode(), shift) for shift in range(3)]
        hits += [f"a secret: {form[:12]!r}" for form in forms if form in text]
    return hits
