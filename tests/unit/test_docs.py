"""The reference pages say what the program does."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot.domain import reasons
from bot.domain.command_docs import COMMANDS
from bot.domain.people import TargetKind
from bot.domain.policy import Action, Method, Risk, TokenKind
from bot.settings.names import Names, public_names
from bot.settings.pages import PAGES, stale, write
from bot.settings.policy_grammar import PolicyTables, StepTable, table_in

DOCS = Path(__file__).parents[2] / "docs"


def test_no_page_is_out_of_date() -> None:
    """What is published is what the program would write now; `python app.py docs` mends it."""
    assert stale(DOCS) == []


def test_a_changed_page_is_noticed_and_mended(tmp_path: Path) -> None:
    """A page that was edited or is missing is found, and writing makes it right."""
    assert sorted(write(tmp_path)) == sorted(PAGES)
    (tmp_path / "reasons.md").write_text("edited")
    assert stale(tmp_path) == ["reasons.md"]
    assert write(tmp_path) == ["reasons.md"]
    assert stale(tmp_path) == []


@pytest.mark.parametrize("name", sorted(public_names()))
def test_every_setting_is_explained(name: str) -> None:
    """Each setting says why it exists and what an unsafe value would do."""
    info = Names.model_fields[public_names()[name]]
    assert info.description
    assert isinstance(info.json_schema_extra, dict)
    assert info.json_schema_extra["unsafe"]
    assert f"| `{name}` |" in PAGES["settings.md"]()


def test_every_key_of_the_policy_is_explained() -> None:
    """Each table and key stands on the page with what it takes and does, each fixed word with its meaning."""
    page = PAGES["policy.md"]()
    tables = [PolicyTables, StepTable, *filter(None, map(table_of, PolicyTables.model_fields.values()))]
    for table in tables:
        for name, field in table.model_fields.items():
            if table_of(field) is None or isinstance(field.json_schema_extra, dict):
                assert field.description, name
                assert f"| `{name}` | {field.json_schema_extra['takes']} |" in page  # type: ignore[index]
            else:
                assert f"`[{name}]`" in page or f"`[[{name}]]`" in page
    for words in (Action, TargetKind, Risk, Method, TokenKind):
        assert all(f"- `{word}`: " in page for word in words)


def table_of(field: FieldInfo) -> type[BaseModel] | None:
    return table_in(field.annotation)


def test_every_reason_and_command_has_its_place() -> None:
    """A reader who looks up a code or a command finds it, without unfilled placeholders."""
    page = PAGES["reasons.md"]()
    assert all(f"### `{reason.code}`" in page for reason in reasons.every())
    assert "{" not in page
    commands = PAGES["commands.md"]()
    assert all(doc.usage in commands and doc.example in commands for doc in COMMANDS)
