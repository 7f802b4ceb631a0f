"""`check`, `swap` and SMS sign-in: what people type, what the forms send, and the command each becomes."""

from __future__ import annotations

import pytest

from bot.domain import command as c
from bot.domain.command import Who, WhoKind
from bot.domain.parsing import parse
from bot.domain.phone import Slot
from bot.teams.inbound import from_button
from cards import verbs

ALICE = Who(WhoKind.NAME, "alice")
FULL = Who(WhoKind.NAME, "Alice Anders")
UPN = Who(WhoKind.UPN, "alice@contoso.com")
OID = "11111111-2222-3333-4444-55555555555a"
NUMBER = "+1 206 555 0100"
MOBILE, ALTERNATE, OFFICE = Slot.MOBILE, Slot.ALTERNATE, Slot.OFFICE


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (f"check alice mobile {NUMBER}", c.Check(ALICE, MOBILE, NUMBER)),
        (f"check mobile for alice {NUMBER}", c.Check(ALICE, MOBILE, NUMBER)),
        (f"check mobile for alice to {NUMBER}", c.Check(ALICE, MOBILE, NUMBER)),
        (f"Check alice@contoso.com office phone {NUMBER} x45", c.Check(UPN, OFFICE, f"{NUMBER} x45")),
        (f'check "Alice Anders" alternate mobile {NUMBER}',
         c.Check(Who(WhoKind.NAME, "Alice Anders", exact=True), ALTERNATE, NUMBER)),
        (f"check alice's mobile {NUMBER}", c.Check(ALICE, MOBILE, NUMBER)),
        (f"check 12345 mobile {NUMBER}", c.Check(Who(WhoKind.EMPLOYEE, "12345"), MOBILE, NUMBER)),
        (f"check mobile for {OID} {NUMBER}", c.Check(Who(WhoKind.OID, OID), MOBILE, NUMBER)),
        ("check alice mobile 206 555 0100", c.Check(ALICE, MOBILE, "206 555 0100")),
        ("check mobile for alice", c.Check(ALICE, MOBILE)),
        ("check me mobile", c.Check(Who(WhoKind.ME, "me"), MOBILE)),
        (f"check alice {NUMBER}", c.Check(ALICE, None, NUMBER)),
        ("check", c.Check()),
        ("please check office for Alice Anders", c.Check(FULL, OFFICE)),
    ],
)  # fmt: skip
def test_check(text: str, command: c.Command) -> None:
    """Person, phone and number are found in both orders; what was not said stays open."""
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("swap alice", c.Swap(ALICE)),
        ("swap Alice Anders because old mobile gone INC1234", c.Swap(FULL, "old mobile gone", "INC1234")),
        ("swap for alice", c.Swap(ALICE)),
        ("swap phones of alice INC1234", c.Swap(ALICE, "", "INC1234")),
        ("swap mobile and alternate for alice", c.Swap(ALICE)),
        ("promote alice@contoso.com", c.Swap(UPN)),
        ("swap", c.Swap()),
        ("enable sms sign-in for alice", c.SmsSignIn(ALICE, True)),
        ("Enable SMS sign in for Alice Anders", c.SmsSignIn(FULL, True)),
        ("enable sms for alice because frontline INC1234", c.SmsSignIn(ALICE, True, "frontline", "INC1234")),
        ("sms on for alice", c.SmsSignIn(ALICE, True)),
        ("sms sign-in off for alice", c.SmsSignIn(ALICE, False)),
        ("sms off alice@contoso.com", c.SmsSignIn(UPN, False)),
        ("disable sms sign-in for alice because has a password", c.SmsSignIn(ALICE, False, "has a password")),
        ("disable sms signin", c.SmsSignIn(None, False)),
        ("hi, sms on for alice", c.SmsSignIn(ALICE, True)),
    ],
)
def test_swap_and_sms_sign_in(text: str, command: c.Command) -> None:
    """Nothing but the person is needed; the direction of SMS sign-in is never lost."""
    assert parse(text) == command


@pytest.mark.parametrize(
    "text",
    [f"swap {NUMBER}", f"swap alice to {NUMBER}", f"enable sms sign-in for {NUMBER}", "check foo for alice"],
)
def test_what_cannot_be_right_is_told(text: str) -> None:
    """A number where none belongs, or an unknown kind of phone, is answered with how it is written."""
    command = parse(text)
    assert isinstance(command, c.Malformed)
    assert "0100" not in command.problem
    assert command.usage


@pytest.mark.parametrize("text", ["enable", "disable", "sms", "enable mfa for alice", "sms alice"])
def test_half_a_command_switches_nothing(text: str) -> None:
    """Without the words that say what and which way, nothing is taken for the command."""
    assert isinstance(parse(text), c.Unknown)


@pytest.mark.parametrize(
    ("typed", "near"),
    [("disabel sms sign-in for alice", "disable sms sign-in"), ("enabel sms sign-in", "enable sms sign-in")],
)
def test_a_mistyped_direction_suggests_the_same_direction(typed: str, near: str) -> None:
    """The button of a suggestion never turns `disable` into `enable`."""
    assert parse(typed) == c.Unknown(typed, near)


@pytest.mark.parametrize(
    ("verb", "command"),
    [
        (verbs.FORM_SWAP, c.Swap(Who(WhoKind.OID, OID), "lost", "INC1", from_form=True)),
        (verbs.FORM_SMS_ON, c.SmsSignIn(Who(WhoKind.OID, OID), True, "lost", "INC1", from_form=True)),
        (verbs.FORM_SMS_OFF, c.SmsSignIn(Who(WhoKind.OID, OID), False, "lost", "INC1", from_form=True)),
    ],
)
def test_forms_send_the_same_words(verb: str, command: c.Command) -> None:
    """The form's button becomes the command that could have been typed."""
    assert from_button(verb, {"v": 1, "who": OID, "reason": " lost ", "ticket": "INC1"}) == command
    assert from_button(verb, {"v": 1, "who": OID, "enable": True}) == c.Tampered("data")


def test_a_number_does_not_show_in_a_repr() -> None:
    """A log line about a command cannot hold the number."""
    assert "0100" not in repr(parse(f"check alice mobile {NUMBER}"))
