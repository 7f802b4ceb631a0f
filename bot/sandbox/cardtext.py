"""Reads an Adaptive Card as a person without pictures would: lines of text, buttons, inputs.

Knows: the elements of Adaptive Cards 1.5 and the Teams extras our cards may use, and what a client
checks before it sends a form. Must not know: who looks at the card, or what happens after a click.

Sources: the Adaptive Cards 1.5 schema; "People picker in Adaptive Cards" (choices.data).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]
_PARTS = (
    "body",
    "items",
    "columns",
    "rows",
    "cells",
    "pages",
    "card",
    "inlineAction",
    "selectAction",
    "actions",
)
_UNSENT = ("Action.OpenUrl", "Action.ToggleVisibility", "Action.ShowCard")


def _elements(node: Any, hidden: bool = False) -> Iterator[Json]:
    """Every element in reading order; those with isVisible false only when `hidden`."""
    if isinstance(node, list):
        for each in node:
            yield from _elements(each, hidden)
    elif isinstance(node, dict) and (hidden or node.get("isVisible") is not False):
        yield node
        for part in _PARTS:
            if part in node:
                yield from _elements(node[part], hidden)


def lines(card: Json) -> list[str]:
    """The words of the card, one element a line; facts as `title: value`, table rows with ` | `."""
    out: list[str] = []
    _write(card.get("body") or [], out)
    return out


def _write(node: Any, out: list[str]) -> None:
    if isinstance(node, list):
        for each in node:
            _write(each, out)
        return
    if not isinstance(node, dict) or node.get("isVisible") is False:
        return
    kind = str(node.get("type", ""))
    if kind == "FactSet":
        out.extend(f"{fact.get('title', '')}: {fact.get('value', '')}" for fact in node.get("facts", []))
    elif kind == "Table":
        out.extend(_row(row) for row in node.get("rows", []))
    elif kind == "ColumnSet":
        row = _row({"cells": node.get("columns", [])})
        out.extend([row] if row.strip(" |") else [])
    elif kind.startswith("Chart."):
        # A terminal draws no charts: it shows what stands in their place, as clients without them do.
        _write(node.get("fallback") or [], out)
    else:
        words = _words(node)
        if words:
            out.append(words)
        for part in ("items", "pages"):
            _write(node.get(part) or [], out)


def _row(row: Json) -> str:
    cells = []
    for cell in row.get("cells", []):
        inner: list[str] = []
        _write(cell.get("items") or [], inner)
        cells.append(" ".join(inner))
    return " | ".join(cells)


def _words(node: Json) -> str:
    kind = node.get("type")
    if kind == "RichTextBlock":
        runs = node.get("inlines", [])
        return "".join(run if isinstance(run, str) else str(run.get("text", "")) for run in runs)
    if kind in ("TextBlock", "TextRun", "Badge"):
        return str(node.get("text", ""))
    if kind == "Image":
        return f"[{node['altText']}]" if node.get("altText") else ""
    if kind == "CodeBlock":
        return str(node.get("codeSnippet", ""))
    return ""


def actions(card: Json) -> list[Json]:
    """Buttons in reading order: `{n, title, verb, kind, raw}`; n counts from 1."""
    found = [e for e in _elements(card) if str(e.get("type", "")).startswith("Action.")]
    return [
        {"n": n, "title": a.get("title", ""), "verb": _verb(a), "kind": a["type"], "raw": a}
        for n, a in enumerate(found, start=1)
    ]


def _verb(action: Json) -> str | None:
    data = action.get("data")
    inner = data.get("verb") if isinstance(data, dict) else None
    return action.get("verb") or inner


def inputs(card: Json, hidden: bool = False) -> list[Json]:
    """Fields in reading order: `{id, label, type, value, choices, required, people, error, regex,
    placeholder, max_length, multiple}`."""
    found = [e for e in _elements(card, hidden) if str(e.get("type", "")).startswith("Input.")]
    return [_input(e) for e in found if e.get("id")]


def _input(element: Json) -> Json:
    query = element.get("choices.data") or {}
    return {
        "id": element["id"],
        "label": element.get("label", ""),
        "type": element["type"],
        "value": element.get("value"),
        "choices": [{"title": c.get("title"), "value": c.get("value")} for c in element.get("choices") or []],
        "required": bool(element.get("isRequired")),
        "people": str(query.get("dataset", "")).startswith("graph.microsoft.com/users"),
        "error": element.get("errorMessage"),
        "regex": element.get("regex"),
        "placeholder": element.get("placeholder"),
        "max_length": element.get("maxLength"),
        "multiple": bool(element.get("isMultiSelect")),
    }


def find_action(card: Json, wanted: str | int) -> Json | None:
    """The button with this number, title or verb (titles in any letter case), or None."""
    every = actions(card)
    if isinstance(wanted, int) or str(wanted).isdecimal():
        return next((a for a in every if a["n"] == int(wanted)), None)
    key = " ".join(str(wanted).split()).casefold()
    for field in ("title", "verb"):
        for action in every:
            if " ".join(str(action[field] or "").split()).casefold() == key:
                return action
    return None


def reach(card: Json, action: Json) -> Json:
    """The card with only those fields that a button sends: of the card it stands on and of those around it.

    Source: Adaptive Cards schema, `associatedInputs` ("the current card and any parent cards")."""

    def cut(node: Any) -> Any:
        if isinstance(node, list):
            return [cut(each) for each in node]
        if not isinstance(node, dict):
            return node
        foreign = node.get("type") == "Action.ShowCard" and all(
            e is not action for e in _elements(node, True)
        )
        return {key: cut(value) for key, value in node.items() if not (foreign and key == "card")}

    found: Json = cut(card)
    return found


def filled(card: Json, given: Mapping[str, Any]) -> dict[str, str]:
    """What the client sends for the fields: values as text, given ones over preset ones, empty left out.

    Source: Adaptive Cards client, `SubmitAction` (inputs that are not set are not sent)."""
    values: dict[str, str] = {}
    for field in inputs(card, hidden=True):
        value = given.get(field["id"], field["value"])
        if field["type"] == "Input.Toggle" and value is None:
            value = "false"
        if value is not None and str(value) != "":
            values[field["id"]] = str(value).lower() if isinstance(value, bool) else str(value)
    return values


def objections(card: Json, values: Mapping[str, str]) -> list[str]:
    """What the client itself says before it sends: required fields, patterns, lengths, choices."""
    said = []
    for field in inputs(card):
        value = values.get(field["id"])
        name = field["label"] or field["id"]
        if value is None:
            if field["required"]:
                said.append(f"{name}: {field['error'] or 'this field is required'}")
            continue
        pattern = field["regex"]
        if pattern and field["type"] == "Input.Text" and not re.search(pattern, value):
            said.append(f"{name}: {field['error'] or 'this does not have the right form'}")
        elif field["max_length"] and len(value) > int(field["max_length"]):
            said.append(f"{name}: at most {field['max_length']} characters")
    return said


def sends(action: Json) -> bool:
    """Does a click on this button reach the bot at all?"""
    return action["kind"] not in _UNSENT
