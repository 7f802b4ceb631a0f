"""Any text is one command, and a well-formed command comes back with every part."""

from __future__ import annotations

import re
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import command as c
from bot.domain.command import RequestId, Who, WhoKind
from bot.domain.naming import SLOTS
from bot.domain.parsing import is_plain, parse
from bot.domain.phone import Slot

OID = "11111111-2222-3333-4444-55555555555a"
MENTION = "<at>Alice Anders</at>"
_SPECIAL = [
    "set",
    "add",
    "remove",
    "delete",
    "mobile",
    "office",
    "alternate",
    "for",
    "of",
    "to",
    "because",
    "reason:",
    "ticket",
    "INC1234",
    "#12345",
    "me",
    "my",
    "'",
    '"',
    "<",
    ">",
    "<at>",
    "</at>",
    "<at>x</at>",
    "+1",
    "(+44)",
    "206",
    "555-0100",
    "０１",
    "٣",
    "\u200b",
    "\u202e",
    "\u00a0",
    "\n",
    "=",
    "->",
    "'s",
    "alice's",
    "employee",
    "id",
    "alice@contoso.com",
    "please",
    "show",
    "approve",
    "reject",
    "R-7K2Q9M-4F3A",
    "status",
    "explain",
    "a.b",
    "＋",
    "(",
    "/",
    "`",
    ",",
    ".",
    ":",
    "“a b”",
    '"a b"',
]
anything = (
    st.text(max_size=80)
    | st.lists(st.sampled_from(_SPECIAL) | st.text(max_size=6), max_size=14).map(" ".join)
    | st.lists(st.sampled_from(_SPECIAL), max_size=14).map(lambda words: "set mobile for " + "".join(words))
)


@given(anything, st.sampled_from([{}, {MENTION: OID}, {"<at>x</at>": "", "(": "x", "": ""}]))
@settings(max_examples=1200, deadline=None)
def test_any_text_is_one_command(text: str, mentions: dict[str, str]) -> None:
    """Nothing that is typed raises, and the answer is a command that can be typed, never a button's."""
    command = parse(text, mentions)
    assert isinstance(command, get_args(c.Command))
    assert not isinstance(command, c.Submit | c.Refresh | c.Tampered)
    who = getattr(command, "who", None)
    if who is not None:
        assert who.value.strip()
        assert is_plain(who) in (True, False)
        assert who.kind is not WhoKind.OID or re.fullmatch(r"[0-9a-f-]{36}", who.value)


@given(anything)
@settings(max_examples=700, deadline=None)
def test_the_number_is_a_piece_of_what_was_typed(text: str) -> None:
    """No digit of a number is lost, invented or moved between the first and the last one taken."""
    for line in (text, f"set mobile for alice to {text}", f"set mobile for alice +{text}"):
        command = parse(line)
        if isinstance(command, c.SetPhone) and command.number is not None:
            assert command.number.strip() == command.number
            taken = [ch for ch in command.number if ch.isdigit()]
            typed = [ch for ch in line if ch.isdigit()]
            assert "".join(taken) in "".join(typed)
            shown = re.sub(r"[^\w+]", "", command.number)
            assert shown in re.sub(r"[^\w+]", "", line)


clear_numbers = st.from_regex(r"\A\+[1-9]{1,3}( ?[0-9]{2,4}){2,4}\Z").map(lambda text: " ".join(text.split()))


@given(anything, clear_numbers)
@settings(max_examples=300, deadline=None)
def test_no_repr_shows_a_number_or_the_text(text: str, number: str) -> None:
    """Commands end up in logs and errors: wherever a number was typed, none of them shows it."""
    lines = (
        f"set mobile for alice to {number}",
        f"set mobile for {number}",
        f"set mobile for alice because {number}",
        f"set {number}",
        f"remove mobile for {number}",
        f"remove mobile for alice because of {number}",
        f"show {number}",
        f"explain {number}",
        f"reject R-7K2Q9M because {number}",
        f"mobile alice {number}",
        f"set {text} {number}",
        f"{text} {number} {text}",
    )
    for line in lines:
        command = parse(line)
        if not isinstance(getattr(command, "request", None), RequestId) or line.startswith("reject"):
            assert number.lstrip("+") not in repr(command)
            assert "".join(filter(str.isdigit, number)) not in repr(command)


_KEYWORDS = {"for", "of", "to", "from", "because", "reason", "please", "pls", "thanks", "me", "my", "myself"}
_TAKEN = _KEYWORDS | {
    "employee",
    "emp",
    "id",
    "number",
    "no",
    "ticket",
    "the",
    "a",
    "an",
    "new",
    "his",
    "her",
}
_TAKEN |= {"their", "numbers"} | {word for slot in SLOTS for word in slot.split()}
name_words = st.from_regex(r"\A[^\W\d_][\w'-]{0,11}[^\W_]\Z").filter(
    lambda word: word.lower() not in _TAKEN and not re.search(r"[0-9]|'s\Z|[^\x00-\u00ff\u0600-\u06ff]", word)
)
names = st.lists(name_words, min_size=1, max_size=3).map(" ".join)
locals_ = st.from_regex(r"\A[a-z][a-z0-9.'+_-]{0,15}[a-z0-9]\Z")
people = st.one_of(
    names.map(lambda text: (text, Who(WhoKind.NAME, text))),
    names.map(lambda text: (f'"{text}"', Who(WhoKind.NAME, text, exact=True))),
    names.map(lambda text: (f"“{text}”", Who(WhoKind.NAME, text, exact=True))),
    locals_.map(lambda text: (f"{text}@contoso.com", Who(WhoKind.UPN, f"{text}@contoso.com"))),
    st.integers(1, 10**9).map(lambda n: (f"employee {n}", Who(WhoKind.EMPLOYEE, str(n)))),
    st.integers(1, 10**9).map(lambda n: (f"#{n}", Who(WhoKind.EMPLOYEE, str(n)))),
    st.uuids().map(lambda n: ("{" + str(n).upper() + "}", Who(WhoKind.OID, str(n)))),
    st.just(("me", Who(WhoKind.ME, "me"))),
    st.just((MENTION, Who(WhoKind.OID, OID))),
)
slots = st.sampled_from(sorted(SLOTS.items()))
tickets = st.from_regex(r"\A(?:[A-Z]{2,10}[0-9]{3,8}|[A-Z]{2,10}-[0-9]{1,8}|#[0-9]{3,8})\Z").filter(
    lambda text: not text.startswith(("EXT", "TEL", "FAX", "PHONE"))
)
reasons = st.lists(
    st.from_regex(r"\A[a-zäé]{1,8}[,!]?\Z").filter(lambda word: word != "ticket"), min_size=1, max_size=8
).map(" ".join)
verbs = st.sampled_from(["set", "Add", "CHANGE", "update"])
blanks = st.sampled_from([" ", "  ", "\u00a0", "\n", " \t "])


@given(
    verbs,
    slots,
    people,
    st.none() | clear_numbers,
    st.none() | reasons,
    st.none() | tickets,
    blanks,
    st.sampled_from(["because", "reason:", "Because"]),
    st.booleans(),
)
@settings(max_examples=900, deadline=None)
def test_a_well_formed_set_comes_back(
    verb: str,
    slot: tuple[str, Slot],
    person: tuple[str, Who],
    number: str | None,
    reason: str | None,
    ticket: str | None,
    blank: str,
    because: str,
    ticket_first: bool,
) -> None:
    """Every part of a well-formed set and remove command is found again, whatever the blanks between."""
    tail = [f"{because} {reason}"] if reason else []
    if ticket:
        tail.insert(0 if ticket_first else len(tail), ticket)
    said = [f"to {number}"] if number else []
    line = " ".join([verb, slot[0], "for", person[0], *said, *tail]).replace(" ", blank)
    expected = c.SetPhone(person[1], slot[1], number, reason or "", ticket or "")
    assert parse(line, {MENTION.replace(" ", blank): OID}) == expected
    line = " ".join(["remove", slot[0], "of", person[0], *tail])
    assert parse(line, {MENTION: OID}) == c.RemovePhone(person[1], slot[1], reason or "", ticket or "")


ids = st.from_regex(r"\A[0-9A-HJKMNP-TV-Z]{6}\Z")
tails = st.just("") | st.from_regex(r"\A[0-9A-F]{4}\Z")


@given(ids, tails, st.booleans(), st.sampled_from(["-", " ", "–"]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_printed_id_reads_back(key: str, tail: str, prefix: bool, dash: str, lower: bool) -> None:
    """Every ID that can be printed is read back from a button's text and from what people make of it."""
    request = RequestId(key, tail)
    assert parse(f"status {request}") == c.Status(request)
    text = dash.join((["R"] if prefix else []) + [key] + ([tail] if tail else []))
    assert parse(f"approve {text.lower() if lower else text}") == c.Approve(request)
