"""Can several steps be satisfied by different people? Pure: sets in, an answer out.

Knows nothing of people or rules. Must not ask anybody.
"""

from __future__ import annotations

from collections.abc import Sequence, Set


def places(needs: Sequence[int], people: Sequence[Set[str]]) -> dict[str, int]:
    """As many as can be placed: for each of them the step that they count for, never more than it needs."""
    owner: dict[str, int] = {}

    def place(step: int, tried: set[str]) -> bool:
        for person in sorted(people[step] - tried):
            tried.add(person)
            if person not in owner or place(owner[person], tried):
                owner[person] = step
                return True
        return False

    for step, need in enumerate(needs):
        # Whoever makes room for somebody finds another place: earlier steps keep as many as they had.
        for _ in range(need):
            if not place(step, set()):
                break
    return owner


def first_short(needs: Sequence[int], people: Sequence[Set[str]]) -> int | None:
    """The first step for which nobody is left when each person counts once; None = all can be satisfied."""
    placed = list(places(needs, people).values())
    return next((step for step, need in enumerate(needs) if placed.count(step) < need), None)
