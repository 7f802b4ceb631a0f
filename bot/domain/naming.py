"""How people, phone slots, requests and tickets are named in words.

Knows every accepted spelling. Must not know commands, and never corrects a name: a look-alike stays one.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence

from bot.domain.command import RequestId, Who, WhoKind
from bot.domain.people import object_id
from bot.domain.phone import Slot
from bot.domain.words import HIDDEN, Kind, Word, trimmed, visible

MAX_NAME = 256
_MAX_MAIL = 254
_MAX_EMPLOYEE_ID = 16  # Graph, page "user resource type"

_PLAIN_UPN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII
)
_ATS = re.compile("[@＠﹫]")
# Letters that a directory may compare as plain ones: full width, small, enclosed, mathematical.
_LOOK_ALIKE = re.compile(
    "[\uff01-\uff5e\ufe50-\ufe6b\u2460-\u24ff\U0001d400-\U0001d7ff\U0001f100-\U0001f189]"
)
# Joiners belong to Persian and Indic names and to emoji, never beside an ASCII character.
_JOINER = re.compile("[\u200c\u200d]")
_ODD_JOINER = re.compile("(?:^|[\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?:[\x00-\x7f]|$)")
_EMPLOYEE_WORDS = frozenset({"employee", "emp"})
_ID_WORDS = frozenset({"id", "number", "no"})
AFTER_THESE_COMES_A_PERSON = _EMPLOYEE_WORDS | _ID_WORDS
_EMPLOYEE_ID = re.compile(r"[A-Za-z]{0,6}-?[0-9]{1,16}", re.ASCII)

_DASHED_TICKET = re.compile(r"[A-Z]{2,10}-[0-9]{1,10}|[A-Za-z]{2,10}-[0-9]{3,10}", re.ASCII)
_TICKET = re.compile(r"[A-Za-z]{2,10}[0-9]{3,10}|#[0-9]{1,9}", re.ASCII)
_NO_TICKET = re.compile(r"(?:ext|extn|extension|tel|phone|fax)-?[0-9]", re.IGNORECASE | re.ASCII)
_TICKET_EDGE = "()[].,;:!"

_FOLD = str.maketrans({"O": "0", "I": "1", "L": "1"})
_KEY = re.compile(r"[0-9A-HJKMNP-TV-Z]{6}", re.ASCII)
_TAIL = re.compile(r"[0-9A-F]{4}", re.ASCII)
_ID_BREAKS = re.compile(r"[\s_\u2010-\u2015-]+")

_MOBILES = ("mobile", "mobil", "cell", "phone", "mobile phone", "cell phone", "cellphone")
_SECONDS = ("alternate", "alternative", "alt", "second", "secondary", "backup")
SLOTS: dict[str, Slot] = {
    **dict.fromkeys(_MOBILES, Slot.MOBILE),
    **{f"{first} {word}": Slot.MOBILE for first in ("primary", "main") for word in _MOBILES},
    "primary": Slot.MOBILE,
    **{f"{first} {word}": Slot.ALTERNATE for first in _SECONDS for word in _MOBILES},
    **dict.fromkeys(("alternate", "alternative", "alt", "alternatemobile"), Slot.ALTERNATE),
    **{f"{first} phone": Slot.OFFICE for first in ("office", "desk", "work")},
    **dict.fromkeys(("office", "desk", "landline", "officephone"), Slot.OFFICE),
}
FILLERS = frozenset({"the", "a", "an", "new", "number", "numbers", "no", "his", "her", "their"})
LONGEST_SLOT = 5


def read_who(words: Sequence[Word]) -> Who | None:
    """The person these words name, None for no words. Nothing is normalised but GUIDs."""
    if not words:
        return None
    first = words[0]
    if len(words) == 1 and first.kind is Kind.MENTION:
        oid = object_id(first.oid)
        return Who(WhoKind.OID, oid) if oid else _named(trimmed(first.inner))
    if len(words) == 1 and first.kind is Kind.QUOTED:
        inner = trimmed(first.inner)
        return _by_address(inner) or (Who(WhoKind.NAME, inner, exact=True) if inner else None)
    if len(words) == 1 and first.key in ("me", "myself", "my"):
        return Who(WhoKind.ME, "me")
    employee = _employee(words)
    if employee:
        return Who(WhoKind.EMPLOYEE, employee)
    value = trimmed(trimmed(" ".join(word.inner for word in words)).rstrip(",;:!?").strip("<>`"))
    return _by_address(value.rstrip(".")) or _named(value)


def is_plain(who: Who) -> bool:
    """False when a name could pass for another one: then it must be refused, not looked up.

    A UPN or mail must be plain ASCII of the usual characters; a name may be of any script but without
    unseen characters, look-alike forms of ASCII letters, and at most 256 characters.
    """
    if who.kind is WhoKind.UPN:
        return len(who.value) <= _MAX_MAIL and bool(_PLAIN_UPN.fullmatch(who.value))
    if who.kind is not WhoKind.NAME or (who.value.isascii() and who.value.isprintable()):
        return len(who.value) <= MAX_NAME
    rest = _JOINER.sub("", who.value)
    look_alike = _LOOK_ALIKE.search(rest) or any(_stands_for_ascii(ch) for ch in rest)
    hostile = HIDDEN.search(rest) or look_alike or _ODD_JOINER.search(who.value)
    return not hostile and len(who.value) <= MAX_NAME


def _stands_for_ascii(ch: str) -> bool:
    """The Kelvin sign, the long s, ligatures, Roman numerals: letters that compare equal to ASCII ones.

    The ordinals are part of names (M\u00aa Jos\u00e9), and no directory folds them.
    """
    if ch.isascii() or ch in "\u00aa\u00ba":
        return False
    plain = unicodedata.normalize("NFKC", ch)
    return plain.isascii() and plain.isalnum()


def read_slot(words: Sequence[Word]) -> Slot | None:
    """The slot these words name, or None. Articles and the word "number" do not count."""
    if not 0 < len(words) <= LONGEST_SLOT or any(word.kind is not Kind.PLAIN for word in words):
        return None
    return SLOTS.get(_slot_words(words))


def says_nothing(words: Sequence[Word]) -> bool:
    """True for no words, and for words like "the new number" that name no slot."""
    return all(word.key in FILLERS for word in words)


def similar_slot(words: Sequence[Word]) -> str:
    """The slot's own word that a mistyped one resembles, or ""."""
    close = difflib.get_close_matches(_slot_words(words)[:40], SLOTS, n=1, cutoff=0.7)
    return SLOTS[close[0]].word if close else ""


def read_ticket(word: Word) -> str:
    """`INC1234`, `REQ-123`, `#12345` as typed, or "". Short endings such as `iphone12` are no tickets."""
    if word.kind is not Kind.PLAIN:
        return ""
    text = visible(word.raw).strip(_TICKET_EDGE)
    if _NO_TICKET.match(text):
        return ""
    return text if _DASHED_TICKET.fullmatch(text) or _TICKET.fullmatch(text) else ""


def read_request_id(words: Sequence[Word]) -> RequestId | None:
    """`R-7K2Q9M-4F3A`, also lower case, without `R-` or the tail, with spaces, and O for 0, I or L for 1."""
    text = visible(" ".join(word.inner for word in words)).strip("`.,;:!?#()<>").upper()
    parts = _ID_BREAKS.split(text)
    marked = len(parts) > 1 and parts[0] == "R"
    body = "".join(parts[1:] if marked else parts)
    if not marked and len(body) in (7, 11) and body[0] == "R":
        body = body[1:]
    body = body.translate(_FOLD)
    key, tail = body[:6], body[6:]
    if not _KEY.fullmatch(key) or (tail and not _TAIL.fullmatch(tail)):
        return None
    return RequestId(key, tail)


def _by_address(value: str) -> Who | None:
    oid = object_id(value)
    if oid:
        return Who(WhoKind.OID, oid)
    return Who(WhoKind.UPN, value) if _ATS.search(value) else None


def _named(value: str) -> Who | None:
    return Who(WhoKind.NAME, value) if value else None


def _employee(words: Sequence[Word]) -> str:
    """The employee id: all digits, `#12345`, or an id behind the word "employee"; else ""."""
    last = trimmed(words[-1].inner).rstrip(",;:!?.")
    number = last.removeprefix("#")
    digits = number.isascii() and number.isdigit() and len(number) <= _MAX_EMPLOYEE_ID
    if len(words) == 1:
        return number if digits else ""
    middle = words[1:-1]
    if words[0].key not in _EMPLOYEE_WORDS or len(middle) > 1 or any(w.key not in _ID_WORDS for w in middle):
        return ""
    return number if _EMPLOYEE_ID.fullmatch(number) and len(number) <= _MAX_EMPLOYEE_ID else ""


def _slot_words(words: Sequence[Word]) -> str:
    return " ".join(word.key for word in words if word.key not in FILLERS).replace("-", " ").strip(" :")
