"""The words of a decision: how an approver knows, and what a rejection means, as people type them.

Knows the phrases. Must not know requests, IDs, or whether anything counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from bot.domain.change import How, NoKind
from bot.domain.words import Word

Meaning = TypeVar("Meaning")

# The first of each is the documented one.
HOWS: Mapping[str, How] = MappingProxyType(
    {
        **dict.fromkeys(("in person", "spoke in person"), How.IN_PERSON),
        **dict.fromkeys(("known number", "on a known number", "by known number"), How.KNOWN_NUMBER),
        **dict.fromkeys(("did not", "didn't", "did not speak"), How.DID_NOT),
    }
)
KINDS: Mapping[str, NoKind] = MappingProxyType(
    {
        "not now": NoKind.NOT_NOW,
        **dict.fromkeys(("wrong person", "wrong approver", "wrong person to ask"), NoKind.WRONG_PERSON),
        **dict.fromkeys(("left", "left the company", "has left"), NoKind.LEFT),
        **dict.fromkeys(("fraud", "looks like fraud"), NoKind.FRAUD),
    }
)


def said_last(words: Sequence[Word], phrases: Mapping[str, Meaning]) -> tuple[Meaning | None, int]:
    """What the last words mean and how many they are, the longest phrase first; (None, 0) for none."""
    longest = max(len(phrase.split()) for phrase in phrases)
    for size in range(min(longest, len(words)), 0, -1):
        said = " ".join(word.key for word in words[len(words) - size :])
        said = " ".join(said.replace("-", " ").replace("’", "'").split())
        if said in phrases:
            return phrases[said], size
    return None, 0
