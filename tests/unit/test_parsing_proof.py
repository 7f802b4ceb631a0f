"""`verified METHOD EVIDENCE` in an order: where it may stand, where it ends, and when it is just a word."""

from __future__ import annotations

import pytest

from bot.domain import command as c
from bot.domain.change import Proof
from bot.domain.command import Who, WhoKind
from bot.domain.parsing import parse
from bot.domain.phone import Slot

ALICE = Who(WhoKind.NAME, "alice")
NUMBER = "+1 206 555 0100"
CALL = "call-back"


def _set(
    reason: str = "", ticket: str = "", method: str = CALL, evidence: str = "", number: str | None = NUMBER
) -> c.SetPhone:
    return c.SetPhone(ALICE, Slot.MOBILE, number, reason, ticket, proof=Proof(method, evidence))


SET = f"set mobile for alice to {NUMBER}"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (f"{SET} because lost phone verified call-back INC1234", _set("lost phone", "INC1234")),
        (
            f"{SET} because lost phone verified call-back HR file",
            _set("lost phone", evidence="HR file"),
        ),
        (
            f"{SET} because lost phone verified call-back HR file INC1234",
            _set("lost phone", "INC1234", evidence="HR file"),
        ),
        (
            f"{SET} because lost phone verified call-back HR file ticket INC1234",
            _set("lost phone", "INC1234", evidence="HR file"),
        ),
        (
            f"{SET} verified call-back HR file because lost phone INC1234",
            _set("lost phone", "INC1234", evidence="HR file"),
        ),
        (f"{SET} verified in person INC1234", _set(ticket="INC1234", method="in-person")),
        (
            f"set mobile for alice verified in-person badge seen to {NUMBER} because lost",
            _set("lost", method="in-person", evidence="badge seen"),
        ),
        ("set mobile for alice verified callback", _set(number=None)),
        (
            f"{SET} because lost, verified by Call Back: HR file please",
            _set("lost,", evidence="HR file"),
        ),
        (f"{SET} verified: manager vouches Marta reason: lost", _set("lost", "", "manager-vouches", "Marta")),
        (f"{SET} because lost verified external", _set("lost", method="external")),
        (f"{SET} because lost verified push", _set("lost", method="push")),
        (
            "remove office for alice verified external sister team because moved",
            c.RemovePhone(ALICE, Slot.OFFICE, "moved", proof=Proof("external", "sister team")),
        ),
        ("swap alice verified call-back", c.Swap(ALICE, proof=Proof(CALL))),
        (
            "disable sms sign-in for alice because lost verified in person",
            c.SmsSignIn(ALICE, False, "lost", proof=Proof("in-person")),
        ),
    ],
)
def test_a_proof_is_read(text: str, command: c.Command) -> None:
    """Method and evidence are cut out; reason, number and ticket stay what they are without it."""
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("because the caller was verified", "the caller was verified"),
        ("because verified by voice", "verified by voice"),
        ("because verified her birthday and employee id", "verified her birthday and employee id"),
    ],
)
def test_without_a_method_it_is_a_word(text: str, reason: str) -> None:
    """What is no method, personal facts above all, is no proof."""
    assert parse(f"{SET} {text}") == c.SetPhone(ALICE, Slot.MOBILE, NUMBER, reason)


def test_evidence_is_short() -> None:
    """As long as a line of a card, without what cannot be seen."""
    found = parse(f"{SET} verified call-back \u200bHR {'file ' * 100}")
    assert isinstance(found, c.SetPhone)
    assert found.proof is not None
    assert found.proof.evidence.startswith("HR file")
    assert len(found.proof.evidence) <= 120
