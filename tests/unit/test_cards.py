"""What every card must be: complete, small, well-formed, honest about its buttons, silent about numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import cards_bulk as bulk
import cards_every as every
import cards_examples as examples
import cards_onboarding as onboarding
import cards_passes as passes
import cards_report as reports
import cards_stops as stops
import cards_waiting as waiting
import microsoft_teams.cards as ac
import pytest
from syrupy.assertion import SnapshotAssertion

import cards
from bot.domain import outcome as o
from bot.domain import reasons
from bot.domain.phone import EXAMPLES
from cards import verbs

EVERY = every.every() | {name: (each, examples.OPERATOR) for name, each in waiting.outcomes().items()}
EVERY |= stops.outcomes() | reports.outcomes() | onboarding.outcomes() | bulk.OUTCOMES
EVERY |= passes.every()
CLASSES = {
    cls.model_fields["type"].default: cls
    for cls in vars(ac).values()
    if isinstance(cls, type) and "type" in getattr(cls, "model_fields", {})
}
Json = dict[str, Any]


def draw(name: str) -> cards.Drawn:
    outcome, reader = EVERY[name]
    return cards.draw(outcome, reader)


def nodes(value: Any) -> Iterator[Json]:
    """Every JSON object of a card, but not what is inside button data."""
    if isinstance(value, dict):
        yield value
        for key, each in value.items():
            if key != "data":
                yield from nodes(each)
    elif isinstance(value, list):
        for each in value:
            yield from nodes(each)


def shown(card: Json) -> Iterator[Json]:
    """The same without fallbacks and refresh, which nobody sees on the card."""
    for node in nodes({key: each for key, each in card.items() if key != "refresh"}):
        yield {key: each for key, each in node.items() if key != "fallback"}


def typed(card: Json, kind: str) -> list[Json]:
    """The elements of a type, each once, fallbacks apart."""
    found = {json.dumps(n, sort_keys=True): n for n in shown(card) if n.get("type") == kind}
    return list(found.values())


def words_on(card: Json) -> str:
    """What stands on the card, a paragraph a line."""
    lines = ["".join(run["text"] for run in n.get("inlines", ())) for n in shown(card)]
    return "\n".join([*lines, *(str(n.get("text", n.get("title", ""))) for n in shown(card))])


@pytest.mark.parametrize("name", [name for name in EVERY if name != "onboarding-everywhere"])
def test_looks_as_agreed(name: str, snapshot: SnapshotAssertion) -> None:
    """A card changes only when somebody means to change it."""
    drawn = draw(name)
    assert {"card": drawn.card, "text": drawn.text} == snapshot


@pytest.mark.parametrize("name", EVERY)
def test_every_field_exists_in_the_card_format(name: str) -> None:
    """No misspelt field goes out: the card classes would let it pass in silence."""
    for node in nodes(draw(name).card):
        if node.get("type", "") in CLASSES:
            fields = CLASSES[node["type"]].model_fields
            known = {field.serialization_alias or field.alias or key for key, field in fields.items()}
            camel = {re.sub("_([a-z])", lambda m: m[1].upper(), key) for key in fields}
            assert set(node) <= known | camel | {"choices.data"}, node["type"]


@pytest.mark.parametrize("name", EVERY)
def test_fits_every_client(name: str) -> None:
    """Version 1.5, a fallback text, a language, under 28 KB, whole numbers whole, everything wraps."""
    drawn = draw(name)
    raw = json.dumps(drawn.card, ensure_ascii=False)
    assert drawn.card["version"] == "1.5"
    assert drawn.card["fallbackText"] == drawn.text
    assert drawn.card["lang"] == "en"
    assert 0 < len(drawn.text) < 1000
    assert len(raw.encode("utf-16-le")) < 28_000
    assert not re.search(r"\d\.0[,}\]]", raw)
    assert all(block["wrap"] is True for block in typed(drawn.card, "TextBlock"))


@pytest.mark.parametrize("name", EVERY)
def test_nothing_foreign_is_loaded_or_opened(name: str) -> None:
    """No picture, no address, no link: a card never makes a client call anybody but us."""
    card = draw(name).card
    kinds = {str(node.get("type")) for node in nodes(card)}
    assert not kinds & {"Image", "Media", "Action.OpenUrl", "ImageSet", "Icon"}
    assert "://" not in json.dumps(card)


@pytest.mark.parametrize("name", EVERY)
def test_inputs_have_labels_and_unique_ids(name: str) -> None:
    """A screen reader can say what each field is, and no two fields share an id."""
    fields = [n for n in shown(draw(name).card) if str(n.get("type", "")).startswith("Input.")]
    unique = {json.dumps(n, sort_keys=True): n for n in fields}.values()
    ids = [n["id"] for n in unique]
    assert len(ids) == len(set(ids))
    assert set(ids) <= verbs.INPUTS
    assert all(n["label"] for n in unique)
    assert all(n["errorMessage"] for n in unique if n.get("isRequired"))


def _shape_of(verb: str) -> set[str]:
    if verb in verbs.REQUEST_VERBS | verbs.ONBOARDING_VERBS - {verbs.ALL_BUT}:
        return {"v", "change_id", "nonce"}
    if verb in verbs.FORM_VERBS:
        return {"v"}
    if verb == verbs.BATCH:
        return {"v", "change_id", "nonce", "word"}
    if verb == verbs.ALL_BUT:
        return {"v", "cards"}
    return {"v", "verb", "who"} if verb == verbs.CHOOSE else {"v", "command"}


@pytest.mark.parametrize("name", EVERY)
def test_buttons_carry_only_pointers(name: str) -> None:
    """Button data is exactly what the inbound side accepts, for new and for old clients."""
    for node in nodes(draw(name).card):
        if node.get("type") != "Action.Execute":
            continue
        verb, data, old = node["verb"], node["data"], node["fallback"]
        assert verb in verbs.VERBS
        assert set(data) == _shape_of(verb)
        assert old["type"] == "Action.Submit"
        if verb == verbs.CHOOSE:
            assert old["data"] == {"v": 1, "verb": "run", "command": f"{data['verb']} {data['who']}"}
        else:
            assert old["data"] == {**data, "verb": verb}
        filled = {verbs.ONBOARDING, verbs.CONFIRM, verbs.ALL_BUT}
        needs_fields = verb in verbs.FORM_VERBS | {verbs.APPROVE, verbs.REJECT} | filled
        assert node["associatedInputs"] == ("auto" if needs_fields else "none")


@pytest.mark.parametrize("name", EVERY)
def test_few_buttons_in_action_sets(name: str) -> None:
    """At most six buttons, at most one stands out, and each sits where old clients find the fallback."""
    card = draw(name).card
    assert "actions" not in card
    groups = typed(card, "ActionSet")
    actions = [action for group in groups for action in group["actions"]]
    assert len(actions) <= 7  # the approver's Reject opens a field with its own Reject
    assert len([a for a in actions if a["type"] == "Action.Execute"]) <= 6
    assert len([a for a in actions if a.get("style") == "positive"]) <= 1
    assert all(a.get("style") == "destructive" for a in actions if a.get("verb") == verbs.REJECT)


@pytest.mark.parametrize("name", EVERY)
def test_typed_way_stands_on_the_card(name: str) -> None:
    """Whoever cannot press a button can type the same: the words are on the card."""
    card = draw(name).card
    said = words_on(card)
    typed_ways = {
        verbs.CANCEL: "cancel R-7K2Q9M-4F3A",
        verbs.APPROVE: "approve R-7K2Q9M-4F3A in person",
        verbs.REJECT: "reject R-7K2Q9M-4F3A because",
        verbs.WITHDRAW: "withdraw R-7K2Q9M-4F3A",
        verbs.NOT_ME: "not me R-7K2Q9M-4F3A",
        verbs.FORM_SET: "set SLOT for WHO",
        verbs.FORM_REMOVE: "remove SLOT for WHO",
        verbs.FORM_SWAP: "swap WHO",
        verbs.FORM_SMS_ON: "enable sms sign-in for WHO",
        verbs.FORM_SMS_OFF: "disable sms sign-in for WHO",
        verbs.NO_PHONE: "no phone",
        verbs.PREFERS_NOT: "prefer not",
        verbs.ONBOARDING: "",  # a number that is typed stays in the chat: this form has no other way
        verbs.CONFIRM: "confirm",
        verbs.NOT_MINE: "not my number",
        verbs.KEEP: "bridge keep",
        verbs.DEMOTE: "bridge demote",
        verbs.REMOVE: "bridge remove",
    }
    for action in typed(card, "Action.Execute"):
        way = typed_ways.get(action["verb"], "")
        # Of a batch nobody says how they know.
        assert (way.removesuffix(" in person") if name.startswith("bulk") else way) in said


@pytest.mark.parametrize("name", EVERY)
def test_clear_number_only_in_preview_and_form(name: str) -> None:
    """Only the requester's own preview and number field show a number in clear; no twin does."""
    drawn = draw(name)
    raw = json.dumps(drawn.card, ensure_ascii=False)
    for example in EXAMPLES.values():
        raw = raw.replace(example, "")
    allowed = name in ("preview", "choice-set", "form-proof", "onboarding-errors", "onboarding-everywhere")
    assert (examples.CLEAR in raw) is allowed
    assert bool(re.search(r"\+\d[\d ]{6,}", raw)) is allowed
    assert "5309" not in drawn.text


def test_numbers_in_free_text_are_masked() -> None:
    """A number that somebody wrote into the reason or the ticket does not reach the approver in clear."""
    reason = "new phone +1 415 867 5309 or 0415 867 5309, since 2026-11-20"
    outcome = o.AwaitingApproval(
        examples.view(o.Audience.APPROVER, change=examples.change(reason=reason, ticket="+14158675309"))
    )
    drawn = cards.draw(outcome, examples.PLAIN_READER)
    everything = json.dumps(drawn.card) + drawn.text
    assert "5309" not in everything
    assert "867" not in everything
    assert "2026-11-20" in drawn.text


@pytest.mark.parametrize("reason", list(reasons.every()), ids=lambda reason: reason.code)
def test_every_reason_can_be_said(reason: reasons.Reason) -> None:
    """Each registered no shows its title, why, what to do and code; and `explain` shows it without a case."""
    refusal = reason.refuse(**{fact: f"the {fact}" for fact in reason.facts})
    said = cards.draw(o.Refused((refusal,)), examples.OPERATOR).text
    assert reason.code in said
    assert all(f"the {fact}" in said for fact in reason.facts)
    assert "`" not in said
    explained = cards.draw(o.Page(o.PageKind.EXPLAIN, reason=reason), examples.OPERATOR).text
    assert reason.code in explained
    assert "{" not in explained
