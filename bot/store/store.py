"""The Store port, put together: opening a database and one method per transaction.

Knows which module does what. Must not know SQL. See `bot.ports.Store` for what each method promises.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.domain.absence import Absence
from bot.domain.audit import AuditEvent, AuditRecord, link
from bot.domain.change import Change, Vote
from bot.domain.freeze import Freeze, FreezeKind
from bot.domain.numbers import Coverage, Holding, Scan, Sighting
from bot.domain.phone import PhoneNumber
from bot.domain.switch import Switch, SwitchName
from bot.ports import (
    ChainReport,
    Clock,
    Commit,
    Conversation,
    Full,
    Listing,
    Lost,
    Message,
    Outlived,
    PostedCard,
    Quota,
    Received,
    Recent,
    Won,
)
from bot.store import (
    absences,
    freezes,
    leases,
    numbers,
    pruning,
    queries,
    quotas,
    rows,
    switches,
    undo,
    work,
)
from bot.store import tables as t
from bot.store.audit import MANY_STREAMS, ONE_STREAM, Chain
from bot.store.batch_book import SqlBatchBook
from bot.store.commits import LosingError, Writer, check, find_received, makes_due
from bot.store.engine import Database, open_database, prepare_file, read_url, transact
from bot.store.keyring import KeyMissing, KeyRing
from bot.store.lock import FileLock
from bot.store.migrate import HEAD, SchemaAhead, migrate, stored_revision
from bot.store.onboarding_book import SqlOnboardings

if TYPE_CHECKING:
    from bot.store.watching import Watch

_TENANT = "tenant"


class WrongTenant(Exception):
    """The database belongs to another directory: one directory per installation."""


async def open_store(
    database_url: str, keyring: KeyRing, clock: Clock, *, tenant_id: str = "", read_only: bool = False
) -> SqlStore:
    """Lock (SQLite), migrate, check tenant and keys, and open.

    tenant_id: the directory this installation serves; a new database is bound to it (without one: to the
    tenant of its first change). read_only: for tools beside a running bot; no lock, no migration, no write.
    Raises ValueError (URL), DatabaseInUse, SchemaAhead, WrongTenant, KeyMissing, StoreUnavailable.
    """
    opening = partial(_open, database_url, keyring, clock, tenant_id, read_only)
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, opening))


def _open(database_url: str, keyring: KeyRing, clock: Clock, tenant_id: str, read_only: bool) -> SqlStore:
    url = read_url(database_url)
    lock = None
    if url.get_backend_name() == "sqlite" and not read_only:
        path = Path(str(url.database))
        prepare_file(path)
        lock = FileLock(path)
    database = open_database(url, read_only=read_only)
    try:
        if read_only:
            revision = transact(database.reading, stored_revision)
            if revision != HEAD:
                raise SchemaAhead(f"the database is at revision {revision}, this version needs {HEAD}")
        else:
            migrate(database.writing)
        store = SqlStore(database, keyring, clock, lock)
        transact(
            database.reading if read_only else database.writing, partial(store.admit, tenant_id, read_only)
        )
    except BaseException:
        database.close()
        if lock:
            lock.release()
        raise
    return store


class SqlStore(SqlOnboardings, SqlBatchBook):
    """`bot.ports.Store` on a SQL database."""

    def __init__(self, database: Database, keys: KeyRing, clock: Clock, lock: FileLock | None) -> None:
        self._database = database
        self._keys = keys
        self._tenant = ""
        self._clock = clock
        self._lock = lock
        self._chain = Chain(keys, ONE_STREAM if database.is_sqlite else MANY_STREAMS)
        self._writer = Writer(keys, self._chain)
        self._watching: Watch | None = None

    def admit(self, tenant_id: str, read_only: bool, connection: Connection) -> None:
        """Is this database ours? Binds what is not bound yet. Raises WrongTenant or KeyMissing."""
        if read_only:
            bound = _meta(connection, _TENANT)
        else:
            bound = _bind(connection, _TENANT, tenant_id) if tenant_id else _meta(connection, _TENANT)
        if tenant_id and bound and bound != tenant_id:
            raise WrongTenant(f"the database belongs to the tenant {bound}, not to {tenant_id}")
        self._tenant = bound or ""
        for key_id in self._keys.ids:
            fingerprint = link(self._keys.derive_for(key_id, "check"), b"fingerprint")
            name = f"key:{key_id}"
            known = _meta(connection, name) if read_only else _bind(connection, name, fingerprint)
            if known not in (None, fingerprint):
                raise KeyMissing(f"data key {key_id} is not the key that the database knows by that name")
        if not read_only:
            key = self._keys.derive_oldest(numbers.KEY_PURPOSE)
            numbers.use_key(connection, link(key, b"fingerprint"))
        for key_id in sorted(self._chain.key_ids(connection)):
            self._keys.derive_for(key_id, "audit")
        if not read_only:
            self._chain.reseal(connection)

    # --- changes ------------------------------------------------------------------------------------------
    async def commit(self, commit: Commit) -> Won | Lost:
        """As the port says. Raises ValueError for an illegal commit, before the database is touched."""
        check(commit)
        for created in commit.made:
            if self._tenant and created.tenant_id != self._tenant:
                raise ValueError(f"{created.id} is of another tenant than the database")
        try:
            won = await self._database.write(partial(self._carry_out, commit))
        except LosingError as losing:
            return await self._database.read(losing.lost)
        if self._watching is not None and makes_due(commit):
            self._watching.tell()
        return won

    def _carry_out(self, commit: Commit, connection: Connection) -> Won:
        if commit.create and not self._tenant:
            bound = _bind(connection, _TENANT, commit.create.tenant_id)
            if bound != commit.create.tenant_id:
                raise ValueError(f"{commit.create.id} is of another tenant than the database")
        return self._writer.carry_out(connection, commit)

    async def change(self, change_id: str) -> Change | None:
        return await self._database.read(lambda c: rows.load_one(c, change_id))

    async def list_changes(self, listing: Listing, oid: str, limit: int) -> tuple[tuple[Change, ...], int]:
        return await self._database.read(lambda c: queries.list_changes(c, listing, oid, limit))

    async def count_waiting(self, oid: str) -> int:
        return await self._database.read(lambda c: queries.count_waiting(c, oid))

    async def open_for(self, target_oid: str) -> tuple[Change, ...]:
        return await self._database.read(lambda c: queries.open_for(c, target_oid))

    async def submitted(
        self, since: datetime, after: tuple[datetime, str] | None, limit: int
    ) -> tuple[Change, ...]:
        return await self._database.read(lambda c: queries.submitted(c, since, after, limit))

    async def recent(
        self, requester: tuple[str, datetime], target: tuple[str, datetime], number_key: str
    ) -> Recent:
        return await self._database.read(lambda c: queries.recent(c, requester, target, number_key))

    async def full(self, at: datetime, given: Sequence[Quota]) -> tuple[Full, ...]:
        return await self._database.read(lambda c: tuple(quotas.without_room(c, at, given)))

    async def numbers(self, change_id: str) -> dict[int, PhoneNumber]:
        return await self._database.read(lambda c: self._writer.numbers(c, change_id))

    async def received(self, conversation_id: str, activity_id: str) -> Received | None:
        return await self._database.read(lambda c: find_received(c, conversation_id, activity_id))

    async def earlier(self, change_id: str, at: datetime) -> dict[int, PhoneNumber] | None:
        return await self._database.read(lambda c: undo.read(c, self._keys, change_id, at))

    async def destroy_earlier(self, at: datetime, limit: int) -> int:
        return await self._database.write(lambda c: undo.destroy_due(c, at, limit))

    async def prune(self, outlived: Outlived, limit: int) -> int:
        at = self._clock.now()
        return await self._database.write(lambda c: pruning.prune(c, outlived, at, limit))

    async def children(self, parent_id: str) -> tuple[Change, ...]:
        return await self._database.read(lambda c: queries.children(c, parent_id))

    # --- what stops changes -------------------------------------------------------------------------------
    async def freeze_of(self, oid: str) -> Freeze | None:
        return await self._database.read(lambda c: freezes.freeze_of(c, oid))

    async def last_freeze(self, oid: str) -> Freeze | None:
        return await self._database.read(lambda c: freezes.last_of(c, oid))

    async def freezes(self, limit: int) -> tuple[Freeze, ...]:
        return await self._database.read(lambda c: freezes.holding(c, limit))

    async def freezes_by(self, oid: str, kind: FreezeKind, since: datetime) -> int:
        return await self._database.read(lambda c: freezes.set_by(c, oid, kind, since))

    async def writes_since(self, since: datetime) -> int:
        return await self._database.read(lambda c: switches.sent_since(c, since))

    async def switches(self) -> dict[SwitchName, Switch]:
        return await self._database.read(switches.read)

    # --- work ---------------------------------------------------------------------------------------------
    async def claim_changes(
        self, worker: str, now: datetime, lease: timedelta, limit: int
    ) -> tuple[Change, ...]:
        return await self._database.write(lambda c: work.claim_changes(c, worker, now, lease, limit))

    async def claim_messages(
        self, worker: str, now: datetime, lease: timedelta, limit: int
    ) -> tuple[Message, ...]:
        return await self._database.write(lambda c: work.claim_messages(c, worker, now, lease, limit))

    async def message_unclaimed(self, key: str) -> bool:
        return await self._database.read(lambda c: work.is_unclaimed(c, key))

    async def message_done(self, key: str) -> None:
        at = self._clock.now()
        await self._database.write(lambda c: work.end_message(c, key, "done", "", at))

    async def message_later(self, key: str, due_at: datetime, *, tried: bool = True) -> None:
        await self._database.write(lambda c: work.put_off(c, key, due_at, tried=tried))

    async def message_dead(self, key: str, why: str) -> None:
        at = self._clock.now()
        await self._database.write(lambda c: work.end_message(c, key, "dead", why, at))

    async def watch(self, wake: Callable[[], None]) -> None:
        """As the port says. One process alone (SQLite) has nobody to listen to. Once for a store."""
        if self._database.is_sqlite or self._watching is not None:
            return
        loop = asyncio.get_running_loop()

        def heard() -> None:
            # A loop that is closed needs no waking.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake)

        # Only here, because it brings the server's driver along, and a start on SQLite has no use for that.
        from bot.store.watching import Watch

        self._watching = Watch(self._database.url, heard)

    async def next_change(self) -> datetime | None:
        return await self._database.read(work.next_change)

    async def next_message(self) -> datetime | None:
        return await self._database.read(work.next_message)

    async def release_leases(self, worker: str | None) -> None:
        await self._database.write(lambda c: work.release(c, worker))

    async def lane_pauses(self) -> Mapping[str, datetime]:
        return await self._database.read(work.lane_pauses)

    async def keep_lane_pause(self, lane: str, until: datetime) -> None:
        await self._database.write(lambda c: work.keep_lane_pause(c, lane, until))

    # --- people and their cards ---------------------------------------------------------------------------
    async def remember_conversation(self, conversation: Conversation) -> None:
        seen = {"seen_at": self._clock.now()}
        await self._database.write(partial(_put, t.conversations, conversation, seen))

    async def conversation(self, oid: str) -> Conversation | None:
        query = sa.select(t.conversations).where(t.conversations.c.oid == oid)
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            return None
        return Conversation(**{name: value for name, value in row._mapping.items() if name != "seen_at"})

    async def forget_conversation(self, oid: str) -> None:
        query = sa.delete(t.conversations).where(t.conversations.c.oid == oid)
        await self._database.write(lambda c: c.execute(query).close())

    async def service_url(self) -> str:
        query = sa.select(t.conversations.c.service_url).limit(1)
        return await self._database.read(lambda c: c.execute(query).scalar()) or ""

    async def votes_of(self, oid: str, limit: int) -> tuple[Vote, ...]:
        return await self._database.read(lambda c: rows.votes_of(c, oid, limit))

    async def card_posted(self, card: PostedCard) -> None:
        first = replace(card, posted_at=card.posted_at or self._clock.now())
        await self._database.write(partial(_put, t.posted_cards, first, {}))

    async def cards(self, change_id: str) -> tuple[PostedCard, ...]:
        of_change = t.posted_cards.c.change_id == change_id
        query = sa.select(t.posted_cards).where(of_change).order_by(t.posted_cards.c.id)
        found = await self._database.read(lambda c: c.execute(query).all())
        return tuple(PostedCard(**row._mapping) for row in found)

    async def cards_of(self, keys: Sequence[str]) -> tuple[PostedCard, ...]:
        query = sa.select(t.posted_cards).where(t.posted_cards.c.change_id.in_(list(keys)))
        found = await self._database.read(lambda c: c.execute(query).all()) if keys else []
        return tuple(PostedCard(**row._mapping) for row in found)

    async def card_drawn(self, card_id: str, version: int) -> None:
        """Keeps the highest version: a slow, older drawing does not hide a newer one."""
        older = sa.and_(t.posted_cards.c.id == card_id, t.posted_cards.c.drawn_version < version)
        query = sa.update(t.posted_cards).where(older).values(drawn_version=version)
        await self._database.write(lambda c: c.execute(query).close())

    async def card_gone(self, card_id: str) -> None:
        query = sa.delete(t.posted_cards).where(t.posted_cards.c.id == card_id)
        await self._database.write(lambda c: c.execute(query).close())

    async def absences(self, oids: Collection[str], now: datetime) -> Mapping[str, Absence]:
        if not oids:
            return {}
        return await self._database.read(lambda c: absences.of(c, oids, now))

    async def keep_absence(self, at: datetime, absence: Absence, events: Sequence[AuditEvent]) -> None:
        def keep(connection: Connection) -> None:
            absences.keep(connection, absence)
            self._chain.append(connection, at, events)

        await self._database.write(keep)

    # --- audit --------------------------------------------------------------------------------------------
    async def history(self, subject_oid: str, limit: int) -> tuple[tuple[AuditRecord, ...], int]:
        return await self._database.read(lambda c: self._chain.history(c, subject_oid, limit))

    async def append_audit(
        self, at: datetime, events: Sequence[AuditEvent], *, once: str = "", until: datetime | None = None
    ) -> bool:
        def append(connection: Connection) -> bool:
            if once and until is not None and not leases.take_once(connection, once, at, until):
                return False
            self._chain.append(connection, at, events)
            return True

        return await self._database.write(append)

    async def verify_audit(self) -> ChainReport:
        return await self._database.read(self._chain.verify)

    # --- who has a number -----------------------------------------------------------------------------------
    async def note_numbers(self, sightings: Sequence[Sighting]) -> None:
        await self._database.write(lambda c: numbers.note(c, self._tenant, sightings))

    async def number_holders(self, key: str) -> tuple[Holding, ...]:
        return await self._database.read(lambda c: numbers.holders(c, self._tenant, key))

    async def number_coverage(self) -> Coverage:
        return await self._database.read(lambda c: numbers.coverage(c, self._tenant))

    async def unseen_since(self, before: datetime, after: str, limit: int) -> tuple[str, ...]:
        return await self._database.read(
            lambda c: numbers.unseen_since(c, self._tenant, before, after, limit)
        )

    async def scan(self) -> Scan | None:
        return await self._database.read(lambda c: numbers.read_scan(c, self._tenant))

    async def keep_scan(self, scan: Scan) -> None:
        await self._database.write(lambda c: numbers.keep_scan(c, self._tenant, scan))

    async def hold_lease(self, name: str, worker: str, now: datetime, until: datetime) -> bool:
        return await self._database.write(lambda c: leases.hold(c, name, worker, now, until))

    async def release_lease(self, name: str, worker: str) -> None:
        await self._database.write(lambda c: leases.release(c, name, worker))

    # --- the database itself ------------------------------------------------------------------------------
    async def now(self) -> datetime:
        return cast(datetime, await self._database.read(queries.now))

    async def ping(self) -> None:
        """Takes a writing transaction and keeps nothing. Raises StoreUnavailable."""
        await self._database.write(lambda c: c.exec_driver_sql("SELECT 1").close())

    async def close(self) -> None:
        """Lets running transactions end, then frees connections and the lock. Twice is harmless."""
        loop = asyncio.get_running_loop()
        if self._watching is not None:
            await asyncio.shield(loop.run_in_executor(None, self._watching.close))
        await asyncio.shield(loop.run_in_executor(None, self._database.close))
        if self._lock:
            self._lock.release()


def _put(
    table: sa.Table, value: Conversation | PostedCard, more: dict[str, datetime], connection: Connection
) -> None:
    own = [column.name for column in table.c if column.name not in more]
    values = {name: getattr(value, name) for name in own} | more
    connection.execute(t.upsert(connection, table), values)


def _meta(connection: Connection, name: str) -> str | None:
    found: str | None = connection.execute(sa.select(t.meta.c.value).where(t.meta.c.name == name)).scalar()
    return found


def _bind(connection: Connection, name: str, value: str) -> str:
    """What the name stands for: this value if it is new, else what was stored first."""
    t.insert_new(connection, t.meta, {"name": name, "value": value})
    return _meta(connection, name) or value
