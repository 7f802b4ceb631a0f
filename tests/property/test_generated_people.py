"""Generated names, addresses and numbers, parsed and looked up: nobody wrong, nothing escapes or leaks.

GENERATED=1000000 in the environment makes the long run by hand, GENERATED_SEED another run.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections import Counter
from datetime import UTC, datetime

import httpx
from generated_people import ACCOUNTS, ROOT, Maker, SmallDirectory, fits

from bot.domain.command import Who, WhoKind
from bot.domain.parsing import parse
from bot.domain.people import Actor, Person
from bot.domain.phone import NumberRules, PhoneNumber, Slot, read_number
from bot.domain.reason import Refusal
from bot.graph import GraphClient, GraphDirectory, Lanes
from bot.workflow.lookup import Several, look_up

GENERATED = int(os.environ.get("GENERATED", "5000"))
SEED = int(os.environ.get("GENERATED_SEED", "20261123"))
RULES = NumberRules()
_WRITTEN = re.compile(r"\+?\d(?:[\s().\-/\u2011\u200b]{0,3}\d)*[\s().\-/\u2011\u200b]*")
BY_OID = {account.oid: account for account in ACCOUNTS}
ACTOR = Actor(
    Person("22222222-2222-4222-8222-222222222222", "Olivia Ode", "olivia@contoso.example"), frozenset()
)


class _Clock:
    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)


class _Tokens:
    async def get(self, scope: str) -> str:
        return "token"

    async def refresh(self, scope: str) -> str:
        return "token"


class _Kept(logging.Handler):
    """Everything that our own loggers say."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.getMessage()} {record.__dict__}")


async def _no_sleep(seconds: float) -> None:
    raise AssertionError("nothing has to wait here")


def _told(digits: str, text: str) -> bool:
    """Does a text show that run of digits, whatever stands between them?"""
    return len(digits) >= 8 and digits in _digits(text)


def _digits(text: str) -> str:
    return "".join(str(int(each)) for each in re.findall(r"\d", text))


def _readable(typed: str) -> str:
    """The digits, when it is written as one number: no letters or signs of tickets within."""
    return _digits(typed) if _WRITTEN.fullmatch(typed) else ""


def _letters(text: str) -> str:
    """Without what only holds words apart: blanks, quotes, what nobody sees."""
    return "".join(ch for ch in text if ch.isalnum()).lower()


def _whose(who: Who, line: str, found: tuple[Person, ...], asked: list[str]) -> None:
    """Everybody found fits what was typed, and what was asked is what was typed."""
    value = who.value.strip()
    for person in found:
        exact = who.exact
        assert fits(BY_OID[person.oid], who.kind.value, value, exact=exact), (line, who.kind, person.name)
    assert _letters(value) in _letters(line), line
    assert all(each == value for each in asked), (line, asked)


def _read(typed: str, digits: str, slot: Slot) -> str:
    """Reading the number: a number whose every digit was typed, or a refusal; what came of it."""
    got = read_number(typed, slot, RULES)
    if isinstance(got, Refusal):
        told = " ".join(fact for name, fact in got.facts.items() if name != "example")
        assert not _told(digits, told), (typed, got.code)
        return "number refused"
    assert isinstance(got, PhoneNumber)
    clear = got.country + got.national + got.extension
    rest = iter(typed)
    assert all(digit in rest for digit in clear), typed  # a zero for calls within the country may go
    assert not _told(digits, f"{got!r} {got}")
    return "number read"


class Trial:
    """Line after line against the small directory. counted: what came of them."""

    def __init__(self, seed: int) -> None:
        self.maker, self.small, self.kept = Maker(seed), SmallDirectory(), _Kept()
        self.counted: Counter[str] = Counter()
        client = GraphClient(
            ROOT,
            "tenant",
            _Tokens(),
            _Clock(),
            Lanes(lambda: 1.0),
            lambda: 0.5,
            transport=httpx.MockTransport(self.small.answer),
            sleep=_no_sleep,
        )
        self.directory = GraphDirectory(client, profile="default-guard")

    async def one(self) -> None:
        line, number = self.maker.line()
        digits, readable = _digits(number), _readable(number)
        if number:
            self.counted[_read(number, digits, self.maker.dice.choice(tuple(Slot)))] += 1
        command = parse(line)
        assert not _told(digits, repr(command)), line
        typed = getattr(command, "number", None)
        if typed is not None:
            self.counted[_read(typed, digits, getattr(command, "slot", None) or Slot.MOBILE)] += 1
        who = getattr(command, "who", None)
        if who is None:
            self.counted["nobody named"] += 1
            return
        self.small.asked.clear()
        found = await look_up(self.directory, who, ACTOR)
        if isinstance(found, Refusal):
            assert not _told(readable, f"{found!r} {dict(found.facts)}"), (line, found)
            self.counted[found.code] += 1
        elif who.kind is WhoKind.ME:
            assert found is ACTOR.person
        else:
            people = found.people if isinstance(found, Several) else (found,)
            _whose(who, line, people, self.small.asked)
            self.counted["one found" if isinstance(found, Person) else "several found"] += 1
        if self.kept.said:
            assert not any(_told(digits, said) for said in self.kept.said), line
            self.kept.said.clear()


async def test_no_wrong_person_no_escape_no_exception_no_leak() -> None:
    """Whatever is typed, only people whom it fits are found, and no address, log or refusal is bent by it."""
    trial, ours = Trial(SEED), logging.getLogger("bot")
    level = ours.level
    ours.addHandler(trial.kept)
    ours.setLevel(logging.DEBUG)
    try:
        for _ in range(GENERATED):
            await trial.one()
    finally:
        ours.removeHandler(trial.kept)
        ours.setLevel(level)
        await trial.directory.aclose()
    sys.stderr.write(f"{GENERATED} lines, seed {SEED}, {trial.small.requests} calls, {dict(trial.counted)}\n")
    assert trial.counted["one found"] * 20 > GENERATED, "hardly anybody was found: the trial proves little"
    assert trial.counted["number read"] * 20 > GENERATED
