"""Activities between plain dicts and the SDK's objects, with tables compiled once from the SDK's own maps.

Knows the SDK's `_attribute_map` of each class. Must not know what an activity means. Stands in for msrest,
which rebuilds its tables on every call.

Differences from msrest, on purpose: keys match in exact case; a wrong type raises BadActivity where msrest
would coerce or crash; `conversation.tenantId` (as Teams writes it) fills `tenant_id`; the extra fields of
entities and attachments are sent, which msrest drops.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import orjson
from botbuilder import schema
from botbuilder.schema import Activity, ChannelAccount, ConversationAccount
from msrest.serialization import Model

_Convert = Callable[[Any, str], Any]
# What a sender said about accounts is not repeated in an answer.
_WITHOUT_EXTRAS = (ChannelAccount, ConversationAccount)


class BadActivity(ValueError):
    """A field has a type that would break the SDK. The text names the field, never its value."""


def decode(data: dict[str, Any]) -> Activity:
    """An SDK activity from JSON. Unknown fields land in `additional_properties`. Raises BadActivity."""
    return _DECODE_ACTIVITY(data, "activity")


def encode(model: Any) -> dict[str, Any]:
    """JSON from an SDK object (any class with an `_attribute_map`); absent fields are left out.

    What stands in a free field (a card) is handed on as it is: `dumps` finds SDK objects inside, and a
    copy of every card would cost more than all the rest.
    """
    kind = type(model)
    fields = _ENCODERS.get(kind) or _compile_encoder(kind)
    attributes = model.__dict__
    data: dict[str, Any] = {}
    if not isinstance(model, _WITHOUT_EXTRAS) and (extras := attributes.get("additional_properties")):
        data.update(extras)
    for name, key, plain in fields:
        value = attributes.get(name)
        if value is not None:
            data[key] = value if type(value) is plain or plain is object else _encode_value(value)
    return data


def dumps(payload: Any) -> bytes:
    """JSON bytes of dicts that may hold SDK objects anywhere. Raises TypeError for anything else."""
    return orjson.dumps(payload, default=_default)


def _default(value: Any) -> Any:
    if isinstance(value, Model):
        return encode(value)
    raise TypeError(f"cannot be sent: {type(value).__name__}")


def _encode_value(value: Any) -> Any:
    if isinstance(value, Model):
        return encode(value)
    if type(value) is list:
        return [_encode_value(item) for item in value]
    if type(value) is dict:
        return {key: _encode_value(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


def _compile_encoder(kind: type[Any]) -> list[tuple[str, str, type[Any] | None]]:
    """Attribute, JSON key, and the type that needs no conversion (object: none does)."""
    fields = [
        (name, "tenantId" if entry["key"] == "tenantID" else entry["key"], _AS_IT_IS.get(entry["type"]))
        for name, entry in kind._attribute_map.items()
        if name != "additional_properties"
    ]
    _ENCODERS[kind] = fields
    return fields


_ENCODERS: dict[type[Any], list[tuple[str, str, type[Any] | None]]] = {}
_AS_IT_IS: dict[str, type[Any]] = {"str": str, "bool": bool, "int": int, "object": object}


def _exactly(kind: type[Any], word: str) -> _Convert:
    def check(value: Any, where: str) -> Any:
        if type(value) is not kind:
            raise BadActivity(f"{where} is not {word}")
        return value

    return check


def _moment(value: Any, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadActivity(f"{where} is not a time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _anything(value: Any, where: str) -> Any:
    return value


_PLAIN: dict[str, _Convert] = {
    "str": _exactly(str, "text"),
    "bool": _exactly(bool, "true or false"),
    "int": _exactly(int, "a whole number"),
    "iso-8601": _moment,
    "object": _anything,
}
_MODELS: dict[type[Any], _Convert] = {}


def _converter(kind: str) -> _Convert:
    """The check for one msrest type: `str`, `[Attachment]`, `{Entity}`, `ChannelAccount` and so on."""
    if kind.startswith("["):
        return _list_of(_converter(kind[1:-1]))
    if kind.startswith("{"):
        return _dict_of(_converter(kind[1:-1]))
    return _PLAIN[kind] if kind in _PLAIN else _compile_decoder(getattr(schema, kind))


def _list_of(convert: _Convert) -> _Convert:
    def read(value: Any, where: str) -> list[Any]:
        if type(value) is not list:
            raise BadActivity(f"{where} is not a list")
        return [convert(item, where) for item in value]

    return read


def _dict_of(convert: _Convert) -> _Convert:
    def read(value: Any, where: str) -> dict[str, Any]:
        if type(value) is not dict:
            raise BadActivity(f"{where} is not an object")
        return {key: convert(item, where) for key, item in value.items()}

    return read


def _compile_decoder(kind: type[Any]) -> _Convert:
    if kind in _MODELS:
        return _MODELS[kind]
    fields: dict[str, tuple[str, _Convert]] = {}
    empty = {**kind().__dict__, "additional_properties": None}

    def read(value: Any, where: str) -> Any:
        if type(value) is not dict:
            raise BadActivity(f"{where} is not an object")
        model: Any = object.__new__(kind)
        attributes = model.__dict__
        attributes.update(empty)
        extras: dict[str, Any] = {}
        attributes["additional_properties"] = extras
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                extras[key] = item
            elif item is not None:
                attributes[field[0]] = field[1](item, key)
        return model

    _MODELS[kind] = read
    for name, entry in kind._attribute_map.items():
        # The SDK spells this key tenantID; Teams sends tenantId.
        key = "tenantId" if entry["key"] == "tenantID" else entry["key"]
        fields[key] = (name, _converter(entry["type"]))
    return read


_DECODE_ACTIVITY = _compile_decoder(Activity)
