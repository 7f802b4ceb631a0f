"""Reading a typed number: what is accepted, and the one reason why not."""

from __future__ import annotations

import copy
import pickle
import time

import pytest

from bot.domain import reasons
from bot.domain.phone import (
    EXAMPLES,
    NumberRules,
    PhoneNumber,
    Purpose,
    Slot,
    country_of,
    hide_numbers,
    read_directory_number,
    read_number,
)
from bot.domain.reason import Reason, Refusal

RULES = NumberRules()
MOBILE, ALTERNATE, OFFICE = Slot.MOBILE, Slot.ALTERNATE, Slot.OFFICE


@pytest.mark.parametrize(
    ("text", "slot", "clear"),
    [
        ("+1 206 555 0100", MOBILE, "+1 2065550100"),
        ("+12065550100", ALTERNATE, "+1 2065550100"),
        (" +1 (206) 555-0100 ", MOBILE, "+1 2065550100"),
        ("+1.206.555.0100", MOBILE, "+1 2065550100"),
        ("+44 (0)7911 123456", MOBILE, "+44 7911123456"),
        ("+370\u00a0612\u00a034567", MOBILE, "+370 61234567"),
        ("+39 06 1234 5678", OFFICE, "+39 0612345678"),
        ("+1 425 555 0100 x123", OFFICE, "+1 4255550100x123"),
        ("+1 425 555 0100, ext. 123", OFFICE, "+1 4255550100x123"),
        ("+1 425 555 0100 extension 7", OFFICE, "+1 4255550100x7"),
    ],
)
def test_a_good_number_becomes_the_form_of_the_directory(text: str, slot: Slot, clear: str) -> None:
    """Spaces, brackets, dots and dashes do not matter; the directory gets one form only."""
    number = read_number(text, slot, RULES)
    assert isinstance(number, PhoneNumber)
    assert number.reveal(Purpose.SEND) == clear


@pytest.mark.parametrize(
    ("text", "slot", "reason"),
    [
        ("+1 900 555 0100", MOBILE, reasons.NUMBER_LINE_TYPE),
        ("+44 70 1234 5678", MOBILE, reasons.NUMBER_LINE_TYPE),
        ("+44 70 1234 5678", OFFICE, reasons.NUMBER_LINE_TYPE),
        ("+1 800 234 5678", MOBILE, reasons.NUMBER_LINE_TYPE),
        ("+882 16 123 45678", OFFICE, reasons.NUMBER_LINE_TYPE),
        ("+881 612 345 678", MOBILE, reasons.NUMBER_LINE_TYPE),
        ("+870 301 234 567", MOBILE, reasons.NUMBER_LINE_TYPE),
        ("+49 30 123456", MOBILE, reasons.NUMBER_LINE_TYPE),
        ("+44 56 1234 5678", MOBILE, reasons.NUMBER_LINE_TYPE),
        ("+447911123456;phone-context=evil", MOBILE, reasons.NUMBER_HAS_LETTERS),
        ("+447911123456;ext=5", OFFICE, reasons.NUMBER_HAS_LETTERS),
        ("tel:+447911123456", MOBILE, reasons.NUMBER_HAS_LETTERS),
        ("+1-800-CALL-NOW", MOBILE, reasons.NUMBER_HAS_LETTERS),
        ("4.47912E+11", MOBILE, reasons.NUMBER_HAS_LETTERS),
        ("+1 206 555 01OO", MOBILE, reasons.NUMBER_HAS_LETTERS),
        ("++447911123456", MOBILE, reasons.NUMBER_NOT_VALID),
        ("447911+123456", MOBILE, reasons.NUMBER_NOT_VALID),
        ("+\u0664\u0664 7911 123456", MOBILE, reasons.NUMBER_NOT_VALID),
        ("\uff0b\uff14\uff14 7911 123456", MOBILE, reasons.NUMBER_NOT_VALID),
        ("+44 7911\n123456", MOBILE, reasons.NUMBER_NOT_VALID),
        ("+1 206 555 \u202e0010", MOBILE, reasons.NUMBER_NOT_VALID),
        ("+1 206 555 010", MOBILE, reasons.NUMBER_NOT_VALID),
        ("+999 123 456 789", MOBILE, reasons.NUMBER_NOT_VALID),
        ("+", MOBILE, reasons.NUMBER_NOT_VALID),
        ("", MOBILE, reasons.NUMBER_NOT_VALID),
        ("+1 206 555 0100 x5", MOBILE, reasons.NUMBER_EXTENSION),
        ("+1 206 555 0100 ext 5", ALTERNATE, reasons.NUMBER_EXTENSION),
        ("206 555 0100", MOBILE, reasons.NUMBER_NEEDS_COUNTRY),
        ("00447911123456", MOBILE, reasons.NUMBER_NEEDS_COUNTRY),
        ("07911 123456", MOBILE, reasons.NUMBER_NEEDS_COUNTRY),
        ("(206) 555-0100", OFFICE, reasons.NUMBER_NEEDS_COUNTRY),
    ],
)
def test_a_bad_number_is_refused_with_its_reason(text: str, slot: Slot, reason: Reason) -> None:
    """Premium, personal, satellite, foreign-script, extended and local numbers are never guessed."""
    refusal = read_number(text, slot, RULES)
    assert isinstance(refusal, Refusal)
    assert refusal.code == reason.code


def test_only_the_countries_of_the_policy() -> None:
    """With a list of countries, a number from elsewhere is refused, and the list is told."""
    rules = NumberRules(countries=frozenset({"GB", "IE"}))
    refusal = read_number("+1 206 555 0100", MOBILE, rules)
    assert isinstance(refusal, Refusal)
    assert refusal.code == reasons.NUMBER_COUNTRY.code
    assert refusal.facts["allowed"] == "GB, IE"
    assert isinstance(read_number("+44 7400 123456", MOBILE, rules), PhoneNumber)


def test_the_examples_we_print_are_accepted() -> None:
    """Whoever types the example of a refusal gets no refusal."""
    for slot, text in EXAMPLES.items():
        assert isinstance(read_number(text, slot, RULES), PhoneNumber)


def test_a_very_long_text_is_refused_at_once() -> None:
    """Thousands of blanks or digits cost nothing."""
    begin = time.perf_counter()
    for text in ("+1" + " " * 100_000 + "2", "+" + "1" * 100_000, " ;," * 30_000 + "x"):
        assert isinstance(read_number(text, OFFICE, RULES), Refusal)
    assert time.perf_counter() - begin < 0.5


@pytest.mark.parametrize(
    ("text", "clear"),
    [
        ("+1 2065550100", "+1 2065550100"),
        ("+1 4255550100x12", "+1 4255550100x12"),
        ("+12065550100", "+1 2065550100"),
        (" +12065550100", "+1 2065550100"),
        ("+447911123456", "+44 7911123456"),
        ("unlisted", "+? 00"),
        ("", "+? 00"),
    ],
)
def test_any_value_of_the_directory_can_be_read(text: str, clear: str) -> None:
    """What the directory holds is shown masked whatever its quality; nothing raises."""
    assert read_directory_number(text).reveal(Purpose.COMPARE) == clear


def test_equal_numbers() -> None:
    """Two spellings of one number are the same; another extension is another number."""
    one, other = PhoneNumber("1", "2065550100"), read_directory_number("+12065550100")
    assert one == other
    assert one.same_as(other)
    assert len({one, other}) == 1
    assert PhoneNumber("12", "065550100").same_as(one)
    assert not one.same_as(PhoneNumber("1", "2065550100", "5"))
    assert not one.same_as(None)
    assert one != "+1 2065550100"


def test_a_number_cannot_be_changed_or_pickled() -> None:
    """A number is a value: it stays what it was approved as, and leaves the process only where revealed."""
    number = PhoneNumber("1", "2065550100")
    with pytest.raises(AttributeError):
        number.national = "2065550199"
    with pytest.raises(AttributeError):
        del number.national
    with pytest.raises(TypeError):
        pickle.dumps(number)
    assert copy.deepcopy(number) == copy.copy(number) == number


def test_country_of_a_number() -> None:
    """The country is told where the plan has one; nothing raises where it has none."""
    assert country_of(PhoneNumber("44", "7400123456")) == "GB"
    assert country_of(PhoneNumber("?", "00")) == ""


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("lost phone INC1234567", "lost phone INC1234567"),
        ("CHG-0000001 and #1234567", "CHG-0000001 and #1234567"),
        ("since 2026-03-02", "since 2026-03-02"),
        ("as in R-123456-7890", "as in R-123456-7890"),
        ("3179e48a-750b-4051-897c-97b9720928f7", "3179e48a-750b-4051-897c-97b9720928f7"),
        ("tel2065550100", "tel•••••• 00"),
        ("call-206-555-0100 now", "call-•••••• 00 now"),
        ("CALL-206-555-0100", "CALL-•••••• 00"),
        ("INC2065550100", "INC•••••• 00"),
        ("AB206555 0100", "AB•••••• 00"),
        ("2026-03-02-1234", "•••••• 34"),
    ],
)
def test_free_text_keeps_tickets_ids_and_dates_and_no_number(typed: str, kept: str) -> None:
    """What could be dialled is masked, whatever stands before it; what helps to find a case stays."""
    assert hide_numbers(typed) == kept
