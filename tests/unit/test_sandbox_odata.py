"""How the pretend Graph reads $filter, $search and phone numbers."""

from __future__ import annotations

import pytest

from bot.sandbox.graph.errors import GraphError
from bot.sandbox.graph.numbers import kept
from bot.sandbox.graph.odata import fits, parse_filter, parse_search

ALICE = {
    "displayName": "Alice Anders",
    "mail": "alice@contoso.example",
    "surname": "O'Brien",
    "accountEnabled": True,
    "proxyAddresses": ["SMTP:alice@contoso.example"],
}


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("mail eq 'a@b.example'", ["eq", "mail", "a@b.example"]),
        ("surname eq 'O''Brien'", ["eq", "surname", "O'Brien"]),
        (
            "mail eq 'x'' or startswith(displayName,''a'')'",
            ["eq", "mail", "x' or startswith(displayName,'a')"],
        ),
        ("startsWith(mail,'a') or mail eq 'b'", ["or", ["startswith", "mail", "a"], ["eq", "mail", "b"]]),
        (
            "a eq 'x' and (b eq 'y' or not c eq true)",
            ["and", ["eq", "a", "x"], ["or", ["eq", "b", "y"], ["not", ["eq", "c", True]]]],
        ),
        ("proxyAddresses/any(p:p eq 'smtp:a')", ["any", "proxyAddresses", "smtp:a"]),
        ("targetResources/any(t:t/id eq 'x')", ["any", "targetResources/id", "x"]),
        ("at ge 2026-03-02T09:00:00Z", ["ge", "at", "2026-03-02T09:00:00Z"]),
        ("id in ('1','2')", ["in", "id", ["1", "2"]]),
    ],
)
def test_filter_is_read_into_a_tree(text: str, tree: list[object]) -> None:
    """A test can see what a filter really said: a quoted quote stays inside one literal."""
    assert parse_filter(text) == tree


@pytest.mark.parametrize(
    "text", ["", "mail", "mail eq", "mail eq 'x", "mail eq 'x' or", "x gt 'y'", "mail eq 'x' y"]
)
def test_a_broken_filter_is_refused(text: str) -> None:
    """What Graph would not understand is a 400, never a guess."""
    with pytest.raises(GraphError) as caught:
        parse_filter(text)
    assert caught.value.status == 400


def test_search_is_read_into_a_tree() -> None:
    """Quoted terms with OR; an escaped quote stays inside its term."""
    assert parse_search('"displayName:alice" OR "mail:alice"') == [
        "or",
        ["search", "displayName", "alice"],
        ["search", "mail", "alice"],
    ]
    assert parse_search(r'"displayName:a\" OR \"b:c"') == ["search", "displayName", 'a" OR "b:c']


@pytest.mark.parametrize("text", ["alice", '"alice"', '"displayName:a" "mail:b"', '"displayName:a" OR', ""])
def test_a_broken_search_is_refused(text: str) -> None:
    """A term without a property or quotes is a 400."""
    with pytest.raises(GraphError):
        parse_search(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail eq 'ALICE@contoso.example'", True),
        ("startswith(displayName,'ali')", True),
        ("startswith(displayName,'and')", False),
        ("not startswith(displayName,'ali')", False),
        ("accountEnabled eq true", True),
        ("accountEnabled eq false", False),
        ("proxyAddresses/any(p:p eq 'smtp:alice@contoso.example')", True),
        ("mail in ('x','alice@contoso.example')", True),
        ("mail ne 'x'", True),
    ],
)
def test_filter_decides(text: str, expected: bool) -> None:
    """Comparison ignores case, as Graph's does."""
    assert fits(parse_filter(text), ALICE.__getitem__) is expected


def test_an_unknown_property_is_refused() -> None:
    """A misspelt property is a 400 and not an empty list."""
    with pytest.raises(GraphError):
        fits(parse_filter("displayname eq 'x'"), ALICE.__getitem__)


@pytest.mark.parametrize(
    ("term", "expected"),
    [("displayName:and", True), ("displayName:lice", False), ("mail:alice", True), ("mail:contoso", False)],
)
def test_search_works_by_tokens_of_names_and_beginnings_of_the_rest(term: str, expected: bool) -> None:
    """A surname is found inside a display name; the middle of a word is not."""
    assert fits(parse_search(f'"{term}"'), ALICE.__getitem__) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+1 2065550100", "+1 2065550100"),
        ("+12065550100", "+1 2065550100"),
        ("+491701234567", "+49 1701234567"),
        ("+358401234567", "+358 401234567"),
        ("+1 2065550100x12", "+1 2065550100x12"),
        ("2065550100", None),
        ("+1 206 555 0100", None),
        ("+1 (206) 5550100", None),
        ("", None),
        (None, None),
        (12065550100, None),
    ],
)
def test_numbers_are_kept_with_one_space(text: object, expected: str | None) -> None:
    """A number without the space comes back with it; any other form is not taken."""
    assert kept(text) == expected
