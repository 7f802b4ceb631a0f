"""Can several steps be satisfied by different people? Pure: sets in, an answer out.

Knows nothing of people or rules. Must not ask anybody.
"""

from __future__ import annotations

from collections.abc import Sequence, Set


def first_short(needs: Sequence[int], people: Sequence[Set[str]]) -> int | None:
    """The first step for which nobody is left when each person counts once; None = all can be satisfied."""
    owner: dict[str, int] = {}

    def place(step: int, tried: set[str]) -> bool:
        for person in sorted(people[step] - tried):
            tried.add(person)
            if person not in owner or place(owner[person], tried):
                owner[person] = step
                return True
        return False

    for step, need in enumerate(needs):
        if not all(place(step, set()) for _ in range(need)):
            return step
    return None
