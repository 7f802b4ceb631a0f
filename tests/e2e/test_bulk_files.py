"""A file from the chat to its plan, over HTTP: the template, the upload, what is fetched, what is refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from leaks import Clear, found
from openpyxl import load_workbook
from stage import Stage

from bot.domain.sheets import FileKind
from bot.questions import NoQuestion, plan_of_file
from bot.settings.policy_file import load_policy
from bot.settings.problems import Refused

Opened = Callable[..., AbstractAsyncContextManager[Stage]]
BULK = "bruno"
HEAD = "user,slot,number,reason,ticket\r\n"
FAY = "+1 212 555 0111"


def csv_of(*rows: str) -> bytes:
    return (HEAD + "\r\n".join(rows)).encode()


def row(stage: Stage, who: str, number: str = FAY) -> str:
    return f"{stage.world['people'][who]['upn']},mobile,{number},new phone,INC1"


async def fetched(stage: Stage) -> list[dict[str, Any]]:
    """What was asked of people's drives."""
    return [each for each in await stage.requests("files") if each["verb"] == "GET"]


async def test_from_the_template_to_the_plan_without_reading_docs(stage: Stage) -> None:
    """The template comes as a file, is filled in by a spreadsheet program, sent back, and becomes a plan."""
    said = await stage.ask(BULK, "bulk")
    assert "template" in said.lower()
    await stage.consent(BULK)
    (file,) = await stage.drive(BULK)
    assert file["name"] == "phones.xlsx"
    book = load_workbook(io.BytesIO(file["content"]))
    book.worksheets[0].append([stage.world["people"]["fay"]["upn"], "mobile", FAY, "new phone", "INC1"])
    out = io.BytesIO()
    book.save(out)
    await stage.upload(BULK, "phones.xlsx", out.getvalue())
    said = await stage.text(BULK)
    assert "R-" in said
    assert "1" in said
    assert FAY not in said
    (seen,) = await fetched(stage)
    assert seen["details"] == {"authorization": False}
    await stage.ends_with(audited=("batch:planned",))


async def test_a_file_goes_through_the_whole_chat(stage: Stage) -> None:
    """Upload, submit, two approvals, one write; nobody leaves the chat."""
    await stage.upload(BULK, "phones.csv", csv_of(row(stage, "fay")))
    await stage.click(BULK, "Submit for approval")
    await stage.settle()
    for approver in ("arthur", "astrid"):
        await stage.ask(approver, "approvals")
        card = await stage.card_with(approver, "Approve")
        await stage.click(approver, "Approve", activity_id=card["activity_id"])
        await stage.settle()
    await stage.ends_with(("fay", "mobile", "+1 2125550111"))


async def rows_of(stage: Stage, who: str) -> list[dict[str, str]]:
    """The newest file in somebody's drive, as rows by heading."""
    text = (await stage.drive(who))[-1]["content"].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


async def test_the_plan_and_the_result_come_as_files(stage: Stage) -> None:
    """Row by row, masked, for the requester and for those who decide; nobody else gets them."""
    spoilt = f"{stage.world['people']['tessa']['upn']},mobile,4.4E+11,x,"
    content = csv_of(row(stage, "fay"), spoilt, "nobody@contoso.example,mobile,+1 212 555 0199,,")
    await stage.upload(BULK, "phones.csv", content)
    printed = stage.printed_id(await stage.newest(BULK))
    assert "plan-" in await stage.ask(BULK, f"file {printed} csv")
    await stage.consent(BULK)
    plan = await rows_of(stage, BULK)
    assert [(each["line"], each["plan"], each["changes"]) for each in plan] == [
        ("2", "new", "yes"),
        ("3", "invalid", "no"),
        ("4", "not-found", "no"),
    ]
    assert plan[0]["after"] == "'+1 •••••• 11"
    assert plan[1]["code"] == "usage.number-exponent"
    await stage.ask(BULK, f"submit {printed}")
    await stage.ask("arthur", f"file {printed} csv")
    await stage.consent("arthur")
    assert len(await rows_of(stage, "arthur")) == 3
    for approver in ("arthur", "astrid"):
        await stage.ask(approver, f"approve {printed}")
    await stage.settle()
    await stage.click(BULK, "Row by row, as a file")
    await stage.consent(BULK)
    assert "1 of 1 before, 0 now" in await stage.ask(BULK, f"file {printed} csv")
    await stage.consent(BULK)
    result = await rows_of(stage, BULK)
    assert (result[0]["result"], result[0]["request"][:2]) == ("applied", "R-")
    everything = b"".join(file["content"] for file in await stage.drive(BULK))
    assert b"2125550111" not in everything.replace(b" ", b"")
    assert "usage.request-unknown" in await stage.ask("mallory", f"file {printed}")
    await stage.ends_with(("fay", "mobile", "+1 2125550111"))


async def test_what_is_wrong_in_the_file_is_named(stage: Stage) -> None:
    """Files that are no plain lists, and rows that a spreadsheet has spoilt, each with a way out."""
    for name, content, code in (
        ("phones.xlsx", csv_of(row(stage, "fay")), "usage.file-renamed"),
        ("phones.pdf", b"%PDF-1.7", "usage.file-kind"),
        ("phones.csv", b"who,what\r\na,b", "usage.file-headings"),
        ("phones.csv", csv_of(), "usage.file-empty"),
    ):
        await stage.upload(BULK, name, content)
        assert code in await stage.text(BULK), name
    await stage.ends_with()


async def test_nothing_is_fetched_for_somebody_who_may_not_send_files(stage: Stage) -> None:
    """The drive sees no request, and the refusal is the same as for any command."""
    for who in ("olivia", "alice", "gina"):
        await stage.upload(who, "phones.csv", csv_of(row(stage, "fay")))
    assert "access." in await stage.text("olivia")
    assert await fetched(stage) == []
    await stage.ends_with()


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://contoso.sharepoint.com/x",
        "http://10.0.0.1/x",
        "file:///etc/passwd",
        "http://127.0.0.1@evil.example/",
        "",
    ],
)
async def test_a_link_that_leads_elsewhere_is_not_followed(stage: Stage, url: str) -> None:
    """F7: a sandbox fetches from this machine only, as an installation fetches from SharePoint only."""
    await stage.upload(BULK, "phones.csv", csv_of(row(stage, "fay")), url=url or " ")
    assert "policy.file-host" in await stage.text(BULK)
    assert await fetched(stage) == []


async def test_a_drive_that_fails_is_told(stage: Stage) -> None:
    """F8: gone, broken off: the file can be sent again, and then it works."""
    for fault, code in (
        ({"kind": "status", "status": 404}, "conflict.file-gone"),
        ({"kind": "reset", "times": None}, "internal.file-broke-off"),
    ):
        await stage.fault(server="files", **fault)
        await stage.upload(BULK, "phones.csv", csv_of(row(stage, "fay")))
        assert code in await stage.text(BULK)
        await stage.heal()
    await stage.upload(BULK, "phones.csv", csv_of(row(stage, "fay")))
    assert "R-" in await stage.text(BULK)


async def test_two_files_in_one_message_are_one_too_many(stage: Stage) -> None:
    """Each plan has a decision of its own."""
    await stage.upload(BULK, "phones.csv", csv_of(row(stage, "fay")), copies=2)
    assert "usage.one-file" in await stage.text(BULK)
    assert await fetched(stage) == []


async def test_what_is_offered_where_teams_takes_no_files_is_said(stage: Stage) -> None:
    """The answer stands, and how else to get the file is told in words."""
    await stage.say(BULK, "hi")
    await stage.fault(server="teams", kind="status", status=403, verb="POST", path="activities", skip=1)
    await stage.ask(BULK, "bulk")
    said = await stage.text(BULK)
    assert "usage.file-not-taken" in said
    assert "command line" in said


async def test_an_answer_that_takes_long_offers_its_file_later(opened: Opened) -> None:
    """The turn ends with a sign, the card follows in its place, then the offer."""
    async with opened(turn_seconds=0.05) as stage:
        await stage.fault(kind="latency", ms=300, path="userRegistrationDetails")
        await stage.ask("audra", "report", at_once=True)
        await stage.settle()
        said = await stage.all_text("audra")
        assert "Sign-in methods of" in said
        assert "[file offered] sign-in-methods-" in said


async def test_no_number_of_a_file_is_left_behind(stage: Stage) -> None:
    """F13: while a plan waits and when it is over, no disk, database, log or chat holds one in clear."""
    numbers = [Clear.read(each) for each in ("+1 2125550111", "+1 2125550112", "+1 2125550113")]
    rows = (row(stage, "fay"), row(stage, "tessa", "+1 212 555 0112"), row(stage, "pia", "+1 212 555 0113"))
    for end in ("cancel", "run"):
        await stage.upload(BULK, "phones.csv", csv_of(*rows))
        printed = stage.printed_id(await stage.newest(BULK))
        await stage.ask(BULK, f"file {printed}")
        await stage.consent(BULK)
        assert left_behind(stage, numbers) == []
        if end == "cancel":
            await stage.ask(BULK, f"cancel {printed}")
            continue
        await stage.ask(BULK, f"submit {printed}")
        for approver in ("arthur", "astrid"):
            await stage.ask(approver, f"approve {printed}")
        await stage.settle()
    assert left_behind(stage, numbers) == []
    sent = json.dumps(await stage.sent()).encode()
    assert found(numbers, sent) == []
    for who in (BULK, "arthur", "astrid"):
        assert found(numbers, b"".join(each["content"] for each in await stage.drive(who))) == []


def left_behind(stage: Stage, numbers: list[Clear]) -> list[str]:
    """What the bot has on disk: database, log, whatever else."""
    log = json.dumps(stage.log_lines()).encode()
    files = [each.read_bytes() for each in stage.state.rglob("*") if each.is_file()]
    return [hit for text in (log, *files) for hit in found(numbers, text)]


async def test_the_command_line_plans_without_asking(stage: Stage) -> None:
    """The same buckets beside the running bot; nothing is stored, asked for or written."""
    policy = load_policy(stage.settings.policy_file)
    content = csv_of(row(stage, "fay"), row(stage, "tessa", "4.4E+11"))
    asker = stage.world["people"][BULK]["upn"]
    lines, made = await plan_of_file(stage.settings, policy, asker, "phones.csv", content, FileKind.CSV)
    assert lines[0].startswith("1 of 2 rows would change a phone")
    assert "1 invalid" in lines
    plan = list(csv.DictReader(io.StringIO(made.decode("utf-8-sig"))))
    assert [each["code"] for each in plan] == ["", "usage.number-exponent"]
    with pytest.raises(Refused) as caught:
        await plan_of_file(stage.settings, policy, asker, "phones.xlsx", content, None)
    assert caught.value.problems[0].where == "usage.file-renamed"
    with pytest.raises(NoQuestion):
        await plan_of_file(stage.settings, policy, "nobody@contoso.example", "phones.csv", content, None)
    assert await stage.audit_names() == []
    await stage.ends_with()


async def test_a_message_delivered_twice_makes_one_plan(stage: Stage) -> None:
    """Teams sends again what it thinks was lost."""
    await stage.upload(BULK, "phones.csv", csv_of(row(stage, "fay")), redeliver=1)
    assert (await stage.audit_names()).count("batch:planned") == 1
