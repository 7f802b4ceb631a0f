"""Cells to texts, and what the file itself says against a row. Nothing is repaired, nothing is guessed.

Knows what spreadsheet programs do to phone numbers. Must not know file formats, nor whether a number is
right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain import sheet_reasons as no
from bot.domain.reason import Refusal
from bot.sheets.caps import LONGEST
from bot.sheets.columns import COLUMNS


class Kind(StrEnum):
    """How the file stores a cell. Text with columns knows texts only."""

    TEXT = "text"
    WHOLE = "whole number"
    OTHER = "other number, date or yes/no"
    FORMULA = "formula"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Cell:
    """text: as the file has it; of a formula nothing is kept."""

    text: str = ""
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Line:
    """One row that was read. number: as the sheet counts. texts: by column. problem: None = none."""

    number: int
    texts: tuple[str, ...]
    problem: Refusal | None


EMPTY = Cell()
_REMARK = "#"
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]{1,3}", re.ASCII)
_DIGITS = re.compile(r"[0-9][0-9 ().\u00a0-]{5,}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?[0-9]{3,}[.,][0-9]{1,3}", re.ASCII)
_ERRORS = re.compile(r"#(?:NUM|VALUE|REF|NAME|N/A|DIV/0|NULL|ZAHL|WERT|BEZUG|NV)[!?]?|#{4,}", re.IGNORECASE)
_MASK = "•"


def line_of(number: int, cells: Sequence[Cell], places: Mapping[str, int]) -> Line | None:
    """One row below the headings, None for an empty row and for a remark (its first text begins with #)."""
    mine = [
        cells[places[column]] if places.get(column, len(cells)) < len(cells) else EMPTY for column in COLUMNS
    ]
    first = next((cell.text.strip() for cell in cells if cell.text.strip()), "")
    if first.startswith(_REMARK) and not _ERRORS.fullmatch(first):
        return None
    if all(cell.kind is Kind.TEXT and not cell.text.strip() for cell in mine):
        return None
    problems = (_problem(column, cell) for column, cell in zip(COLUMNS, mine, strict=True))
    problem = next((each for each in problems if each is not None), None)
    texts = tuple(_text(column, cell) for column, cell in zip(COLUMNS, mine, strict=True))
    return Line(number, texts, problem)


def _text(column: str, cell: Cell) -> str:
    text = cell.text.strip()
    # An apostrophe in front of a plus is how people tell a spreadsheet program that this is text.
    if column == "number" and text.startswith("'+"):
        text = text[1:]
    return text[: LONGEST[column]]


def _problem(column: str, cell: Cell) -> Refusal | None:
    text = cell.text.strip()
    if cell.kind is Kind.FORMULA:
        return no.CELL_FORMULA.refuse(column=column)
    if cell.kind is Kind.ERROR or _ERRORS.fullmatch(text):
        return no.CELL_ERROR.refuse(column=column, shown=text[:12])
    if len(text) > LONGEST[column]:
        return no.CELL_TOO_LONG.refuse(column=column, most=str(LONGEST[column]))
    if column == "number":
        return _spoilt(text, cell.kind)
    whole_is_fine = column in ("reason", "ticket")
    if cell.kind is Kind.OTHER or (cell.kind is Kind.WHOLE and not whole_is_fine):
        return no.CELL_NOT_TEXT.refuse(column=column)
    return None


def _spoilt(text: str, kind: Kind) -> Refusal | None:
    """What a spreadsheet program has done to a phone number, as far as that can be seen."""
    if kind is Kind.OTHER:
        return no.CELL_NOT_TEXT.refuse(column="number")
    if kind is Kind.WHOLE or _DECIMAL.fullmatch(text):
        return no.NUMBER_AS_NUMBER.refuse()
    if _EXPONENT.fullmatch(text):
        return no.NUMBER_EXPONENT.refuse()
    if _MASK in text:
        return no.NUMBER_MASKED.refuse()
    if _DIGITS.fullmatch(text) and not text.startswith("00"):
        return no.NUMBER_NO_PLUS.refuse()
    return None
