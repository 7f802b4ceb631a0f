"""Files made to break their reader: attack group F of the threat model, as far as the file itself goes."""

from __future__ import annotations

import asyncio
import os
import struct
import time
import zipfile
from pathlib import Path

import pytest

from bot.domain.sheets import FileKind, FileTable
from bot.ports.sheets import SheetRefused
from bot.sheets.caps import MIB, Caps, Unfit
from bot.sheets.process import ChildSheets
from bot.sheets.reading import read
from tests.unit.books import SHEET, packed, parts, row_of, sheet_of, with_part, xlsx

SAMPLES = Path(__file__).parent / "samples" / "sheets"
CSV = b"user,slot,number\r\nalice@contoso.com,mobile,+1 202 555 0123\r\n"
HEADINGS = row_of(1, ("user", "slot", "number"))
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FOREIGN = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def refused(name: str, content: bytes) -> str:
    with pytest.raises(Unfit) as caught:
        read(name, content, Caps())
    return caught.value.refusal.code


def lying(content: bytes) -> bytes:
    """The container says of every part that it unpacks to ten bytes."""
    data = bytearray(content)
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 24 : at + 28] = struct.pack("<I", 10)
        at = data.find(b"PK\x01\x02", at + 1)
    return bytes(data)


def locked() -> bytes:
    """A container whose parts say that they need a password."""
    data = bytearray(xlsx())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 1)
    return bytes(data)


def with_macros() -> bytes:
    inside = parts(xlsx())
    plain = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    types = inside["[Content_Types].xml"].replace(
        plain, b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
    )
    return packed({**inside, "[Content_Types].xml": types})


F1 = {
    "one part that unpacks to 198 MB": with_part("xl/media/x.bin", b"\0" * (198 * MIB)),
    "a sheet of 40 MB of nothing": sheet_of(HEADINGS + " " * (40 * MIB)),
    "10,000 parts": packed({**parts(xlsx()), **{f"xl/x{n}.bin": b"" for n in range(10_000)}}),
}


@pytest.mark.parametrize("name", F1)
def test_bombs_are_refused_before_they_are_unpacked(name: str):
    """F1: by the container's own list, in well under a second."""
    before = time.process_time()
    assert refused("a.xlsx", F1[name]) == "usage.file-swollen"
    assert time.process_time() - before < 1


def test_a_container_in_a_container_is_not_opened():
    """F1, nested: what is packed again inside stays packed."""
    content = with_part("xl/media/x.zip", packed({"x": b"\0" * (30 * MIB)}))
    assert len(read("a.xlsx", content, Caps())) == 1


def test_a_container_that_lies_about_its_sizes_gains_nothing():
    """F1: a part ends where its entry says, and then its checksum is wrong."""
    assert refused("a.xlsx", lying(xlsx())) == "usage.file-broken"


@pytest.mark.parametrize(
    "declared", [ENTITIES, FOREIGN, '<!DOCTYPE x SYSTEM "http://169.254.169.254/x.dtd">']
)
@pytest.mark.parametrize(
    "part", [SHEET, "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml", "xl/x.rels"]
)
def test_declared_markup_is_refused_in_every_part(part: str, declared: str):
    """F2: billion laughs, quadratic blow-up, entities from outside: no workbook declares anything."""
    content = parts(xlsx()).get(part, b"<a>&b;</a>").split(b"?>")[-1]
    assert refused("a.xlsx", with_part(part, declared.encode() + content)) == "usage.file-swollen"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.xlsm", xlsx(), "usage.file-macros"),
        ("a.xlsx", with_macros(), "usage.file-macros"),
        ("a.xlsx", with_part("xl/vbaProject.bin", b"x"), "usage.file-macros"),
        ("a.xls", (SAMPLES / "libreoffice.xls").read_bytes(), "usage.file-locked"),
        ("a.xlsx", (SAMPLES / "libreoffice.xls").read_bytes(), "usage.file-locked"),
        ("a.xlsx", locked(), "usage.file-broken"),
        ("a.xlsx", CSV, "usage.file-renamed"),
        ("a.csv", xlsx(), "usage.file-renamed"),
        ("a.xlsx", b"%PDF-1.7 ...", "usage.file-renamed"),
        ("a.csv", b"<html><table>", "usage.file-renamed"),
        ("a.xlsx", packed({"word/document.xml": b"<a/>"}), "usage.file-renamed"),
        ("a.pdf", b"%PDF-1.7 ...", "usage.file-kind"),
        ("a.exe", b"MZ...", "usage.file-kind"),
        ("a.docx", xlsx(), "usage.file-kind"),
        ("a", CSV, "usage.file-kind"),
        ("a.csv", b"user,slot,number\r\n\x81\x8d,mobile,+1", "usage.file-encoding"),
        ("a.csv", CSV + b"\x00" * 20_000, "usage.file-encoding"),
    ],
)
def test_what_is_no_plain_list_is_refused_by_its_inside(name: str, content: bytes, code: str):
    """F3: macros, passwords, the old format, and files whose name lies."""
    assert refused(name, content) == code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (
            sheet_of(HEADINGS + "".join(f'<row r="{n}" s="1"/>' for n in range(2, 1_048_577))),
            "usage.file-rows",
        ),
        (sheet_of(HEADINGS + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), "usage.file-rows"),
        (
            sheet_of(HEADINGS + '<row r="2">' + "".join(f'<c s="{n}"/>' for n in range(16_384)) + "</row>"),
            "usage.file-columns",
        ),
        (sheet_of(HEADINGS + '<row r="2"><c r="XFD2"><v>1</v></c></row>'), "usage.file-columns"),
        (sheet_of(HEADINGS + row_of(3, "abc") + row_of(2, "abc")), "usage.file-broken"),
        (sheet_of(HEADINGS + '<row r="-2"/>'), "usage.file-broken"),
        (sheet_of(HEADINGS + '<row r="2"><c t="s"><v>99</v></c></row>'), "usage.file-broken"),
        (sheet_of(HEADINGS, after='<mergeCells><mergeCell ref="A1:ZZ"/></mergeCells>'), "usage.file-broken"),
        (sheet_of("<row><c>" * 5_000), "usage.file-broken"),
        (
            sheet_of(HEADINGS, after="".join(f"<mergeCell ref='A1:A{n}'/>" for n in range(20_000))),
            "usage.file-broken",
        ),
        (with_part("xl/sharedStrings.xml", b"<sst>" + b"<si/>" * 300_001 + b"</sst>"), "usage.file-swollen"),
        (with_part("xl/sharedStrings.xml", b"<sst>"), "usage.file-broken"),
        (b"PK\x03\x04", "usage.file-broken"),
        (xlsx()[:-30], "usage.file-broken"),
    ],
)
def test_counting_stops_at_the_caps(content: bytes, code: str):
    """F4: a million empty rows, 16,384 columns, places that nobody counts to; in moments."""
    before = time.process_time()
    assert refused("a.xlsx", content) == code
    assert time.process_time() - before < 5


def test_the_size_that_a_sheet_claims_is_not_believed():
    """F4: its dimension is only a claim; two cells are two cells."""
    claim = '<dimension ref="A1:XFD1048576"/>'
    content = parts(sheet_of(HEADINGS + row_of(2, ("a", "mobile", "+1 202 555 0123"))))
    content[SHEET] = content[SHEET].replace(b"<sheetData>", f"{claim}<sheetData>".encode())
    assert len(read("a.xlsx", packed(content), Caps())) == 1


def test_a_csv_stops_at_the_caps():
    """F4, for text: rows and columns."""
    assert refused("a.csv", CSV + b"a,b,c\n" * 50_010) == "usage.file-rows"
    assert refused("a.csv", CSV + b"," * 50 + b"x") == "usage.file-columns"


def test_a_list_as_long_as_allowed_is_taken():
    """The cap is where it says: 50,000 rows, not one more."""
    row = b"a,mobile,+1 202 555 0123\n"
    head = b"user,slot,number\n"
    assert len(read("a.csv", head + row * 50_000, Caps())) == 50_000
    assert refused("a.csv", head + row * 50_001) == "usage.file-rows"


def test_links_to_other_files_are_not_followed():
    """F5: a link to somebody's share is only another part."""
    content = with_part(
        "xl/externalLinks/externalLink1.xml", b'<externalLink href="http://169.254.169.254/"/>'
    )
    assert len(read("a.xlsx", content, Caps())) == 1


# --- the process that reads ---------------------------------------------------------------------------------
async def code_of(sheets: ChildSheets, name: str, content: bytes) -> str:
    with pytest.raises(SheetRefused) as caught:
        await sheets.read(name, content)
    return caught.value.refusal.code


async def test_a_file_that_is_too_big_is_not_looked_into():
    """The size is judged before anything else."""
    assert await code_of(ChildSheets(), "a.csv", b"x" * (5 * MIB + 1)) == "usage.file-too-big"


async def test_the_reader_is_ended_when_it_takes_too_long():
    """A file costs its time and no more, and the loop goes on meanwhile."""
    content = CSV + b"a,mobile,+1 202 555 0123\n" * 40_000
    for caps in (Caps(seconds=0.05), Caps(cpu_seconds=0)):
        assert await code_of(ChildSheets(caps), "a.csv", content) == "usage.file-too-much-work"


async def test_the_reader_is_refused_more_memory_than_its_share():
    """A child that needs more than it may have says so, or dies alone."""
    content = CSV + b"a,mobile,+1 202 555 0123\n" * 49_000
    sheets = ChildSheets(Caps(memory_bytes=32 * MIB))
    assert await code_of(sheets, "a.csv", content) == "usage.file-too-much-work"
    assert len((await ChildSheets().read("a.csv", CSV)).rows) == 1


async def test_the_loop_is_free_while_a_file_is_read():
    """Others are answered meanwhile."""
    content = CSV + b"a,mobile,+1 202 555 0123\n" * 20_000
    reading = asyncio.create_task(ChildSheets().read("a.csv", content))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert len((await reading).rows) == 20_001
    # Read in this process it would be one turn; how many there are otherwise is the machine's affair.
    assert turns > 20


async def test_nothing_of_a_file_touches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """F13: the reader may not write files, and is given no place to."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    sheet = await ChildSheets().read("C:\\fakepath\\people.xlsx", xlsx())
    assert sheet.name == "people.xlsx"
    assert os.listdir(tmp_path) == []


async def test_the_reader_needs_less_than_its_share():
    """5,000 rows as a workbook within half of the address space that a file may take."""
    rows = [
        (f"user{n}@contoso.com", "mobile", f"+1 202 555 {n % 10_000:04d}", f"Reason {n}")
        for n in range(5_000)
    ]
    sheets = ChildSheets(Caps(memory_bytes=128 * MIB))
    made = await sheets.write(
        FileTable("t", ("user", "slot", "number", "reason"), tuple(rows)), FileKind.XLSX
    )
    assert len((await sheets.read("a.xlsx", made)).rows) == 5_000


def test_overlapping_parts_are_refused():
    """F1: parts that share their bytes unpack to more than the container could hold."""
    data = bytearray(packed({"[Content_Types].xml": b"<Types/>", "b": b"<x/>"}, zipfile.ZIP_STORED))
    second = data.rfind(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    assert refused("a.xlsx", bytes(data)) in ("usage.file-broken", "usage.file-renamed")
