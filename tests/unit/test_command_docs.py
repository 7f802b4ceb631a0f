"""The list of commands that help, the documentation and the suggestions are made from."""

from __future__ import annotations

from typing import get_args

import pytest

from bot.domain import command as c
from bot.domain import onboarding_commands as oc
from bot.domain.access import ALLOWED
from bot.domain.command_docs import SPELLINGS, nearest
from bot.domain.parsing import COMMANDS, CommandDoc, parse

_BY_BUTTON_ONLY = {
    c.Refresh,
    c.Tampered,
    c.Unknown,
    c.Malformed,
    c.BulkFile,
    c.ShowPass,
    oc.Register,
    oc.ApproveAllBut,
}
# The second verb of a kind of command that has two.
_SECOND = ("disable sms sign-in", "back", "prefer not", "not my number")


def test_every_command_is_documented_once() -> None:
    """Help lists each command that can be typed, and no other; some kinds have two verbs."""
    kinds = [doc.kind for doc in COMMANDS if doc.verb not in _SECOND]
    assert sorted(kind.__name__ for kind in kinds) == sorted(
        kind.__name__ for kind in get_args(c.Command) if kind not in _BY_BUTTON_ONLY
    )
    assert len({doc.verb for doc in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize("doc", COMMANDS, ids=lambda doc: doc.verb)
def test_the_example_works(doc: CommandDoc) -> None:
    """Whoever sends the example of a command gets that command, by every spelling of its verb."""
    for verb in (doc.verb, *doc.also):
        assert type(parse(verb + doc.example.removeprefix(doc.verb))) is doc.kind


@pytest.mark.parametrize("doc", COMMANDS, ids=lambda doc: doc.verb)
def test_who_may_is_what_the_access_table_says(doc: CommandDoc) -> None:
    """The documentation names exactly the roles that will be let through."""
    roles = ALLOWED[doc.kind]
    assert doc.who_may == (("everyone",) if roles is None else tuple(sorted(roles)))


@pytest.mark.parametrize("doc", COMMANDS, ids=lambda doc: doc.verb)
def test_the_documentation_is_readable(doc: CommandDoc) -> None:
    """Every entry has a usage that begins with its verb, and a whole sentence on what it does."""
    assert doc.usage.startswith(doc.verb)
    assert doc.example.startswith(doc.verb)
    assert doc.what.endswith(".")
    assert doc.example in doc.how


def test_a_suggestion_is_a_command() -> None:
    """The nearest command can be sent as it is: it is the verb of an entry and is understood."""
    for spelled, verb in SPELLINGS.items():
        if len(spelled) > 2:
            assert nearest(spelled + "x") in SPELLINGS.values()
        assert not isinstance(parse(verb), c.Unknown)
