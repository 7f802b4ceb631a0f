"""The registration report as the workflow sees it: one Protocol.

Knows values of the domain. Must not know Graph.
"""

from __future__ import annotations

from typing import Protocol

from bot.domain.coverage import Account, Enrolment
from bot.domain.people import Listed


class Reports(Protocol):
    """Lists of everybody, page by page, within the limits that the directory sets for them."""

    async def enrolments(self) -> tuple[Enrolment, ...]:
        """What everybody has registered, as the lagging report says. It may take minutes.

        Raises DirectoryRefused where there is no report for us, else DirectoryUnavailable.
        """
        ...

    async def accounts(self) -> tuple[Account, ...]:
        """Every account. Raises DirectoryUnavailable."""
        ...

    async def roster(self) -> tuple[Listed, ...]:
        """Everybody with all their addresses, for finding many at once. Raises DirectoryUnavailable."""
        ...
