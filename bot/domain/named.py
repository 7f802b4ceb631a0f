"""How a command names somebody or something: a person, a request, the card that a button stands on.

Knows the shapes. Must not know commands, nor look anything up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class WhoKind(StrEnum):
    """How a person was named. Only `OID` is used in paths; everything else is looked up first."""

    OID = "oid"
    UPN = "upn"
    EMPLOYEE = "employee id"
    NAME = "name"
    ME = "me"


@dataclass(frozen=True, slots=True)
class Who:
    """A person as named by the user. value: as typed, trimmed; exact is true for a "quoted name".

    A misplaced number can end up here and in free text, so that none of them shows in a repr.
    """

    kind: WhoKind
    value: str = field(repr=False)
    exact: bool = False


@dataclass(frozen=True, slots=True)
class RequestId:
    """`R-7K2Q9M-4F3A` as typed. key: `7K2Q9M`; tail: four hex digits of the content hash, "" if left out."""

    key: str
    tail: str = ""

    def __str__(self) -> str:
        return f"R-{self.key}" + (f"-{self.tail}" if self.tail else "")


@dataclass(frozen=True, slots=True)
class CardRef:
    """What a button carries: the request and the nonce of the card it stands on. Nothing else is believed."""

    change_id: str
    nonce: str
