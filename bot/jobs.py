"""The clock-driven driver: claims due changes and due messages and hands them on, a bounded few at a time.

Knows the store's queues and when to look again. Must not know what applying or delivering means.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from bot.domain.change import Change
from bot.ports import Clock, Delivery, Message, MessageKind, Messenger, Metrics, Store, StoreUnavailable
from bot.telemetry import alarm, correlation_id, new_correlation
from bot.workflow.desk import Desk

LEASE = timedelta(seconds=60)
IDLE_AT_MOST = 1.0
RETRY_FIRST, RETRY_MOST = 1.0, 300.0
TRIES = 12
CLAIMED_MOST = 60
BROKEN_TRIES = 5
SKEW_ALLOWED = timedelta(seconds=60)
SKEW_EVERY = timedelta(seconds=30)
# News waits so long for a write under way: most are over by then, and every card is drawn once, with the end.
WRITES_FIRST = 0.1
CHORE_AGAIN, CHORE_AT_LEAST = timedelta(seconds=60), 0.05

log = logging.getLogger(__name__)
Item = TypeVar("Item")
#: One step of something that never ends; it says how long to wait for the next.
Chore = Callable[[], Awaitable[timedelta]]


class Crew(Generic[Item]):
    """Takes items as long as there are any and works on at most `size` of them at once."""

    def __init__(
        self,
        size: int,
        claim: Callable[[int], Awaitable[Sequence[Item]]],
        work: Callable[[Item], Awaitable[None]],
        ended: Callable[[], None],
    ) -> None:
        """ended: called after each item, as it may have made others due."""
        self._size = size
        self._claim = claim
        self._work = work
        self._ended = ended
        self._running: set[asyncio.Task[None]] = set()
        # Claimed but not yet started must not look like nothing to do to whoever waits for the end.
        self._claiming = asyncio.Lock()

    async def round(self) -> int:
        """Claim what fits and start it; how many were started."""
        async with self._claiming:
            free = self._size - len(self._running)
            items = await self._claim(free) if free > 0 else ()
            for item in items:
                task = asyncio.create_task(self._guarded(item))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        return len(items)

    async def first_done(self, woken: asyncio.Event, seconds: float) -> None:
        """Wait until something ends, somebody wakes us, or the time is up."""
        waker = asyncio.create_task(woken.wait())
        try:
            await asyncio.wait({waker, *self._running}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waker.cancel()

    async def one_done(self, seconds: float) -> None:
        """Wait until something that runs ends, or the time is up; not at all where nothing runs."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def settle(self) -> None:
        """Wait for everything that runs: nothing in flight is ever cancelled."""
        while self._running:
            await asyncio.wait(self._running)

    async def _guarded(self, item: Item) -> None:
        correlation_id.set(getattr(item, "correlation_id", "") or new_correlation())
        try:
            await self._work(item)
            self._ended()
        except Exception as error:
            # The lease runs out and the item comes again; the reason belongs in the log, without content.
            kind = "store" if isinstance(error, StoreUnavailable) else "job"
            alarm(log, kind, f"work on a {type(item).__name__.lower()} failed", error=error)


class Jobs:
    """Drives one worker process until stopped."""

    def __init__(
        self,
        desk: Desk,
        store: Store,
        messenger: Messenger,
        clock: Clock,
        metrics: Metrics,
        worker: str,
        *,
        check_skew: bool,
        appliers: int = 8,
        senders: int = 16,
        chores: Sequence[Chore] = (),
    ) -> None:
        """worker: unique per process. check_skew: compare our clock with the database's before executing.

        chores: done beside all that, again and again, each on its own.
        """
        self._desk = desk
        self._store = store
        self._messenger = messenger
        self._clock = clock
        self._metrics = metrics
        self._worker = worker
        self._skew_checked = None if check_skew else clock.now()
        self._check_skew = check_skew
        self._clock_is_right = not check_skew
        self._changes: Crew[Change] = Crew(appliers, self._claim_changes, desk.applying.work, self.wake)
        self._messages: Crew[Message] = Crew(senders, self._claim_messages, self._deliver, lambda: None)
        self._woken = (asyncio.Event(), asyncio.Event())
        self._chores = chores
        self._store_missed: datetime | None = None
        self._stopping = False
        self._loops = 0

    @property
    def alive(self) -> bool:
        """Both loops are running."""
        return self._loops == 2

    def stop(self) -> None:
        """Claim nothing more; `run` ends when what is in flight is done."""
        self._stopping = True
        for woken in self._woken:
            woken.set()

    def wake(self) -> None:
        """Something may be due now: writes are claimed first, then messages are looked at."""
        self._woken[0].set()

    async def run(self) -> None:
        """Until stopped; what is in flight is finished first."""
        chores = {asyncio.create_task(self._go_on_with(chore)) for chore in self._chores}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._drive(self._write))
                group.create_task(self._drive(self._tell))
        finally:
            for chore in chores:
                # What a chore keeps is whole in itself: it goes on where it was.
                chore.cancel()
            if chores:
                await asyncio.wait(chores)
            await self._changes.settle()
            await self._messages.settle()
            with contextlib.suppress(Exception):
                await self._store.release_leases(self._worker)

    async def drain(self) -> int:
        """Everything due at the Clock's time, done to the end; how many items. For tests and the CLI."""
        total = 0
        while True:
            started = await self._changes.round() + await self._messages.round()
            await self._changes.settle()
            await self._messages.settle()
            if not started:
                return total
            total += started

    async def _go_on_with(self, chore: Chore) -> None:
        while True:
            wait = CHORE_AGAIN
            try:
                wait = await chore()
            except Exception as error:
                log.error("a chore failed", extra={"kind": "jobs"}, exc_info=error)
            await asyncio.sleep(max(wait.total_seconds(), CHORE_AT_LEAST))

    async def _drive(self, once: Callable[[], Awaitable[None]]) -> None:
        self._loops += 1
        try:
            while not self._stopping:
                await once()
        finally:
            self._loops -= 1

    async def _write(self) -> None:
        told = self._woken[0].is_set()
        wake_other = self._woken[1].set if told else lambda: None
        await self._once(self._changes, self._woken[0], self._store.next_change, wake_other)

    async def _tell(self) -> None:
        await self._changes.one_done(WRITES_FIRST)
        await self._once(self._messages, self._woken[1], self._store.next_message, lambda: None)

    async def _once(
        self,
        crew: Crew[Item],
        woken: asyncio.Event,
        next_due: Callable[[], Awaitable[datetime | None]],
        claimed: Callable[[], None],
    ) -> None:
        # Cleared before claiming: a wake-up between claim and wait must not be lost.
        woken.clear()
        try:
            started = await crew.round()
        except Exception as error:
            if not isinstance(error, StoreUnavailable):
                log.error("claiming failed", extra={"kind": "jobs"}, exc_info=error)
            started = 0
        claimed()
        if started == 0 and not self._stopping:
            await crew.first_done(woken, await self._idle_seconds(next_due))

    async def _idle_seconds(self, next_due: Callable[[], Awaitable[datetime | None]]) -> float:
        try:
            due = await next_due()
        except Exception:
            return IDLE_AT_MOST
        if due is None:
            return IDLE_AT_MOST
        return min(max((due - self._clock.now()).total_seconds(), 0.01), IDLE_AT_MOST)

    async def _claim_changes(self, limit: int) -> Sequence[Change]:
        if self._check_skew and not await self._clocks_agree():
            return ()
        with self._told_once_a_minute():
            return await self._store.claim_changes(self._worker, self._clock.now(), LEASE, limit)

    async def _clocks_agree(self) -> bool:
        now = self._clock.now()
        if self._skew_checked is not None and now - self._skew_checked < SKEW_EVERY:
            return self._clock_is_right
        skew = abs(await self._store.now() - now)
        self._skew_checked = now
        self._clock_is_right = skew <= SKEW_ALLOWED
        if not self._clock_is_right:
            alarm(log, "clock", f"executing is stopped: our clock is {int(skew.total_seconds())} s off")
        return self._clock_is_right

    async def _claim_messages(self, limit: int) -> Sequence[Message]:
        with self._told_once_a_minute():
            return await self._store.claim_messages(self._worker, self._clock.now(), LEASE, limit)

    @contextlib.contextmanager
    def _told_once_a_minute(self) -> Iterator[None]:
        """A database that is away is asked every second; the alarm need not come as often."""
        try:
            yield
        except StoreUnavailable as error:
            now = self._clock.now()
            if self._store_missed is None or abs(now - self._store_missed) >= timedelta(minutes=1):
                self._store_missed = now
                alarm(log, "store", "no work can be claimed", error=error)
            raise

    async def _deliver(self, message: Message) -> None:
        # What the workflow does itself nobody else does: it is put off, never given up for being late.
        lasting = message.kind is MessageKind.STEP
        if message.attempts > CLAIMED_MOST and not lasting:
            # Claimed again and again and never finished: it takes the process with it. What is put off, and
            # what cannot be made, ends below; a process that dies of something else costs few of these.
            await self._give_up(message, "the message could not be made")
            return
        doing = self._desk.doing(message)
        try:
            outcome = await (doing(message) if doing else self._messenger.deliver(message))
        except StoreUnavailable:
            raise
        except Exception as error:
            if message.attempts < BROKEN_TRIES:
                raise
            alarm(log, "job", "a message cannot be made", error=error)
            await self._give_up(message, "the message could not be made")
            return
        self._metrics.count("messages", outcome.result.value)
        if outcome.result is Delivery.DONE:
            await self._store.message_done(message.key)
        elif outcome.result is Delivery.LATER and (lasting or outcome.untried or message.attempts < TRIES):
            seconds = min(RETRY_FIRST * 2 ** (message.attempts - 1), RETRY_MOST)
            wait = outcome.retry_after or timedelta(seconds=seconds)
            due_at = self._clock.now() + wait
            await self._store.message_later(message.key, due_at, tried=not outcome.untried)
        else:
            await self._give_up(message, outcome.why)

    async def _give_up(self, message: Message, why: str) -> None:
        """Undeliverable: an approver counts as missing; everybody else stays shown as not told.

        The message ends last: should the fallback not be found now, it comes again with its lease.
        """
        if message.kind in (MessageKind.ASK, MessageKind.REMIND):
            await self._desk.deciding.unreachable(message.change_id, message.to_oid, why)
        elif message.kind is MessageKind.ALERT:
            self._desk.alerting.lost(message, why)
        elif message.kind is MessageKind.ONBOARDING:
            await self._desk.onboarding.undelivered(message, why)
        await self._store.message_dead(message.key, why)
        if message.kind is MessageKind.NOTICE:
            alarm(log, "message", f"news of {message.change_id or 'no change'} was given up: {why}")
        self.wake()
