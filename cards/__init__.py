"""Draws outcomes: `draw(outcome, reader) -> Drawn`. The only thing that knows how an answer looks.

Knows: every outcome. Must not know: Teams' transport, the workflow, rights, clear numbers (but the two that
an outcome hands over for its requester). Pure: the same outcome and reader give the same card.
"""

from __future__ import annotations

from functools import lru_cache
from typing import assert_never

from bot.domain import outcome as o
from bot.domain import reasons
from bot.domain.change import State
from bot.domain.people import Reader, Role

from . import batches, changes, forms, onboarding, pages, refusals
from .sheet import Drawn
from .words import Words, words_for, words_of

__all__ = ["Drawn", "draw"]


def draw(outcome: o.Outcome, reader: Reader) -> Drawn:
    """The card of an outcome for one reader, and its plain twin. Do not change the card: it may be shared."""
    if isinstance(outcome, o.Page) and outcome.kind in (o.PageKind.HELP, o.PageKind.HI):
        return _standing_page(outcome.kind, reader.roles, reader.locale)
    batch = batches.view_of(outcome)
    if batch is not None and batches.is_shown_whole(outcome, batch[0].change):
        return batches.drawn(outcome, *batch, words_of(reader))
    return _draw(outcome, reader, words_of(reader))


def _draw(outcome: o.Outcome, reader: Reader, _: Words) -> Drawn:
    match outcome:
        case o.Preview():
            return changes.preview(outcome, _)
        case o.AwaitingApproval():
            return changes.awaiting(outcome, _)
        case o.Working():
            return changes.working(outcome, _)
        case o.Applied():
            return changes.applied(outcome, _)
        case o.AlreadySo():
            return refusals.already_so(outcome, _)
        case o.Refused():
            return _refused(outcome, _)
        case o.Failed():
            return changes.failed(outcome, _)
        case o.Unconfirmed():
            return changes.unconfirmed(outcome, _)
        case o.Page():
            return pages.page(outcome, reader, _)
        case o.Choice() | o.Form():
            return forms.draw(outcome, _)
        case o.Invitation() | o.OnboardingReport() | o.NewPeopleList() | o.PassShown():
            return onboarding.draw(outcome, _)
    assert_never(outcome)


def _refused(outcome: o.Refused, _: Words) -> Drawn:
    """A no; after a stale card the present card itself, since "use the card below" must be true."""
    view, first = outcome.view, outcome.refusals[0]
    if view is not None and first.code == reasons.CARD_STALE.code:
        if view.change.state is State.PENDING:
            return changes.awaiting(o.AwaitingApproval(view, first), _)
        if view.change.state is State.PREVIEWED:
            return changes.preview(o.Preview(view), _, first)
    return refusals.refused(outcome, _)


@lru_cache(maxsize=256)
def _standing_page(kind: o.PageKind, roles: frozenset[Role], locale: str) -> Drawn:
    """Help and hi depend on roles and language only: drawn once, because a help turn has a CPU budget."""
    _ = words_for(locale, "UTC")
    return pages.help_page(roles, _) if kind is o.PageKind.HELP else pages.hi_page(roles, _)
