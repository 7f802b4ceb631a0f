"""Foreign text on cards: whatever a directory, a user or a policy file holds, a card only shows it."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from typing import Any

import cards_examples as examples
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cards
from bot.domain import decision_reasons
from bot.domain import outcome as o
from bot.domain.change import Asking, State, Verdict
from bot.domain.command import SetPhone, Show, Who, WhoKind
from bot.domain.people import PersonRef
from bot.domain.phone import Slot
from cards.foreign import free, plain

HOSTILE = [
    "[Approve](https://evil.example)",
    "![](https://evil.example/p.png)",
    "[a][b] [b]: https://evil.example",
    "<at>Boss</at>",
    "**APPROVED by CISO**\n\nTicket: closed",
    "`code` ~~gone~~ __loud__ *x*",
    "\u202eevitcani\u202c",
    "zero\u200bwidth\u2060joined\ufeff",
    "tag\U000e0041\U000e0042",
    "{{DATE(2020-01-01,SHORT)}} ${x} {name} {{{{",
    "# heading",
    "1. item",
    "&#91;x&#93;(http://evil.example) &lt;at&gt;",
    "www.evil.example HTTPS://EVIL.EXAMPLE",
    "e" + "\u0301" * 40,
    "x" * 5000,
    "\x00\x07\x1b[31mred",
    "a\r\nb\u2028c\u2029d",
    "O'Brien-Smith (Sales) & Söhne 山田 😀",
]
ACTIVE = re.compile(r"\]\(|\]\[|!\[|://|\{\{|\}\}|\$\{|</?at|[<>`*]|~~|www\.|&#?\w+;", re.IGNORECASE)
TEXT = (
    st.text(max_size=300)
    | st.sampled_from(HOSTILE)
    | st.text(alphabet="[]()!{}$<>*_`~:/&#\\ab w.", max_size=60)
)


def outcomes(text: str) -> list[o.Outcome]:
    """The foreign text in every place where foreign text can stand."""
    person = replace(examples.ALICE, name=text, upn=text, department=text, job_title=text)
    other = PersonRef(examples.MEGAN.oid, text, text)
    asked = replace(examples.asked(examples.MEGAN), person=other, via=text, why=text)
    lost = replace(asked, state=Asking.UNREACHABLE)
    vote = replace(examples.vote(Verdict.REJECT, text), person=other)
    change = examples.change(
        target=PersonRef.of(person),
        requester=other,
        reason=text,
        ticket=text,
        rule=text,
        notes=(text,),
        votes=(vote,),
        steps=(examples.step(asked, lost, missing=(text,)),),
    )
    refusal = decision_reasons.REJECTED.refuse(id=text, name=text, because=text)
    a = o.Audience
    views = [examples.view(audience, change=change) for audience in a]
    who = Who(WhoKind.NAME, text)
    ended = replace(change, state=State.REJECTED, ending=refusal)
    return [
        *(o.AwaitingApproval(view, refusal) for view in views),
        *(o.Applied(view) for view in views),
        o.Preview(views[0], (o.Effect("target-not-told", (("name", text),)),), "+1 206 555 0100"),
        o.Refused((refusal, refusal), examples.view(change=ended), nearest=text),
        o.Failed(refusal, views[0]),
        o.Working(views[0]),
        o.Unconfirmed(views[0]),
        o.AlreadySo(person, Slot.MOBILE, ""),
        o.Choice((person, person), Show(who)),
        o.Choice((person,), SetPhone(who, Slot.MOBILE, text, text, text)),
        o.Form(SetPhone(who, None, None, text, text), (("who", refusal), ("reason", refusal)), person),
        o.Page(o.PageKind.SHOW, (o.Row(("mobile", text)), o.Row((text, text))), person=person),
        o.Page(o.PageKind.WHOAMI, (o.Row((text, text)),), person=person),
        o.Page(o.PageKind.HISTORY, (o.Row(change=change), o.Row((text, text))), person=person),
        o.Page(o.PageKind.MY_REQUESTS, (o.Row(change=change), o.Row((text, text)))),
        o.Page(o.PageKind.APPROVALS, (o.Row(change=change),)),
    ]


def strings(value: Any) -> list[str]:
    """Every text that a client shows, button data apart."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    if isinstance(value, dict):
        return [text for key, each in value.items() if key != "data" for text in strings(each)]
    return []


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_active_remains_on_any_card(text: str) -> None:
    """Hostile text is shown as text: no link, picture, mention, function, emphasis, hidden character."""
    for outcome in outcomes(text):
        drawn = cards.draw(outcome, examples.OPERATOR)
        for shown in strings(drawn.card):
            assert not ACTIVE.search(shown), (type(outcome).__name__, shown)
            kept = shown.replace("\n", " ")
            assert not [c for c in kept if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cn")]
        assert len(json.dumps(drawn.card, ensure_ascii=False).encode()) < 28_000
        assert len(drawn.text) < 1000


@given(TEXT)
def test_foreign_text_is_one_inert_line(text: str) -> None:
    """Any text at all becomes one short line with nothing active, and stays the same the second time."""
    line = plain(text)
    assert not ACTIVE.search(line)
    assert len(line) <= 120
    assert "\n" not in line
    assert plain(line) == line
    assert len(free(text)) <= 500


@given(TEXT)
def test_any_text_can_stand_anywhere(text: str) -> None:
    """No text breaks a card: braces in names are no placeholders, and empty names are no reason to fail."""
    for outcome in outcomes(text):
        cards.draw(outcome, examples.OPERATOR)


@pytest.mark.parametrize(
    "name",
    [
        "O'Brien-Smith",
        "Müller, Jörg (IT)",
        "山田 太郎",
        "first_last@contoso.com",
        "bob_x.com#EXT#@contoso.com",
    ],
)
def test_ordinary_names_are_shown_as_they_are(name: str) -> None:
    """Making text harmless does not disfigure the names that people really have."""
    assert plain(name) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call +1 206 555 0123 back", "call +•••••• 23 back"),
        ("0415 867 5309", "•••••• 09"),
        ("INC0012345678", "INC0012345678"),
        ("since 2026-11-23 14:05", "since 2026-11-23 14:05"),
        ("(206) 555-0123", "•••••• 23"),
    ],
)
def test_numbers_in_free_text(text: str, shown: str) -> None:
    """Phone numbers in reasons are masked; ticket numbers and dates stay readable."""
    assert free(text) == shown
