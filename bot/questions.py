"""What the command line asks of an installation without running it: put together for reading only.

Knows how the parts are built for a question. Must not hold a rule, write, or send: the store is opened for
reading, so that all of this works beside a running bot.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path

from bot.adapters import graph_of, keyring_of, tokens_of
from bot.domain.bulk_reasons import ROWS_TOO_MANY
from bot.domain.policy import Policy
from bot.domain.reason import Refusal
from bot.domain.sheets import FileKind
from bot.ports import (
    ChainReport,
    DirectoryRefused,
    DirectoryUnavailable,
    SheetRefused,
    Store,
    WorkflowKeys,
)
from bot.settings.environment import Settings
from bot.settings.problems import Problem, Refused
from bot.sheets.process import ChildSheets
from bot.store.keyring import KeyRing
from bot.store.numbers import KEY_PURPOSE
from bot.store.store import SqlStore, open_store
from bot.telemetry import Counters
from bot.wiring import STORE_PROBLEMS, SystemClock, SystemIds, why_not
from bot.workflow.approvers import Approvers
from bot.workflow.batch_files import in_words as plan_in_words
from bot.workflow.batch_files import plan_table
from bot.workflow.batch_planning import BatchPlanning
from bot.workflow.judging import Judge
from bot.workflow.numbering import NumberIndex
from bot.workflow.parts import Parts
from bot.workflow.policy_questions import NoQuestion, PolicyQuestions, Unasked
from bot.workflow.policy_replay import replay
from bot.workflow.reporting import Reporting, in_words, table

__all__ = [
    "NoQuestion",
    "explain_policy",
    "plan_of_file",
    "registration_report",
    "replay_policy",
    "verify_audit",
]


class _Pauses:
    """The pauses that the directory asked for: kept to, and none added."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def lane_pauses(self) -> Mapping[str, datetime]:
        return await self._store.lane_pauses()

    async def keep_lane_pause(self, lane: str, until: datetime) -> None:
        """The running bot meets it by itself."""


async def verify_audit(settings: Settings) -> ChainReport:
    """Verify the whole audit chain of an installation. Raises Refused."""
    async with _reading(settings) as (_, store):
        return await store.verify_audit()


async def explain_policy(settings: Settings, policy: Policy, asker: str, text: str) -> tuple[str, ...]:
    """What this person would be answered now. Raises Refused and NoQuestion."""
    async with _asking(settings, policy) as (parts, messenger):
        return await PolicyQuestions(parts, messenger).explain(asker, text)


async def plan_of_file(
    settings: Settings, policy: Policy, asker: str, name: str, content: bytes, kind: FileKind | None
) -> tuple[tuple[str, ...], bytes]:
    """What would become of a file that this person sends: counts in words, and every row as a masked file.

    Nothing is stored or asked for. Raises Refused and NoQuestion.
    """
    sheets = ChildSheets()
    async with _asking(settings, policy) as (parts, messenger):
        try:
            sheet = await sheets.read(name, content)
        except SheetRefused as error:
            raise Refused([_problem(error.refusal)]) from error
        most = policy.limits.bulk_rows
        if most and len(sheet.rows) > most:
            raise Refused([_problem(ROWS_TOO_MANY.refuse(rows=str(len(sheet.rows)), most=str(most)))])
        actor = await PolicyQuestions(parts, messenger).actor(asker)
        judge = Judge(parts.many, Approvers(parts))
        planned = await BatchPlanning(parts, judge).plan(sheet, actor)
        made = b"" if kind is None else await sheets.write(plan_table(sheet.name, planned.rows), kind)
        return plan_in_words(planned.rows), made


@contextlib.asynccontextmanager
async def _asking(settings: Settings, policy: Policy) -> AsyncIterator[tuple[Parts, Unasked]]:
    """The parts of an installation for a question about people. Raises Refused when nobody answers."""
    async with contextlib.AsyncExitStack() as stack:
        ring, store = await stack.enter_async_context(_reading(settings))
        clock, counters = SystemClock(), Counters()
        tokens = tokens_of(settings, settings.graph_identity, clock, counters)
        graph = graph_of(settings, tokens, clock, counters, _Pauses(store))
        stack.push_async_callback(graph.aclose)
        wide = graph_of(settings, tokens, clock, counters, _Pauses(store), wide=True)
        stack.push_async_callback(wide.aclose)
        await graph.resume()
        messenger = Unasked(store)
        parts = Parts(
            # Without the layer that fills the index: what is read for a question is not kept.
            directory=graph,
            store=store,
            messenger=messenger,
            metrics=counters,
            clock=clock,
            ids=SystemIds(),
            policy=policy,
            keys=WorkflowKeys(ring.derive_all("cards"), ring.derive_oldest("numbers")),
            tenant_id=settings.tenant_id,
            index=NumberIndex(store, ring.derive_oldest(KEY_PURPOSE), clock, counters, graph),
            read_only=settings.read_only,
            cloud=settings.cloud.name,
            reports=graph,
            wide=wide,
        )
        try:
            yield parts, messenger
        except DirectoryUnavailable as error:
            raise Refused([why_not(error)]) from error


def _problem(refusal: Refusal) -> Problem:
    """A refusal as the command line says it."""
    reason, facts = refusal.reason, refusal.facts
    why, step = (text.format(**facts) for text in (reason.why, reason.next_step))
    return Problem(reason.code, why, step)


async def registration_report(settings: Settings, kind: FileKind | None) -> tuple[tuple[str, ...], bytes]:
    """Who has which sign-in methods: counts in words, and everybody by name as a file of that kind.

    Raises Refused when the directory does not give it. It is not in the audit, which is the bot's own:
    whoever can run this holds the app's credential.
    """
    async with contextlib.AsyncExitStack() as stack:
        _, store = await stack.enter_async_context(_reading(settings))
        clock, counters = SystemClock(), Counters()
        tokens = tokens_of(settings, settings.graph_identity, clock, counters)
        graph = graph_of(settings, tokens, clock, counters, _Pauses(store))
        stack.push_async_callback(graph.aclose)
        await graph.resume()
        try:
            found = await Reporting(graph, clock).coverage()
        except DirectoryRefused as error:
            raise Refused([_problem(error.refusal)]) from error
        except DirectoryUnavailable as error:
            raise Refused([why_not(error)]) from error
        content = b"" if kind is None else await ChildSheets().write(table(found), kind)
        return in_words(found), content


async def replay_policy(settings: Settings, policy: Policy, since: datetime) -> tuple[str, ...]:
    """What past requests would have needed under this policy. Raises Refused."""
    async with _reading(settings) as (_, store):
        return await replay(store, policy, since)


@contextlib.asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[tuple[KeyRing, SqlStore]]:
    """Keys and store of the installation; before its first start, those of one in which nothing happened."""
    path = settings.database.sqlite_path
    async with contextlib.AsyncExitStack() as stack:
        try:
            if path is not None and not path.exists():
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringfence-")))
                ring = KeyRing.beside_sqlite(folder / "empty.db")
                empty = f"sqlite:///{folder / 'empty.db'}"
                store = await open_store(empty, ring, SystemClock(), tenant_id=settings.tenant_id)
            else:
                ring = keyring_of(settings)
                store = await open_store(
                    settings.database.url, ring, SystemClock(), tenant_id=settings.tenant_id, read_only=True
                )
        except STORE_PROBLEMS as error:
            raise Refused([why_not(error)]) from error
        stack.push_async_callback(store.close)
        yield ring, store
