"""The form in which a number is sealed, and back.

Knows the text. Must not know keys nor tables.
"""

from __future__ import annotations

from bot.domain.phone import PhoneNumber, Purpose


def number_text(number: PhoneNumber) -> str:
    """`+1 2065550100x123`: in clear, for sealing only."""
    return number.reveal(Purpose.COMPARE)


def read_number(text: str) -> PhoneNumber:
    """What `number_text` gave."""
    number, _, extension = text.partition("x")
    country, _, national = number.removeprefix("+").partition(" ")
    return PhoneNumber(country, national, extension)
