"""From a case that nothing stands against to the request as it is stored, and what the audit keeps of it.

Knows the columns of a new request. Must not judge, store or send.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.change import Change, Operation, State, content_hash
from bot.domain.command import Order
from bot.domain.onboarding import OnboardingStep, submitted
from bot.domain.people import Actor, PersonRef
from bot.workflow.judging import Cleared, under
from bot.workflow.parts import Envelope, Parts
from bot.workflow.planning import Case

PREVIEW_LIFE = timedelta(minutes=10)


def made(
    parts: Parts, case: Case, cleared: Cleared, said: Order | Change, actor: Actor, envelope: Envelope
) -> Change:
    """The preview of a case. said: whose reason, ticket and proof it has."""
    now = parts.now()
    change = Change(
        id=parts.ids.request_key(),
        tenant_id=parts.tenant_id,
        origin="onboarding" if case.onboarding else "chat",
        action=case.action,
        requester=PersonRef.of(actor.person),
        target=PersonRef.of(case.target),
        target_kind=cleared.kind,
        operations=cleared.plan.operations,
        reason=said.reason,
        ticket=said.ticket,
        proof=said.proof,
        rule=cleared.rule.name,
        policy_hash=parts.policy.digest,
        content_hash="",
        correlation_id=envelope.correlation_id or parts.ids.correlation(),
        state=State.PREVIEWED,
        row_version=1,
        created_at=now,
        expire_minutes=cleared.rule.expire_minutes,
        execute_minutes=cleared.rule.execute_minutes,
        expires_at=now + PREVIEW_LIFE,
        due_at=now + PREVIEW_LIFE,
        excluded=case.excluded,
        parent_id=case.takes.id if case.takes else case.parent_id,
    )
    return under_terms(replace(change, content_hash=content_hash(change)), cleared)


def under_terms(change: Change, cleared: Cleared) -> Change:
    """The change with what the rule asks for and what was found about it."""
    ruled = under(change, cleared.rule, cleared.kind, cleared.steps)
    return replace(ruled, notes=cleared.notes, risks=cleared.signals, deciders=cleared.deciders)


def answered(case: Case, change: Change) -> tuple[OnboardingStep, ...]:
    """The card is used up by the very commit that submits what was entered on it."""
    waiting = case.onboarding
    return () if waiting is None else (OnboardingStep(waiting, submitted(waiting, change)),)


def content_of(operation: Operation) -> tuple[object, ...]:
    """What an approval is about: the same plan over the same values as shown."""
    return operation.n, operation.kind, operation.slot, operation.before_key, operation.after_key


def facts_of(change: Change) -> dict[str, str]:
    """What the audit keeps, masked."""
    operation = change.operations[0]
    return {
        "by": change.requester.name,
        "target": change.target.upn,
        "before": operation.before or "empty",
        "after": operation.after or "empty",
        "rule": change.rule,
        "reason": change.reason,
        "ticket": change.ticket,
        "content": change.content_hash,
        "policy": change.policy_hash,
        "risks": ", ".join(signal.key for signal in change.risks),
        "proof": str(change.proof or ""),
    }
