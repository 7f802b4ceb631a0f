"""What the pretend Graph says: the real words with their source, or ours marked as ours."""

from __future__ import annotations

import ast
from pathlib import Path

from bot.sandbox.graph import errors

FOLDER = Path(errors.__file__).parent


def test_texts_of_ours_say_so() -> None:
    """Every text without a published source begins with the mark."""
    assert errors.OURS
    assert all(text.startswith(errors.PREFIX) for text in errors.OURS.values())


def test_every_other_text_has_a_source() -> None:
    """A text that is taken for the real one names where it was published or seen."""
    words = {
        name: value
        for name, value in vars(errors).items()
        if name.isupper() and isinstance(value, str) and name not in ("PREFIX", "AUTH_BACK_END")
    }
    assert {name for name, text in words.items() if text not in errors.SOURCES} == set()
    assert all(errors.SOURCES.values())


def test_no_refusal_is_worded_on_the_spot() -> None:
    """Refusals take their text from the tables: no sentence stands in a handler."""
    spoken = []
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            at = {"GraphError": 2, "auth_error": 0}.get(node.func.id)
            if at is not None and len(node.args) > at:
                text = node.args[at]
                if isinstance(text, ast.JoinedStr):  # may begin with one of ours
                    text = text.values[0]
                if isinstance(text, ast.Constant):
                    spoken.append(f"{file.name}:{node.lineno}")
    assert spoken == []
