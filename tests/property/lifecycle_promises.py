"""What holds of a world after each of its steps, and once it has come to rest, whatever happened in between.

Knows what is stored, what the judge at the directory saw and what people were sent. Must change nothing.
What must hold at the moment of a write (who approved, whose number, within which time, no protected person,
no closed switch, one at a time) is seen by `tests.doubles.judging`, which stands where the directory is.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING

from bot.domain.audit import GENESIS, AuditEvent, canonical, link
from bot.domain.change import LOCKING, MOVES, TERMINAL, State
from bot.store.keyring import KeyRing
from bot.telemetry import JsonLines

if TYPE_CHECKING:
    from lifecycle_world import World

_KEY = KeyRing([("k1", b"k" * 32)]).derive("audit")
_RECORDS = (
    "SELECT seq, at, name, actor, subject, change_id, correlation_id, facts, key_id, prev, mac "
    "FROM audit WHERE seq > ? ORDER BY seq"
)
#: Events that say the same with another cause.
ALSO_SAID = {State.REJECTED: ("disputed",), State.CANCELLED: ("taken-over",)}
ENDED_WITHOUT_EFFECT = (State.FAILED, State.EXPIRED, State.REJECTED, State.CANCELLED, State.BLOCKED)
UNDER_WAY = (State.APPLYING, State.UNCONFIRMED, State.COOLING)
STILL_OPEN = (State.PREVIEWED, State.PENDING, State.APPROVED)


def reachable(was: State) -> frozenset[State]:
    """Every state that the diagram lets a change come to from here, itself included."""
    found, todo = {was}, [was]
    while todo:
        for state in MOVES.get(todo.pop(), frozenset()) - found:
            found.add(state)
            todo.append(state)
    return frozenset(found)


class Promises:
    """One world is watched from its beginning to its end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[str, tuple[State, int]] = {}
        self._chain = (0, GENESIS)
        self._events: list[tuple[str, str]] = []
        self._notices: dict[str, str] = {}
        self._log = io.StringIO()
        self._handler = logging.StreamHandler(self._log)
        self._handler.setFormatter(JsonLines())
        logging.getLogger("bot").addHandler(self._handler)

    def close(self) -> None:
        logging.getLogger("bot").removeHandler(self._handler)

    def after_each_step(self) -> None:
        judge = self._world.judge
        assert judge is not None
        assert judge.wrong == [], judge.wrong
        assert all(n <= 1 for n in judge.effects.values()), "doubled"
        rows = self._world.rows()
        for change_id, (state, version) in rows.items():
            self._moved(change_id, state, version)
        assert self._seen.keys() <= rows.keys(), "a change is lost"
        self._seen = rows
        self._locks(rows)
        self._audit()
        notices = "SELECT key, state FROM outbox WHERE kind = 'notice'"
        self._notices |= dict(self._world.db(notices))
        assert not asyncio.all_tasks(self._world.loop), "work was left lying about"

    def at_rest(self) -> None:
        """All faults have stopped, and hours have passed."""
        world = self._world
        self.after_each_step()
        report = world.loop.run_until_complete(world.home.store.verify_audit())
        assert report.bad == (), report.bad
        assert len(world.db("SELECT DISTINCT tenant_id FROM changes")) <= 1, "a change of another directory"
        self._trail()
        self._told()
        self._masked()

    def _moved(self, change_id: str, state: State, version: int) -> None:
        """Along the diagram, the version with it; a final state stays, and says what the directory holds."""
        assert self._world.judge is not None
        was, before = self._seen.get(change_id, (State.PREVIEWED, 0))
        effects = self._world.judge.effects.get(change_id, 0)
        assert state in reachable(was), f"{change_id}: {was} to {state}"
        assert version > before or (version == before and state is was), f"{change_id}: version {version}"
        # What is said about it later (not me, undone, reviewed) raises the version only.
        assert was not in TERMINAL or state is was, "a final state moved"
        assert state not in ENDED_WITHOUT_EFFECT or effects == 0, f"{state}, but it was written"
        assert state is not State.APPLIED or effects == 1, "applied without a write of ours"

    def _locks(self, rows: dict[str, tuple[State, int]]) -> None:
        locks = self._world.db("SELECT target_oid, slot, change_id FROM slot_locks")
        assert len({(target, slot) for target, slot, _ in locks}) == len(locks)
        assert {holder for _, _, holder in locks} == {i for i, (s, _) in rows.items() if s in LOCKING}
        sealed = {change_id for (change_id,) in self._world.db("SELECT change_id FROM sealed_numbers")}
        assert not any(rows[change_id][0] in TERMINAL for change_id in sealed), "a number outlived its change"

    def _audit(self) -> None:
        """New records follow the old ones without a gap, each with its own seal; the head knows the last."""
        last, mac = self._chain
        for seq, at, name, actor, subject, change_id, correlation, facts, key_id, prev, own in self._world.db(
            _RECORDS, last
        ):
            event = AuditEvent(name, actor, subject, change_id, correlation, json.loads(facts)["d"])
            when = datetime.fromisoformat(at)
            assert (seq, prev) == (last + 1, mac), f"record {seq} does not follow {last}"
            assert own == link(_KEY, canonical("main", seq, when, event, key_id, prev)), f"record {seq}"
            last, mac = seq, own
            self._events.append((change_id, name.rsplit(":", 1)[-1]))
        self._chain = (last, mac)
        heads = self._world.db("SELECT seq, mac FROM audit_heads")
        assert heads == ([(last, mac)] if last else heads), "the head knows another end"

    def _trail(self) -> None:
        """Everything begun has come to its end, and each end and each write stands in the audit."""
        judge = self._world.judge
        assert judge is not None
        of: dict[str, list[str]] = {}
        for change_id, what in self._events:
            of.setdefault(change_id, []).append(what)
        for change_id, (state, _) in self._world.rows().items():
            assert state not in UNDER_WAY, f"{change_id}: {state}"
            said = {state.value, *ALSO_SAID.get(state, ())}
            assert state in STILL_OPEN or said & set(of.get(change_id, [])), state
        for change_id, _ in judge.writes:
            mine = of[change_id]
            behind = mine[len(mine) - mine[::-1].index("attempted") :]
            assert behind, f"{change_id} was written and no result stands in the audit"

    def _told(self) -> None:
        """Of each write the person concerned and who asked have heard, or it is known that they have not."""
        people = "SELECT id, requester_oid, target_oid FROM changes WHERE state = 'applied'"
        for change_id, *both in self._world.db(people):
            for who in both:
                told = [
                    s for key, s in self._notices.items() if key.startswith(f"{change_id}:notice:ended:{who}")
                ]
                assert told, f"{who} is not told of {change_id}"
                assert set(told) <= {"done", "dead"}, f"{who} is still not told of {change_id}: {told}"

    def _masked(self) -> None:
        """No number that anybody used stands in the clear in what was stored, logged or sent."""
        written = {file.name: file.read_bytes() for file in self._world.folder.iterdir()}
        written["the log"] = self._log.getvalue().encode()
        written["the messages"] = repr(self._world.messenger.delivered).encode()
        for name, content in written.items():
            leaked = [number for number in self._world.used if number.encode() in content]
            assert leaked == [], f"a clear number in {name}"
