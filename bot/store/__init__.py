"""The system of record: one Store for SQLite and PostgreSQL."""

from bot.store.audit import ChainBroken
from bot.store.keyring import KeyFileUnsafe, KeyMissing, KeyRing, SealBroken
from bot.store.lock import DatabaseInUse
from bot.store.migrate import SchemaAhead
from bot.store.store import SqlStore, WrongTenant, open_store

__all__ = [
    "ChainBroken",
    "DatabaseInUse",
    "KeyFileUnsafe",
    "KeyMissing",
    "KeyRing",
    "SchemaAhead",
    "SealBroken",
    "SqlStore",
    "WrongTenant",
    "open_store",
]
