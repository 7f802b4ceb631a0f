"""The names that cards and the inbound side share: verbs, input ids, and the shape of button data.

Knows: what a button sends back. Must not know: what happens then. Nothing in button data is believed
except as a pointer; rights, content and state are looked up again at every click.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.domain.command import CardRef

SUBMIT: Final = "submit"
CANCEL: Final = "cancel"
APPROVE: Final = "approve"
REJECT: Final = "reject"
WITHDRAW: Final = "withdraw"
NOT_ME: Final = "not-me"
SHOW_PASS: Final = "show-pass"  # noqa: S105 - a name, not a secret
REFRESH: Final = "refresh"
FORM_SET: Final = "form.set"
FORM_REMOVE: Final = "form.remove"
FORM_SWAP: Final = "form.swap"
FORM_SMS_ON: Final = "form.sms-on"
FORM_SMS_OFF: Final = "form.sms-off"
FORM_PASS: Final = "form.pass"  # noqa: S105 - a name, not a secret
ONBOARDING: Final = "onboarding"
NO_PHONE: Final = "onboarding.no-phone"
PREFERS_NOT: Final = "onboarding.prefers-not"
CONFIRM: Final = "onboarding.confirm"
NOT_MINE: Final = "onboarding.not-mine"
KEEP: Final = "onboarding.keep"
DEMOTE: Final = "onboarding.demote"
REMOVE: Final = "onboarding.remove"
ALL_BUT: Final = "onboarding.all-but"
CHOOSE: Final = "choose"
RUN: Final = "run"
BATCH: Final = "batch"

REQUEST_VERBS: Final = frozenset({SUBMIT, CANCEL, APPROVE, REJECT, WITHDRAW, NOT_ME, SHOW_PASS, REFRESH})
FORM_VERBS: Final = frozenset({FORM_SET, FORM_REMOVE, FORM_SWAP, FORM_SMS_ON, FORM_SMS_OFF, FORM_PASS})
ONBOARDING_VERBS: Final = frozenset(
    {ONBOARDING, NO_PHONE, PREFERS_NOT, CONFIRM, NOT_MINE, KEEP, DEMOTE, REMOVE, ALL_BUT}
)
VERBS: Final = REQUEST_VERBS | FORM_VERBS | ONBOARDING_VERBS | {CHOOSE, RUN, BATCH}

WHO: Final = "who"
SLOT: Final = "slot"
NUMBER: Final = "number"
REASON: Final = "reason"
TICKET: Final = "ticket"
BECAUSE: Final = "because"
HOW: Final = "how"
PROOF: Final = "proof"
EVIDENCE: Final = "evidence"
KIND: Final = "kind"
REGION: Final = "region"
LAST_FOUR: Final = "last_four"
BUT: Final = "but"
LINE: Final = "line"
INPUTS: Final = frozenset(
    {WHO, SLOT, NUMBER, REASON, TICKET, BECAUSE, HOW, KIND, PROOF, EVIDENCE, REGION, LAST_FOUR, BUT, LINE}
)

#: What Teams itself reads in the data of an Action.Submit.
DIALOG: Final = "msteams"

REASON_LENGTH: Final = 500
TICKET_LENGTH: Final = 120
EVIDENCE_LENGTH: Final = 120
NUMBER_LENGTH: Final = 40
LINE_LENGTH: Final = 120

Data = dict[str, str | int]


def request_data(card: CardRef) -> Data:
    """`{"v": 1, "change_id", "nonce"}`: which request, and whose card of which content."""
    return {"v": 1, "change_id": card.change_id, "nonce": card.nonce}


def all_but_data(cards: Sequence[CardRef]) -> Data:
    """`{"v": 1, "cards": "ID:nonce,..."}`: the requests of a list, each as on its reader's own card."""
    return {"v": 1, "cards": ",".join(f"{card.change_id}:{card.nonce}" for card in cards)}


def batch_data(card: CardRef, word: str) -> Data:
    """The same with what is said about the batch, a value of `BatchWord`."""
    return {**request_data(card), "word": word}


def form_data() -> Data:
    """`{"v": 1}`: the fields come from the inputs."""
    return {"v": 1}


def choose_data(verb: str, oid: str) -> Data:
    """`{"v": 1, "verb": "show" | "history", "who": object id}`."""
    return {"v": 1, "verb": verb, "who": oid}


def run_data(command: str) -> Data:
    """`{"v": 1, "command"}`: a typed command, never with a phone number in it."""
    return {"v": 1, "command": command}


def submit_data(verb: str, data: Data, *, dialog: bool = False) -> dict[str, object]:
    """Data of the Action.Submit that old clients send: the same, with the verb inside.

    `choose` data has a verb of its own, so an old client sends the same wish as a `run`. dialog: the answer
    is shown in one.
    """
    if dialog:
        return {**data, "verb": verb, DIALOG: {"type": "task/fetch"}}
    if verb == CHOOSE:
        return {"v": 1, "verb": RUN, "command": f"{data['verb']} {data['who']}"}
    return {**data, "verb": verb}
