"""Batches from a file to its result, over HTTP, as people have them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager

import pytest
from stage import Stage

from bot.domain import command as c
from bot.domain import outcome as o
from bot.errands import run_file
from bot.settings.policy_file import load_policy
from bot.settings.problems import Refused
from bot.workflow.parts import Envelope

Open = Callable[..., AbstractAsyncContextManager[Stage]]
DOMAIN = "contoso.example"


def person(n: int) -> str:
    return f"p{n:05}@{DOMAIN}"


def number(n: int) -> str:
    """A number of its own for each row."""
    return f"+1 212 {200 + n // 10_000:03} {n % 10_000:04}"


def upn(stage: Stage, who: str) -> str:
    return str(stage.world["people"][who]["upn"])


def sheet(rows: Iterable[tuple[str, ...]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([("user", "slot", "number", "reason", "ticket"), *rows])
    return out.getvalue().encode()


async def planned(stage: Stage, content: bytes, who: str = "bruno") -> o.Preview:
    """The plan of a file, as whoever sent it gets it."""
    envelope = Envelope(stage.oid(who), f"files-{who}", f"file-{len(content)}", "hash", "abcdefghijkl")
    outcome = await stage.parts.desk.handle(c.BulkFile("phones.csv", content), envelope)
    assert isinstance(outcome, o.Preview), outcome
    return outcome


async def approved(stage: Stage, plan: o.Preview, who: str = "bruno") -> str:
    """Submitted by its requester and agreed to by two approvers, in the chat; the printed id."""
    printed = plan.view.change.printed_id
    await stage.ask(who, f"submit {printed}")
    for approver in ("arthur", "astrid"):
        await stage.ask(approver, f"approve {printed}")
    return printed


async def test_a_file_becomes_a_plan_is_agreed_to_by_two_and_carried_out(stage: Stage) -> None:
    """Only what is clear runs, after two approvers; each row is a change of its own, audited and told."""
    await stage.say("bruno", "hi")
    rows = [("nobody@contoso.example", "mobile", "+1 212 555 0102")]
    people = ((10, "alice"), (11, "fay"), (12, "tessa"), (13, "pia"))
    rows += [(upn(stage, who), "mobile", f"+1 212 555 01{n}") for n, who in people]
    plan = await planned(stage, sheet((*row, "new phones", "INC1") for row in rows))
    assert plan.view.batch is not None
    assert {bucket.value: n for bucket, n in plan.view.batch.batch.buckets.items()} == {
        "new": 1,
        "overwrite": 2,
        "protected": 1,
        "not-found": 1,
    }
    printed = plan.view.change.printed_id
    await stage.ask("bruno", f"submit {printed}")
    await stage.ask("arthur", f"approve {printed}")
    assert await stage.effects() == []
    asked = await stage.ask("astrid", "approvals")
    assert printed in asked
    assert "phones.csv: 1 of 5 rows" in asked
    await stage.ask("astrid", f"approve {printed}")
    await stage.ends_with(
        ("fay", "mobile", "+1 2125550111"),
        audited=(
            "batch:planned",
            "batch:submitted",
            "batch:approved",
            "batch:started",
            "change:mobile:applied",
        ),
    )
    assert "The one change is done" in await stage.ask("bruno", f"status {printed}")
    assert "+1 •••••• 11" in await stage.all_text("fay")


async def test_nobody_else_approves_and_what_is_in_the_way_may_be_overwritten(stage: Stage) -> None:
    """The requester and one approver alone decide nothing; the mode is part of the plan."""
    await stage.say("bruno", "hi")
    rows = [(upn(stage, who), "mobile", f"+1 212 555 01{n}") for n, who in ((10, "alice"), (12, "arthur"))]
    plan = await planned(stage, sheet(rows))
    printed = plan.view.change.printed_id
    chosen = await stage.ask("bruno", f"bulk overwrite {printed}")
    assert "overwritten" in chosen
    fresh = [word for word in chosen.split() if word.startswith("R-") and word != printed][-1]
    await stage.ask("bruno", f"submit {fresh}")
    assert "access.own-request" in await stage.ask("bruno", f"approve {fresh}")
    for approver in ("astrid", "astrid"):
        await stage.ask(approver, f"approve {fresh}")
    assert await stage.effects() == []
    await stage.ask("anselm", f"approve {fresh}")
    await stage.ends_with(("alice", "mobile", "+1 2125550110"))


async def test_a_refused_row_is_tried_again_alone_and_the_batch_is_undone(stage: Stage) -> None:
    """The run waits when one of its first rows is refused; going on, trying again and undoing are said in the
    chat, and each row is written once each time.
    """
    await stage.say("bruno", "hi")
    people = [
        await stage.control("POST", "people", {"alias": f"row{n}", "manager": "marta"}) for n in range(8)
    ]
    plan = await planned(
        stage, sheet((p["upn"], "mobile", f"+1 646 555 01{n:02}") for n, p in enumerate(people))
    )
    refused = {"kind": "status", "status": 400, "code": "badRequest", "message": "Not this one."}
    await stage.fault(**refused, verb="POST", path=f"{people[2]['oid']}/authentication/phoneMethods", times=1)
    printed = await approved(stage, plan)
    await stage.settle()
    shown = await stage.ask("bruno", f"status {printed}")
    assert "The run waits after its first rows" in shown
    assert len(await stage.effects()) == 4
    assert "access.not-allowed" in await stage.ask("omar", f"resume {printed}")
    await stage.ask("bruno", f"resume {printed}")
    await stage.settle()
    assert "1 rows were not carried out" in await stage.ask("bruno", f"status {printed}")
    assert len(await stage.effects()) == 7
    await stage.ask("bruno", f"retry {printed}")
    await stage.settle()
    assert "All 8 changes are done" in await stage.ask("bruno", f"status {printed}")
    assert sorted(e["oid"] for e in await stage.effects()) == sorted(p["oid"] for p in people)
    back = await stage.ask("bruno", f"undo {printed}")
    assert "Undo 8 rows of a batch" in back
    undo = next(word for word in back.split() if word.startswith("R-") and word != printed)
    await stage.ask("bruno", f"submit {undo}")
    for approver in ("arthur", "astrid"):
        await stage.ask(approver, f"approve {undo}")
    await stage.settle()
    effects = (await stage.effects())[8:]
    assert sorted((e["oid"], e["method"]) for e in effects) == sorted((p["oid"], "DELETE") for p in people)
    assert (await stage.parts.store.verify_audit()).bad == ()


async def test_a_run_is_held_and_ended_in_the_chat(opened: Open) -> None:
    """While it is held nothing is sent; ended, what was not begun never runs, and no number of it is kept."""
    async with opened(works=False) as stage:
        await stage.say("bruno", "hi")
        people = [await stage.control("POST", "people", {"alias": f"row{n}"}) for n in range(7)]
        rows = [(p["upn"], "mobile", f"+1 646 555 01{n:02}") for n, p in enumerate(people)]
        printed = await approved(stage, await planned(stage, sheet(rows)))
        await stage.parts.jobs._changes.round()
        await stage.wait_for(lambda: _written(stage, 5))
        await stage.ask("bruno", f"pause {printed}")
        await stage.settle()
        held = await stage.ask("bruno", f"status {printed}")
        assert "holds the run" in held
        before = len(await stage.effects())
        await stage.later(minutes=5)
        assert len(await stage.effects()) == before
        await stage.ask("bruno", f"cancel {printed}")
        await stage.settle()
        assert "ended the run" in await stage.ask("bruno", f"status {printed}")
        assert len(await stage.effects()) == before
        rows_kept = await stage.sql("SELECT count(*) FROM batch_rows WHERE sealed IS NOT NULL OR waiting")
        assert rows_kept == [(0,)]


async def _written(stage: Stage, count: int) -> bool:
    return len(await stage.effects()) >= count


async def test_the_command_line_submits_a_file(opened: Open) -> None:
    """Beside a bot on the same file it is refused; without one approvers are asked, and the bot goes on."""
    async with opened() as stage:
        await stage.say("bruno", "hi")
        policy = load_policy(stage.settings.policy_file)
        content = sheet([(upn(stage, "fay"), "mobile", "+1 646 555 0123")])
        with pytest.raises(Refused):
            await run_file(stage.settings, policy, upn(stage, "bruno"), "phones.csv", content, None)
        await stage.end()
        lines = await run_file(stage.settings, policy, upn(stage, "bruno"), "phones.csv", content, None)
        assert "1 of 1 rows wait for approval" in lines[0]
        await stage.begin()
        printed = lines[0].split(":")[0]
        for approver in ("arthur", "astrid"):
            await stage.ask(approver, f"approve {printed}")
        await stage.settle()
        assert [e["after"] for e in await stage.effects()] == ["+1 6465550123"]
