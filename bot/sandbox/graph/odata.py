"""$filter and $search as Graph reads them: text -> tree -> yes or no for one object.

A tree is nested lists, plain JSON, so that a request log can keep it and a test can assert on it:
`["or", a, b] ["and", a, b] ["not", a] ["eq", prop, value] ["ge", prop, value] ["startswith", prop, value]
["any", prop, value] ["in", prop, [values]] ["search", prop, term]`.
Sources: Graph docs "filter-query-parameter", "search-query-parameter". Knows no world.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .errors import OURS, GraphError

Tree = list[Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z_][A-Za-z0-9_/.]*)|(?P<number>-?\d[\d\-:.TZ]*)"
    r"|(?P<mark>[(),:]))"
)
_SEARCH_TERM = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*')
_SEARCH_WORD = re.compile(r"\s*(OR|AND)\b")
_COMPARE = ("eq", "ne", "ge", "le", "in")
_CALLS = ("startswith", "endswith")
#: Tokenised properties; the others are matched from their beginning.
_TOKENISED = ("displayName", "description")


def _bad() -> GraphError:
    return GraphError(400, "Request_UnsupportedQuery", OURS["bad_filter"])


class _Reader:
    """Recursive descent over the tokens of one $filter."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise _bad()
            kind = found.lastgroup or ""
            self.tokens.append((kind, found[kind]))
            at = found.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        """The next token, which must be one of `wanted` when any are given."""
        token = self.peek()
        if not token or (wanted and token.lower() not in wanted):
            raise _bad()
        self.at += 1
        return token

    def either(self) -> Tree:
        left = self.both()
        while self.peek().lower() == "or":
            self.take()
            left = ["or", left, self.both()]
        return left

    def both(self) -> Tree:
        left = self.one()
        while self.peek().lower() == "and":
            self.take()
            left = ["and", left, self.one()]
        return left

    def one(self) -> Tree:
        token = self.peek().lower()
        if token == "not":
            self.take()
            return ["not", self.one()]
        if token == "(":
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        if token in _CALLS:
            return self.call()
        return self.compare()

    def call(self) -> Tree:
        name = self.take().lower()
        self.take("(")
        prop = self.name()
        self.take(",")
        value = self.value()
        self.take(")")
        return [name, prop, value]

    def compare(self) -> Tree:
        prop = self.name()
        if prop.endswith("/any"):
            return self.any_of(prop.removesuffix("/any"))
        verb = self.take(*_COMPARE).lower()
        if verb != "in":
            return [verb, prop, self.value()]
        self.take("(")
        values = [self.value()]
        while self.peek() == ",":
            self.take()
            values.append(self.value())
        self.take(")")
        return ["in", prop, values]

    def any_of(self, prop: str) -> Tree:
        self.take("(")
        letter = self.name()
        self.take(":")
        inner = self.name()
        if inner != letter and not inner.startswith(f"{letter}/"):
            raise _bad()
        self.take("eq")
        value = self.value()
        self.take(")")
        return ["any", prop + inner.removeprefix(letter), value]

    def name(self) -> str:
        kind, token = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if kind != "word":
            raise _bad()
        self.at += 1
        return token

    def value(self) -> Any:
        kind, token = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        self.at += 1
        if kind == "text":
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return token
        literal = {"true": True, "false": False, "null": None}
        if token.lower() in literal:
            return literal[token.lower()]
        raise _bad()


def parse_filter(text: str) -> Tree:
    """The tree of a $filter; GraphError 400 when it is not understood."""
    reader = _Reader(text)
    tree = reader.either()
    if reader.at != len(reader.tokens):
        raise _bad()
    return tree


def parse_search(text: str) -> Tree:
    """The tree of a $search (`"prop:term" OR "prop:term"`); GraphError 400 when it is not understood."""
    tree: Tree | None = None
    verb, at = "", 0
    while True:
        found = _SEARCH_TERM.match(text, at)
        if found is None:
            raise _bad()
        prop, colon, term = re.sub(r"\\(.)", r"\1", found[1]).partition(":")
        if not colon or not prop.isalpha():
            raise _bad()
        leaf: Tree = ["search", prop, term]
        tree = leaf if tree is None else [verb.lower(), tree, leaf]
        at = found.end()
        if at == len(text):
            return tree
        word = _SEARCH_WORD.match(text, at)
        if word is None:
            raise _bad()
        verb, at = word[1], word.end()


def needs_advanced(tree: Tree) -> bool:
    """Does this filter need $count=true and ConsistencyLevel: eventual?"""
    if tree[0] in ("or", "and"):
        return any(needs_advanced(branch) for branch in tree[1:])
    return tree[0] in ("not", "ne", "endswith")


def fits(tree: Tree, read: Callable[[str], Any]) -> bool:
    """Is the tree true for this object? `read(property)` gives a value or raises KeyError (then: 400)."""
    verb = tree[0]
    if verb == "or":
        return fits(tree[1], read) or fits(tree[2], read)
    if verb == "and":
        return fits(tree[1], read) and fits(tree[2], read)
    if verb == "not":
        return not fits(tree[1], read)
    try:
        have, want = read(tree[1]), tree[2]
    except KeyError:
        raise _bad() from None
    if verb == "in":
        return any(_same(have, each) for each in want)
    if verb == "any":
        return any(_same(each, want) for each in have or ())
    if verb in ("eq", "ne"):
        return _same(have, want) is (verb == "eq")
    if verb in ("ge", "le"):
        # Times in UTC, of one form: their order is that of their text.
        return str(have) >= str(want) if verb == "ge" else str(have) <= str(want)
    text, part = str(have or "").casefold(), str(want).casefold()
    if verb == "startswith":
        return text.startswith(part)
    if verb == "endswith":
        return text.endswith(part)
    return _searched(tree[1], text, part)


def _same(have: Any, want: Any) -> bool:
    if isinstance(have, str) and isinstance(want, str):
        return have.casefold() == want.casefold()
    return bool(have == want)


def _searched(prop: str, text: str, term: str) -> bool:
    if prop not in _TOKENISED:
        return bool(term) and text.startswith(term)
    tokens = re.findall(r"\w+", text)
    wanted = re.findall(r"\w+", term)
    return bool(wanted) and all(any(token.startswith(word) for token in tokens) for word in wanted)
