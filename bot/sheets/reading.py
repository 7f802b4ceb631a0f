"""A file to its rows: what kind it is, where its headings are, what each row says.

Runs in the child process. Knows how the pieces follow each other; must not know who sent the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.domain import sheet_reasons
from bot.domain.reason import Refusal
from bot.domain.sheets import FileKind
from bot.sheets import texts
from bot.sheets.caps import Caps, Unfit
from bot.sheets.cells import Cell, Line, line_of
from bot.sheets.columns import REQUIRED, meaning
from bot.sheets.sniffing import kind_of
from bot.sheets.workbooks import Grid, grid_of

Rows = Iterable[tuple[int, list[Cell]]]


@dataclass(frozen=True, slots=True)
class _Headings:
    """row: where they stand. width: how many cells that row has. places: of the columns they name."""

    row: int
    width: int
    places: dict[str, int]


def read(name: str, content: bytes, caps: Caps) -> list[Line]:
    """The rows below the headings, without empty ones and remarks. Raises Unfit."""
    kind = kind_of(name, content)
    if kind is FileKind.CSV:
        found = _read(texts.cells_of(content, caps, _named), Grid(), caps)
        lines = [_unshifted(line, cells, headings) for line, cells, headings in found]
    else:
        grid = grid_of(content, caps)
        lines = [line for line, _, _ in _read(grid.rows, grid, caps)]
    if not lines:
        raise Unfit(sheet_reasons.FILE_EMPTY.refuse())
    return lines


def _named(row: list[str]) -> int:
    """How many of our columns a row names."""
    try:
        return len(meaning(row))
    except Unfit:
        return len(REQUIRED)


def _read(rows: Rows, grid: Grid, caps: Caps) -> Iterator[tuple[Line, list[Cell], _Headings]]:
    below = iter(rows)
    headings = _headings(below, caps)
    hidden = grid.hidden_columns & set(headings.places.values())
    if hidden:
        columns = ", ".join(column for column, place in headings.places.items() if place in hidden)
        raise Unfit(sheet_reasons.FILE_HIDDEN.refuse(what=f"These columns are hidden: {columns}"))
    for number, cells in below:
        line = line_of(number, cells, headings.places)
        if number - headings.row > caps.rows:
            raise Unfit(sheet_reasons.FILE_TOO_MANY_ROWS.refuse(most=f"{caps.rows:,}"))
        if line is not None:
            yield _seen(line, grid), cells, headings


def _headings(rows: Iterator[tuple[int, list[Cell]]], caps: Caps) -> _Headings:
    """The first row that names every column that must be there."""
    missing = list(REQUIRED)
    for number, cells in rows:
        if number > caps.heading_rows:
            break
        headings = [cell.text for cell in cells]
        places = meaning(headings)
        left = [column for column in REQUIRED if column not in places]
        if not left:
            width = max(place for place, text in enumerate(headings) if text.strip()) + 1
            return _Headings(number, width, places)
        missing = min(missing, left, key=len)
    facts = {"looked": str(caps.heading_rows), "missing": ", ".join(missing)}
    raise Unfit(sheet_reasons.FILE_HEADINGS.refuse(**facts))


def _seen(line: Line, grid: Grid) -> Line:
    if line.number in grid.hidden:
        return _against(line, sheet_reasons.ROW_HIDDEN.refuse())
    if line.number in grid.merged:
        return _against(line, sheet_reasons.ROW_MERGED.refuse())
    return line


def _unshifted(line: Line, cells: list[Cell], headings: _Headings) -> Line:
    if any(cell.text.strip() for cell in cells[headings.width :]):
        return _against(line, sheet_reasons.ROW_SHIFTED.refuse())
    return line


def _against(line: Line, problem: Refusal) -> Line:
    return Line(line.number, line.texts, problem)
