"""`report` through the whole house: read from Graph within its limits, shown as counts, given as a file."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from openpyxl import load_workbook
from stage import Stage

from bot.domain.sheets import FileKind
from bot.questions import registration_report
from bot.settings.problems import Refused

AUDITOR = "audra"


async def taken(stage: Stage, who: str) -> dict[str, Any]:
    """The newest file that was offered, taken."""
    await stage.consent(who)
    (file,) = await stage.drive(who)
    return file


async def test_the_report_counts_people_and_hands_over_a_file(stage: Stage) -> None:
    """Counts on the card; everybody by name in a workbook, after the person agreed; no number anywhere."""
    said = await stage.ask(AUDITOR, "report")
    assert "Sign-in methods of" in said
    assert "have no method at all" in said
    assert "Password reset" in said
    offered = await stage.text(AUDITOR)
    assert "[file offered] sign-in-methods-" in offered
    file = await taken(stage, AUDITOR)
    assert file["name"].endswith(".xlsx")
    sheet = load_workbook(io.BytesIO(file["content"])).worksheets[0]
    rows = [[str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    assert rows[0][:3] == ["department", "name", "user"]
    assert any("alice@contoso.example" in row for row in rows)
    assert "[file] sign-in-methods-" in await stage.all_text(AUDITOR)
    assert "[file offered]" not in await stage.all_text(AUDITOR)
    await stage.ends_with(audited=("report:coverage:asked", "report:coverage:asked"))


async def test_the_report_comes_as_csv_too(stage: Stage) -> None:
    """For programs; the report itself is not read again within a quarter of an hour."""
    await stage.ask(AUDITOR, "report csv")
    file = await taken(stage, AUDITOR)
    text = file["content"].decode("utf-8-sig")
    assert next(csv.reader(io.StringIO(text)))[0] == "department"
    asked = [each for each in await stage.requests() if "userRegistrationDetails" in each["route"]]
    assert len(asked) == 1


async def test_a_file_that_is_declined_goes_nowhere(stage: Stage) -> None:
    """The offer disappears, and nothing is uploaded."""
    await stage.ask(AUDITOR, "report")
    await stage.consent(AUDITOR, False)
    assert await stage.drive(AUDITOR) == []
    assert "[file offered]" not in await stage.all_text(AUDITOR)


async def test_rights_count_when_the_file_is_taken(stage: Stage) -> None:
    """Who lost the role between the offer and the click gets a refusal and no file."""
    await stage.ask(AUDITOR, "report")
    await stage.leave("auditor", AUDITOR)
    await stage.consent(AUDITOR)
    assert await stage.drive(AUDITOR) == []
    assert "access.not-allowed" in await stage.text(AUDITOR)


async def test_what_the_offer_carries_gives_no_more_than_a_file(stage: Stage) -> None:
    """A forged consent says no other command, and leads nowhere but to this machine's drive."""
    await stage.ask(AUDITOR, "report")
    for context in ({"v": 1, "command": "freeze alice because x"}, {"v": 2}, {}, "report"):
        await stage.consent(AUDITOR, context=context, activity_id=await offer(stage))
        assert "usage.file-not-offered" in await stage.text(AUDITOR)
        await stage.ask(AUDITOR, "report")
    await stage.consent(AUDITOR, url="http://169.254.169.254/upload")
    assert "policy.file-host" in await stage.text(AUDITOR)
    assert await stage.drive(AUDITOR) == []


async def offer(stage: Stage) -> str:
    """The newest message that offers a file."""
    seen = await stage.view(AUDITOR)
    return str(next(each["activity_id"] for each in reversed(seen) if "[file offered]" in each["plain"]))


async def test_a_drive_that_does_not_take_it_is_told(stage: Stage) -> None:
    """With the words that offer it again."""
    await stage.ask(AUDITOR, "report")
    await stage.fault(server="files", kind="status", status=507)
    await stage.consent(AUDITOR)
    said = await stage.text(AUDITOR)
    assert "internal.file-not-sent" in said
    assert "report" in said


async def test_without_a_licence_or_permission_it_says_so(stage: Stage) -> None:
    """Two different causes, each with who can mend it."""
    await stage.control("PATCH", "", {"rules": {"has_p1": False}})
    assert "directory.report-licence" in await stage.ask(AUDITOR, "report")
    granted = set((await stage.control("GET", ""))["permissions"]) - {"AuditLog.Read.All"}
    await stage.control("PATCH", "", {"rules": {"has_p1": True}, "permissions": sorted(granted)})
    assert "directory.report-permission" in await stage.ask(AUDITOR, "report")


async def test_an_operator_may_not_ask(stage: Stage) -> None:
    """A list of people without a second factor is not for everybody."""
    assert "access.not-allowed" in await stage.ask("olivia", "report")
    assert [each for each in await stage.requests() if "userRegistrationDetails" in each["route"]] == []


async def test_the_command_line_gives_the_same(stage: Stage) -> None:
    """Beside the running bot: counts in words, and the file where it was asked for."""
    lines, content = await registration_report(stage.settings, FileKind.CSV)
    assert any(line.startswith("everybody: ") for line in lines)
    assert "alice@contoso.example" in content.decode("utf-8-sig")
    await stage.control("PATCH", "", {"rules": {"has_p1": False}})
    with pytest.raises(Refused) as caught:
        await registration_report(stage.settings, None)
    assert caught.value.problems[0].where == "directory.report-licence"
