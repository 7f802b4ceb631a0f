"""The names that cards and the inbound side share: verbs, input ids, and the shape of button data.

Knows: what a button sends back. Must not know: what happens then. Nothing in button data is believed
except as a pointer; rights, content and state are looked up again at every click.
"""

from __future__ import annotations

from typing import Final

from bot.domain.command import CardRef

SUBMIT: Final = "submit"
CANCEL: Final = "cancel"
APPROVE: Final = "approve"
REJECT: Final = "reject"
WITHDRAW: Final = "withdraw"
NOT_ME: Final = "not-me"
REFRESH: Final = "refresh"
FORM_SET: Final = "form.set"
FORM_REMOVE: Final = "form.remove"
FORM_SWAP: Final = "form.swap"
FORM_SMS_ON: Final = "form.sms-on"
FORM_SMS_OFF: Final = "form.sms-off"
CHOOSE: Final = "choose"
RUN: Final = "run"

REQUEST_VERBS: Final = frozenset({SUBMIT, CANCEL, APPROVE, REJECT, WITHDRAW, NOT_ME, REFRESH})
FORM_VERBS: Final = frozenset({FORM_SET, FORM_REMOVE, FORM_SWAP, FORM_SMS_ON, FORM_SMS_OFF})
VERBS: Final = REQUEST_VERBS | FORM_VERBS | {CHOOSE, RUN}

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
INPUTS: Final = frozenset({WHO, SLOT, NUMBER, REASON, TICKET, BECAUSE, HOW, KIND, PROOF, EVIDENCE})

REASON_LENGTH: Final = 500
TICKET_LENGTH: Final = 120
EVIDENCE_LENGTH: Final = 120
NUMBER_LENGTH: Final = 40

Data = dict[str, str | int]


def request_data(card: CardRef) -> Data:
    """`{"v": 1, "change_id", "nonce"}`: which request, and whose card of which content."""
    return {"v": 1, "change_id": card.change_id, "nonce": card.nonce}


def form_data() -> Data:
    """`{"v": 1}`: the fields come from the inputs."""
    return {"v": 1}


def choose_data(verb: str, oid: str) -> Data:
    """`{"v": 1, "verb": "show" | "history", "who": object id}`."""
    return {"v": 1, "verb": verb, "who": oid}


def run_data(command: str) -> Data:
    """`{"v": 1, "command"}`: a typed command, never with a phone number in it."""
    return {"v": 1, "command": command}


def submit_data(verb: str, data: Data) -> Data:
    """Data of the Action.Submit that old clients send: the same, with the verb inside.

    `choose` data has a verb of its own, so an old client sends the same wish as a `run`.
    """
    if verb == CHOOSE:
        return {"v": 1, "verb": RUN, "command": f"{data['verb']} {data['who']}"}
    return {**data, "verb": verb}
