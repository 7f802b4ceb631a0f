"""Files of ours: what is in them stays text, in Excel's format and in CSV, however hostile (attack F6)."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest
from openpyxl import load_workbook

from bot.domain.sheets import FileKind, FileTable
from bot.sheets.caps import Caps, Unfit
from bot.sheets.process import ChildSheets
from bot.sheets.reading import read
from bot.sheets.writing import harmless, template, write

HOSTILE = (
    '=HYPERLINK("http://evil.example","ok")',
    "+1 •••••• 00",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "a;=cmd|' /C calc'!A0",
    "a,\n=1+1",
    "=1+1\x00",
    "＝1+1",
)
HARMLESS = ("alice@contoso.com", "Umzug; Raum 4", "a - b", "x=1", "", "INC-1", "2026-03-01")


def table(*texts: str) -> FileTable:
    return FileTable("Plan: R-7K2Q9M [1/2]", ("what", "why"), tuple((text, text) for text in texts))


def cells_in_csv(content: bytes, separator: str) -> list[str]:
    text = content.decode("utf-8-sig")
    return [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) for cell in row]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_a_workbook_is_a_formula(text: str):
    """Opened again every cell is a text, and the format says so too; nothing is lost."""
    book = load_workbook(io.BytesIO(write(table(text), FileKind.XLSX)))
    cell = book.worksheets[0]["A2"]
    assert (cell.data_type, cell.number_format) == ("s", "@")
    assert cell.value == text.replace("\x00", "\ufffd").replace("\r", "\n")


def test_a_workbook_of_ours_holds_no_formula_at_all():
    """In the markup itself."""
    content = write(table(*HOSTILE), FileKind.XLSX)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")


def test_a_workbook_of_ours_is_what_readers_expect():
    """Title, bold headings that stay in sight, texts as they are, with blanks and look-alikes of escapes."""
    texts = ("  blanks ", "_x0041_", "<&>\"'", "two\nlines", "x" * 40_000, "")
    book = load_workbook(io.BytesIO(write(table(*texts), FileKind.XLSX)))
    sheet = book.worksheets[0]
    assert sheet.title == "Plan  R-7K2Q9M  1 2"
    assert sheet.freeze_panes == "A2"
    assert sheet["A1"].font.b
    assert [sheet.cell(n, 1).value for n in (2, 4, 5)] == ["  blanks ", "<&>\"'", "two\nlines"]
    assert (len(str(sheet["A6"].value)), sheet["A7"].value) == (32_767, None)
    columns = ("user", "slot", "number", "reason")
    made = write(FileTable("t", columns, (("_x0041_", "mobile", "+1 202 555 0123", "why"),)), FileKind.XLSX)
    assert read("a.xlsx", made, Caps())[0].texts[0] == "_x0041_"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_a_csv_begins_like_a_formula(text: str, separator: str):
    """Not even when the file is opened where another separator is usual, so that cells are cut elsewhere."""
    for cell in cells_in_csv(write(table(text), FileKind.CSV), separator):
        assert not cell.lstrip(' "').startswith(("=", "+", "-", "@", "\t", "\r", "＝"))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_stays_as_it_is(text: str):
    """An apostrophe stands only where it must."""
    assert harmless(text) == text


@pytest.mark.parametrize("kind", FileKind)
def test_the_template_is_read_and_its_example_is_a_remark(kind: FileKind):
    """Sent as it is, it holds no rows; a row typed under the example is read."""
    content = template(kind)
    with pytest.raises(Unfit) as caught:
        read(f"t.{kind}", content, Caps())
    assert caught.value.refusal.code == "usage.file-empty"
    if kind is FileKind.XLSX:
        book = load_workbook(io.BytesIO(content))
        sheet = book.worksheets[0]
        assert sheet.column_dimensions["C"].number_format == "@"
        sheet.append(["bob@contoso.com", "office", "+1 202 555 0188"])
        out = io.BytesIO()
        book.save(out)
        content = out.getvalue()
    else:
        content += b"bob@contoso.com,office,+1 202 555 0188\r\n"
    (line,) = read(f"t.{kind}", content, Caps())
    assert line.texts[:3] == ("bob@contoso.com", "office", "+1 202 555 0188")
    assert line.problem is None


@pytest.mark.parametrize("kind", FileKind)
async def test_a_file_of_ours_is_written_by_a_child_and_read_back(kind: FileKind):
    """Through the port, as the workflow does it."""
    sheets = ChildSheets()
    rows = tuple((f"u{n}@contoso.com", "mobile", f"+1 202 555 {n:04d}") for n in range(50))
    content = await sheets.write(FileTable("t", ("user", "slot", "number"), rows), kind)
    sheet = await sheets.read(f"a.{kind}", content)
    assert tuple((row.who, row.slot, row.number) for row in sheet.rows) == rows
    assert [row.line for row in sheet.rows] == list(range(2, 52))
    assert await sheets.template(kind) == await sheets.template(kind) or kind is FileKind.XLSX
