"""What may be spent. A figure above its budget fails the run.

Every budget is raised or lowered here, in the same change as its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Budget:
    """At most (or, with `least`, at least) `limit`. `goal` is where we want to be, for reading only.

    `places`: how many decimals the figure is good for.
    """

    what: str
    limit: float
    unit: str
    places: int
    goal: float | None = None
    least: bool = False


BUDGETS = {
    # A help turn in processor time of the bot process, over the same turn of the hand-written floor.
    "help": Budget("help turn, CPU against the floor", 1.6, "x", 2, goal=1.3),
    # In turns of the floor in the same run, so that a slow machine is no excuse and no alarm. First figures,
    # November 2026: 33 ms and 82 ms at 0.35 ms a turn; each budget is one and a half of that.
    "preview": Budget("set preview, CPU against a floor turn", 140.0, "x", 0),
    "approve": Budget("approve with all it sets off, the same", 350.0, "x", 0),
    # From exec to the first 200 of /readyz, on a database that is already migrated.
    "start": Budget("start, CPU", 1.8, "s", 2),
    "memory": Budget("memory after the start", 140.0, "MB", 0),
    # Run by hand only: how many times our CPU the SDK's own adapter needs for a turn.
    "stock": Budget("stock adapter, CPU against ours", 40.0, "x", 0, least=True),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured for one budget."""

    budget: Budget
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def holds(self) -> bool:
        budget = self.budget
        return self.median >= budget.limit if budget.least else self.median <= budget.limit

    def line(self) -> str:
        """One row of the table."""
        budget = self.budget
        value = f"{self.median:.{budget.places}f} {budget.unit}"
        span = f"{min(self.samples):.{budget.places}f} to {max(self.samples):.{budget.places}f}"
        goal = f", goal {budget.goal:g}" if budget.goal is not None else ""
        limit = f"at {'least' if budget.least else 'most'} {budget.limit:g} {budget.unit}{goal}"
        verdict = "PASS" if self.holds else "FAIL"
        return f"{verdict}  {budget.what:<38} {value:>9}  median of {len(self.samples)} ({span})  {limit}"


def figure(name: str, samples: Sequence[float]) -> Figure:
    """Samples of the budget with this name."""
    return Figure(BUDGETS[name], tuple(samples))
