"""What a reader sees of `check` and `show`: answers, causes, who can mend it, and what cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace

import cards_examples as examples
import pytest

import cards
from bot.domain import outcome as o
from bot.domain.usability import Answer, Use
from cards import verbs
from cards.verdicts import ANSWERS, EVIDENCE, USES
from cards.words import words_for

SHOWN = examples.standings()
CHECKED = examples.checks()


def text(page: o.Page) -> str:
    return cards.draw(page, examples.OPERATOR).text


def everything(page: o.Page) -> str:
    return json.dumps(cards.draw(page, examples.OPERATOR).card, ensure_ascii=False)


def test_every_use_answer_and_evidence_has_words() -> None:
    """No verdict is shown by an internal name."""
    assert set(USES) == set(Use)
    assert set(ANSWERS) == set(Answer)
    facts = {"method": "SMS", "group": "Sales", "when": "now"}
    assert all("{" not in words_for("en", "UTC")(message, **facts) for message in EVIDENCE.values())


@pytest.mark.parametrize("name", CHECKED)
def test_check_says_all_answers_first_and_masks_the_number(name: str) -> None:
    """Four answers stand above the causes, whatever is cut off below; the number is masked everywhere."""
    page = CHECKED[name]
    said = text(page)
    for verdict in page.verdicts:
        glyph, word = ANSWERS[verdict.answer]
        assert f"{USES[verdict.use]}: {glyph}  {word}" in said
    assert "+" in page.number
    assert "5309" not in everything(page)
    assert "2345678" not in everything(page)


def test_check_names_group_cause_and_who_can_mend_it() -> None:
    """An exclusion is told with the group, its id, and whoever can take the person out; each once in full."""
    whole = everything(CHECKED["page-check-group"])
    assert "Sales (77aa04e0-4f89-41d3-9a0c-0305e82c0011)" in whole
    body = json.dumps(cards.draw(CHECKED["page-check-group"], examples.OPERATOR).card["body"])
    assert body.count("takes the person out") == body.count("an exclusion wins") == 2  # texts, then calls
    assert "migrationInProgress" in whole


def test_show_says_what_is_missing_and_how_old_that_is() -> None:
    """Default, other methods by name, SMS sign-in with its cause, and password reset with its time."""
    said = text(SHOWN["page-show-all"])
    for part in (
        "Default sign-in method: Microsoft Authenticator notification",
        "System-preferred is on",
        "Passkey (FIDO2), 1 of a kind I do not know",
        "allowed and switched off",
        "enable sms sign-in for alice@contoso.com",
        "SSPR: 1 of 2 methods",
        "registration report of Mon 23 Nov, 14:05, which lags behind",
    ):
        assert part in said


def test_show_says_plainly_what_the_permissions_do_not_reach() -> None:
    """In the narrow profile nothing is left out in silence: the cause and who decides stand there."""
    said = text(SHOWN["page-show-narrow"])
    assert "cannot be read: the permission profile phone-only does not reach it" in said
    assert "operators of this bot decide" in said
    assert "Password reset: cannot tell: the report does not know the person yet" in said


@pytest.mark.parametrize("name", ["page-show-protected", "page-show-unread"])
def test_no_change_is_offered_for_a_protected_or_unjudged_account(name: str) -> None:
    """Whoever is protected, or may be, gets no button for a change, and the page says why."""
    page = replace(SHOWN[name], person=examples.ALICE)
    card = cards.draw(page, examples.OPERATOR).card
    assert "set mobile" not in json.dumps(card)
    assert verbs.RUN in json.dumps(card)
    assert "rotected" in text(page)


def test_badges_stand_before_the_numbers() -> None:
    """Disabled, guest and synchronised are read before anything is done."""
    said = text(SHOWN["page-show-protected"])
    for badge in ("Global Reader", "disabled", "Guest", "synchronised"):
        assert said.index(badge) < said.index("mobile: ")
