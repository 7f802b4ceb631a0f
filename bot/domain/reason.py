"""What a "no" is made of: a registered code with title, why, next step and who it is for.

Knows the shape and the registry. Must not hold any particular reason (those are in `reasons`), nor a number:
facts are masked before they come here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter
from types import MappingProxyType

FAMILIES = ("usage", "access", "policy", "conflict", "directory", "internal")
REGISTRY: dict[str, Reason] = {}
"""Every constructed reason by code; filled by importing `reasons`."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One registered "no".

    code: family.name, public. title: one line. why: the rule and its reason. next_step: what to do and who
    can do it. facts: names of the placeholders that must be given. retryable: the same may work later.
    link: a page of the vendor that says more, an https address, "" = none.
    """

    code: str
    title: str
    why: str
    next_step: str
    audience: str = "requester"
    retryable: bool = False
    link: str = ""
    facts: tuple[str, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        if self.code.split(".")[0] not in FAMILIES or self.code in REGISTRY:
            raise ValueError(f"reason code {self.code} is taken or of no family")
        if self.link and not self.link.startswith("https://"):
            raise ValueError(f"the link of {self.code} is no https address")
        texts = (self.title, self.why, self.next_step)
        names = sorted({name for text in texts for _, name, _, _ in Formatter().parse(text) if name})
        object.__setattr__(self, "facts", tuple(names))
        REGISTRY[self.code] = self

    def refuse(self, **facts: str) -> Refusal:
        """This reason with its facts. Raises ValueError when a declared fact is missing or extra."""
        if set(facts) != set(self.facts):
            raise ValueError(f"{self.code} wants facts {self.facts}, got {tuple(sorted(facts))}")
        return Refusal(self.code, MappingProxyType(dict(facts)))

    @property
    def family(self) -> str:
        return self.code.split(".")[0]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason as said in one case: the code and the facts that fill its sentences."""

    code: str
    facts: Mapping[str, str]

    @property
    def reason(self) -> Reason:
        return REGISTRY[self.code]
