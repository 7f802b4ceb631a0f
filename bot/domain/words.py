"""A line of chat as words: quoted names and mentions stay whole, every kind of blank becomes one space.

Knows which characters cannot be seen, and quotes. Must not know any command.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

MAX_TEXT = 2000
_MAX_MARKS = 4

# Characters without a shape of their own: control, soft hyphen, fillers, zero width, direction, invisible
# operators, tag characters, and lone surrogates (which cannot even be stored as UTF-8).
_HIDDEN_RANGES = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U00013430-\U0001343f\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
HIDDEN = re.compile(f"[{_HIDDEN_RANGES}]")
_ENDS = re.compile(rf"\A[\s{_HIDDEN_RANGES}]+|[\s{_HIDDEN_RANGES}]+\Z")
_OPEN, _CLOSE = '"“”„«', '"”“»'
_AFTER = r"(?=[\s,.;:!?'’]|\Z)"
_WORD = re.compile(
    rf"(<at\b[^<>]*>[^<>]*</at>)"
    rf"|[{_OPEN}]([^{_OPEN}{_CLOSE}]+)[{_CLOSE}]{_AFTER}|'([^']+)'(?=\s|\Z)|‘([^‘’]+)’(?=\s|\Z)"
    r"|\S+"
)
_TAG = re.compile(r"</?at\b[^<>]*>")
_KEY_EDGE = "!?.,;`"


class Kind(Enum):
    PLAIN = 0
    QUOTED = 1
    MENTION = 2


class Word(NamedTuple):
    """One word. raw: as typed; key: for comparing, "" when quoted or a mention; start, end: in `Line.text`.

    inner: what stands between the quotes or the `<at>` tags, else raw. oid: object id of a known mention.
    """

    raw: str
    key: str
    start: int
    end: int
    kind: Kind = Kind.PLAIN
    inner: str = ""
    oid: str = ""


class Line(NamedTuple):
    """text: the input with every run of blanks as one space; words: its words, in order."""

    text: str
    words: Sequence[Word]


def split(text: str, mentions: Mapping[str, str]) -> Line:
    """Words of a text. mentions: exact mention text to object id or ""; entities in it may be escaped."""
    flat = " ".join(text.split()).strip("`").strip()
    known = {_flat(spelled): oid for key, oid in mentions.items() for spelled in (key, html.unescape(key))}
    words: list[Word] = []
    for match in _WORD.finditer(flat):
        raw, start, end = match[0], match.start(), match.end()
        if not match.lastindex:
            key = (raw if raw.isascii() and raw.isprintable() else HIDDEN.sub("", raw)).lower()
            words.append(Word(raw, key.rstrip(_KEY_EDGE) or key, start, end, Kind.PLAIN, raw))
        elif match.lastindex == 1:
            inner = _TAG.sub("", raw).strip()
            words.append(Word(raw, "", start, end, Kind.MENTION, inner, known.get(raw, "")))
        else:
            words.append(Word(raw, "", start, end, Kind.QUOTED, match[match.lastindex].strip()))
    return Line(flat, words)


def visible(text: str) -> str:
    """The text without characters that cannot be seen, mention tags, and floods of combining marks."""
    if not text.isascii() or not text.isprintable():
        text = _few_marks(HIDDEN.sub("", text))
    if "<" in text:
        text = _TAG.sub("", text)
    return " ".join(text.split())


def trimmed(text: str) -> str:
    """The text without blanks and unseen characters at its ends; those in the middle stay, to be refused."""
    return _ENDS.sub("", text)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _few_marks(text: str) -> str:
    kept: list[str] = []
    run = 0
    for ch in text:
        run = run + 1 if unicodedata.category(ch) in ("Mn", "Me") else 0
        if run <= _MAX_MARKS:
            kept.append(ch)
    return "".join(kept)
