"""Telling the other processes on a PostgreSQL server that something became due, and hearing it from them.

Knows LISTEN and NOTIFY on one connection of its own, in one thread. Must not know what is due. It only saves
waiting: whoever misses a word looks by itself a second later. NOTIFY is not part of the commit it tells of,
because the server lets such commits pass one after the other, their flush to disk included; one word on this
connection may stand for many commits.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from sqlalchemy.engine import URL

_CHANNEL = "SELECT 'ringfence_due_' || substr(md5(current_schema()), 1, 16)"
_CONNECT_SECONDS = 5
_AGAIN_FIRST, _AGAIN_MOST = 0.5, 30.0
_TELL, _END = b"t", b"e"

log = logging.getLogger(__name__)
Connection = psycopg.Connection[TupleRow]


class Watch:
    """Runs from its making until `close`, through every loss of the connection."""

    def __init__(self, url: URL, heard: Callable[[], None]) -> None:
        """url: of `read_url`. heard: called in this object's thread, also after each new connection."""
        # Not as one text: the server's library reads a plus sign in an address as a plus sign.
        named: dict[str, Any] = url.translate_connect_args(username="user", database="dbname")
        self._conninfo = make_conninfo(**named, **{name: _one(value) for name, value in url.query.items()})
        self._heard = heard
        self._channel = sql.Identifier("")
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)
        self._thread.start()

    def tell(self) -> None:
        """One of our commits made something due. Returns at once, from any thread."""
        try:
            self._ours.send(_TELL)
        except OSError:
            # Full of words that wait to be passed on, or closed: nothing is lost by one word less.
            return

    def close(self) -> None:
        """Ends the thread and its connection. Twice is harmless."""
        self._ours.close()
        self._thread.join()
        self._theirs.close()

    def _run(self) -> None:
        wait = _AGAIN_FIRST
        while True:
            try:
                with self._connected() as connection:
                    wait = _AGAIN_FIRST
                    if not self._pass_on(connection):
                        return
            except psycopg.Error as error:
                log.warning("nothing is heard of the other processes", extra={"why": type(error).__name__})
            if self._ended_within(wait):
                return
            wait = min(wait * 2, _AGAIN_MOST)

    def _connected(self) -> Connection:
        connection: Connection = psycopg.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            application_name="ringfence watch",
            # A peer that vanished without a word is noticed within a minute.
            keepalives_idle=20,
            keepalives_interval=10,
            keepalives_count=4,
        )
        try:
            self._channel = _channel(connection)
            connection.execute(sql.SQL("LISTEN {}").format(self._channel))
            self._heard()
        except BaseException:
            connection.close()
            raise
        return connection

    def _pass_on(self, connection: Connection) -> bool:
        """Words from here to there and back. False when we are closed. Raises psycopg.Error."""
        own = connection.info.backend_pid
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._theirs, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._theirs in ready:
                    if not self._theirs.recv(4096):
                        return False
                    connection.execute(sql.SQL("NOTIFY {}").format(self._channel))
                # What came with the answer to our own statement is kept by the driver and given here.
                words = list(connection.notifies(timeout=0))
                if any(word.pid != own for word in words):
                    self._heard()

    def _ended_within(self, seconds: float) -> bool:
        self._theirs.settimeout(seconds)
        try:
            while self._theirs.recv(4096):
                continue
            return True
        except TimeoutError:
            return False
        finally:
            self._theirs.settimeout(None)


def _one(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _channel(connection: Connection) -> sql.Identifier:
    """Channels belong to the whole database, installations may share it by schema."""
    found = connection.execute(_CHANNEL).fetchone()
    if found is None or found[0] is None:
        raise psycopg.DataError("the schema has no name")
    return sql.Identifier(found[0])
