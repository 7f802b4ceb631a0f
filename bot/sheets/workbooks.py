"""The cells of a workbook's first sheet, read in one pass over its markup (SpreadsheetML, ECMA-376 part 1).

Knows how cells are stored. Must not know what columns mean. Formulas are seen as formulas: the value that a
program has stored beside one is never taken. Read by ourselves, because a library keeps neither what is
hidden or merged beside the rows, nor our caps, and takes four times as long for it (ADR 0013).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bot.domain import sheet_reasons
from bot.sheets.anatomy import Markup, broken, opened, swollen
from bot.sheets.caps import Caps, Unfit
from bot.sheets.cells import EMPTY, Cell, Kind

_CELL = re.compile(r"\$?[A-Z]{1,3}\$?([0-9]{1,7})", re.ASCII)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MOST_MERGED = 10_000
_TRUE = ("1", "true")
#: Built-in formats that show a date or a time (ECMA-376, "numFmt"), those of East Asian locales included.
_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')


@dataclass(slots=True)
class Grid:
    """The rows of a sheet, with what of it is hidden or merged. Rows count from 1, columns from 0."""

    rows: list[tuple[int, list[Cell]]] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    merged: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def grid_of(content: bytes, caps: Caps) -> Grid:
    """The first sheet. Raises Unfit."""
    with opened(content, caps) as (archive, parts):
        strings, styles = _Strings(caps), _Styles()
        if parts.strings:
            strings.read(archive, parts.strings)
        if parts.styles:
            styles.read(archive, parts.styles)
        sheet = _Sheet(strings.found, styles.dates(), caps)
        sheet.read(archive, parts.sheet)
        return sheet.grid


class _Strings(Markup):
    """The texts of a workbook, which its cells point to."""

    def __init__(self, caps: Caps) -> None:
        super().__init__()
        self.found: list[str] = []
        self._most = caps.strings
        self._text: list[str] = []
        self._takes = self._aside = False
        self.listen(self._start, self._end, self._add)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "si":
            self._text = []
            if len(self.found) >= self._most:
                raise swollen("It holds more different texts than a list of phones can")
        elif name == "rPh":  # how Japanese is read aloud
            self._aside = True
        self._takes = name == "t" and not self._aside

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        self._takes = False
        if name == "si":
            self.found.append(_unescaped("".join(self._text)))
        elif name == "rPh":
            self._aside = False

    def _add(self, text: str) -> None:
        if self._takes:
            self._text.append(text)


class _Styles(Markup):
    """Which of the cell formats show a date or a time."""

    def __init__(self) -> None:
        super().__init__()
        self._formats: list[int] = []
        self._own: set[int] = set()
        self._cells = False
        self.listen(self._start, self._end)

    def dates(self) -> frozenset[int]:
        """Places in the list of cell formats."""
        shown = _DATES | self._own
        return frozenset(place for place, number in enumerate(self._formats) if number in shown)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "cellXfs":
            self._cells = True
        elif name == "numFmt" and _shows_time(attributes.get("formatCode", "")):
            self._own.add(_whole(attributes.get("numFmtId")))
        elif name == "xf" and self._cells:
            self._formats.append(_whole(attributes.get("numFmtId", "0")))

    def _end(self, name: str) -> None:
        if name.rpartition(":")[2] == "cellXfs":
            self._cells = False


def _shows_time(code: str) -> bool:
    return any(sign in "ymdhs" for sign in _QUOTED.sub("", code).lower())


class _Sheet(Markup):
    """Rows and cells, up to their caps."""

    def __init__(self, strings: list[str], dates: frozenset[int], caps: Caps) -> None:
        super().__init__()
        self.grid = Grid()
        self._strings, self._dates, self._caps = strings, dates, caps
        self._number = self._column = self._merges = 0
        self._row: list[Cell] = []
        self._kind, self._style, self._formula = "n", 0, False
        self._text: list[str] = []
        self._takes = self._aside = False
        self.listen(self._start, self._end, self._add)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "c":
            self._start_cell(attributes)
        elif name == "v" or name == "t":
            self._takes = not self._aside
        elif name == "row":
            self._start_row(attributes)
        elif name == "f":
            self._formula = True
        elif name == "rPh":
            self._aside = True
        elif name == "col":
            self._start_columns(attributes)
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def _add(self, text: str) -> None:
        if self._takes:
            self._text.append(text)

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name == "v" or name == "t":
            self._takes = False
        elif name == "c":
            cell = self._cell()
            if cell is not EMPTY:
                self._row += [EMPTY] * (self._column - 1 - len(self._row))
                self._row.append(cell)
        elif name == "row":
            self.grid.rows.append((self._number, self._row))
        elif name == "rPh":
            self._aside = False

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = _whole(attributes["r"]) if "r" in attributes else self._number + 1
        if number <= self._number:
            raise Unfit(broken("its rows are not in order"))
        self._number, self._column, self._row = number, 0, []
        # Headings need not be in the first row; the exact count is taken when they are known.
        if number > self._caps.rows + self._caps.heading_rows:
            raise Unfit(sheet_reasons.FILE_TOO_MANY_ROWS.refuse(most=f"{self._caps.rows:,}"))
        if attributes.get("hidden") in _TRUE:
            self.grid.hidden.add(number)

    def _start_cell(self, attributes: dict[str, str]) -> None:
        column = _column(attributes["r"]) if "r" in attributes else self._column + 1
        if column <= self._column:
            raise Unfit(broken("its cells are not in order"))
        if column > self._caps.columns:
            raise Unfit(sheet_reasons.FILE_TOO_MANY_COLUMNS.refuse(most=str(self._caps.columns)))
        self._column, self._formula, self._text = column, False, []
        self._kind = attributes.get("t", "n")
        self._style = _whole(attributes.get("s", "0"))

    def _start_columns(self, attributes: dict[str, str]) -> None:
        if attributes.get("hidden") in _TRUE:
            first, last = _whole(attributes.get("min")), _whole(attributes.get("max"))
            self.grid.hidden_columns.update(range(first - 1, min(last, self._caps.columns)))

    def _merge(self, reference: str) -> None:
        self._merges += 1
        if self._merges > _MOST_MERGED:
            raise Unfit(broken("it has more merged cells than a list needs"))
        ends = [_CELL.fullmatch(each) for each in reference.split(":")]
        if len(ends) > 2 or any(each is None for each in ends):
            raise Unfit(broken("a merged area is not where it says"))
        rows = [int(each[1]) for each in ends if each is not None]
        self.grid.merged.update(range(min(rows), min(max(rows), self._number) + 1))

    def _cell(self) -> Cell:
        if self._formula:
            return Cell("", Kind.FORMULA)
        text = "".join(self._text)
        if not text:
            return EMPTY
        match self._kind:
            case "s":
                place = _whole(text)
                if place >= len(self._strings):
                    raise Unfit(broken("a cell points to a text that is not there"))
                return Cell(self._strings[place])
            case "inlineStr" | "str":
                return Cell(_unescaped(text))
            case "n":
                return self._quantity(text)
            case "e":
                return Cell(text, Kind.ERROR)
            case "b" | "d":
                return Cell(text, Kind.OTHER)
            case _:
                raise Unfit(broken("a cell is of a kind that is not known"))

    def _quantity(self, text: str) -> Cell:
        try:
            value = float(text)
        except ValueError as error:
            raise Unfit(broken("a cell holds no quantity where it says so")) from error
        if self._style in self._dates or not value.is_integer() or abs(value) >= 1e15:
            return Cell(text, Kind.OTHER)
        return Cell(str(int(value)), Kind.WHOLE)


def _unescaped(text: str) -> str:
    """Characters that XML cannot hold are written as _x000D_; what is none stays as written."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if code == 0 or 0xD800 <= code <= 0xDFFF else chr(code)


def _column(reference: str) -> int:
    """The column of a cell, from 1."""
    column = 0
    for sign in reference:
        if not "A" <= sign <= "Z":
            break
        column = column * 26 + ord(sign) - 64
        if column > 99_999:
            break
    return column


def _whole(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 7:
        raise Unfit(broken("its rows or columns are not counted"))
    return int(text)
