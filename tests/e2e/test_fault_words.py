"""Writes that go wrong in every way: the right outcome and words, one effect at most, no blind repeat.

Reads that go wrong stand in `test_fault_reads`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from stage import Stage
from table_drive import Row, World, ends_of, request_for

from bot.sandbox.screen import told

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
Json = dict[str, Any]
#: What happens to the first request of the kind; everything after it goes well.
MISFORTUNES: dict[str, Json] = {
    "401": {"kind": "token_expired"},
    "403": {"kind": "status", "status": 403},
    "404": {"kind": "status", "status": 404},
    "409": {"kind": "status", "status": 409},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "timeout before": {"kind": "hang", "ms": 30},
    "timeout after": {"kind": "timeout_after", "ms": 30},
    "reset before": {"kind": "reset"},
    "reset after": {"kind": "reset_after"},
    "HTML": {"kind": "html"},
    "HTML refusal": {"kind": "html", "status": 403},
    "no error in it": {"kind": "no_error"},
    "no error in a refusal": {"kind": "no_error", "status": 403},
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 2},
    "429": {"kind": "status", "status": 429},
}
#: Seconds: by the end of EARLY not one of the unsure ones may have been sent again; LATER lets all end.
EARLY, LATER = (6, 15, 30), (20, 20, 60, 60)
UNSURE_AT_LEAST, MOMENT = timedelta(seconds=65), timedelta(seconds=1)
_NO_ID = ("HTML refusal", "no error in it", "no error in a refusal")


@dataclass(frozen=True, slots=True)
class Ends:
    """early, late: requests sent within 51 s and at all. sure: whether the first answer left no doubt."""

    how: str
    early: int = 1
    late: int = 1
    sure: bool = True


AGAIN = Ends("done", 2, 2)
READ_THEN_AGAIN = Ends("done", 1, 2, sure=False)
READ_ONLY = Ends("done", 1, 1, sure=False)
#: The same for every kind of write: provably nothing done, or nobody knows.
COMMON = {
    **dict.fromkeys(("401", "429 with Retry-After", "429"), AGAIN),
    **dict.fromkeys(("500", "503", "timeout before", "reset before", "HTML"), READ_THEN_AGAIN),
    **dict.fromkeys(("timeout after", "reset after"), READ_ONLY),
}
REFUSED = {
    "403": Ends("failed directory.denied"),
    "404": Ends("failed directory.person-gone"),
    "409": Ends("failed directory.number-not-unique", sure=False),  # mostly it was saved all the same
    "HTML refusal": Ends("failed directory.unrecognised"),
    "no error in it": Ends("failed directory.wrong-call"),
    "no error in a refusal": Ends("failed directory.wrong-call"),
}
GONE_OR_DONE = {"404": READ_THEN_AGAIN, "no error in it": READ_THEN_AGAIN}
SMS = {"409": Ends("failed directory.sms-not-unique")}
TOLD = dict.fromkeys(REFUSED, Ends("done"))


@dataclass(frozen=True, slots=True)
class Call:
    """A kind of write: how a row provokes it, its path behind the person's id, what it changes."""

    typed: str
    has: str
    verb: str
    path: str
    effect: str
    special: Mapping[str, Ends] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    before: str = ""


_SIGN_IN = {"sms_usable_for_sign_in": True}
_PUSH = {"other_methods": ["password", "microsoftAuthenticator"], "default_method": "push"}
_PHONE, _SMS = "/authentication/phoneMethods", "/authentication/phoneMethods/.*"
CALLS = {
    "POST": Call("set mobile N", "", "POST", _PHONE + "$", "mobile ->N"),
    "PATCH": Call("set mobile N", "M", "PATCH", _PHONE, "mobile M>N", GONE_OR_DONE),
    "DELETE": Call("remove mobile", "M", "DELETE", _PHONE, "mobile M>-", GONE_OR_DONE),
    "enable": Call("sms-on", "M", "POST", _SMS + "/enableSmsSignIn", "sms ->ready", SMS, rules=_SIGN_IN),
    "disable": Call(
        *("sms-off", "M", "POST", _SMS + "/disableSmsSignIn", "sms ready>notEnabled", SMS),
        fields={"sms_state": "ready"},
        rules=_SIGN_IN,
    ),
    "default": Call(
        *("set office N", "", "PATCH", "/authentication/signInPreferences", "default voiceOffice>push", TOLD),
        fields=_PUSH,
        rules={"default_moves": True},
        before="office ->N; ",
    ),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_write_that_goes_wrong_ends_as_it_should(name: str, opened: Opened) -> None:
    """Refused, delayed or unknown: told so, read before anything is sent again, and written once at most."""
    call = CALLS[name]
    expected = {**COMMON, **REFUSED, **call.special}
    rows = tuple(Row(each, call.has, call.typed, "", fields=call.fields) for each in MISFORTUNES)
    world = World(name, rows, rules=call.rules, more={"GRAPH_PROFILE": "default-guard"})
    async with opened(spec=world.spec(), more=world.more) as stage:
        await world.prepare(stage)
        asked = []
        for n, row in enumerate(rows):
            path = f"{stage.oid(f'row{n:03}')}{call.path}"
            await stage.fault(**MISFORTUNES[row.case], verb=call.verb, path=path, times=1)
            asked.append(await request_for(stage, n, row))
        unsure = {n for n, request in enumerate(asked) if await _is_unsure(stage, request)}
        assert {rows[n].case for n in unsure} == {each for each in MISFORTUNES if not expected[each].sure}
        early = await _sent_after(stage, call, EARLY)
        late = await _sent_after(stage, call, LATER)
        for n, row in enumerate(rows):
            await _judge(stage, n, row, call, expected[row.case], (asked[n], early[n], late[n]))
        assert [line for line in stage.log_lines() if line["level"] in ("ERROR", "CRITICAL")] == []
        assert (await stage.parts.store.verify_audit()).bad == ()
        await _never_early_again(stage, {asked[n] for n in unsure})


async def _judge(
    stage: Stage, n: int, row: Row, call: Call, expected: Ends, seen: tuple[str, int, int]
) -> None:
    request, early, late = seen
    how, effects, words = await ends_of(stage, n, request)
    assert (how, early, late) == (expected.how, expected.early, expected.late), (row.case, words)
    landed = expected.how == "done" and expected is not TOLD.get(row.case)
    if call.before and not landed:
        landed = row.case not in TOLD
    assert effects == (call.before + call.effect if landed else call.before.removesuffix("; ")), row.case
    if how != "done":
        assert "What to do:" in words, (row.case, words)
        named = re.search(r"Graph request id [0-9a-f-]{36}", words) is not None
        assert named or row.case in _NO_ID or how.endswith("sms-not-unique"), (row.case, words)
    elif not landed:
        assert "A side effect could not be undone" in words, (row.case, words)


async def _is_unsure(stage: Stage, request: str) -> bool:
    """The requester reads that nobody knows yet."""
    cards = [told(each) for each in await stage.from_bot("olivia")]
    return any("Not certain yet" in card and request in card for card in cards)


async def _never_early_again(stage: Stage, unsure: set[str]) -> None:
    """Where nobody knew, the second request left 65 s after the first at the earliest, by the bot's clock."""
    first: dict[str, datetime] = {}
    for name, facts in await stage.audit_rows():
        again = facts["change_id"]
        if name.endswith(":unconfirmed"):
            first[again] = facts["at"]
        elif name.endswith(":attempted") and again in first:
            # Noted right after the first request; the guard of a done write is an operation of its own.
            assert facts["at"] - first[again] >= UNSURE_AT_LEAST - MOMENT, facts
    assert len(first) == len(unsure)


async def _sent_after(stage: Stage, call: Call, times: tuple[int, ...]) -> Counter[int]:
    """Requests of this kind by row, when so many seconds have passed one after the other."""
    for seconds in times:
        await stage.later(seconds=seconds)
    found: Counter[int] = Counter()
    rows = {oid: alias for alias, oid in ((a, p["oid"]) for a, p in stage.world["people"].items())}
    for each in await stage.requests():
        match = re.search(f"/users/([0-9a-f-]+){call.path}", each["path"])
        if match and each["verb"] == call.verb and rows[match[1]].startswith("row"):
            found[int(rows[match[1]].removeprefix("row"))] += 1
    return found
