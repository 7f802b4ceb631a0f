"""Draws the two icons of the app: a fence around a phone that is locked. Run: python -m manifest.draw_icons

Knows the mark as distances from its outlines (below 0 = inside), in units of half the picture's width. The
store's rules for the sizes are in Microsoft's "Create Teams app manifest", section icons.
"""

from __future__ import annotations

from collections.abc import Callable
from math import atan2, cos, hypot, pi, sin
from pathlib import Path

from manifest.png import Picture, write

Shape = Callable[[float, float], float]
Colour = tuple[int, int, int]

FINE = 8  # samples per pixel and direction
TOP: Colour = (0x2C, 0x6E, 0x7F)
BOTTOM: Colour = (0x17, 0x3F, 0x55)
WHITE: Colour = (255, 255, 255)
FOLDER = Path(__file__).parent


def fence(x: float, y: float, radius: float, half: float, parts: int, gap: float) -> float:
    """A ring of arcs with round ends. gap: the angle, in radians, from end to end of two arcs."""
    step = 2 * pi / parts
    turn = (atan2(x, -y) + step / 2) % step - step / 2  # angle from the middle of the nearest arc
    reach = (step - gap) / 2
    if abs(turn) <= reach:
        return abs(hypot(x, y) - radius) - half
    away = abs(turn) - reach
    far = hypot(x, y)
    return hypot(far * cos(away) - radius, far * sin(away)) - half


def plate(x: float, y: float, wide: float, high: float, corner: float) -> float:
    """A rectangle with round corners; wide and high are half its sides."""
    dx, dy = abs(x) - wide + corner, abs(y) - high + corner
    return hypot(max(dx, 0.0), max(dy, 0.0)) + min(max(dx, dy), 0.0) - corner


def keyhole(x: float, y: float) -> float:
    """A round hole with a slot that widens below it."""
    slot = max(abs(x) - 0.030 - max(0.0, y) * 0.16, -y, y - 0.215)
    return min(hypot(x, y + 0.02) - 0.083, slot)


def mark(x: float, y: float) -> float:
    """The mark on the colour icon."""
    holes = min(keyhole(x, y + 0.02), plate(x, y + 0.285, 0.062, 0.016, 0.016))
    phone = max(plate(x, y, 0.215, 0.375, 0.075), -holes)
    return min(fence(x, y, 0.62, 0.052, 6, 0.30), phone)


def outline(x: float, y: float) -> float:
    """The mark for 32 pixels: fewer and stronger lines, on whole pixels."""
    frame = abs(plate(x, y, 4 / 16, 7 / 16, 2 / 16)) - 1 / 16
    dot = hypot(x, y) - 1.6 / 16
    return min(fence(x, y, 14 / 16, 1 / 16, 6, 0.36), frame, dot)


def draw(size: int, shape: Shape, ground: tuple[Colour, Colour] | None) -> Picture:
    """The shape in white, smooth by counting samples, on a ground of two colours or on nothing."""
    pixels = bytearray()
    for row in range(size):
        for column in range(size):
            inside = _cover(size, shape, column, row)
            if ground is None:
                pixels += bytes((*WHITE, round(255 * inside)))
            else:
                t = row / (size - 1)
                base = [a + (b - a) * t for a, b in zip(*ground, strict=True)]
                pixels += (
                    bytes(round(b + (w - b) * inside) for b, w in zip(base, WHITE, strict=True)) + b"\xff"
                )
    return Picture(size, size, bytes(pixels))


def _cover(size: int, shape: Shape, column: int, row: int) -> float:
    unit = 2 / size
    x, y = (column + 0.5) * unit - 1, (row + 0.5) * unit - 1
    middle = shape(x, y)
    if abs(middle) > unit:  # far from every outline: the whole pixel is on one side
        return float(middle < 0)
    offsets = [((n + 0.5) / FINE - 0.5) * unit for n in range(FINE)]
    hits = sum(shape(x + dx, y + dy) < 0 for dx in offsets for dy in offsets)
    return hits / FINE**2


def main() -> None:
    """Write color.png and outline.png beside this file."""
    (FOLDER / "color.png").write_bytes(write(draw(192, mark, (TOP, BOTTOM))))
    (FOLDER / "outline.png").write_bytes(write(draw(32, outline, None)))


if __name__ == "__main__":
    main()
