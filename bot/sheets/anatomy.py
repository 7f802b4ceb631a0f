"""The container of a workbook, looked over before anything is unpacked, and where in it the first sheet is.

Knows zip and the parts of a workbook (ECMA-376, parts 1 and 2). Must not know what cells say. Every part of
XML is read by one kind of reader that knows no document types, no entities and nothing from outside.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from bot.domain import sheet_reasons
from bot.domain.reason import Refusal
from bot.sheets.caps import MIB, Caps, Unfit

_CONTENT_TYPES = "[Content_Types].xml"
_PLAIN_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_CHUNK = 64 * 1024
_RATIO_FROM = 64 * 1024
_MOST_LISTED = 1_000
_MACRO = re.compile(r"macroEnabled|vbaProject|ms-excel\.sheet\.binary", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the first sheet is, and where its texts and formats are; "" = the workbook has none."""

    sheet: str
    strings: str
    styles: str


@contextmanager
def opened(content: bytes, caps: Caps) -> Iterator[tuple[zipfile.ZipFile, Parts]]:
    """The container, found in order: sizes, kinds of parts, and the form of each part that is not read later.

    Raises Unfit, also for what is found wrong while it is open.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _sizes(archive, len(content), caps)
            names = {info.filename for info in archive.infolist()}
            _types(archive, names)
            parts = _parts(archive, names)
            for name in names - {parts.sheet, parts.strings, parts.styles}:
                if name.lower().endswith((".xml", ".rels", ".vml")):
                    Markup().read(archive, name)
            yield archive, parts
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise Unfit(broken("its container is damaged or locked")) from error


def broken(what: str) -> Refusal:
    return sheet_reasons.FILE_BROKEN.refuse(what=what)


def swollen(what: str) -> Unfit:
    return Unfit(sheet_reasons.FILE_SWOLLEN.refuse(what=what))


def _sizes(archive: zipfile.ZipFile, packed: int, caps: Caps) -> None:
    """By the container's own list; a part that is longer than its entry says ends there (zipfile)."""
    infos = archive.infolist()
    if len(infos) > caps.parts:
        raise swollen(f"It has {len(infos)} parts, and a workbook needs no more than {caps.parts}")
    whole = sum(info.file_size for info in infos)
    if whole > caps.unpacked_bytes:
        raise swollen(f"Unpacked it would have {whole // MIB} MB, and I take {caps.unpacked_bytes // MIB}")
    for info in infos:
        if info.file_size > max(_RATIO_FROM, caps.ratio * max(info.compress_size, 1)):
            raise swollen(f"A part of it is packed more than {caps.ratio} times")
    if whole > max(_RATIO_FROM, caps.ratio * packed):
        raise swollen(f"It is packed more than {caps.ratio} times")


def _types(archive: zipfile.ZipFile, names: set[str]) -> None:
    if _CONTENT_TYPES not in names:
        found = "a compressed file that is no workbook"
        raise Unfit(sheet_reasons.FILE_RENAMED.refuse(ending="xlsx", found=found))
    types = _Elements("Override", "Default")
    types.read(archive, _CONTENT_TYPES)
    declared = [each.get("ContentType", "") for each in types.found]
    if any(_MACRO.search(each) for each in declared) or any("vbaproject" in name.lower() for name in names):
        raise Unfit(sheet_reasons.FILE_MACROS.refuse())
    if _PLAIN_WORKBOOK not in declared:
        found = "a document of another kind (not an .xlsx workbook)"
        raise Unfit(sheet_reasons.FILE_RENAMED.refuse(ending="xlsx", found=found))


def _parts(archive: zipfile.ZipFile, names: set[str]) -> Parts:
    """Raises Unfit when the first sheet is hidden or missing."""
    book = _related(archive, names, "_rels/.rels", "officeDocument")
    sheets = _Elements("sheet")
    sheets.read(archive, book)
    if not sheets.found:
        raise Unfit(broken("it has no sheet"))
    first = sheets.found[0]
    if first.get("state", "visible") != "visible":
        raise Unfit(sheet_reasons.FILE_HIDDEN.refuse(what="The first sheet is hidden"))
    identity = next((value for key, value in first.items() if key.endswith(":id")), "")
    folder, base = posixpath.split(book)
    rels = f"{folder}/_rels/{base}.rels"
    sheet = _related(archive, names, rels, "worksheet", identity)
    if not sheet:
        raise Unfit(broken("its first sheet is not among its parts"))
    return Parts(
        sheet, _related(archive, names, rels, "sharedStrings"), _related(archive, names, rels, "styles")
    )


def _related(archive: zipfile.ZipFile, names: set[str], rels: str, kind: str, identity: str = "") -> str:
    """The part that a list of relations points to, by kind and id; "" = none."""
    if rels not in names:
        raise Unfit(broken("its list of parts is missing"))
    relations = _Elements("Relationship")
    relations.read(archive, rels)
    for each in relations.found:
        wanted = each.get("Type", "").endswith(f"/{kind}") and identity in ("", each.get("Id", ""))
        if wanted and each.get("TargetMode", "Internal") != "External":
            folder = posixpath.dirname(posixpath.dirname(rels))
            path = posixpath.normpath(posixpath.join("/", folder, each.get("Target", ""))).lstrip("/")
            if path in names:
                return path
    return ""


class Markup:
    """One part of XML, element by element: no document types, no entities, nothing from outside.

    By itself it only finds out whether the part is well formed; what reads one says what of it matters.
    """

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._parser.ExternalEntityRefHandler = self._refuse

    def listen(
        self,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        """What is called for the beginnings and ends of elements, and for texts between them."""
        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = end
        self._parser.CharacterDataHandler = text

    def read(self, archive: zipfile.ZipFile, name: str) -> None:
        """Raises Unfit for what is no plain XML."""
        try:
            with archive.open(name) as part:
                while chunk := part.read(_CHUNK):
                    self._parser.Parse(chunk, False)
                self._parser.Parse(b"", True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise Unfit(broken("its markup is damaged")) from error

    def _refuse(self, *_: Any) -> int:
        raise swollen("It declares its own markup (a document type or entities), which no workbook does")


class _Elements(Markup):
    """Collects the attributes of some elements."""

    def __init__(self, *wanted: str) -> None:
        super().__init__()
        self.found: list[Mapping[str, str]] = []
        self._wanted = wanted
        self.listen(self._start)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] in self._wanted:
            self.found.append(attributes)
            if len(self.found) > _MOST_LISTED:
                raise Unfit(broken("its lists of parts do not end"))
