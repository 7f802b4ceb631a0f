"""Text with columns (CSV): its encoding, its separator, its cells.

Knows what Excel writes in which country: semicolons and Windows-1252 in much of Europe, tabs and UTF-16 for
"Unicode text", UTF-8 with or without a mark elsewhere. Must not know what columns mean.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator

from bot.domain import sheet_reasons
from bot.sheets.anatomy import broken
from bot.sheets.caps import Caps, Unfit
from bot.sheets.cells import Cell, Kind

SEPARATORS = ";,\t|"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAID = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
_LONGEST_CELL = 40_000


def decode(content: bytes) -> str:
    """The letters of the file. Raises Unfit when they cannot be told for certain."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _strictly(content[len(mark) :], encoding)
    if b"\x00" in content[:4096]:
        # UTF-16 without its mark: the zeros stand at every other place.
        even, odd = content[0:4096:2].count(0), content[1:4096:2].count(0)
        return _strictly(content, "utf-16-le" if odd > even else "utf-16-be")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _strictly(content, "cp1252")


def _strictly(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unfit(sheet_reasons.FILE_ENCODING.refuse()) from error
    if "\x00" in text:
        raise Unfit(sheet_reasons.FILE_ENCODING.refuse())
    return text


def cells_of(
    content: bytes, caps: Caps, score: Callable[[list[str]], int]
) -> Iterator[tuple[int, list[Cell]]]:
    """Row by row, counted from 1 as a spreadsheet program counts them (a quoted text may span lines).

    score: how much a row looks like headings; the separator under which one looks so most is taken.
    """
    text = decode(content)
    said = _SAID.match(text)
    if said:
        text, separator = text[said.end() :], said[1]
    else:
        separator = max(SEPARATORS, key=lambda each: _best(text, each, caps.heading_rows, score))
    for number, row in enumerate(_records(text, separator), 1):
        if number > caps.rows + caps.heading_rows:
            raise Unfit(sheet_reasons.FILE_TOO_MANY_ROWS.refuse(most=f"{caps.rows:,}"))
        if len(row) > caps.columns and any(each.strip() for each in row[caps.columns :]):
            raise Unfit(sheet_reasons.FILE_TOO_MANY_COLUMNS.refuse(most=str(caps.columns)))
        yield number, [_cell(each) for each in row[: caps.columns]]


def _cell(text: str) -> Cell:
    return Cell("", Kind.FORMULA) if text.startswith("=") else Cell(text)


def _best(text: str, separator: str, looked: int, score: Callable[[list[str]], int]) -> int:
    best = 0
    try:
        for _, row in zip(range(looked), _records(text, separator), strict=False):
            best = max(best, score(row))
    except Unfit:
        return best
    return best


def _records(text: str, separator: str) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_CELL)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    except (csv.Error, TypeError, ValueError) as error:
        raise Unfit(broken("a text in quotes does not end, or something follows its end")) from error
