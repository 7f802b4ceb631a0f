"""The composition root: the only place where adapters, workflow and settings meet.

Knows how everything is built and in which order it starts and stops. Must not hold any rule of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
from aiohttp import web

from bot.adapters import graph_of, keyring_of, tokens_of
from bot.domain.policy import Policy
from bot.graph.directory import GraphDirectory
from bot.graph.lanes import Lanes
from bot.jobs import Jobs
from bot.ports import (
    Clock,
    Directory,
    DirectoryUnavailable,
    Messenger,
    Store,
    StoreUnavailable,
    WorkflowKeys,
)
from bot.settings.environment import Settings
from bot.settings.problems import Problem, Refused
from bot.sheets.process import ChildSheets
from bot.store.keyring import KeyFileUnsafe, KeyMissing, KeyRing
from bot.store.lock import DatabaseInUse
from bot.store.migrate import SchemaAhead
from bot.store.numbers import KEY_PURPOSE
from bot.store.store import SqlStore, WrongTenant, open_store
from bot.teams.activity_rules import GateRules, service_url_problem
from bot.teams.adapter import RingfenceAdapter
from bot.teams.addresses import Addresses
from bot.teams.connector import Connectors
from bot.teams.drawing import Turns
from bot.teams.files import Files
from bot.teams.gate import Gate, explain
from bot.teams.handler import TURN_SECONDS, RingfenceBot
from bot.teams.outbound import TeamsMessenger
from bot.teams.pacing import Pace
from bot.teams.signing_keys import SigningKeys
from bot.teams.transfer import FileRules, Transfers
from bot.telemetry import Counters, configure_logging
from bot.web import Limits, build_app
from bot.web import serve as serve_http
from bot.workflow.desk import Desk
from bot.workflow.numbering import IndexedDirectory, NumberIndex
from bot.workflow.parts import Parts
from bot.workflow.scanning import Scanning

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
STORE_PROBLEMS = (DatabaseInUse, KeyFileUnsafe, KeyMissing, SchemaAhead, WrongTenant, StoreUnavailable)
#: A pause that the directory asked another process for is kept here within this time.
PAUSES_SEEN = timedelta(seconds=2)
log = logging.getLogger(__name__)


class WeakGroups(Exception):
    """Role groups that anybody with a group administrator's rights could change. groups: their ids."""

    def __init__(self, groups: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(groups)))
        self.groups = groups


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemIds:
    """Unguessable ids."""

    def request_key(self) -> str:
        return "".join(secrets.choice(_CROCKFORD) for _ in range(6))

    def correlation(self) -> str:
        return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Assembled:
    """One running installation without its listener."""

    app: web.Application
    desk: Desk
    jobs: Jobs
    store: Store
    directory: Directory
    bot: RingfenceBot
    messenger: Messenger
    counters: Counters
    check_groups: Callable[[], Awaitable[None]]


Wrap = Callable[[Store], Store]


@contextlib.asynccontextmanager
async def assembled(
    settings: Settings,
    policy: Policy,
    *,
    clock: Clock | None = None,
    wrap_store: Wrap = lambda store: store,
    wrap_directory: Callable[[Directory], Directory] = lambda directory: directory,
    turn_seconds: float = TURN_SECONDS,
) -> AsyncIterator[Assembled]:
    """Everything built and opened; closed in reverse order. The wraps let a test stand between the parts."""
    async with contextlib.AsyncExitStack() as stack:
        outside = await _outside(settings, clock or SystemClock(), wrap_store, wrap_directory, stack)
        addresses = _addresses(settings, outside)
        turns = Turns(outside.store if outside.shared else None, outside.clock, outside.worker)
        messenger = TeamsMessenger(outside.store, outside.connectors, addresses, turns)
        desk = _desk(settings, policy, outside, messenger)
        jobs = _jobs(policy, outside, desk, messenger, real_clock=clock is None)
        count = outside.counters.count
        keys = SigningKeys(settings.metadata_url, outside.session, outside.clock, count=count)
        rules = FileRules(settings.file_hosts, settings.cloud.file_suffix, settings.allow_loopback)
        transfers = Transfers(rules)
        stack.push_async_callback(transfers.close)
        files = Files(desk, transfers, outside.connectors, messenger.tell)
        bot = RingfenceBot(desk, messenger, addresses, files, jobs.wake, turn_seconds=turn_seconds)
        stack.push_async_callback(bot.settle)
        await outside.store.watch(jobs.wake)
        await keys.warm()
        app = _app(settings, outside, keys, jobs, bot)
        graph = outside.graph
        yield Assembled(
            app,
            desk,
            jobs,
            outside.store,
            outside.directory,
            bot,
            messenger,
            outside.counters,
            lambda: _check_groups(graph, policy),
        )


def _addresses(settings: Settings, outside: _Outside) -> Addresses:
    bot_id = f"28:{settings.app_id}"
    return Addresses(outside.store, outside.clock, settings.start_url or "", settings.tenant_id, bot_id)


@dataclass(frozen=True, slots=True)
class _Outside:
    """The adapters of one installation. kept: the store itself; store: as the workflow is given it.

    worker: this process, among those that may share the database.
    """

    worker: str
    shared: bool
    clock: Clock
    counters: Counters
    ring: KeyRing
    kept: SqlStore
    store: Store
    session: aiohttp.ClientSession
    connectors: Connectors
    graph: GraphDirectory
    index: NumberIndex
    directory: IndexedDirectory
    wide: Directory


async def _outside(
    settings: Settings,
    clock: Clock,
    wrap_store: Wrap,
    wrap_directory: Callable[[Directory], Directory],
    stack: contextlib.AsyncExitStack,
) -> _Outside:
    counters, ring = Counters(), keyring_of(settings)
    store = await _store(settings, clock, stack)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64), cookie_jar=aiohttp.DummyCookieJar())
    )
    tokens = tokens_of(settings, settings.identity, clock, counters)
    # One identity for both keeps one cache of tokens.
    apart = settings.graph_identity != settings.identity
    graph_tokens = tokens_of(settings, settings.graph_identity, clock, counters) if apart else tokens
    lanes = Lanes(random.SystemRandom().random)
    graph = graph_of(settings, graph_tokens, clock, counters, store, lanes=lanes)
    wide = graph_of(settings, graph_tokens, clock, counters, store, lanes=lanes, wide=True)
    stack.push_async_callback(graph.aclose)
    stack.push_async_callback(wide.aclose)
    await graph.resume()
    rules = _gate_rules(settings)
    connectors = Connectors(
        session,
        lambda: tokens.get(settings.bot_scope),
        lambda url: service_url_problem(url, rules) is None,
        pace=Pace() if settings.send_pace == "teams" else None,
    )
    index = NumberIndex(store, ring.derive_oldest(KEY_PURPOSE), clock, counters, graph)
    stack.push_async_callback(index.settle)
    directory = IndexedDirectory(wrap_directory(graph), index)
    return _Outside(
        f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        settings.database.sqlite_path is None,
        *(clock, counters, ring, store, wrap_store(store), session, connectors, graph, index, directory),
        wrap_directory(wide),
    )


def _desk(settings: Settings, policy: Policy, outside: _Outside, messenger: TeamsMessenger) -> Desk:
    ring = outside.ring
    desk = Desk(
        Parts(
            directory=outside.directory,
            store=outside.store,
            messenger=messenger,
            metrics=outside.counters,
            clock=outside.clock,
            ids=SystemIds(),
            policy=policy,
            keys=WorkflowKeys(ring.derive_all("cards"), ring.derive_oldest("numbers")),
            tenant_id=settings.tenant_id,
            index=outside.index,
            read_only=settings.read_only,
            cloud=settings.cloud.name,
            sheets=ChildSheets(),
            reports=outside.graph,
            wide=outside.wide,
        )
    )
    messenger.attach(desk)
    return desk


def _jobs(
    policy: Policy,
    outside: _Outside,
    desk: Desk,
    messenger: TeamsMessenger,
    *,
    real_clock: bool,
) -> Jobs:
    scanning = Scanning(
        outside.graph,
        outside.directory,
        outside.kept,
        outside.index,
        outside.clock,
        outside.worker,
        policy.scan_per_minute or 1,
    )

    async def see_pauses() -> timedelta:
        await outside.graph.resume()
        return PAUSES_SEEN

    chores = [desk.keeping.step, *([scanning.step] if policy.scan_per_minute else [])]
    if outside.shared:
        chores.append(see_pauses)
    return Jobs(
        desk,
        outside.store,
        messenger,
        outside.clock,
        outside.counters,
        outside.worker,
        check_skew=real_clock and outside.shared,
        chores=chores,
    )


def _app(
    settings: Settings, outside: _Outside, keys: SigningKeys, jobs: Jobs, bot: RingfenceBot
) -> web.Application:
    count = outside.counters.count
    gate = Gate(_gate_rules(settings), keys, outside.clock, count=count)
    adapter = RingfenceAdapter(gate, outside.connectors, settings.app_id, count=count)

    async def ready() -> dict[str, bool]:
        await outside.store.ping()
        return {"store": True, "signing_keys": keys.ready, "worker": jobs.alive}

    async def messages(request: web.Request) -> web.Response:
        return await adapter.process(request, bot)

    return build_app(messages, ready, refuse_forwarded=settings.refuse_forwarded)


async def serve(settings: Settings, policy: Policy) -> None:
    """Run the bot until it is told to stop. Raises settings.problems.Refused when it cannot be started."""
    configure_logging(settings.log_level)
    try:
        await _serve(settings, policy)
    except (WeakGroups, DirectoryUnavailable, *STORE_PROBLEMS) as error:
        raise Refused([why_not(error)]) from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        what = "a port is taken by another process"
        raise Refused([Problem("PORT or METRICS_PORT", what, "Stop it, or choose another port.")]) from error


def why_not(error: Exception) -> Problem:
    """What keeps an installation from starting, said so that somebody can mend it."""
    if isinstance(error, WeakGroups):
        return Problem(
            "policy [roles] and group: approvers",
            f"these groups are neither role-assignable nor in a restricted unit, so whoever manages groups "
            f"could make themselves an approver: {error}",
            "Use role-assignable groups, or set accept_weak_groups = true; cards then say so.",
        )
    if isinstance(error, DirectoryUnavailable):
        return Problem(
            "GRAPH_BASE_URL",
            f"the directory does not answer ({error.what}), so the role groups cannot be checked",
            "Check the app's permissions and secret, then start again.",
        )
    return Problem("DATABASE_URL or DATA_KEYS", str(error), "See docs/settings.md.")


async def _serve(settings: Settings, policy: Policy) -> None:
    async with assembled(settings, policy) as parts:
        await parts.check_groups()
        async with working(parts.jobs):
            _freeze()
            await serve_http(
                parts.app,
                settings.host,
                settings.port,
                settings.metrics_port,
                limits=Limits(leave_seconds=settings.drain_seconds),
                render=parts.counters.render,
                count=parts.counters.count,
                opened=lambda port: log.info("listening", extra={"port": port}),
            )


@contextlib.asynccontextmanager
async def working(jobs: Jobs) -> AsyncIterator[None]:
    """The worker runs while the block does; what is in flight is finished."""
    task = asyncio.create_task(jobs.run())
    try:
        yield
    finally:
        jobs.stop()
        await task


def explain_activity(settings: Settings, raw: bytes) -> list[str]:
    """What the gate thinks of a recorded activity, line by line."""
    return explain(raw, _gate_rules(settings))


async def _store(settings: Settings, clock: Clock, stack: contextlib.AsyncExitStack) -> SqlStore:
    ring = keyring_of(settings)
    store = await open_store(settings.database.url, ring, clock, tenant_id=settings.tenant_id)
    stack.push_async_callback(store.close)
    if settings.database.sqlite_path is not None:
        # One process per file: whoever held a lease before us is gone.
        await store.release_leases(None)
    return store


def _gate_rules(settings: Settings) -> GateRules:
    return GateRules(
        app_id=settings.app_id,
        tenant_ids=settings.tenants,
        issuer=settings.token_issuer,
        service_hosts=settings.service_hosts,
        allow_loopback=settings.allow_loopback,
    )


async def _check_groups(graph: Directory, policy: Policy) -> None:
    """Start is refused when groups that give power are weak and the policy has not accepted that."""
    if policy.accept_weak_groups:
        return
    try:
        weak = await graph.weak_groups(policy.trusted_groups())
    except DirectoryUnavailable as error:
        log.error("the role groups could not be checked", extra={"why": error.what})
        raise
    if weak:
        raise WeakGroups(weak)


def _freeze() -> None:
    """What was made at start stays: the collector need not walk it at each turn. It was off until now.

    Nothing is collected first: that costs a twelfth of the start and gives back 0.2 MB.
    """
    gc.enable()
    gc.freeze()
    gc.set_threshold(5_000, 20, 50)
