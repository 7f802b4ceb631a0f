"""One command as readers meet it: its words, an example, what it does, who may.

Knows the access table. Must not know any command in particular.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.access import ALLOWED


@dataclass(frozen=True, slots=True)
class CommandDoc:
    """One command for readers. verb: canonical first words; also: other spellings of the verb.

    on_a_card: it answers a card, which says so itself; help does not list it.
    usage: its form, capitals stand for what the user fills in; example: a line that can be sent as it is.
    """

    kind: type[object]
    verb: str
    usage: str
    example: str
    what: str
    also: tuple[str, ...] = ()
    on_a_card: bool = False

    @property
    def who_may(self) -> tuple[str, ...]:
        """Role names in alphabetical order, or ("everyone",): what the access table says, nothing else."""
        roles = ALLOWED[self.kind]
        return ("everyone",) if roles is None else tuple(sorted(role.value for role in roles))

    @property
    def how(self) -> str:
        """The usage with its example in one sentence, for refusals."""
        return self.usage if self.usage == self.example else f"{self.usage}, for example: {self.example}"
