"""The one phone number form that Graph keeps: "+{country code} {number}x{extension}".

Source: Graph docs "phoneauthenticationmethod"; that a number without the space is taken and given back with
it is seen in use, not documented. Knows only the lengths of country codes, not numbering plans.
"""

from __future__ import annotations

import re

_FORM = re.compile(r"\+(\d{1,3}) (\d{4,14})(x\d{1,11})?|\+(\d{7,15})(x\d{1,11})?")
#: Country codes of one and two digits (ITU-T E.164 list); every other code has three.
_TWO = re.compile(r"2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")


def kept(text: object) -> str | None:
    """The form Graph keeps and gives back, or None when it would not take this text."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    if found[1]:
        return f"+{found[1]} {found[2]}{found[3] or ''}"
    digits = found[4]
    cut = 1 if digits[0] in "17" else 2 if _TWO.match(digits) else 3
    return f"+{digits[:cut]} {digits[cut:]}{found[5] or ''}"


def same(one: str | None, other: str | None) -> bool:
    """Do two numbers have the same digits?"""
    return one is not None and other is not None and re.sub(r"\D", "", one) == re.sub(r"\D", "", other)
