"""What people type, and the command each line becomes."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from bot.domain import command as c
from bot.domain.change import How
from bot.domain.command import RequestId, Who, WhoKind
from bot.domain.parsing import is_plain, parse
from bot.domain.phone import Slot
from bot.domain.words import HIDDEN, MAX_TEXT, visible

OID = "11111111-2222-3333-4444-55555555555a"
MENTIONS = {"<at>Alice Anders</at>": OID, "<at>Bob</at>": "", "<at>Pat O&#39;Neil</at>": OID}
ALICE = Who(WhoKind.NAME, "alice")
UPN = Who(WhoKind.UPN, "alice@contoso.com")
NUMBER = "+1 206 555 0100"
MOBILE, ALTERNATE, OFFICE = Slot.MOBILE, Slot.ALTERNATE, Slot.OFFICE


def _set(
    who: Who | None = ALICE,
    slot: Slot | None = MOBILE,
    number: str | None = None,
    reason: str = "",
    ticket: str = "",
) -> c.SetPhone:
    return c.SetPhone(who, slot, number, reason, ticket)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("help", c.Help()),
        ("HELP!", c.Help()),
        ("/help", c.Help()),
        ("?", c.Help()),
        ("help me please", c.Help()),
        ("hi", c.Hi()),
        ("Hello there", c.Hi()),
        ("hey", c.Hi()),
        ("start", c.Hi()),
        ("whoami", c.Whoami()),
        ("Who am I?", c.Whoami()),
        ("approvals", c.Approvals()),
        ("approvals please", c.Approvals()),
        ("my requests", c.MyRequests()),
        ("My\u00a0 Requests", c.MyRequests()),
        ("open", c.OpenRequests()),
        ("please show alice", c.Show(ALICE)),
        ("hi, show alice", c.Show(ALICE)),
        ("explain policy.protected", c.Explain("policy.protected")),
        ("explain `Usage.Person-Unknown`.", c.Explain("usage.person-unknown")),
    ],
)
def test_short_commands(text: str, command: c.Command) -> None:
    """A command is known whatever its case, its blanks, its politeness and its full stop."""
    assert parse(text) == command


@pytest.mark.parametrize(
    ("words", "who"),
    [
        ("alice@contoso.com", UPN),
        ("alice@contoso.com.", UPN),
        ("<alice@contoso.com>", UPN),
        ("o'brien@contoso.com", Who(WhoKind.UPN, "o'brien@contoso.com")),
        ("alice", ALICE),
        ("Alice Anders", Who(WhoKind.NAME, "Alice Anders")),
        ("Alice\u00a0\n Anders", Who(WhoKind.NAME, "Alice Anders")),
        ("O'Brien", Who(WhoKind.NAME, "O'Brien")),
        ("Zoë Müller-Lüdenscheidt", Who(WhoKind.NAME, "Zoë Müller-Lüdenscheidt")),
        ("محمد عبد الله", Who(WhoKind.NAME, "محمد عبد الله")),
        ("Sam 🦊 Fox", Who(WhoKind.NAME, "Sam 🦊 Fox")),
        ("x" * 256, Who(WhoKind.NAME, "x" * 256)),
        ('"Alice Anders"', Who(WhoKind.NAME, "Alice Anders", exact=True)),
        ("“Alice Anders”", Who(WhoKind.NAME, "Alice Anders", exact=True)),
        ("„Alice Anders“", Who(WhoKind.NAME, "Alice Anders", exact=True)),
        ("'Alice Anders'", Who(WhoKind.NAME, "Alice Anders", exact=True)),
        ('"to for because"', Who(WhoKind.NAME, "to for because", exact=True)),
        ("12345", Who(WhoKind.EMPLOYEE, "12345")),
        ("007", Who(WhoKind.EMPLOYEE, "007")),
        ("#12345", Who(WhoKind.EMPLOYEE, "12345")),
        ("employee 12345", Who(WhoKind.EMPLOYEE, "12345")),
        ("employee id E-123", Who(WhoKind.EMPLOYEE, "E-123")),
        (OID, Who(WhoKind.OID, OID)),
        ("{" + OID.upper() + "}", Who(WhoKind.OID, OID)),
        ("me", Who(WhoKind.ME, "me")),
        ("Me?", Who(WhoKind.ME, "me")),
        ("<at>Alice Anders</at>", Who(WhoKind.OID, OID)),
        ("<at>Pat O'Neil</at>", Who(WhoKind.OID, OID)),
        ("<at>Bob</at>", Who(WhoKind.NAME, "Bob")),
        ("<at>Stranger Danger</at>", Who(WhoKind.NAME, "Stranger Danger")),
    ],
)
def test_ways_to_name_a_person(words: str, who: Who) -> None:
    """Every way to name somebody gives the same person in show, history, set and remove."""
    assert parse(f"show {words}", MENTIONS) == c.Show(who)
    assert parse(f"history of {words}", MENTIONS) == c.History(who)
    assert parse(f"set mobile for {words} to {NUMBER}", MENTIONS) == _set(who, number=NUMBER)
    assert parse(f"set mobile for {words}", MENTIONS) == _set(who)
    assert parse(f"remove office for {words} because left", MENTIONS) == c.RemovePhone(who, OFFICE, "left")


@pytest.mark.parametrize(
    "name",
    [
        "\u0430lice@contoso.com",  # Cyrillic a
        "\uff41lice@contoso.com",  # full width a, which NFKC would turn into the real one
        "alice\u200b@contoso.com",
        "al\u202eice@contoso.com",
        "alice\U000e0041@contoso.com",
        "alice\uff20contoso.com",
        "alice@cont\u043eso.com",
        "a lice@contoso.com",
        "alice\x00@contoso.com",
        "alice@contoso.com,bob@contoso.com",
        "../groups/x@contoso.com?x=",
        "al\u200bice",
        "al\u200dice",
        "\uff41lice",
        "\U0001d4b6lice",
        "x" * 257,
        "al\ud800ice",
    ],
)
def test_a_name_that_could_pass_for_another_is_not_plain(name: str) -> None:
    """A look-alike or hidden character is neither removed nor normalised: the name is refused."""
    command = parse(f"set mobile for {name} to {NUMBER}")
    assert isinstance(command, c.SetPhone)
    assert command.who is not None
    assert command.who.value not in ("alice@contoso.com", "alice")
    assert not is_plain(command.who)


@pytest.mark.parametrize(
    "name",
    ["alice@contoso.com", "x_y.z#EXT#@contoso.com", "O'Brien", "محمد", "علی\u200cرضا", "Sam 🦊", "me", OID],
)
def test_a_plain_name_is_plain(name: str) -> None:
    """Names of every script, apostrophes, guests and emoji may be looked up."""
    command = parse(f"show {name}")
    assert isinstance(command, c.Show)
    assert command.who is not None
    assert command.who.value == name
    assert is_plain(command.who)


def test_unseen_characters_around_a_name_do_not_matter() -> None:
    """What copying leaves at the ends of a name is cut; the name itself is as typed."""
    assert parse("show \u202aalice@contoso.com\u202c\u200b") == c.Show(UPN)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("set", _set(None, None)),
        ("set mobile", _set(None)),
        ("set mobile for", _set(None)),
        ("set mobile for alice", _set()),
        ("set mobile for alice to", _set()),
        ("set for alice", _set(slot=None)),
        ("set alice", _set(slot=None)),
        ("set number for alice", _set(slot=None)),
        ("add the new mobile number for alice", _set()),
        (f"set mobile for alice to {NUMBER}", _set(number=NUMBER)),
        (f"change mobile of alice to {NUMBER}", _set(number=NUMBER)),
        (f"update alice mobile to {NUMBER}", _set(number=NUMBER)),
        (f"set alice's mobile to {NUMBER}", _set(number=NUMBER)),
        (f"set mobile alice to {NUMBER}", _set(number=NUMBER)),
        (f"set mobile for alice {NUMBER}", _set(number=NUMBER)),
        (f"set mobile to {NUMBER} for alice", _set(number=NUMBER)),
        (f"set mobile to {NUMBER}", _set(None, number=NUMBER)),
        (f"set mobile for alice to {NUMBER} please", _set(number=NUMBER)),
        (f"set my mobile to {NUMBER}", _set(Who(WhoKind.ME, "me"), number=NUMBER)),
        (f"set <at>Alice Anders</at>'s mobile to {NUMBER}", _set(Who(WhoKind.OID, OID), number=NUMBER)),
        (f"set 'alice' mobile to {NUMBER}", _set(Who(WhoKind.NAME, "alice", exact=True), number=NUMBER)),
        ("set mobile for alice to (+1) 206-555.0100", _set(number="(+1) 206-555.0100")),
        ("set mobile for alice (+1) 206", _set(number="(+1) 206")),
        ("set mobile for alice to 206 555 0100", _set(number="206 555 0100")),
        ("set mobile for alice 206 555 0100", _set(number="206 555 0100")),
        ("set mobile for alice to +1-800-CALL-NOW", _set(number="+1-800-CALL-NOW")),
        ("set mobile for alice to +1 800 CALL NOW", _set(number="+1 800 CALL NOW")),
        ("set mobile for alice to tel:+12065550100", _set(number="tel:+12065550100")),
        ("set mobile for alice to ＋１２０６", _set(number="＋１２０６")),
        ("set mobile for alice to \u202d+1 206 555 0100\u202c", _set(number=NUMBER)),
        ("set mobile for alice to +1 206 555 \u202e0010", _set(number="+1 206 555 \u202e0010")),
        (f"set office for alice to {NUMBER} x123", _set(slot=OFFICE, number=f"{NUMBER} x123")),
        (f"set office for alice to {NUMBER} ext123", _set(slot=OFFICE, number=f"{NUMBER} ext123")),
        ("set mobile for Anthony To to +852 1", _set(Who(WhoKind.NAME, "Anthony To"), number="+852 1")),
        ("set mobile for 12345 2065550100", _set(Who(WhoKind.EMPLOYEE, "12345"), number="2065550100")),
        ("set mobile for Reason", _set(Who(WhoKind.NAME, "Reason"))),
    ],
)
def test_orders_of_a_set_command(text: str, command: c.SetPhone) -> None:
    """The parts are found in every usual order; the number stays as typed, letters included."""
    assert parse(text, MENTIONS) == command


@pytest.mark.parametrize(
    ("tail", "reason", "ticket"),
    [
        ("because lost phone", "lost phone", ""),
        ("because lost phone INC1234", "lost phone", "INC1234"),
        ("because lost phone (INC1234).", "lost phone", "INC1234"),
        ("because lost phone, ticket REQ-123", "lost phone,", "REQ-123"),
        ("because INC1234", "", "INC1234"),
        ("INC1234 because lost phone", "lost phone", "INC1234"),
        ("CHG0001", "", "CHG0001"),
        ("#12345", "", "#12345"),
        ("ticket: inc1234", "", "inc1234"),
        ("reason: lost phone #12345", "lost phone", "#12345"),
        ("reason:lost phone", "lost phone", ""),
        ("for reason lost phone", "lost phone", ""),
        ("because new iphone12", "new iphone12", ""),
        ("because he said to wait for me", "he said to wait for me", ""),
        ("because 'lost' \"his phone\" INC1234", "'lost' \"his phone\"", "INC1234"),
        ("because lost\n\nphone\u00a0 today", "lost phone today", ""),
        ("because lo\u200bst \u202ephone\u202c\x07\U000e0041 \ud83d", "lost phone", ""),
        ("because <at>Boss</at> says so", "Boss says so", ""),
        ("because e" + "\u0301" * 50, "e" + "\u0301" * 4, ""),
        ("because " + "y" * 900, "y" * 500, ""),
        ("because **APPROVED** by CISO", "**APPROVED** by CISO", ""),
    ],
)
@pytest.mark.parametrize("number", [None, NUMBER])
def test_reason_and_ticket(tail: str, reason: str, ticket: str, number: str | None) -> None:
    """Reason and ticket are taken out of the line, so that neither ends up in the number or in each other."""
    said = f" to {number}" if number else ""
    assert parse(f"set mobile for alice{said} {tail}") == _set(number=number, reason=reason, ticket=ticket)
    assert parse(f"remove mobile for alice {tail}") == c.RemovePhone(ALICE, MOBILE, reason, ticket)


@pytest.mark.parametrize(
    ("words", "slot"),
    [
        *[(w, MOBILE) for w in ("mobile", "MOBIL", "mobil?", "cell", "cell phone", "phone", "primary")],
        *[(w, ALTERNATE) for w in ("alternate mobile", "alternative mobile", "alternate", "alt mobile")],
        *[(w, ALTERNATE) for w in ("second mobile", "backup mobile", "alternateMobile", "alternate-mobile")],
        *[(w, OFFICE) for w in ("office", "office phone", "desk phone", "work phone", "landline")],
    ],
)
def test_names_of_a_slot(words: str, slot: Slot) -> None:
    """Every usual word for a phone means one of the three slots, in either order of words."""
    assert parse(f"set {words} for alice") == _set(slot=slot)
    assert parse(f"remove {words} for alice") == c.RemovePhone(ALICE, slot)
    if not words.endswith("?"):
        assert parse(f"set alice {words} to {NUMBER}") == _set(slot=slot, number=NUMBER)


def test_an_unknown_kind_of_phone_is_told_with_the_likely_one() -> None:
    """A mistyped slot is not guessed: the answer names the three kinds and the one that was likely meant."""
    command = parse("set mobill for alice")
    assert isinstance(command, c.Malformed)
    assert "Did you mean mobile?" in command.problem
    assert "set SLOT for WHO" in command.usage


def test_removing_by_number_is_refused() -> None:
    """A number behind `remove` is not dropped in silence: it could be in another slot than the one named."""
    for text in (f"remove mobile for alice {NUMBER}", "delete mobile for alice 206 555 0100"):
        command = parse(text)
        assert isinstance(command, c.Malformed)
        assert "0100" not in command.problem


@pytest.mark.parametrize(
    ("text", "key", "tail"),
    [
        ("R-7K2Q9M-4F3A", "7K2Q9M", "4F3A"),
        ("r-7k2q9m-4f3a", "7K2Q9M", "4F3A"),
        ("R-7K2Q9M", "7K2Q9M", ""),
        ("7K2Q9M-4F3A", "7K2Q9M", "4F3A"),
        ("7k2q9m4f3a", "7K2Q9M", "4F3A"),
        ("r7k2q9m", "7K2Q9M", ""),
        ("R 7K2Q9M 4F3A", "7K2Q9M", "4F3A"),
        ("R–7K2Q9M–4F3A.", "7K2Q9M", "4F3A"),
        ("`R-7K2Q9M-4F3A`", "7K2Q9M", "4F3A"),
        ("R-OIL000-OI1A", "011000", "011A"),
        ("RRRRRR", "RRRRRR", ""),
        ("R-RRRRRR-0000", "RRRRRR", "0000"),
    ],
)
def test_request_ids(text: str, key: str, tail: str) -> None:
    """An ID is known however it was copied or spelled; O, I and L are read as the digits they look like."""
    request = RequestId(key, tail)
    assert parse(f"status {text}") == c.Status(request)
    assert parse(f"cancel {text}") == c.Cancel(request)
    assert parse(f"repeat request {text}") == c.Repeat(request)
    assert parse(f"approve {text}") == c.Approve(request)
    assert parse(f"reject {text} because wrong caller") == c.Reject(request, "wrong caller")
    assert parse(f"reject {text}") == c.Reject(request)


@pytest.mark.parametrize("verb", ["status", "cancel", "repeat", "approve", "reject"])
@pytest.mark.parametrize(
    "text", ["", "it", "R-7K2", "R-7K2Q9", "R-7K2Q9U", "R-7K2Q9M-4F3G", "R-7K2Q9M-4F3A-1", "٣٣٣٣٣٣"]
)
def test_a_bad_id_is_told_with_the_usage(verb: str, text: str) -> None:
    """A missing or impossible ID is answered with how the command is written and where IDs are found."""
    command = parse(f"{verb} {text}")
    assert isinstance(command, c.Malformed)
    assert command.usage.startswith(f"{verb} ID")
    assert "`approvals`" in command.problem if not text else "R-7K2Q9M-4F3A" in command.problem


@pytest.mark.parametrize(
    ("said", "how"),
    [
        ("in person", How.IN_PERSON),
        ("In-Person!", How.IN_PERSON),
        ("spoke in person please", How.IN_PERSON),
        ("known number", How.KNOWN_NUMBER),
        ("on a known number", How.KNOWN_NUMBER),
        ("did not", How.DID_NOT),
        ("didn’t", How.DID_NOT),
    ],
)
@pytest.mark.parametrize("spelled", ["R-7K2Q9M-4F3A", "r 7k2q9m 4f3a", "request 7K2Q9M-4F3A"])
def test_an_approval_says_how_it_is_known(said: str, how: How, spelled: str) -> None:
    """The words behind the ID say how the approver knows, however ID and words are spelled."""
    assert parse(f"approve {spelled} {said}") == c.Approve(RequestId("7K2Q9M", "4F3A"), how=how)


@pytest.mark.parametrize(
    "extra",
    [
        "in person but not yet",
        "person",
        "not in person",
        "did not in person",
        "but not yet",
        "INC1234",
        "because fine",
        "R-7K2Q9N-4F3A",
        "?? no",
    ],
)
def test_an_approval_with_more_words_decides_nothing(extra: str) -> None:
    """Words behind the ID may take the yes back, so that nothing is approved."""
    assert isinstance(parse(f"approve R-7K2Q9M-4F3A {extra}"), c.Malformed)


def test_a_rejection_needs_no_because() -> None:
    """Words behind a whole ID are the reason of a rejection, with or without `because`."""
    assert parse("reject R-7K2Q9M-4F3A wrong caller") == c.Reject(RequestId("7K2Q9M", "4F3A"), "wrong caller")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("sett mobile for alice", "set"),
        ("shwo alice", "show"),
        ("my reqests", "my requests"),
        ("aprove R-7K2Q9M-4F3A", "approve"),
        ("delet office for alice", "remove"),
        ("approvals for alice", "approvals"),
        ("what is the weather", ""),
        ("ok", ""),
        ("yes", ""),
        ("", ""),
        (" \u200b\n", ""),
        ("set " * 600, ""),
    ],
)
def test_unknown_words_get_the_nearest_command(text: str, near: str) -> None:
    """Words that are no command do nothing; a mistyped verb is answered with the right one."""
    assert parse(text) == c.Unknown(text, near)


def test_a_number_where_a_person_belongs_is_not_looked_up() -> None:
    """A phone number after `show` is told as such, and is not repeated in the answer."""
    command = parse(f"show {NUMBER}")
    assert isinstance(command, c.Malformed)
    assert "206" not in repr(command)


def test_text_at_the_limit_is_still_read() -> None:
    """2,000 characters are read, one more is not."""
    base = "set mobile for alice because "
    assert isinstance(parse(base + "x" * (MAX_TEXT - len(base))), c.SetPhone)
    assert isinstance(parse(base + "x" * (MAX_TEXT - len(base) + 1)), c.Unknown)


def test_hidden_characters_are_those_of_unicode() -> None:
    """Control, format and surrogate characters count as unseen, but for the visible signs among them."""
    seen = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    missed = [
        hex(n)
        for n in range(sys.maxunicode + 1)
        if unicodedata.category(chr(n)) in ("Cc", "Cf", "Cs") and n not in seen and not HIDDEN.match(chr(n))
    ]
    assert missed == []
    assert visible("é漢字🦊 ﷺ") == "é漢字🦊 ﷺ"


@pytest.mark.parametrize(
    ("text", "number", "reason", "ticket"),
    [
        ("who has +1 206 555 0112 because lost", "+1 206 555 0112", "lost", ""),
        (
            "Who has the number +12065550112? because: caller unknown INC1234",
            "+12065550112",
            "caller unknown",
            "INC1234",
        ),
        ("who uses (+44) 20 7946 0000 because x", "(+44) 20 7946 0000", "x", ""),
        ("please who has +1 206 555 0112", "+1 206 555 0112", "", ""),
        ("who has 0415 867 530 because reported REQ-77", "0415 867 530", "reported", "REQ-77"),
        ("who has", "", "", ""),
        ("who has because lost", "", "lost", ""),
    ],
)
def test_who_has(text: str, number: str, reason: str, ticket: str) -> None:
    """The number as typed, the reason and the ticket; what is missing stays empty, for the answer to say."""
    assert parse(text) == c.WhoHas(number, reason, ticket)


def test_who_am_i_is_no_question_about_a_number() -> None:
    """Neighbours keep their meaning."""
    assert parse("who am i") == c.Whoami()
    assert isinstance(parse("who is there"), c.Unknown)
