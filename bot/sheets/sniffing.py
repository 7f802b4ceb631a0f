"""What a file is, by its first bytes and its name: a workbook, text with columns, or something we refuse.

Knows signatures. Must not open anything. The name alone never decides.
"""

from __future__ import annotations

from bot.domain import sheet_reasons
from bot.domain.sheets import FileKind
from bot.sheets.caps import Unfit

_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
#: Compound files: Excel before 2007, and every Office file with a password.
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "a text document (RTF)"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"7z\xbc\xaf", "a compressed file"),
    (b"Rar!", "a compressed file"),
    (b"BZh", "a compressed file"),
    (b"\xfd7zXZ", "a compressed file"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
)
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<table", b"<svg")
_TEXT_ENDINGS = {"csv", "txt", "tsv"}
_MACRO_ENDINGS = {"xlsm", "xltm", "xlam", "xlsb"}


def kind_of(name: str, content: bytes) -> FileKind:
    """The kind of file, when inside and name agree. Raises Unfit."""
    ending = name.rsplit(".", 1)[-1].lower()[:8] if "." in name else ""
    if ending in _MACRO_ENDINGS:
        raise Unfit(sheet_reasons.FILE_MACROS.refuse())
    if content.startswith(_COMPOUND):
        raise Unfit(sheet_reasons.FILE_LOCKED.refuse())
    if content.startswith((_ZIP, _EMPTY_ZIP)):
        return _named(FileKind.XLSX, ending, {"xlsx"}, "a compressed container, as workbooks are")
    found = _other(content)
    if found and ending in {"xlsx", *_TEXT_ENDINGS}:
        raise Unfit(sheet_reasons.FILE_RENAMED.refuse(ending=ending, found=found))
    if found:
        raise Unfit(sheet_reasons.FILE_KIND.refuse(found=found))
    return _named(FileKind.CSV, ending, _TEXT_ENDINGS, "plain text")


def _other(content: bytes) -> str:
    """What it is when it is neither a container nor text with columns, or ""."""
    for signature, what in _SIGNATURES:
        if content.startswith(signature):
            return what
    start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "a web page or markup" if start.startswith(_MARKUP) else ""


def _named(kind: FileKind, ending: str, endings: set[str], found: str) -> FileKind:
    if ending in endings:
        return kind
    if ending in {"xlsx", *_TEXT_ENDINGS}:
        raise Unfit(sheet_reasons.FILE_RENAMED.refuse(ending=ending, found=found))
    what = (
        f"named .{ending}" if ending.isalnum() and ending.isascii() else "named without an ending that I know"
    )
    raise Unfit(sheet_reasons.FILE_KIND.refuse(found=what))
