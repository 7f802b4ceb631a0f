"""One row of the table of operations: a person of its own in a world of many, a command, and what must come.

Knows how a row becomes a person and words to type, and what people and the directory saw of it. Must not hold
a rule of the product: what is right stands in the rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stage import Stage

Json = dict[str, Any]
DOMAIN = "contoso.example"
GLOBAL_ADMIN = "62e90394-69f5-4237-9190-012177145e10"
SLOTS = {"M": "mobile", "A": "alternateMobile", "O": "office"}
NO_WRITES = ""
_CODE = re.compile(r"Code ([a-z]+\.[a-z-]+)")
_WORDS = {
    "set": "set {slot} for {upn} to {number} because lost phone",
    "remove": "remove {slot} for {upn} because no longer used",
    "swap": "swap {upn} because the old mobile is gone",
    "sms-on": "enable sms sign-in for {upn} because frontline",
    "sms-off": "disable sms sign-in for {upn} because has a password",
    "check": "check {upn} {slot} {number}",
    "show": "show {upn}",
    "show-me": "show me",
}
_SLOT_WORDS = {"mobile": "mobile", "alternate": "alternate mobile", "office": "office"}
_ENDS = {"✓ Done": "done", "✕ Failed": "failed"}
_USES = "Code by text|Call at sign-in|Password reset|SMS sign-in"
_ANSWERS = re.compile(rf"(?:{_USES}) \| [✓✕?] (yes|no|cannot tell)")


@dataclass(frozen=True, slots=True)
class Row:
    """has: letters of the phones held (M, A, O). typed: `set mobile N`, `remove office`, `swap`, `sms-on` ...

    ends: `done`, `already`, `shown`, `failed CODE`, or the code of a refusal to the command; of a check the
    answers for text, call, password reset and SMS sign-in: `yes/no/cannot tell/no`.
    writes: the journal of this person, `mobile M>N; sms ->ready`, where M, A, O, N stand for this row's
    numbers and - for nothing; `M@2` is the mobile of row 2. says: words of the preview, the answer or the
    last card. fields: of the person. group: groups the person is in, parted by semicolons. by: an alias, or
    "self". minutes: how long the worker needs after the approval.
    """

    case: str
    has: str
    typed: str
    ends: str
    writes: str = NO_WRITES
    says: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""
    by: str = "olivia"
    decides: str = "marta"
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """Rows that can share one tenant. rules: of the sandbox; `{Group}`, `{alias}` in lists stand for ids.

    policy: replacements in the bot's policy file. more: settings. holders: people beside those of the rows.
    """

    name: str
    rows: tuple[Row, ...]
    rules: Mapping[str, Any] = field(default_factory=dict)
    policy: tuple[tuple[str, str], ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    holders: tuple[Mapping[str, Any], ...] = ()

    def spec(self) -> Json:
        people = [*map(dict, self.holders), *(_person(n, row) for n, row in enumerate(self.rows))]
        return {"people": people}

    def policed(self, text: str) -> str:
        for old, new in self.policy:
            assert old in text, old
            text = text.replace(old, new)
        return text

    async def prepare(self, stage: Stage) -> None:
        """What needs ids that only a world that exists has."""
        ids = {name: group["id"] for name, group in stage.world["groups"].items()}
        ids |= {alias: person["oid"] for alias, person in stage.world["people"].items()}
        rules = {
            name: [each.format_map(ids) for each in value] if isinstance(value, list) else value
            for name, value in self.rules.items()
        }
        if rules:
            answer = await stage.control("PATCH", "", {"rules": rules})
            assert "error" not in answer, answer
        for n, row in enumerate(self.rows):
            for group in filter(None, row.group.split("; ")):
                await stage.join(group, _alias(n))


def _alias(n: int) -> str:
    return f"row{n:03}"


def number_of(n: int, letter: str) -> str:
    """Every row has numbers of its own: nobody shares one by chance."""
    return f"+1 206555{1000 + 10 * n + 'MAON'.index(letter)}"


def _person(n: int, row: Row) -> Json:
    phones = {SLOTS[letter]: number_of(n, letter) for letter in row.has}
    named = {"alias": _alias(n), "display_name": f"Row {n:03} Person", "manager": "marta"}
    return {**named, "phones": phones, **row.fields}


async def play_all(stage: Stage, rows: Sequence[Row]) -> list[str]:
    """What went otherwise than the rows say, a text for each."""
    return [wrong for n, row in enumerate(rows) if (wrong := await play(stage, n, row))]


async def play(stage: Stage, n: int, row: Row) -> str:
    """How the row went, in words; "" when it went as it should."""
    said, final = await _asked(stage, n, row)
    writes = await effects_of(stage, n)
    wrong = []
    if final != row.ends:
        wrong.append(f"ended {final!r}, not {row.ends!r}")
    if writes != row.writes:
        wrong.append(f"wrote {writes!r}, not {row.writes!r}")
    wrong += [f"did not say {words!r}" for words in row.says if words not in said]
    return f"{n} {row.case} [{row.typed}]: {'; '.join(wrong)}\n      {said}" if wrong else ""


async def _asked(stage: Stage, n: int, row: Row) -> tuple[str, str]:
    """Everything that was said, and how it ended."""
    by = _alias(n) if row.by == "self" else row.by
    said = await stage.ask(by, _typed(n, row))
    if row.typed.split()[0] in ("show", "show-me", "check"):
        return said, code_of(said) or "/".join(_ANSWERS.findall(said)) or "shown"
    if "Preview: nothing is sent yet" not in said:
        return said, "already" if "Nothing to do" in said else code_of(said)
    request = stage.printed_id(await stage.newest(by))
    await approved(stage, request, by, row.decides)
    for _ in range(row.minutes):
        await stage.later(minutes=1)
    final = await stage.ask(by, f"status {request}")
    return f"{said} ||| {final}", _ending(final)


async def approved(stage: Stage, request: str, by: str, decides: str) -> None:
    """Submitted, approved, and everything done that is due."""
    await stage.say(by, f"submit {request}")
    await stage.settle()
    await stage.say(decides, f"approve {request} in person")
    await stage.settle()


async def request_for(stage: Stage, n: int, row: Row) -> str:
    """The row's change, approved; its printed id."""
    said = await stage.ask("olivia", _typed(n, row))
    assert "Preview: nothing is sent yet" in said, (row.case, said)
    request = stage.printed_id(await stage.newest("olivia"))
    await approved(stage, request, "olivia", "marta")
    return request


async def ends_of(stage: Stage, n: int, request: str) -> tuple[str, str, str]:
    """How the change stands, the row's effects, and the words."""
    final = await stage.ask("olivia", f"status {request}")
    return _ending(final), await effects_of(stage, n), final


async def effects_of(stage: Stage, n: int) -> str:
    effects = (await stage.control("GET", f"journal?who={_alias(n)}"))["effects"]
    return "; ".join(_effect(n, each) for each in effects)


def _typed(n: int, row: Row) -> str:
    kind, _, rest = row.typed.partition(" ")
    slot, _, number = rest.partition(" ")
    facts = {"upn": f"{_alias(n)}@{DOMAIN}", "slot": _SLOT_WORDS.get(slot, ""), "number": _number(n, number)}
    return _WORDS[kind].format(**facts)


def _number(n: int, typed: str) -> str:
    """`N` is this row's new number, `M@2` the mobile of row 2; anything else is typed as it stands."""
    letter, _, row = typed.partition("@")
    return number_of(int(row or n), letter) if letter in tuple("MAON") else typed


def _ending(text: str) -> str:
    state = next((word for title, word in _ENDS.items() if text.startswith(title)), "open")
    return " ".join(filter(None, (state, code_of(text))))


def code_of(text: str) -> str:
    return " ".join(_CODE.findall(text))


def _effect(n: int, effect: Json) -> str:
    numbers = {number_of(n, letter): letter for letter in "MAON"}
    kind = effect["phone_type"] if effect["what"] == "phone" else effect["what"]
    before, after = (numbers.get(each or "-", each or "-") for each in (effect["before"], effect["after"]))
    return f"{kind.removesuffix('Mobile')} {before}>{after}"
