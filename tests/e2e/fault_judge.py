"""What must hold after any fault, whatever the outcome: the invariants that one request can show.

Knows the database, the journal of the directory, the log and what went to Teams. Must not know which fault
it was.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from fault_site import Site, Way
from leaks import Clear, found
from stage import Stage

Json = dict[str, Any]
UNDER_WAY = ("applying", "unconfirmed", "cooling", "approved")
ENDS_SAID = ("applied", "failed", "conflict", "blocked", "expired", "rejected", "cancelled")


@dataclass
class Judge:
    """Made before the fault; `settle` after everything is whole again and two hours have passed."""

    site: Site
    logged: int = field(init=False)
    alarms: float = field(init=False)

    def __post_init__(self) -> None:
        self.logged = len(self.site.stage.log.getvalue())
        self.alarms = alarms(self.site.stage)

    def alarmed(self) -> bool:
        """An alarm was raised, in the log and in the counters. A new life counts from nought."""
        logged = [json.loads(line) for line in self.site.stage.log.getvalue()[self.logged :].splitlines()]
        in_log = any(line["level"] == "ERROR" and "alarm" in line for line in logged)
        return in_log and alarms(self.site.stage) > 0

    async def settle(self, way: Way, ends: str) -> list[str]:
        """What is wrong, in words."""
        wrong: list[str] = []
        state, effects = await way.state(), await way.effects()
        wrong += [] if state == ends else [f"ended {state}, not {ends}"]
        wanted = 1 if ends == "applied" else 0
        if len(effects) != wanted:
            wrong.append(f"{len(effects)} effects of a request that ended {state}")
        if any(e["after"] != way.number for e in effects):
            wrong.append("another number than the approved one was written")
        wrong += [f"still {state} after two hours"] if state in UNDER_WAY else []
        wrong += await self._trail(way, state, len(effects))
        wrong += await self._messages(way)
        report = await self.site.stage.parts.store.verify_audit()
        wrong += [f"the audit chain: {report.bad}"] if report.bad else []
        wrong += await self._leaks(way)
        return wrong

    async def _trail(self, way: Way, state: str, effects: int) -> list[str]:
        """Intent before write, result behind it, and each final state in the audit."""
        events = [name for name, _ in await way.events()]
        attempts = events.count("attempted")
        wrong = [] if attempts >= effects else ["a write without an audited intent"]
        wrong += ["a write before its intent was on disk"] if self.site.unintended else []
        wrong += ["sent a third time"] if await way.sends() > 2 else []
        if attempts and events[-1] == "attempted":
            wrong.append("no result behind the intent")
        if state in ENDS_SAID and events.count(state) != 1:
            wrong.append(f"{state} stands {events.count(state)} times in the audit")
        votes = await way.kept()
        if state == "applied" and len(votes) != 2:
            wrong.append(f"written with the votes {votes[1:]}")
        return wrong

    async def _messages(self, way: Way) -> list[str]:
        """Delivered, or given up with an alarm; nothing waits for ever."""
        rows = await way.outbox()
        waiting = [key for key, _, _, state, _, _ in rows if state == "waiting"]
        dead = [key for key, kind, _, state, _, _ in rows if state == "dead"]
        wrong = [f"not delivered: {waiting}"] if waiting else []
        return wrong + ([f"given up in silence: {dead}"] if dead and not self.alarmed() else [])

    async def _leaks(self, way: Way) -> list[str]:
        numbers = [Clear.read(way.number)]
        wrong = found(numbers, self.site.stage.log.getvalue()[self.logged :].encode())
        if self.site.is_sqlite:
            for file in self.site.stage.state.glob("ringfence.db*"):
                wrong += found(numbers, file.read_bytes())
        sent = [s for s in await self.site.stage.sent() if way.number[-4:] in json.dumps(s["body"])]
        return wrong + [
            hit
            for each in sent
            if "Read it back" not in json.dumps(each["body"])
            for hit in found(numbers, json.dumps(each["body"], ensure_ascii=False).encode())
        ]


def alarms(stage: Stage) -> float:
    """How many alarms the present life of the bot has counted."""
    lines = stage.parts.counters.render().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("ringfence_alarms_total{"))
