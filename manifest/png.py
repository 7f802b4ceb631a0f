"""PNG pictures with eight bits for red, green, blue and alpha: written, and read back to be checked.

Knows the file format (W3C "Portable Network Graphics") as far as that kind goes. Must not know any icon.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGBA = 6
_LARGEST = 1024


class NotAPicture(ValueError):
    """The bytes are not a PNG of the one kind that is read here."""


@dataclass(frozen=True, slots=True)
class Picture:
    """width and height in pixels; pixels: four bytes each, rows from the top."""

    width: int
    height: int
    pixels: bytes

    def at(self, x: int, y: int) -> tuple[int, int, int, int]:
        """Red, green, blue, alpha, each 0 to 255."""
        start = (y * self.width + x) * 4
        red, green, blue, alpha = self.pixels[start : start + 4]
        return red, green, blue, alpha


def write(picture: Picture) -> bytes:
    """The same bytes for the same picture, on every machine with the same zlib."""
    row = picture.width * 4
    lines = (b"\0" + picture.pixels[n : n + row] for n in range(0, len(picture.pixels), row))
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, _RGBA, 0, 0, 0)
    body = zlib.compress(b"".join(lines), 9)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def read(raw: bytes) -> Picture:
    """The picture of a PNG. Raises NotAPicture when it is damaged, interlaced, without alpha or huge."""
    if not raw.startswith(_SIGNATURE):
        raise NotAPicture("it is not a PNG")
    try:
        header, body = _parts(raw)
        width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", header)
        if (depth, kind, interlaced) != (8, _RGBA, 0):
            raise NotAPicture("it is not a PNG with 8 bits for red, green, blue and alpha, not interlaced")
        if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
            raise NotAPicture(f"it is larger than {_LARGEST} pixels")
        lines = zlib.decompressobj().decompress(body, (width * 4 + 1) * height)
    except (struct.error, zlib.error) as error:
        raise NotAPicture("it is damaged") from error
    if len(lines) != (width * 4 + 1) * height:
        raise NotAPicture("it is damaged")
    return Picture(width, height, _unfiltered(lines, width * 4))


def _parts(raw: bytes) -> tuple[bytes, bytes]:
    header, body, at = b"", b"", len(_SIGNATURE)
    while at < len(raw):
        (size,) = struct.unpack_from(">I", raw, at)
        kind, data = raw[at + 4 : at + 8], raw[at + 8 : at + 8 + size]
        if zlib.crc32(kind + data) != struct.unpack_from(">I", raw, at + 8 + size)[0]:
            raise NotAPicture("it is damaged")
        header = data if kind == b"IHDR" else header
        body += data if kind == b"IDAT" else b""
        at += size + 12
    return header, body


def _unfiltered(lines: bytes, row: int) -> bytes:
    above, done = bytearray(row), bytearray()
    for start in range(0, len(lines), row + 1):
        kind, line = lines[start], bytearray(lines[start + 1 : start + 1 + row])
        for i in range(row):
            left = line[i - 4] if i >= 4 else 0
            corner = above[i - 4] if i >= 4 else 0
            line[i] = (line[i] + _guess(kind, left, above[i], corner)) & 255
        done += line
        above = line
    return bytes(done)


def _guess(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda value: abs(guess - value))
    return (0, left, up, (left + up) // 2)[kind] if kind < 4 else 0
