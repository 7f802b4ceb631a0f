"""What is wrong with a configuration, said so that somebody can mend it.

Knows the three parts of every complaint. Must not know what is configured, and never holds a secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that keeps the bot from starting. where: the setting, or table and key of the policy."""

    where: str
    why: str
    what_to_do: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}\n    -> {self.what_to_do}"


class Refused(Exception):
    """A configuration that is not used at all. problems: every one that was found, never only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean X?` with the most similar known name, or an empty string."""
    by_fold = {text.casefold(): text for text in known}
    found = difflib.get_close_matches(name.casefold(), list(by_fold), n=1, cutoff=0.6)
    return f" Did you mean {by_fold[found[0]]}?" if found else ""
