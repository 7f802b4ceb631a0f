"""The reference pages say what the program does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain import reasons
from bot.domain.command_docs import COMMANDS
from bot.settings.names import Names, public_names
from bot.settings.pages import PAGES, stale, write

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


def test_every_reason_and_command_has_its_place() -> None:
    """A reader who looks up a code or a command finds it, without unfilled placeholders."""
    page = PAGES["reasons.md"]()
    assert all(f"### `{reason.code}`" in page for reason in reasons.every())
    assert "{" not in page
    commands = PAGES["commands.md"]()
    assert all(doc.usage in commands and doc.example in commands for doc in COMMANDS)
