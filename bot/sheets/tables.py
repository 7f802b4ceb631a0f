"""A table as a workbook, written part by part (ECMA-376): every cell a text, formatted as text.

Knows the few parts that spreadsheet programs need. Must not know what is in a table. A library would take ten
times as long for the result of a large batch; the template, which has lists to choose from, is made with one.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from bot.domain.sheets import FileTable

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MOST = 32_767
_WIDTHS = (10, 60)
_ROWS_AT_ONCE = 500
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LIKE_AN_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_TITLE = re.compile(r"[\[\]:*?/\\'\x00-\x1f]")
#: Cell formats by place: 1 is text, 2 is text in bold. Number format 49 is "@", which keeps a cell a text.
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)
_TYPES = (
    f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
    f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/></Types>'
)


def as_workbook(table: FileTable) -> bytes:
    """The file. Characters that no workbook can hold are replaced, longer texts than one can hold are cut."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _relations((f"{_DOCUMENT}/officeDocument", "xl/workbook.xml")))
        archive.writestr("xl/workbook.xml", _workbook(table.title))
        sheets = ((f"{_DOCUMENT}/worksheet", "worksheets/sheet1.xml"), (f"{_DOCUMENT}/styles", "styles.xml"))
        archive.writestr("xl/_rels/workbook.xml.rels", _relations(*sheets))
        archive.writestr("xl/styles.xml", _STYLES)
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            for piece in _sheet(table):
                part.write(piece.encode())
    return out.getvalue()


def _relations(*targets: tuple[str, str]) -> str:
    inner = "".join(
        f'<Relationship Id="rId{n}" Type="{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _workbook(title: str) -> str:
    name = escape(_TITLE.sub(" ", title)[:31].strip() or "Sheet", {'"': "&quot;"})
    sheets = f'<sheets><sheet name="{name}" sheetId="1" r:id="rId1"/></sheets>'
    return f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}">{sheets}</workbook>'


def _sheet(table: FileTable) -> Iterator[str]:
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    view = f'<sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
    cols = "".join(
        f'<col min="{n}" max="{n}" width="{width}" style="1" customWidth="1"/>'
        for n, width in enumerate(_widths(table), 1)
    )
    yield f'{_XML}<worksheet xmlns="{_MAIN}">{view}<cols>{cols}</cols><sheetData>'
    letters = [_letters(place) for place in range(len(table.columns))]
    yield _row(1, table.columns, letters, 2)
    for start in range(0, len(table.rows), _ROWS_AT_ONCE):
        rows = table.rows[start : start + _ROWS_AT_ONCE]
        yield "".join(_row(number, row, letters, 1) for number, row in enumerate(rows, start + 2))
    yield "</sheetData></worksheet>"


def _row(number: int, texts: Sequence[str], letters: Sequence[str], style: int) -> str:
    cells = [
        f'<c r="{letter}{number}" s="{style}" t="inlineStr">'
        f'<is><t xml:space="preserve">{_text(text)}</t></is></c>'
        for letter, text in zip(letters, texts, strict=False)
        if text
    ]
    return f'<row r="{number}">{"".join(cells)}</row>'


def _text(text: str) -> str:
    text = escape(_ILLEGAL.sub("\ufffd", text[:_MOST]))
    return _LIKE_AN_ESCAPE.sub("_x005F_", text) if "_x" in text else text


def _letters(place: int) -> str:
    """A, B … Z, AA …: the column at a place, from 0."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _widths(table: FileTable) -> list[int]:
    """Wide enough for the headings and the first rows, within reason."""
    seen = (table.columns, *table.rows[:100])
    places = range(len(table.columns))
    longest = [max(len(row[place]) for row in seen if place < len(row)) for place in places]
    return [min(max(each + 2, _WIDTHS[0]), _WIDTHS[1]) for each in longest]
