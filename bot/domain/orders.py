"""The parts of an order such as `set SLOT for WHO to NUMBER because TEXT TICKET`, cut apart.

Knows where each part begins and ends, in the orders people really type. Must not know what the parts mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.naming import (
    AFTER_THESE_COMES_A_PERSON,
    FILLERS,
    LONGEST_SLOT,
    read_slot,
    read_ticket,
    says_nothing,
)
from bot.domain.phone import Slot
from bot.domain.policy import Method
from bot.domain.words import HIDDEN, Kind, Line, Word, visible

MAX_REASON = 500
MAX_EVIDENCE = 120
FOR = frozenset({"for", "of"})
_TO = frozenset({"to", "=", "->"})
_BECAUSE = frozenset({"because", "because:"})
_VERIFIED = frozenset({"verified", "verified:"})
_BY = frozenset({"by", "via", "with"})
# The first spelling of each is the documented one.
_METHODS = {
    **dict.fromkeys(("manager-vouches", "manager vouches", "manager vouched"), Method.MANAGER_VOUCHES),
    **dict.fromkeys(("in-person", "in person"), Method.IN_PERSON),
    **dict.fromkeys(("call-back", "call back", "callback"), Method.CALL_BACK),
    **dict.fromkeys(("external",), Method.EXTERNAL),
    **dict.fromkeys(("push",), Method.PUSH),
}
_POLITE = frozenset({"please", "pls", "thanks"})
_LINKS = FOR | {"from"}
_A_PERSON_FOLLOWS = _LINKS | AFTER_THESE_COMES_A_PERSON
_PLUS = re.compile(r"[(\s]*[+＋﹢]")
_NUMBER_BEGINS = re.compile(r"[(\s]*(?:[+＋﹢]|\d|tel:)")
_DIGITS_ONLY = re.compile(r"[0-9()./-]+", re.ASCII)
_FEWEST_DIGITS = 5
_REVERSED = "\u202e"


def is_number(word: Word) -> bool:
    """True when a word begins like an international number; no person does."""
    return _PLUS.match(word.raw) is not None


def cut_tail(words: Sequence[Word]) -> tuple[Sequence[Word], Sequence[Word], str]:
    """Words before the reason, words of the reason, and the ticket: the last word of either."""
    head, tail = cut_reason(words)
    ticket = read_ticket(tail[-1]) if tail else ""
    if ticket:
        return polite(head), _unlabelled(tail[:-1]), ticket
    head = polite(head)
    ticket = read_ticket(head[-1]) if head and not _is_person(head) else ""
    return (_unlabelled(head[:-1]), tail, ticket) if ticket else (head, tail, "")


def cut_proof(words: Sequence[Word]) -> tuple[Sequence[Word], Method | None, Sequence[Word]]:
    """Everything else, the method behind `verified`, and the words of its evidence.

    The evidence ends where the reason or the number begins, or before a ticket at the very end. Without a
    method right behind it `verified` is a word like any other.
    """
    for n, word in enumerate(words):
        if word.key not in _VERIFIED:
            continue
        at = n + 1 + (n + 1 < len(words) and words[n + 1].key in _BY)
        method, size = _method(words[at : at + 2])
        if method is None:
            continue
        begins = at + size
        ends = next((m for m in range(begins, len(words)) if _ends_evidence(words, m)), len(words))
        if ends == len(words) and ends > begins and read_ticket(words[-1]):
            ends -= 2 if ends - 1 > begins and words[-2].key.rstrip(":") == "ticket" else 1
        return (*words[:n], *words[ends:]), method, polite(words[begins:ends])
    return words, None, ()


def _method(words: Sequence[Word]) -> tuple[Method | None, int]:
    """The method that these words spell, and how many of them it takes."""
    for size in range(len(words), 0, -1):
        said = " ".join(word.key.rstrip(",;:.") for word in words[:size])
        if said in _METHODS:
            return _METHODS[said], size
    return None, 0


def _ends_evidence(words: Sequence[Word], n: int) -> bool:
    key = words[n].key
    if key in _BECAUSE or key.startswith("reason:") or is_number(words[n]):
        return True
    return key in _TO and n + 1 < len(words) and _NUMBER_BEGINS.match(words[n + 1].raw) is not None


def _is_person(head: Sequence[Word]) -> bool:
    """True when the last word must be the person: `for adm1234`, `employee #12345`, `set mobile #12345`."""
    before = head[:-1]
    if before and before[-1].key in _A_PERSON_FOLLOWS:
        return True
    return head[-1].raw.startswith("#") and (says_nothing(before) or read_slot(before) is not None)


def _unlabelled(words: Sequence[Word]) -> Sequence[Word]:
    return words[:-1] if words and words[-1].key.rstrip(":") == "ticket" else words


def polite(words: Sequence[Word]) -> Sequence[Word]:
    while words and words[-1].key in _POLITE:
        words = words[:-1]
    return words


def cut_reason(words: Sequence[Word]) -> tuple[Sequence[Word], Sequence[Word]]:
    """Words before `because`, `reason:` or `for reason`, and words behind it."""
    for n, word in enumerate(words):
        key = word.key
        if key in _BECAUSE:
            return words[:n], words[n + 1 :]
        if key.startswith("reason:"):
            return words[:n], _after_colon(words[n:])
        if key == "reason" and n > 1 and words[n - 1].key == "for" and read_slot(words[: n - 1]) is None:
            return words[: n - 1], words[n + 1 :]  # not `set mobile for Reason`, which is a name
    return words, ()


def _after_colon(words: Sequence[Word]) -> Sequence[Word]:
    """`reason:lost phone` without the label, which may be glued to its first word."""
    first = words[0]
    rest = first.raw[first.raw.index(":") + 1 :]
    if not rest:
        return words[1:]
    return (Word(rest, rest.lower(), first.end - len(rest), first.end, inner=rest), *words[1:])


def reason_text(line: Line, words: Sequence[Word]) -> str:
    return visible(line.text[words[0].start : words[-1].end])[:MAX_REASON].strip() if words else ""


def as_typed(line: Line, words: Sequence[Word]) -> str:
    """The number as typed. Unseen characters, which copying brings, go; reversed text stays."""
    text = line.text[words[0].start : words[-1].end].rstrip(" ,;.") if words else ""
    return text if text.isascii() or _REVERSED in text else " ".join(HIDDEN.sub("", text).split())


def cut_number(head: Sequence[Word]) -> tuple[Sequence[Word], Sequence[Word]]:
    """Words before the number, and the number: after `to`, else from the first + on, else final digits."""
    tos = [n for n, w in enumerate(head) if w.key in _TO and not (n and head[n - 1].key in _LINKS)]
    digits = next((n for n in tos if n + 1 < len(head) and _NUMBER_BEGINS.match(head[n + 1].raw)), None)
    plus = next((n for n, word in enumerate(head) if _PLUS.match(word.raw)), None)
    if digits is not None and (plus is None or digits < plus):
        return head[:digits], head[digits + 1 :]
    if tos and (plus is None or tos[0] < plus):
        at = tos[0]
        while at + 1 in tos:  # somebody whose name is To
            at += 1
        return head[:at], head[at + 1 :]
    if plus is not None:
        return head[:plus], head[plus:]
    at = len(head)
    while at > 1 and _DIGITS_ONLY.fullmatch(head[at - 1].raw) and not _names_nobody_yet(head[: at - 1]):
        at -= 1
    long = sum(ch.isdigit() for word in head[at:] for ch in word.raw) >= _FEWEST_DIGITS
    return (head[:at], head[at:]) if long else (head, ())


def _names_nobody_yet(words: Sequence[Word]) -> bool:
    """True when a number behind these words is an employee id: `set mobile for`, `employee`, `set mobile`."""
    return words[-1].key in _A_PERSON_FOLLOWS or says_nothing(words) or read_slot(words) is not None


def slot_and_who(words: Sequence[Word], links: frozenset[str]) -> tuple[Slot | None, Sequence[Word], bool]:
    """Slot, words of the person, and False when words stand where only a slot can."""
    at = next((n for n, word in enumerate(words) if word.key in links), None)
    if at is not None:
        left, right = words[:at], words[at + 1 :]
        if not says_nothing(left):
            slot = read_slot(left)
            return slot, right, slot is not None
        words = right
    elif says_nothing(words):
        return None, (), True
    for size in range(min(LONGEST_SLOT, len(words)), 0, -1):
        slot = read_slot(words[:size]) if at is None else None
        if slot is not None:
            return slot, words[size:], True
        slot = read_slot(words[-size:]) if size < len(words) else None
        if slot is not None and words[-size].key not in FILLERS:
            return slot, _owner(words[:-size]), True
    return None, words, True


def _owner(words: Sequence[Word]) -> Sequence[Word]:
    """The person in `alice's mobile`, without the genitive."""
    last = words[-1]
    if last.key in ("'s", "’s") and len(words) > 1:
        return words[:-1]
    bare = last.raw.removesuffix("'s").removesuffix("’s")
    if last.kind is not Kind.PLAIN or bare == last.raw or not bare:
        return words
    return (*words[:-1], last._replace(raw=bare, key=bare.lower(), inner=bare))
