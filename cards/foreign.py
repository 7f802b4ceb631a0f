"""Foreign text on our cards: names, user names, reasons, tickets, rule names, facts of refusals.

Knows: what a card client would act on, and how to make it inert without hiding it. Must not know: where
the text stands. One function for every surface, because the same text goes into text runs (literal),
choice titles and the plain twin (both may be read as Markdown): what Markdown would act on is replaced by
a look-alike instead of being escaped, so that no surface shows stray backslashes.

Sources: "Format cards in Microsoft Teams" (Markdown subset, date functions), Adaptive Cards
"Text features" ({{DATE()}}, {{TIME()}}).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from bot.domain.phone import BULLETS

SHORT: Final = 120
LONG: Final = 500

_TAME = re.compile(r"(?:[A-Za-z][A-Za-z0-9 .,'@+\-/()#:;?!•]*)?\Z")
_SPACE = re.compile(r"\s+")
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS_IN_A_ROW = 3
_LOOK_ALIKE = str.maketrans({"*": "∗", "`": "ˋ", "<": "‹", ">": "›", "\\": "∖"})
_BREAKS: Final = (
    (re.compile(r"\{(?=\{)"), "{ "),  # {{DATE(...)}}
    (re.compile(r"\}(?=\})"), "} "),
    (re.compile(r"\$(?=\{)"), "$ "),  # ${template}
    (re.compile(r"\](?=[(\[:])"), "] "),  # [text](link), [text][ref], [ref]: link
    (re.compile(r"!(?=\[)"), "! "),  # ![picture]
    (re.compile(r":(?=//)"), ": "),  # clients turn bare addresses into links
    (re.compile(r"\bwww(?=\.)", re.IGNORECASE), "www "),
    (re.compile(r"~(?=~)"), "~ "),
    (re.compile(r"&(?=#?\w+;)"), "& "),  # &#91; and the like
    (re.compile(r"(?<![^\W_])_|_(?![^\W_])"), "ˍ"),  # _emphasis_, but not first_last
    (re.compile(r"^[#=\-+](?=[#=\- ])"), "·"),  # headings and lists at the start of a line
    (re.compile(r"^([0-9]+)[.)](?= )"), r"\1 ·"),
)
# A plus and at least seven digits is a phone number wherever it stands. In free text nine digits in a row,
# however spaced, are taken for one too, unless letters touch them (INC0012345678) or they are a date.
_PLUS_NUMBER = re.compile(r"\+[0-9](?:[ ().\-/]{0,3}[0-9]){6,}")
_ANY_NUMBER = re.compile(r"(?<![\w+])(?!\d{4}-\d\d-\d\d)\(?[0-9](?:[ ().\-/]{0,3}[0-9]){8,}(?!\w)")


def plain(text: str, cap: int = SHORT, mask: bool = True) -> str:
    """One inert line of at most `cap` characters, phone numbers with a plus masked unless `mask` is off.

    Drops control, bidirectional, zero-width and tag characters, and floods of combining marks. Idempotent.
    """
    line = _SPACE.sub(" ", text)
    if not (_TAME.match(line) and "://" not in line and "www." not in line.lower()):
        line = _inert(line)
    if mask:
        line = _PLUS_NUMBER.sub(_masked, line)
    return line if len(line) <= cap else line[: cap - 1].rstrip() + "…"


def free(text: str, cap: int = LONG) -> str:
    """`plain` for what people write freely (reasons): numbers without a plus are masked as well."""
    return _ANY_NUMBER.sub(_masked, plain(text, cap))


def _inert(line: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in line:
        kind = unicodedata.category(char)
        marks = marks + 1 if kind.startswith("M") else 0
        if kind not in _DROPPED and marks <= _MARKS_IN_A_ROW:
            kept.append(char)
    line = _SPACE.sub(" ", "".join(kept)).translate(_LOOK_ALIKE)
    for pattern, replacement in _BREAKS:
        line = pattern.sub(replacement, line)
    return line


def _masked(match: re.Match[str]) -> str:
    found = match[0]
    digits = re.sub(r"[^0-9]", "", found)
    return ("+" if found.startswith("+") else "") + f"{BULLETS} {digits[-2:]}"
