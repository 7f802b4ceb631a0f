"""Whatever a text is, no file of ours lets it come alive, and what can be kept of it is kept."""

from __future__ import annotations

import contextlib
import csv
import io
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from bot.domain.sheets import FileKind, FileTable
from bot.sheets.caps import Caps, Unfit
from bot.sheets.reading import read
from bot.sheets.writing import write

ODD = st.sampled_from([*"=+-@\t\r\n;,|'\" \u00a0\uff1d\uff0b0aé漢", "\x00", "\x1b", "=cmd|' /C calc'!A0"])
TEXTS = st.one_of(st.text(max_size=40), st.lists(ODD, max_size=12).map("".join))
#: How spreadsheet programs tell a formula; not all are kept from it by blanks, ends of lines and quotes.
ALIVE = re.compile(r'[\s"\u00a0]*[=+\-@\uff1d\uff0b\uff0d\uff20]')


def table(texts: list[str]) -> FileTable:
    return FileTable("t", ("first", "second"), tuple((text, text) for text in texts))


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_nothing_comes_alive_in_csv(texts: list[str]) -> None:
    """In whatever country's Excel the file is opened: with any separator, no cell begins like a formula."""
    content = write(table(texts), FileKind.CSV).decode("utf-8-sig", "surrogatepass")
    for separator in ",;\t|":
        for row in csv.reader(io.StringIO(content, newline=""), delimiter=separator):
            for cell in row:
                assert not ALIVE.match(cell), cell


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_nothing_is_a_formula_in_a_workbook(texts: list[str]) -> None:
    """Every cell that is not empty is text, with the same letters."""
    sheet = load_workbook(io.BytesIO(write(table(texts), FileKind.XLSX))).worksheets[0]
    for number, text in enumerate(texts, 2):
        cell = sheet.cell(number, 1)
        assert cell.data_type in ("s", "n")
        assert (cell.value is None) == (cell.data_type == "n")
        if text.isalnum():
            assert cell.value == text


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_what_we_write_we_read(texts: list[str]) -> None:
    """Any text in any column: rows or a refusal, never an exception."""
    columns = ("user", "slot", "number", "reason", "ticket")
    for kind in FileKind:
        content = write(FileTable("t", columns, tuple((text,) * 5 for text in texts)), kind)
        with contextlib.suppress(Unfit):
            assert 0 < len(read(f"a.{kind.value}", content, Caps())) <= len(texts) * 12
