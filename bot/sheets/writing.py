"""Files of ours: plans, results and the template. No cell of them can come alive as a formula.

Knows openpyxl and CSV as writers. Runs in the child process. Must not know what is in the tables; that they
are masked is the workflow's word.

In a workbook every cell is stored as text and formatted as text, so that it stays one even when it is edited.
In CSV there is no such thing: what a spreadsheet program could take for a formula gets an apostrophe in front
(OWASP, "CSV injection"; ASVS 5.0, 1.2.10), also behind a separator of another country's Excel.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from bot.domain.sheets import FileKind, FileTable
from bot.sheets.columns import COLUMNS
from bot.sheets.tables import as_workbook

_TEXT = "@"
_COMES_ALIVE = re.compile(r"(^|[;,\t|\r\n])(?=[\s\u00a0\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r])")
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SLOTS = ("mobile", "alternate mobile", "office")
_EXAMPLE = ("# alice@contoso.com", _SLOTS[0], "+1 202 555 0123", "new phone", "INC1234")
_HELP = (
    "Fill in the first sheet, one phone a row. Nothing happens when you send it: you see a plan first.",
    "user: user name (name@company), mail, employee id or object id. A name only if one person has it.",
    "slot: mobile, alternate mobile or office.",
    "number: with + and the country code. The column is formatted as text; keep it so, or the plus is lost.",
    "reason and ticket may stay empty.",
    "A row that begins with # is a remark and is not read. Only the first sheet is read.",
)


def write(table: FileTable, kind: FileKind) -> bytes:
    """The table as a file."""
    return _as_csv((table.columns, *table.rows)) if kind is FileKind.CSV else as_workbook(table)


def template(kind: FileKind) -> bytes:
    """The columns that are read, and an example that is a remark."""
    return _as_csv((COLUMNS, _EXAMPLE)) if kind is FileKind.CSV else _template_book()


def harmless(text: str) -> str:
    """A text for CSV in which nothing comes alive."""
    return _COMES_ALIVE.sub(r"\1'", _INVISIBLE.sub("\ufffd", text))


def _as_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """UTF-8 with its mark, which Excel needs; everything quoted."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([harmless(text) for text in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def _template_book() -> bytes:
    """Columns formatted as text beforehand, so that Excel leaves the numbers alone; slots to choose from."""
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook begins with a sheet")
    sheet.title = "Phones"
    sheet.freeze_panes = "A2"
    sheet.append(list(COLUMNS))
    sheet.append(list(_EXAMPLE))
    for place, cell in enumerate(sheet[1], 1):
        cell.font = Font(bold=True)
        column = sheet.column_dimensions[get_column_letter(place)]
        column.width, column.number_format = 28, _TEXT
    for cell in sheet[2]:
        cell.font, cell.number_format = Font(italic=True, color="808080"), _TEXT
    choice = DataValidation("list", formula1=f'"{",".join(_SLOTS)}"', allow_blank=True)
    choice.add("B2:B50001")
    sheet.add_data_validation(choice)
    help_sheet = book.create_sheet("How to")
    help_sheet.column_dimensions["A"].width = 110
    for line in _HELP:
        help_sheet.append([line])
    return _saved(book)


def _saved(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
