"""What makes one request riskier than another, as values: the signal with the facts its sentence needs.

Knows which facts belong to a signal. Must not know how they are found, nor how they are said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.policy import Risk


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal. variant: which of its sentences fits, "" = the usual one. facts: masked; times are ISO."""

    risk: Risk
    variant: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """`country-change` or `country-change:location`: what its words are kept under."""
        return f"{self.risk.value}:{self.variant}" if self.variant else self.risk.value


def risks_of(signals: Iterable[Signal]) -> frozenset[Risk]:
    """What the rules of the policy look at."""
    return frozenset(signal.risk for signal in signals)
