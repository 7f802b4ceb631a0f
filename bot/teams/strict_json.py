"""JSON from strangers: read strictly, in linear time, without ever building something deep.

Knows JSON. Must not know activities or HTTP.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

# The closing quote is optional and the body possessive, so that an unclosed string is eaten whole and once:
# otherwise a body of escaped quotes would cost quadratic time.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


class NotStrict(ValueError):
    """The bytes are not the JSON we accept. The text is a short reason without content."""


def loads(body: bytes, max_depth: int) -> dict[str, Any]:
    """Read one JSON object. Raises NotStrict.

    Refused: anything but an object, deeper nesting than `max_depth`, the same key twice in one object, NaN
    and infinities, lone surrogates, bytes that are not UTF-8, and whatever else RFC 8259 forbids.
    """
    bare = _STRINGS.sub(b"", body)
    # The depth is judged before anything is built from the text.
    if bare.count(b"{") + bare.count(b"[") > max_depth and _deeper_than(bare, max_depth):
        raise NotStrict("nested too deeply")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NotStrict("not JSON") from None
    if not isinstance(value, dict):
        raise NotStrict("not an object")
    # Outside of strings, valid JSON has exactly one colon for each key as written; a key that came twice was
    # kept once.
    if bare.count(b":") != _keys_in(value):
        raise NotStrict("the same key twice")
    return value


def _deeper_than(bare: bytes, limit: int) -> bool:
    depth = 0
    for byte in bare.translate(None, _NOT_BRACKETS):
        if byte in b"[{":
            depth += 1
            if depth > limit:
                return True
        else:
            depth -= 1
    return False


def _keys_in(value: dict[str, Any]) -> int:
    total = 0
    open_values: list[Any] = [value]
    while open_values:
        item = open_values.pop()
        if type(item) is dict:
            total += len(item)
            open_values += [inner for inner in item.values() if type(inner) is dict or type(inner) is list]
        else:
            open_values += [inner for inner in item if type(inner) is dict or type(inner) is list]
    return total
