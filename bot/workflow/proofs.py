"""Is it on record how the caller was verified, where the policy wants that?

Knows the policy's methods. Must not verify anybody: the requester states it, the approver reads it, the audit
keeps it.
"""

from __future__ import annotations

from bot.domain.change import Change, Proof
from bot.domain.policy import Action, Method, Policy
from bot.domain.proof_reasons import PROOF_EVIDENCE, PROOF_METHOD, PROOF_MISSING
from bot.domain.reason import Refusal

#: Fields of the form that a refusal of these stands beside.
FIELDS = {PROOF_MISSING.code: "proof", PROOF_METHOD.code: "proof", PROOF_EVIDENCE.code: "evidence"}


def methods_of(policy: Policy) -> tuple[Method, ...]:
    """The ways that count, in the order of the grammar; empty when the policy asks for none."""
    return tuple(method for method in Method if method in policy.verification)


def against(policy: Policy, action: Action, proof: Proof | None, ticket: str) -> Refusal | None:
    """Why a request with this proof cannot be made.

    What is taken back was not asked for by a caller, and nobody calls for a first phone.
    """
    if not policy.verification or action in (Action.UNDO, Action.ONBOARD):
        return None
    methods = ", ".join(methods_of(policy))
    if proof is None:
        return PROOF_MISSING.refuse(methods=methods)
    if proof.method not in policy.verification:
        return PROOF_METHOD.refuse(method=proof.method, methods=methods)
    if not proof.evidence.strip() and not ticket.strip():
        return PROOF_EVIDENCE.refuse()
    return None


def against_change(policy: Policy, change: Change) -> Refusal | None:
    """The same for a request as it is stored: the policy may have changed since."""
    return against(policy, change.action, change.proof, change.ticket)
