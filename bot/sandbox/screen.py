"""How a terminal shows messages and people, and which cards are copies of one request.

Knows: the entries of `views.view` as JSON. Must not know: HTTP, lines, expectations.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def told(entry: Json) -> str:
    """Everything a person can read in one message: text, card, fields, buttons."""
    fields = [f"{i['label'] or i['id']}: {i['value'] or ''}" for i in entry["inputs"]]
    return "\n".join([entry["plain"], *fields, *(f"[{a['title']}]" for a in entry["actions"])])


def of_one_request(entry: Json) -> bool:
    """A card that speaks of exactly one request."""
    return bool(entry["card"]) and len({r for r in entry["requests"] if r.startswith("R-")}) == 1


def is_copy(entry: Json) -> bool:
    """A card of one request that acts on it, or that came unasked. What answered a typed question
    (a status, a history) is a picture of its moment and stays as it is."""
    acts = any(not request.startswith("R-") for request in entry["requests"])
    return of_one_request(entry) and (acts or entry["reply_to"] is None)


def shown(entry: Json, again: bool = False) -> list[str]:
    """One message as lines for a terminal; `again` = it was printed before and has changed."""
    who = "bot" if entry["from"] == "bot" else entry["from"]
    mark = {"notice": " (only to you)", "dialog": " (a form opens)"}.get(entry["kind"], "")
    if not entry["card"]:
        return [f"{who}{mark}{' (changed)' if again else ''}: {entry['plain']}"]
    out = [f"{who}{mark}{' (card changed)' if again else ''}:"]
    out += [f"  | {line}" for line in entry["plain"].splitlines()]
    out += [f"  | <{_field(i)}>" for i in entry["inputs"]]
    if entry["actions"]:
        out.append("  | " + "  ".join(f"[{a['n']}] {a['title']}" for a in entry["actions"]))
    return out


def _field(field: Json) -> str:
    choices = ", ".join(str(c["title"]) for c in field["choices"])
    kind = "a person" if field["people"] else (f"one of {choices}" if choices else "")
    parts = [f"{field['id']}: {field['label']}", kind, "required" if field["required"] else ""]
    return "; ".join(p for p in parts if p) + (f" = {field['value']}" if field["value"] else "")


def person_line(person: Json) -> str:
    """One person for the list of people."""
    installed = "" if person.get("installed", True) else " (has not installed the app)"
    return f"  {person.get('alias') or '-':<12} {person.get('display_name', '')}{installed}"
