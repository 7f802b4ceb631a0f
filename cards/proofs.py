"""How the caller was verified: the fields of the form, and the line on the cards.

Knows the words of each method. Must not know which of them count here: the form is told.
"""

from __future__ import annotations

from typing import Final

import microsoft_teams.cards as ac

from bot.domain.change import Change, Proof
from bot.domain.policy import Method

from . import verbs
from .foreign import plain
from .sheet import Sheet
from .words import Words, msg

#: In a sentence, and as a choice of the form.
METHODS: Final[dict[Method, tuple[str, str]]] = {
    Method.MANAGER_VOUCHES: (msg("the manager vouches"), msg("The manager vouches for the caller")),
    Method.IN_PERSON: (msg("in person"), msg("In person, by badge or by knowing them")),
    Method.CALL_BACK: (msg("call-back"), msg("Called back on a number known before")),
    Method.EXTERNAL: (msg("external check"), msg("By another system or team")),
    Method.PUSH: (msg("push"), msg("A sign-in prompt on their device")),
}


def proof_line(sheet: Sheet, _: Words, change: Change) -> None:
    """`Identity: call-back, HR file`, where it was recorded."""
    if change.proof is None:
        return
    words = METHODS[Method(change.proof.method)][0]
    message = msg("{method}, {evidence}") if change.proof.evidence else "{method}"
    sheet.pair(msg("Identity"), message, method=_(words), evidence=change.proof.evidence)


def method_field(_: Words, methods: tuple[Method, ...], proof: Proof | None) -> ac.ChoiceSetInput:
    """The ways that count; one that does not count here is not preselected."""
    said = proof.method if proof and proof.method in methods else None
    return ac.ChoiceSetInput(
        id=verbs.PROOF,
        label=_(msg("How did you verify the caller?")),
        style="compact",
        wrap=True,
        is_required=True,
        error_message=_(msg("Please choose how you verified the caller.")),
        placeholder=_(msg("Choose one")),
        choices=[ac.Choice(title=_(METHODS[method][1]), value=method.value) for method in methods],
        value=said,
    )


def evidence_field(_: Words, proof: Proof | None) -> ac.TextInput:
    """What it rests on; the ticket may say it instead."""
    return ac.TextInput(
        id=verbs.EVIDENCE,
        label=_(msg("What do you rely on?")),
        max_length=verbs.EVIDENCE_LENGTH,
        placeholder=_(msg("For example: number from the HR file")),
        value=plain(proof.evidence, verbs.EVIDENCE_LENGTH) if proof and proof.evidence else None,
    )
