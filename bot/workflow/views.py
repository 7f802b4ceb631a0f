"""From a change to what one reader may see of it: the view, the outcome, the lists.

Knows states and audiences. Must not decide anything; the flags it sets only choose buttons.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain import reasons
from bot.domain.change import TERMINAL, Change, State
from bot.domain.outcome import (
    Applied,
    Audience,
    AwaitingApproval,
    Effect,
    Failed,
    Outcome,
    Preview,
    Refused,
    Unconfirmed,
    View,
    Working,
)
from bot.domain.passes import may_be_shown, terms_of
from bot.domain.people import Role
from bot.domain.phone import Purpose
from bot.domain.policy import Action, Policy
from bot.domain.reason import Refusal
from bot.domain.switch import first_closed
from bot.workflow.batch_views import batch_view
from bot.workflow.parts import Parts
from bot.workflow.undoing import may_still_be_undone

UNSTARTED = frozenset({State.PENDING, State.APPROVED, State.COOLING})
CANCELLABLE = UNSTARTED | {State.PREVIEWED}


def audience_of(change: Change, oid: str) -> Audience:
    """Why this person sees the change."""
    if oid == change.requester.oid:
        return Audience.REQUESTER
    if oid == change.target.oid:
        return Audience.TARGET
    asked = {asked.person.oid for step in change.steps for asked in step.asked}
    if change.is_pass:
        asked.add(terms_of(change).reader)
    if oid in asked or oid in {vote.person.oid for vote in change.votes}:
        return Audience.APPROVER
    return Audience.ONLOOKER


def may_see(change: Change, oid: str, roles: frozenset[Role], any_roles: frozenset[Role]) -> bool:
    """True for those concerned and for roles that may see any request. Previews are the requester's own."""
    if oid == change.requester.oid:
        return True
    if change.submitted_at is None:
        # Nobody else was ever to hear of it, the person concerned and the approvers neither.
        return change.state is not State.PREVIEWED and bool(roles & any_roles)
    return audience_of(change, oid) is not Audience.ONLOOKER or bool(roles & any_roles)


def view_of(
    parts: Parts,
    change: Change,
    oid: str,
    *,
    may_vote: bool | None = None,
    roles: frozenset[Role] = frozenset(),
) -> View:
    """The change for one reader. may_vote: set when the caller has just checked it. roles: if looked up."""
    audience = audience_of(change, oid)
    able = _is_asked_now(change, oid) if may_vote is None else may_vote
    return View(
        change=change,
        audience=Audience.APPROVER if may_vote else audience,
        card=parts.card_ref(change, oid),
        may_vote=able and change.state is State.PENDING and oid not in change.approved_by,
        may_cancel=audience is Audience.REQUESTER and change.state in CANCELLABLE,
        may_submit=audience is Audience.REQUESTER and change.state is State.PREVIEWED,
        may_withdraw=oid in change.approved_by and change.state in UNSTARTED,
        may_dispute=oid == change.target.oid and change.submitted_at is not None and not change.disputed,
        may_undo=_may_undo(change, audience, roles) and may_still_be_undone(change, parts.now()),
        may_review=_may_review(change, audience, roles),
        wants_line=wants_line(parts.policy, change),
        may_show_pass=_may_show_pass(parts, change, oid),
    )


def _may_show_pass(parts: Parts, change: Change, oid: str) -> bool:
    """The reader of a pass, while it can be had."""
    return change.is_pass and oid == terms_of(change).reader and may_be_shown(change, parts.now())


def wants_line(policy: Policy, change: Change) -> bool:
    """An approver must say on which line, known before, they spoke to the person."""
    return change.action is Action.ONBOARD and policy.onboarding.known_line


def _is_asked_now(change: Change, oid: str) -> bool:
    """Asked in the present step, also if out or hard to reach; not whoever passed it on."""
    asked = {each.person.oid for each in change.step.asked} if change.step else set()
    return (
        oid in asked and oid not in (change.requester.oid, change.target.oid) and not change.passed_on_by(oid)
    )


def _may_undo(change: Change, audience: Audience, roles: frozenset[Role]) -> bool:
    """Whoever asked for it for somebody else; security any but about their own phone.

    An operator's rights are judged then.
    """
    if change.is_pass:
        return False
    if change.requester.oid == change.target.oid:
        return Role.SECURITY in roles and audience is Audience.ONLOOKER
    secured = Role.SECURITY in roles and audience is not Audience.TARGET
    return audience is Audience.REQUESTER or secured


def _may_review(change: Change, audience: Audience, roles: frozenset[Role]) -> bool:
    """Somebody of security without a part in it, when it has ended."""
    waits = change.review_until is not None and change.state in TERMINAL
    return waits and Role.SECURITY in roles and audience not in (Audience.REQUESTER, Audience.TARGET)


async def outcome_of(
    parts: Parts,
    change: Change,
    oid: str,
    *,
    said: Refusal | None = None,
    may_vote: bool | None = None,
    roles: frozenset[Role] = frozenset(),
) -> Outcome:
    """The present state of a change as an outcome for one reader. roles: theirs, if they were looked up."""
    view = view_of(parts, change, oid, may_vote=may_vote, roles=roles)
    if change.is_batch:
        shown = await batch_view(parts, change, oid)
        runs = shown is not None and shown.batch.runs > 0
        view = replace(view, batch=shown, may_submit=view.may_submit and runs)
    if change.state in CANCELLABLE:
        view = replace(view, paused=first_closed(await parts.store.switches()))
    if change.state is State.PREVIEWED:
        return await _preview(parts, change, view)
    if change.state is State.PENDING:
        return AwaitingApproval(view, said)
    if change.state in (State.APPROVED, State.COOLING, State.APPLYING):
        return Working(view)
    if change.state is State.APPLIED:
        return Applied(view)
    if change.state is State.UNCONFIRMED:
        return Unconfirmed(view)
    ending = change.ending or reasons.INTERNAL.refuse(reference=change.correlation_id)
    if change.state in (State.FAILED, State.CONFLICT):
        return Failed(ending, view)
    return Refused((ending,), view)


async def _preview(parts: Parts, change: Change, view: View) -> Preview:
    effects = tuple(Effect(note, (("name", change.target.name),)) for note in change.notes)
    in_full = None
    alive = change.expires_at is not None and parts.now() < change.expires_at
    # Only what the requester typed: a number that a swap takes from the directory stays masked.
    typed = change.action is Action.SET and not change.parent_id
    if view.may_submit and alive and typed:
        numbers = await parts.store.numbers(change.id)
        if 1 in numbers:
            in_full = numbers[1].reveal(Purpose.READ_BACK)
    return Preview(view, effects, in_full)


def approver_names(change: Change) -> str:
    """Those who are asked, in words for a sentence: `Marta Miller or Ada Approver`."""
    names = [asked.person.name for step in change.steps for asked in step.asked]
    shown = names[:3]
    if len(names) > 3:
        return ", ".join(shown) + f" or one of {len(names) - 3} others"
    return " or ".join(shown) or "an approver"
