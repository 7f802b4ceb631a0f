"""Where the records are kept and what they are sealed with: DATABASE_URL and DATA_KEYS read strictly.

Knows the two engines and the form of a key. Must not know the store, and never puts a value into a complaint.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bot.settings.problems import Problem

_SQLITE = "sqlite:///"
_POSTGRES = re.compile(
    r"postgresql(?:\+psycopg)?://(?P<rest>(?P<where>[^/?#\s]*)/(?P<name>[^/?#\s]+)(?:\?\S*)?)"
)
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class DataKey:
    """One sealing key: its public id and 32 secret bytes."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Database:
    """url: as SQLAlchemy wants it, may hold a password. sqlite_path: the file, None on PostgreSQL."""

    url: str = field(repr=False)
    sqlite_path: Path | None = None


def read_database(text: str) -> Database | Problem:
    """`sqlite:///file` or `postgresql[+psycopg]://...`; anything else is a Problem."""
    name = "DATABASE_URL"
    if text.startswith(_SQLITE):
        file = text.removeprefix(_SQLITE)
        if file in ("", ":memory:") or file.startswith("file:") or "?" in file or file.endswith("/"):
            return Problem(
                name,
                "it names no file, and approvals and audit must outlive a restart",
                "Name a file, for example sqlite:///var/ringfence.db.",
            )
        return Database(text, Path(file))
    if found := _POSTGRES.fullmatch(text):
        return Database(f"postgresql+psycopg://{found['rest']}")
    if re.match(r"postgres(ql)?(\+psycopg)?://", text):
        return Problem(
            name, "it is not a complete PostgreSQL address", "Write postgresql://user:password@host/database."
        )
    return Problem(
        name,
        "it is neither SQLite nor PostgreSQL by psycopg",
        "Write sqlite:///var/ringfence.db or postgresql://user:password@host/database.",
    )


def read_keys(text: str) -> tuple[DataKey, ...] | Problem:
    """`id:base64[,id:base64...]`, the first encrypts. Every entry must be good, or none is used."""
    keys: list[DataKey] = []
    for number, entry in enumerate(text.split(","), start=1):
        key = _read_key(entry.strip())
        if isinstance(key, str):
            return _bad_key(f"entry {number} {key}")
        if any(key.id == other.id for other in keys):
            return _bad_key(f"entry {number} has an id that is taken: old seals could not be opened")
        if any(key.secret == other.secret for other in keys):
            return _bad_key(f"entry {number} repeats another key: changing to it changes nothing")
        keys.append(key)
    return tuple(keys)


def _read_key(entry: str) -> DataKey | str:
    key_id, colon, encoded = entry.partition(":")
    if not colon or not _KEY_ID.fullmatch(key_id):
        return "is not id:base64, with an id of 1 to 32 letters, digits, - and _"
    try:
        secret = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return "is not base64"
    if len(secret) != _KEY_BYTES:
        return f"is {len(secret)} bytes long; AES-256 needs {_KEY_BYTES}"
    if len(set(secret)) < 8:
        return "is not random: it repeats a few bytes"
    return DataKey(key_id, secret)


def _bad_key(why: str) -> Problem:
    make = 'python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"'
    return Problem("DATA_KEYS", why, f"Make a key with: {make}")


def problems(database: Database | Problem, keys: tuple[DataKey, ...] | Problem) -> Iterator[Problem]:
    """What is wrong with each, and with both together."""
    if isinstance(database, Problem):
        yield database
    if isinstance(keys, Problem):
        yield keys
    elif not keys and isinstance(database, Database) and database.sqlite_path is None:
        yield Problem(
            "DATA_KEYS",
            "it is missing: several bots on PostgreSQL would each seal with a key of their own",
            _bad_key("").what_to_do + ", and give every bot the same value as k1:KEY.",
        )
