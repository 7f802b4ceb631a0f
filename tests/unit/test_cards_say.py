"""What single cards say: to whom, in which words and language, and what they leave unsaid."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import cards_examples as examples
import cards_onboarding as onboarding
import pytest

import cards
from bot.domain import outcome as o
from bot.domain import reasons
from bot.domain.access import ALLOWED, may
from bot.domain.change import Asking, Change, State
from bot.domain.command import SetPhone, Who, WhoKind
from bot.domain.command_docs import COMMANDS
from bot.domain.people import Reader, Role
from bot.domain.phone import Slot
from bot.domain.policy import Risk
from bot.domain.signals import Signal
from cards import changes, phrases, verbs
from cards.onboarding import draw as draw_onboarding
from cards.signals import SIGNALS
from cards.words import Words, words_for
from tests.unit.test_cards import draw, nodes, shown, typed, words_on


def test_audiences_get_their_own_buttons() -> None:
    """Approve stands only before an approver who may vote, Cancel only before the requester."""

    def pressed(name: str) -> set[str]:
        return {a["verb"] for a in typed(draw(name).card, "Action.Execute")}

    assert pressed("waiting-approver") == {verbs.APPROVE, verbs.REJECT}
    assert pressed("waiting-requester") == {verbs.CANCEL, verbs.RUN}
    assert pressed("waiting-target") == {verbs.NOT_ME}
    assert pressed("waiting-approver-voted") == {verbs.WITHDRAW}
    assert pressed("waiting-onlooker") == set()
    assert pressed("preview") == {verbs.SUBMIT, verbs.CANCEL}
    voted = o.AwaitingApproval(examples.view(o.Audience.APPROVER, may_vote=False))
    assert not typed(cards.draw(voted, examples.PLAIN_READER).card, "Action.Execute")


def test_approver_reads_the_whole_request_in_sentences() -> None:
    """Who asks for what on whom, why, by which rule and until when: nothing else has to be opened."""
    text = draw("waiting-approver").text
    for part in (
        "Olivia Park asks to replace the mobile of Alice Adams, +1 •••••• 12, by +1 •••••• 09.",
        "Reason: lost phone, identity checked by badge photo",
        "Ticket: INC1234",
        "Person: alice@contoso.com",
        "Asked by: olivia@contoso.com, Mon 23 Nov, 08:07",
        "Rule: ordinary change",
        "Decide until: Tue 24 Nov, 08:07",
    ):
        assert part in text


def test_a_decision_asks_for_what_it_needs_and_for_nothing_else() -> None:
    """Approve wants to know how, Reject why; each field opens with its own button and hinders no other."""
    card = draw("waiting-approver").card
    openers = {opener["title"]: opener["card"] for opener in typed(card, "Action.ShowCard")}
    assert set(openers) == {"Approve …", "Reject …"}
    (how,) = typed(openers["Approve …"], "Input.ChoiceSet")
    assert [choice["value"] for choice in how["choices"]] == ["in-person", "known-number", "did-not"]
    assert how["isRequired"] is True
    assert "value" not in how
    (kind,) = typed(openers["Reject …"], "Input.ChoiceSet")
    kinds = [choice["value"] for choice in kind["choices"]]
    assert kinds == ["not-now", "wrong-person", "left", "fraud"]
    assert kind["value"] == "not-now"
    (why,) = typed(openers["Reject …"], "Input.Text")
    assert (why["id"], why["isRequired"]) == (verbs.BECAUSE, True)
    assert not [node for node in card["body"] if str(node["type"]).startswith("Input.")]


def test_target_is_told_who_and_what_to_do() -> None:
    """The person concerned reads who asked, the masked numbers, and whom to tell if it was not them."""
    text = draw("waiting-target").text
    assert (
        "Olivia Park of the helpdesk asked to change your mobile from +1 •••••• 12 to +1 •••••• 09." in text
    )
    assert "If you did not ask for this, say so now" in text


def test_unreachable_approver_is_named_with_the_cause() -> None:
    """The requester sees who cannot be asked, why, and who is asked instead, before submitting."""
    text = draw("preview").text
    assert "Megan Bowen (manager) cannot be asked: has not installed this app in Teams." in text
    assert "Asked instead: Raj Patel (approver)" in text


def test_form_keeps_values_and_shows_the_error_beside_its_field() -> None:
    """After an error nothing has to be typed again, and the message follows the field that is wrong."""
    body = draw("form-set-wrong").card["body"]
    kept = {n["id"]: n.get("value") for n in body if "id" in n}
    assert kept == {
        "who": examples.ALICE.oid,
        "slot": "mobile",
        "number": "0415 867 5309",
        "reason": "lost phone",
        "ticket": "INC1234",
    }
    place = next(i for i, n in enumerate(body) if n.get("id") == "number")
    assert "The number has no country code" in body[place + 1]["text"]
    picker = next(n for n in body if n.get("id") == "who")
    assert picker["choices.data"] == {"type": "Data.Query", "dataset": "graph.microsoft.com/users"}
    assert picker["choices"][0]["title"].startswith("Alice Adams")


def test_choice_never_picks_and_tells_namesakes_apart() -> None:
    """Two people of one name differ by user name and id tail, and neither is preselected."""
    radio = next(n for n in draw("choice-set").card["body"] if n.get("id") == "who")
    assert "value" not in radio
    assert [c["value"] for c in radio["choices"]] == [examples.ALICE.oid, examples.ALICE_2.oid]
    titles = [a["title"] for a in typed(draw("choice-show").card, "Action.Execute")]
    assert titles == ["Show Alice Adams …3301", "Show Alice Adams …beef"]


@pytest.mark.parametrize("roles", [frozenset(), *(frozenset({role}) for role in Role)])
def test_help_lists_what_the_roles_may_run(roles: frozenset[Role]) -> None:
    """Help shows every command these roles may run and none that they may not."""
    said = words_on(cards.draw(o.Page(o.PageKind.HELP), Reader("x", roles=roles)).card)
    lines = [f"{line} " for line in said.splitlines()]
    for doc in COMMANDS:
        if doc.verb not in ("help", "hi", "my requests") and not doc.on_a_card:
            shown = any(line.startswith(f"{doc.verb} ") for line in lines)
            assert shown is may(doc.kind, roles), doc.verb
    assert set(ALLOWED)


def test_help_is_drawn_once_per_roles_and_language() -> None:
    """A help turn costs a look-up: the same card object comes back for another reader of the same roles."""
    page = o.Page(o.PageKind.HELP)
    first = cards.draw(page, Reader("one", timezone="Europe/Berlin", roles=frozenset({Role.OPERATOR})))
    second = cards.draw(page, Reader("two", timezone="Asia/Tokyo", roles=frozenset({Role.OPERATOR})))
    assert first is second


ARABIC = {
    "Country of the number": "بلد الرقم",
    "Which phone?": "أي هاتف؟",
    "Send to my manager": "أرسل إلى مديري",
}


def test_a_card_reads_from_right_to_left(tmp_path: Path) -> None:
    """In a language written so, the card says so; order and labels are the same, facts keep their own way."""
    folder = tmp_path / "ar" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "ringfence.mo").write_bytes(catalogue(ARABIC))
    words = Words("ar-EG", "UTC", tmp_path)
    outcome, reader = onboarding.outcomes()["onboarding-card"]
    assert isinstance(outcome, o.Invitation)
    there = draw_onboarding(outcome, words).card
    here = cards.draw(outcome, reader).card
    assert (there["rtl"], there["lang"]) == (True, "ar-EG")
    assert "rtl" not in here
    order = [[n.get("type"), n.get("id")] for n in here["body"]]
    assert [[n.get("type"), n.get("id")] for n in there["body"]] == order
    labels = {n["id"]: n["label"] for n in shown(there) if "label" in n}
    assert labels["region"] == "بلد الرقم"
    assert labels["slot"] == "أي هاتف؟"
    assert "أرسل إلى مديري" in json.dumps(there, ensure_ascii=False)
    assert "\u2068Raj Patel\u2069" in words_on(there)
    waiting, _ = onboarding.outcomes()["onboarding-waiting"]
    assert isinstance(waiting, o.AwaitingApproval)
    arrows = words_on(changes.awaiting(waiting, words).card)
    assert "←" in arrows
    assert "→" not in arrows


def catalogue(messages: dict[str, str]) -> bytes:
    """A .mo file (GNU gettext manual, "MO Files"): sorted ids, then their translations."""
    texts = sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **messages}.items())
    pairs = [(key.encode(), value.encode()) for key, value in texts]
    at, heads, data = 28 + 16 * len(pairs), [b"", b""], b""
    for side in (0, 1):
        for pair in pairs:
            heads[side] += struct.pack("<2I", len(pair[side]), at + len(data))
            data += pair[side] + b"\0"
    numbers = (0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 28 + 16 * len(pairs))
    return struct.pack("<7I", *numbers) + heads[0] + heads[1] + data


def test_times_are_the_readers() -> None:
    """The same moment reads in the reader's time zone; without a usable one it says UTC."""
    moment = examples.NOW
    assert words_for("en", "Europe/Berlin").when(moment) == "Mon 23 Nov, 14:05"
    assert words_for("en", "America/New_York").when(moment, year=True) == "Mon 23 Nov 2026, 08:05"
    for unusable in ("Nowhere/City", "", "../../etc/passwd", "UTC"):
        assert words_for("en", unusable).when(moment) == "Mon 23 Nov, 13:05 UTC"


@pytest.mark.parametrize("locale", ["de-DE", "", "../../../etc", "en\x00", "x" * 400])
def test_unknown_languages_read_english(locale: str) -> None:
    """A language that we do not have, or a tag that is none, means English and says so to screen readers."""
    words = Words(locale, "UTC")
    assert words("Cancelled: nothing was changed") == "Cancelled: nothing was changed"
    assert words.lang == "en"


@pytest.mark.parametrize("state", State)
def test_every_state_has_plain_words(state: State) -> None:
    """No state is shown by its internal name, and each has a glyph beside the word."""
    glyph, word, _tone = phrases.STATES[state]
    assert glyph
    assert word != state.value
    assert phrases.SHORT_STATES[state]


@pytest.mark.parametrize("key", phrases.EFFECTS)
def test_every_effect_can_be_said(key: str) -> None:
    """Each effect of a preview becomes a sentence with its facts filled in."""
    outcome = replace(examples.preview(), effects=(o.Effect(key, (("name", "Alice Adams"),)),))
    said = cards.draw(outcome, examples.OPERATOR).text
    assert "{" not in said
    assert phrases.EFFECTS[key].replace("{name}", "Alice Adams") in said


def test_approver_is_told_what_matters_before_deciding() -> None:
    """Of the notes of a change the approver reads the warnings, in sentences; no internal key is shown."""
    warned = examples.change(notes=("replaces", "default-unreadable", "target-not-told"))
    outcome = o.AwaitingApproval(examples.view(o.Audience.APPROVER, change=warned))
    said = cards.draw(outcome, examples.PLAIN_READER).text
    assert phrases.EFFECTS["default-unreadable"] in said
    assert "Alice Adams cannot be told in Teams" in said
    assert "replaces" not in said


@pytest.mark.parametrize("key", SIGNALS)
def test_every_signal_can_be_said(key: str) -> None:
    """Approver and requester read the same sentence, with its facts and no placeholder left."""
    name, _, variant = key.partition(":")
    facts = {
        "new": "+370",
        "held": "+1",
        "location": "US",
        "count": "3",
        "local": "03:10",
        "zone": "UTC",
        "at": "2026-03-02T03:10:00+00:00",
    }
    signal = Signal(Risk(name), variant, tuple(facts.items()))
    change = examples.change(risks=(signal,))
    reader = examples.PLAIN_READER
    asked = cards.draw(o.AwaitingApproval(examples.view(o.Audience.APPROVER, change=change)), reader)
    shown = cards.draw(o.Preview(examples.view(change=change)), reader)
    (line,) = (line for line in asked.text.splitlines() if line in shown.text and line.startswith("⚠"))
    assert "{" not in line
    assert "2026-03" not in line


def test_every_risk_has_words() -> None:
    """No signal is shown by its internal name."""
    assert {key.partition(":")[0] for key in SIGNALS} == set(Risk)


def test_stale_card_is_answered_with_the_present_one() -> None:
    """After a stale click the approver gets the whole current request with fresh buttons, and is told why."""
    stale = reasons.CARD_STALE.refuse(id="R-7K2Q9M-4F3A")
    drawn = cards.draw(o.Refused((stale,), examples.view(o.Audience.APPROVER)), examples.PLAIN_READER)
    assert drawn.card["body"] == draw("waiting-approver-stale").card["body"]
    mine = examples.view(change=examples.preview().view.change, may_submit=True)
    again = cards.draw(o.Refused((stale,), mine), examples.OPERATOR)
    assert "This card is not the current one" in again.text
    assert verbs.SUBMIT in {a["verb"] for a in typed(again.card, "Action.Execute")}


def test_states_inside_refusals_are_said_in_words() -> None:
    """`applying` is our word; the reader gets theirs."""
    refusal = reasons.TOO_LATE.refuse(id="R-7K2Q9M-4F3A", state="applying")
    said = cards.draw(o.Refused((refusal,)), examples.OPERATOR).text
    assert "being carried out" in said
    assert "applying" not in said


def test_missing_approvers_are_said_once() -> None:
    """A person who cannot be asked is named once, with the cause that was found."""
    missing = "Megan Bowen (manager) cannot be reached: the app is not installed"
    lost = examples.asked(examples.MEGAN, state=Asking.UNREACHABLE, why="not-installed")
    raj = examples.asked(examples.RAJ, "the role approver", fallback=True)
    waiting = examples.change(steps=(examples.step(lost, raj, missing=(missing,)),))
    said = cards.draw(o.AwaitingApproval(examples.view(change=waiting)), examples.OPERATOR).text
    assert said.count("Megan Bowen") == 1
    assert "Asked instead: Raj Patel (approver)" in said


def test_refusals_of_a_whole_form_are_all_shown() -> None:
    """What no single field is to blame for stands above the form, each refusal of several, values kept."""
    filled = SetPhone(Who(WhoKind.OID, examples.ALICE.oid), Slot.MOBILE, examples.CLEAR, from_form=True)
    errors = tuple(("form", refusal) for refusal in examples.several_refusals().refusals)
    drawn = cards.draw(o.Form(filled, errors, examples.ALICE), examples.OPERATOR)
    assert "Alice Adams is protected" in drawn.text
    assert "That kind of line is not allowed for mobile" in drawn.text
    assert examples.CLEAR in json.dumps(drawn.card)
    assert examples.CLEAR not in drawn.text


def test_long_lists_stay_small() -> None:
    """A hundred long requests make a card under 28 KB with six buttons, and says what is missing."""
    long = examples.change(reason="r" * 500)
    long = replace(long, target=replace(long.target, name="n" * 200, upn="u" * 200))
    for kind in (o.PageKind.HISTORY, o.PageKind.APPROVALS, o.PageKind.OPEN, o.PageKind.MY_REQUESTS):
        drawn = cards.draw(o.Page(kind, (o.Row(change=long, at=examples.NOW),) * 100), examples.OPERATOR)
        assert len(json.dumps(drawn.card, ensure_ascii=False).encode()) < 28_000
        buttons = [n for n in nodes(drawn.card) if n.get("type") == "Action.Execute"]
        assert len(buttons) <= 6
        assert "75 more are not shown." in words_on(drawn.card)


def test_removal_reads_as_a_removal() -> None:
    """An emptied slot is said in words, not shown as an empty place."""
    removal: Change = examples.rows(o.PageKind.APPROVALS)[1].change or examples.change()
    outcome = o.AwaitingApproval(examples.view(o.Audience.APPROVER, change=removal))
    said = cards.draw(outcome, examples.PLAIN_READER).text
    assert "asks to remove the office phone of Raj Patel, +1 •••••• 12." in said
    own = cards.draw(o.AwaitingApproval(examples.view(change=removal)), examples.OPERATOR).text
    assert "+1 •••••• 12 → no number" in own
