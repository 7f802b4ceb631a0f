"""Makers of spreadsheet files for tests: ordinary ones, and the parts of a workbook to break one by one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

HEAD = ("user", "slot", "number", "reason", "ticket")
ALICE = ("alice@contoso.com", "mobile", "+1 202 555 0123", "lost phone", "INC1234")


def workbook(rows: Iterable[Sequence[object]] = (ALICE,), head: Sequence[object] = HEAD) -> Workbook:
    """A workbook in memory with one sheet."""
    book = Workbook()
    sheet = first(book)
    sheet.append(list(head))
    for row in rows:
        sheet.append(list(row))
    return book


def first(book: Workbook) -> Worksheet:
    """The sheet that is read."""
    sheet = book.worksheets[0]
    assert isinstance(sheet, Worksheet)
    return sheet


def saved(book: Workbook) -> bytes:
    """The file."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def xlsx(rows: Iterable[Sequence[object]] = (ALICE,), head: Sequence[object] = HEAD) -> bytes:
    """An ordinary file as openpyxl writes it."""
    return saved(workbook(rows, head))


def parts(content: bytes) -> dict[str, bytes]:
    """The parts of a workbook."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A container with these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def with_part(name: str, data: bytes, content: bytes | None = None) -> bytes:
    """An ordinary file in which one part is another."""
    return packed({**parts(content or xlsx()), name: data})


def sheet_of(rows: str, before: str = "", after: str = "") -> bytes:
    """A file whose first sheet has this markup in place of its rows."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    body = f'{before}<worksheet xmlns="{space}"><sheetData>{rows}</sheetData>{after}</worksheet>'
    return with_part(SHEET, f'<?xml version="1.0"?>{body}'.encode())


def row_of(number: int, texts: Sequence[str]) -> str:
    """Markup of a row of texts."""
    cells = "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)
    return f'<row r="{number}">{cells}</row>'
