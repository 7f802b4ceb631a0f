"""One bot process per SQLite file: a lock that lives and dies with its holder.

Knows flock. Must not know the database: it locks `FILE.lock` beside it. The kernel frees it when the
process ends, however it ends; the file itself stays and means nothing.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class DatabaseInUse(Exception):
    """Another process has this database open. The message names the file."""


class FileLock:
    """Held from making it until `release` or the end of the process."""

    def __init__(self, database: Path) -> None:
        """Raises DatabaseInUse at once when somebody else holds it."""
        real = database.resolve()
        path = real.with_name(real.name + ".lock")
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            self._handle = -1
            raise DatabaseInUse(f"{real} is in use by another process of the bot (lock: {path})") from None

    def release(self) -> None:
        """Free it. Doing so twice is harmless."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
