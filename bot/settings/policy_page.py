"""docs/policy.md: the grammar of the policy file, written from the grammar itself.

Knows how the page looks. Must not know a key, a default or a meaning of its own: those come from
`policy_grammar` and `policy_words`, so that the page cannot say anything else.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.settings.policy_grammar import Approval, PolicyTables, StepTable, table_in
from bot.settings.policy_words import ACTIONS, METHODS, SIGNALS, TARGETS, TOKENS

_INTRO = (
    "# The policy file",
    "",
    "`POLICY_FILE` (default `policy.toml`) says who may ask for a change and who must agree to it. It is "
    "read once, at start. A missing file, an unknown key, a key that this version does not enforce, a "
    "policy that nobody could satisfy, and a rule that could never match refuse the start; all problems "
    'are listed at once. A key that is left out has its default; `false`, `0`, `[]` and `""` mean off. '
    "There is no key that makes time running out a yes. `policy.example.toml` shows the whole file with "
    "the reasons.",
    "",
    "```",
    "python app.py policy check [FILE]                  what each rule does and who decides, with warnings",
    'python app.py policy explain --as USER "set mobile for alice"   which rule, and who would decide',
    "python app.py policy replay [--file FILE] [--since DATE]        what past requests would have needed",
    "```",
    "",
    "## How a rule is found",
    "",
    "Before anybody is asked, the facts are read and the signals of risk found. The first rule from the "
    "top whose keys all hold decides: the action, the kind of target, and, where given, a role of the "
    "requester, a slot of the request and a signal. No rule, or a rule with `refuse = true`, means no. "
    "The steps of the rule are then filled with people; when there are not enough different people for "
    "all steps, the request is refused before it is made.",
    "",
    "Right before the write everything is checked again. A change of the policy file while a request is "
    "under way means that it is judged again: what still has enough approvals goes on, with both files in "
    "the audit; what lacks some waits for them; what is forbidden now is not done.",
)


def policy_page() -> str:
    """The page without its head."""
    lines = [*_INTRO, "", "## Keys at the top", "", *_rows(PolicyTables)]
    for name, field in PolicyTables.model_fields.items():
        table = table_in(field.annotation)
        if table is not None:
            title = f"[[{name}]]" if table is Approval else f"[{name}]"
            lines += ["", f"## `{title}`", "", inspect.cleandoc(table.__doc__ or ""), "", *_rows(table)]
        if table is Approval:
            lines += ["", "### A step", "", inspect.cleandoc(StepTable.__doc__ or ""), "", *_rows(StepTable)]
    lines += _words("Actions", ACTIONS) + _words("Kinds of targets, the first that fits", TARGETS)
    lines += _words("Signals of risk", SIGNALS) + _words("Who approves", TOKENS)
    lines += _words("Proofs that the caller is the person", METHODS)
    return "\n".join(lines) + "\n"


def _rows(table: type[BaseModel]) -> Iterator[str]:
    yield "| Key | Takes | Default | What it does |"
    yield "| --- | --- | --- | --- |"
    for name, field in table.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict):
            cells = (f"`{name}`", str(extra["takes"]), _default(field), field.description or "")
            yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "(must be written)"
    return "(none)" if field.default is None else f"`{json.dumps(field.default)}`"


def _words(title: str, words: Mapping[Any, str]) -> list[str]:
    return ["", f"## {title}", "", *(f"- `{word}`: {about}" for word, about in words.items())]
