"""Who has a number: filled by what passes by, read again before it is said, never surer than it is."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import cards
from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.methods import ALL_USERS, Deleted, MethodRule, PolicyTarget, SmsState
from bot.domain.numbers import Sighting, WhoHasAnswer, index_key
from bot.domain.people import Actor, Person, Reader, Role
from bot.domain.phone import PhoneNumber, Slot
from bot.jobs import Jobs
from bot.ports import StoreUnavailable
from bot.workflow.holders import other_holders, shared_number
from bot.workflow.numbering import SAME_FOR, IndexedDirectory, NumberIndex
from bot.workflow.scanning import EVERY, Scanning
from bot.workflow.who_has import Asking
from tests.doubles.directory import FakeDirectory, Fault
from tests.doubles.house import (
    ADA,
    ALICE,
    AMIR,
    HELD,
    MARTA,
    NED,
    OLIVIA,
    SAM,
    HandClock,
    House,
    Tally,
    house,
)
from tests.doubles.house import policy as rules

ASKED = "+1 206 555 0112"
QUESTION = c.WhoHas(ASKED, "two people report its codes, call +1 206 555 0177", "INC1234")
KEY = b"n" * 32


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


async def ask(h: House, command: c.Command = QUESTION, by: str = AMIR) -> WhoHasAnswer:
    outcome = await h.desk.handle(command, h.envelope(by))
    assert isinstance(outcome, o.Page), outcome
    assert outcome.who_has is not None
    return outcome.who_has


async def code(h: House, command: c.Command, by: str) -> str:
    outcome = await h.desk.handle(command, h.envelope(by))
    assert isinstance(outcome, o.Refused), outcome
    return outcome.refusals[0].code


async def asked(h: House) -> list[dict[str, str]]:
    """Facts of the questions in the audit, newest first."""
    records, _ = await h.store.history("", 100)
    return [dict(r.event.facts) for r in records if r.event.name == "numbers:lookup:asked"]


def scanning(h: House, per_minute: int = 6, worker: str = "w1") -> Scanning:
    args = (h.directory, h.parts.directory, h.store, h.parts.index, h.clock, worker, per_minute)
    return Scanning(*args)  # type: ignore[arg-type]  # the house's store is a whole SqlStore


async def scan_all(h: House, scan: Scanning | None = None) -> int:
    """Steps until the round is finished."""
    scan = scan or scanning(h)
    for steps in range(1, 500):
        wait = await scan.step()
        state = await h.store.scan()  # type: ignore[attr-defined]  # as above
        if state is not None and state.finished_at is not None:
            return steps
        h.clock.time += wait
    raise AssertionError("the scan has no end")


async def test_what_the_bot_reads_is_known_afterwards(h: House) -> None:
    """Somebody's phones were shown; the auditor finds the holder with slot, state and age."""
    await h.desk.handle(c.Show(c.Who(c.WhoKind.OID, ALICE)), h.envelope(OLIVIA))
    h.clock.pass_by(minutes=90)
    found = await ask(h)
    assert [(each.person.oid, each.slot, each.fresh) for each in found.holders] == [
        (ALICE, Slot.MOBILE, True)
    ]
    assert found.number == "+1 •••••• 12"
    assert found.coverage.seen == 1
    assert found.coverage.total == len(h.directory.people)
    assert not found.coverage.is_whole(found.asked_at)


async def test_the_question_is_audited_even_when_nobody_is_found(h: House) -> None:
    """Who asked, why, and how many were found, with nothing in clear; no audit, no answer."""
    await ask(h)
    facts = (await asked(h))[0]
    assert facts["number"] == "+1 •••••• 12"
    assert (
        facts["because"] == "two people report its codes, call +•••••• 77" or "•••••• 77" in facts["because"]
    )
    assert "555" not in str(facts)
    assert (facts["found"], facts["ticket"]) == ("0", "INC1234")


@pytest.mark.parametrize("who", [OLIVIA, ADA, NED])
async def test_only_auditors_and_security_may_ask(h: House, who: str) -> None:
    """Operators and approvers are refused, and no question is recorded as asked."""
    assert (await code(h, QUESTION, who)).startswith("access.")
    assert await asked(h) == []
    assert (await ask(h, by=SAM)).holders == ()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (c.WhoHas(ASKED), "usage.malformed"),
        (c.WhoHas("", "why not"), "usage.malformed"),
        (c.WhoHas("206 555 0112", "why not"), "usage.number-country-code"),
        (c.WhoHas("alice", "why not"), "usage.number-letters"),
    ],
)
async def test_a_question_needs_a_number_and_a_reason(h: House, command: c.WhoHas, expected: str) -> None:
    """Without one of them nothing is looked up, and the refusal shows how it is written."""
    assert await code(h, command, AMIR) == expected
    assert await asked(h) == []


async def test_an_old_row_is_corrected_before_it_is_said(h: House) -> None:
    """Alice changed her number elsewhere: she is not named, and the index knows better afterwards."""
    await h.parts.directory.phones(ALICE)
    h.directory.set_phone(ALICE, Slot.MOBILE, PhoneNumber("1", "2065550199"))
    assert (await ask(h)).holders == ()
    assert (await ask(h, c.WhoHas("+1 206 555 0199", "check"))).holders[0].person.oid == ALICE


async def test_somebody_unreadable_is_still_named_with_the_age(h: House) -> None:
    """The directory is out of reach: the row stays, said as last seen."""
    await h.parts.directory.phones(ALICE)
    h.directory.fail("phones_of_many", Fault.UNAVAILABLE)
    found = (await ask(h)).holders[0]
    assert (found.person.oid, found.fresh) == (ALICE, False)


async def test_the_sign_in_holder_stands_apart(h: House) -> None:
    """Whose sign-in name it is comes first and marked; who merely has it follows."""
    h.directory.phones_of[NED] = {Slot.OFFICE: HELD}
    everybody = MethodRule(True, (PolicyTarget(ALL_USERS, usable_for_sign_in=True),))
    h.directory.policy = replace(h.directory.policy, sms=everybody)
    h.directory.sms[ALICE] = SmsState.READY
    await scan_all(h)
    found = await ask(h)
    assert [(each.person.oid, each.sign_in) for each in found.holders] == [(ALICE, True), (NED, False)]


async def test_a_deleted_holder_is_a_hint_and_is_erased(h: House) -> None:
    """The account is gone: its rows go, and the recycle bin is pointed at."""
    await h.parts.directory.phones(ALICE)
    gone = h.directory.people.pop(ALICE)
    h.directory.deleted.append(Deleted(ALICE, gone.name, gone.upn, datetime(2026, 3, 1, tzinfo=UTC)))
    found = await ask(h)
    assert found.holders == ()
    assert [each.oid for each in found.held_before] == [ALICE]
    assert (await ask(h)).held_before == ()
    assert len((await ask(h)).deleted or ()) == 1


async def test_nobody_is_said_only_when_everybody_was_looked_at(h: House) -> None:
    """Before the scan "nobody known so far", after it "nobody", a week later no longer."""
    question = c.WhoHas("+1 206 555 0150", "check")
    reader = Reader(AMIR, roles=frozenset({Role.AUDITOR}))

    async def said() -> str:
        return cards.draw(await h.desk.handle(question, h.envelope(AMIR)), reader).text

    assert "Nobody known so far" in await said()
    await scan_all(h)
    assert "Nobody has it" in await said()
    assert "100 %" in await said()
    h.clock.pass_by(days=8)
    assert "Nobody known so far" in await said()


async def test_a_scan_reads_everybody_at_its_pace(h: House) -> None:
    """Page by page, no faster than told, everybody once; a day later it begins again."""
    began = h.clock.time
    await scan_all(h, scanning(h, per_minute=6))
    people = len(h.directory.people)
    assert h.clock.time - began >= timedelta(minutes=people / 6)
    assert (await h.parts.index.coverage()).seen == people
    reads = h.directory.calls.count("people_page")
    await scanning(h).step()
    assert h.directory.calls.count("people_page") == reads
    h.clock.time = began + EVERY
    await scanning(h).step()
    assert h.directory.calls.count("people_page") == reads + 1


async def test_a_scan_goes_on_after_a_crash(h: House) -> None:
    """Another process goes on at the page where the first stopped, once its lease has ended."""
    first = scanning(h)
    h.clock.time += await first.step()
    h.clock.time += await first.step()
    read = (await h.parts.index.coverage()).seen
    assert 0 < read < len(h.directory.people)
    second = scanning(h, worker="w2")
    before = h.directory.calls.count("people_page")
    await second.step()
    assert h.directory.calls.count("people_page") == before  # the lease of the first is alive
    h.clock.pass_by(minutes=6)
    await scan_all(h, second)
    pages = h.directory.calls.count("people_page")
    assert pages == len(h.directory.people)  # one each at this pace: no page was read twice
    assert (await h.parts.index.coverage()).is_whole(h.clock.time)


async def test_a_scan_waits_for_the_directory_and_the_store(h: House) -> None:
    """What could not be read or kept is read again: no page is skipped."""
    scan = scanning(h)
    h.directory.fail("phones_of_many", Fault.UNAVAILABLE, retry_after=timedelta(minutes=7))
    began = h.clock.time
    await scan.step()
    h.clock.time = began + timedelta(minutes=6)
    await scan.step()
    assert h.directory.calls.count("phones_of_many") == 1
    await scan_all(h, scan)
    assert (await h.parts.index.coverage()).percent == 100


class Failing:
    """The store, whose one method fails the first `times`."""

    def __init__(self, store: object, method: str, times: int = 1) -> None:
        self._store, self._method, self._left = store, method, times

    def __getattr__(self, name: str) -> object:
        return self._fail if name == self._method and self._left > 0 else getattr(self._store, name)

    async def _fail(self, *given: object) -> None:
        self._left -= 1
        raise StoreUnavailable("down")


async def test_a_page_that_could_not_be_kept_is_read_again(h: House) -> None:
    """The store was out of reach for a moment: the scan does not go on without those people."""
    noted = NumberIndex(Failing(h.store, "note_numbers"), KEY, h.clock, h.tally)  # type: ignore[arg-type]
    directory = IndexedDirectory(h.directory, noted)
    scan = Scanning(h.directory, directory, h.store, noted, h.clock, "w1", 6)  # type: ignore[arg-type]
    await scan.step()
    assert (await noted.coverage()).seen == 0
    h.clock.pass_by(minutes=1)
    await scan_all(h, scan)
    assert (await noted.coverage()).percent == 100


async def test_no_audit_no_answer(h: House) -> None:
    """When the question cannot be recorded, nobody is told who has the number."""
    parts = replace(h.parts, store=Failing(h.store, "append_audit"))  # type: ignore[arg-type]
    actor = Actor(h.directory.people[AMIR], frozenset({Role.AUDITOR}))
    with pytest.raises(StoreUnavailable):
        await Asking(parts).answer(QUESTION, actor, h.envelope(AMIR))
    assert await asked(h) == []


async def test_after_a_scan_nobody_is_older_than_its_beginning(h: House) -> None:
    """Who was looked at shortly before is looked at again: the age that is told is true."""
    await h.parts.directory.phones(ALICE)
    h.clock.pass_by(minutes=5)
    began = h.clock.time
    await scan_all(h)
    oldest = (await h.parts.index.coverage()).oldest
    assert oldest is not None
    assert oldest >= began
    assert h.directory.calls.count("phones_of_many") == len(h.directory.people)


async def test_a_scan_forgets_whoever_is_not_listed_any_more(h: House) -> None:
    """A number of a deleted account does not stay in the index."""
    await scan_all(h)
    del h.directory.people[ALICE]
    h.clock.pass_by(days=1)
    await scan_all(h)
    coverage = await h.parts.index.coverage()
    assert (coverage.seen, coverage.percent) == (len(h.directory.people), 100)
    assert await h.parts.index.holders(HELD) == ()


async def test_one_more_known_holder_than_allowed(h: House) -> None:
    """Refused with how many, naming nobody; an office phone and the target's own do not count."""
    await scan_all(h)
    refusal = await shared_number(h.parts, HELD, Slot.MOBILE, NED)
    assert refusal is not None
    assert (refusal.code, dict(refusal.facts)) == ("policy.number-shared", {"count": "1", "most": "1"})
    assert await shared_number(h.parts, HELD, Slot.MOBILE, ALICE) is None
    assert await shared_number(h.parts, HELD, Slot.OFFICE, NED) is None
    h.directory.phones_of[ALICE] = {Slot.OFFICE: HELD}
    assert await shared_number(h.parts, HELD, Slot.MOBILE, NED) is None


async def test_the_limit_is_the_policys(tmp_path: Path) -> None:
    """Two may share when two are allowed; 0 asks for nothing."""
    for most, expected in ((2, None), (1, "policy.number-shared"), (0, None)):
        folder = tmp_path / str(most)
        folder.mkdir()
        async with house(folder, rules=rules(shared_number_max=most)) as h:
            await scan_all(h)
            refusal = await shared_number(h.parts, HELD, Slot.ALTERNATE, NED)
            assert (refusal.code if refusal else None) == expected


async def test_an_incomplete_index_is_a_signal_never_a_refusal(h: House) -> None:
    """Nobody known, not everybody seen: said to be incomplete. A store out of reach is the same."""
    assert await shared_number(h.parts, HELD, Slot.MOBILE, NED) is None
    assert not (await other_holders(h.parts, HELD, Slot.MOBILE, NED)).complete
    await h.store.close()
    assert not (await other_holders(h.parts, HELD, Slot.MOBILE, NED)).complete


class Book:
    """Counts what is written; down = nothing can be kept."""

    def __init__(self) -> None:
        self.batches: list[list[Sighting]] = []
        self.down = False

    async def note_numbers(self, sightings: Sequence[Sighting]) -> None:
        if self.down:
            raise StoreUnavailable("down")
        self.batches.append(list(sightings))


def index(book: Book, clock: HandClock) -> NumberIndex:
    return NumberIndex(book, KEY, clock, Tally())  # type: ignore[arg-type]  # only what is written matters here


async def test_nothing_is_written_while_nothing_changes() -> None:
    """A hundred looks are one write; a change, a renewed look after an hour and a forced one are written."""
    book, clock, alice = Book(), HandClock(), FakeDirectory(Person(ALICE, "A", "a@x"))
    noted = index(book, clock)
    alice.phones_of[ALICE] = {Slot.MOBILE: HELD}
    for _ in range(100):
        noted.saw(ALICE, await alice.phones(ALICE))
        await noted.settle()
    assert len(book.batches) == 1
    for _ in range(2):
        clock.time += SAME_FOR
        noted.saw(ALICE, await alice.phones(ALICE))
        await noted.settle()
    assert len(book.batches) == 3
    alice.set_phone(ALICE, Slot.MOBILE, None)
    noted.saw(ALICE, await alice.phones(ALICE))
    await noted.settle()
    assert [dict(each.held) for each in book.batches[-1]] == [{}]


async def test_a_store_out_of_reach_fails_no_read(caplog: pytest.LogCaptureFixture) -> None:
    """What could not be kept is lost and counted, and noted again at the next look."""
    book, clock, alice = Book(), HandClock(), FakeDirectory(Person(ALICE, "A", "a@x"))
    noted = index(book, clock)
    book.down = True
    with caplog.at_level(logging.WARNING):
        noted.saw(ALICE, await alice.phones(ALICE))
        await noted.settle()
    assert noted.lost == 1
    book.down = False
    noted.saw(ALICE, await alice.phones(ALICE))
    await noted.settle()
    assert len(book.batches) == 1
    assert ALICE not in caplog.text


def test_one_key_for_every_spelling_of_a_line() -> None:
    """A trunk zero and an extension make no other number; another key and another number do."""
    plain = index_key(KEY, PhoneNumber("44", "7700900123"))
    assert plain == index_key(KEY, PhoneNumber("44", "07700900123"))
    assert plain == index_key(KEY, PhoneNumber("44", "7700900123", "12"))
    assert len({plain, index_key(b"o" * 32, PhoneNumber("44", "7700900123")), index_key(KEY, HELD)}) == 3
    assert index_key(KEY, PhoneNumber("?", "0770")) != index_key(KEY, PhoneNumber("?", "0771"))


async def test_no_clear_number_is_kept_or_logged(h: House, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the files of the database nor the log hold the digits, nor their plain hash."""
    with caplog.at_level(logging.DEBUG):
        await scan_all(h)
        await ask(h)
        await ask(h, c.WhoHas("+1 206 555 0177", "call +1 206 555 0177"))
    clear = [
        f"{n}" for n in ("2065550112", "12065550112", "2065550177", "12065550177", "555 0112", "555 0177")
    ]
    forms = [text.encode() for text in clear]
    forms += [base64.b64encode(text.encode()).rstrip(b"=") for text in clear]
    forms += [hashlib.sha256(text.encode()).hexdigest()[:32].encode() for text in (*clear, "+1 2065550112")]
    for file in h.path.glob("ringfence.db*"):
        body = file.read_bytes()
        assert [form for form in forms if form in body] == [], file
    assert [text for text in clear if text in caplog.text] == []
    assert MARTA not in caplog.text


async def test_the_worker_drives_the_scan_until_it_stops(h: House) -> None:
    """Step after step; stopping does not wait for the next."""
    steps: list[int] = []
    enough = asyncio.Event()

    async def step() -> timedelta:
        steps.append(len(steps))
        if len(steps) >= 2:
            enough.set()
            return timedelta(hours=1)
        return timedelta()

    jobs = Jobs(h.desk, h.store, h.messenger, h.clock, h.tally, "w", check_skew=False, chores=(step,))
    running = asyncio.create_task(jobs.run())
    await asyncio.wait_for(enough.wait(), 5)
    jobs.stop()
    await asyncio.wait_for(running, 5)
    assert steps == [0, 1]
