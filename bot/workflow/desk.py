"""The one door of the workflow: a command and who sent it in, an outcome out.

Knows which use case answers which command, and that every access or policy refusal is audited. Must not
know how the words arrived or how the answer looks.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.domain import command as c
from bot.domain import decision_reasons, reasons
from bot.domain import internal_reasons as internal
from bot.domain import onboarding_commands as oc
from bot.domain.access import may
from bot.domain.bulk_reasons import SEND_AGAIN
from bot.domain.change import Change, OpKind, State, Verdict
from bot.domain.outcome import Outcome, Page, PageKind, Refused
from bot.domain.people import Actor, Role
from bot.domain.reason import Refusal
from bot.ports import Delivered, DirectoryUnavailable, Listing, Message, RowUnreadable, StoreUnavailable
from bot.telemetry import alarm
from bot.workflow.alerting import Alerting
from bot.workflow.applying import Applying
from bot.workflow.approvers import Approvers
from bot.workflow.away import Away
from bot.workflow.batch_files import BatchFiles
from bot.workflow.batch_running import BatchRunning
from bot.workflow.batches import Batches
from bot.workflow.checking import Checking
from bot.workflow.deciding import Ballot, Deciding
from bot.workflow.disputing import Disputing
from bot.workflow.freezing import Freezing
from bot.workflow.identity import Identity
from bot.workflow.judging import Judge
from bot.workflow.keeping import Keeping
from bot.workflow.nudging import Nudging
from bot.workflow.onboarding import Onboardings
from bot.workflow.pacing import WritePace
from bot.workflow.parts import Envelope, Parts, denied
from bot.workflow.passes import Passes
from bot.workflow.reading import Reading
from bot.workflow.rechecking import Rechecks
from bot.workflow.rejudging import Rejudging
from bot.workflow.reporting import Answering
from bot.workflow.requests import Requests
from bot.workflow.reviewing import Reviewing
from bot.workflow.switching import Switches
from bot.workflow.taking import Taking
from bot.workflow.views import outcome_of
from bot.workflow.waiting import Waiting
from bot.workflow.who_has import Asking
from bot.workflow.withdrawing import Withdrawing

# Nothing is decided by these, so who-is-it may be up to a minute old.
_LIGHT = (c.Help, c.Hi, c.Whoami, c.Explain, c.Unknown, c.Malformed, c.MyRequests, c.Approvals, c.Refresh)
# Said with an ID, never by the button of a card: what they do depends on nothing that the card shows.
_TypedOnly = c.Status | c.Repeat | c.Nudge | c.Take | c.Undo | c.Review | c.BatchFile
_AUDIT_AGAIN = timedelta(minutes=1)
_REMEMBERED = 10_000
_log = logging.getLogger(__name__)


class Desk:
    """Handles commands. Returned outcomes with effects are committed; a raised exception left nothing."""

    def __init__(self, parts: Parts, pace: WritePace | None = None) -> None:
        """pace: of the writes of batches, None = one that learns from the directory."""
        self._parts = parts
        self._identity = Identity(parts)
        approvers = Approvers(parts)
        judge = Judge(parts, approvers)
        self.checking = Checking(parts)
        waiting = Waiting(parts, approvers)
        self.alerting = Alerting(parts, self.present)
        self.freezing = Freezing(parts, self._identity)
        self._requests = Requests(parts, judge, self.checking, self.freezing, waiting)
        self._reading = Reading(parts)
        self._asking = Asking(parts)
        self._report = Answering(parts)
        self.deciding = Deciding(parts, approvers, self.freezing, waiting)
        self._taking = Taking(parts, self._requests)
        self._withdrawing = Withdrawing(parts, waiting)
        self._disputing = Disputing(parts, self.freezing)
        self.onboarding = Onboardings(parts, judge, self._requests, self._disputing, self.deciding)
        rejudging = Rejudging(parts, approvers, waiting)
        rechecks = Rechecks(parts, self._identity, judge, rejudging)
        self.switches = Switches(parts, self._identity)
        self.reviewing = Reviewing(parts, self._identity)
        self._batches = Batches(parts, approvers, waiting)
        self._files = BatchFiles(parts)
        running = BatchRunning(parts, self._identity, self.freezing, self.switches, rejudging, pace)
        self._passes = Passes(parts, rechecks, self.freezing, self.switches)
        others = {OpKind.BATCH: running.work, OpKind.PASS: self._passes.work}
        self.applying = Applying(
            parts, rechecks, self.freezing, self.switches, self.reviewing, waiting, others
        )
        self.keeping = Keeping(parts)
        self._away = Away(parts)
        self._nudging = Nudging(parts)
        self._audited: dict[tuple[str, str], datetime] = {}

    async def handle(self, command: c.Command, envelope: Envelope) -> Outcome:
        """The answer to one command. Without the store nothing is done, and that is said."""
        try:
            return await self._handle(command, envelope)
        except StoreUnavailable as error:
            alarm(_log, "store", "a command could not be handled", error=error)
            refusal = internal.STORE_UNAVAILABLE.refuse()
        except RowUnreadable as error:
            alarm(_log, "row", f"the stored change {error.change_id} cannot be read", error=error.__cause__)
            refusal = internal.ROW_UNREADABLE.refuse(key=error.change_id)
        self._parts.metrics.count("refusals", refusal.code)
        return Refused((refusal,))

    async def _handle(self, command: c.Command, envelope: Envelope) -> Outcome:
        before = await self._delivered_before(envelope, command)
        if before is not None:
            return before
        actor = await self._admitted(command, envelope)
        if isinstance(actor, Refused):
            return actor
        outcome = await self._answer(command, actor, envelope)
        if isinstance(outcome, Refused) and not outcome.tells_an_ending:
            return await self._refuse(command, envelope, outcome)
        return outcome

    async def admits(self, command: c.Command, envelope: Envelope) -> Refused | None:
        """Why the sender may not say such a thing, None = they may: before anything is fetched for it."""
        actor = await self._admitted(command, envelope)
        return actor if isinstance(actor, Refused) else None

    async def _admitted(self, command: c.Command, envelope: Envelope) -> Actor | Refused:
        actor = await self._identity.actor(envelope.oid, fresh=not isinstance(command, _LIGHT))
        if isinstance(actor, Refusal):
            return await self._refuse(command, envelope, Refused((actor,)))
        if not self._allowed(command, actor):
            return await self._refuse(command, envelope, Refused((reasons.NO_ROLE.refuse(),)))
        return actor

    def doing(self, message: Message) -> Callable[[Message], Awaitable[Delivered]] | None:
        """What the workflow itself does with a message of the outbox; None = it is sent to somebody."""
        if self.alerting.is_for_a_role(message):
            return self.alerting.fan_out
        return self.onboarding.handle if self.onboarding.handles(message) else None

    async def present(self, change: Change, oid: str) -> Outcome:
        """The present state of a change for one reader: what a posted card is redrawn with."""
        roles: frozenset[Role] = frozenset()
        if change.review_until is not None:
            with contextlib.suppress(DirectoryUnavailable):
                roles = await self._identity.roles_of(oid)
        return await outcome_of(self._parts, change, oid, roles=roles)

    def _allowed(self, command: c.Command, actor: Actor) -> bool:
        if isinstance(command, c.Show):
            return self._reading.show_is_own(command, actor)
        if isinstance(command, c.Freeze):
            return Role.SECURITY in actor.roles or self.freezing.is_own(command, actor)
        if isinstance(command, oc.Onboard):
            return True  # a manager may, for direct reports: they are looked up first, and nobody else
        return may(type(command), actor.roles)

    async def _answer(self, command: c.Command, actor: Actor, envelope: Envelope) -> Outcome:
        match command:
            case c.SetPhone() | c.RemovePhone() | c.Swap() | c.SmsSignIn() | c.IssuePass():
                return await self._requests.ask(command, actor, envelope)
            case c.Check():
                return await self.checking.answer(command, actor)
            case c.Show():
                return await self._reading.show(command, actor)
            case c.WhoHas():
                return await self._asking.answer(command, actor, envelope)
            case c.History():
                return await self._reading.history(command, actor)
            case c.Freeze() | c.Unfreeze() | c.Pause() | c.Resume():
                return await self._stop(command, actor, envelope)
            case c.Out():
                return await self._away.answer(command, actor, envelope)
            case c.Bulk() | c.BulkFile() | c.Report():
                return await self._many(command, actor, envelope)
            case c.MyRequests() | c.Approvals() | c.OpenRequests():
                return await self._reading.listing(*_LISTS[type(command)], actor)
            case _:
                if isinstance(command, c.AboutARequest):
                    return await self._about_a_request(command, actor, envelope)
                if isinstance(command, oc.OnboardingCommand):
                    return await self.onboarding.answer(command, actor, envelope)
                return self._words(command, actor)

    async def _many(
        self, command: c.Bulk | c.BulkFile | c.Report, actor: Actor, envelope: Envelope
    ) -> Outcome:
        """What is about many people at once."""
        match command:
            case c.Report():
                return await self._report.answer(command, actor, envelope)
            case c.Bulk():
                return await self._batches.template(command, actor)
            case c.BulkFile():
                return await self._batches.take(command, actor, envelope)

    async def _stop(
        self, command: c.Freeze | c.Unfreeze | c.Pause | c.Resume, actor: Actor, envelope: Envelope
    ) -> Outcome:
        match command:
            case c.Freeze():
                return await self.freezing.freeze(command, actor, envelope)
            case c.Unfreeze():
                return await self.freezing.unfreeze(command, actor, envelope)
            case c.Pause():
                return await self.switches.pause(command, actor, envelope)
            case c.Resume():
                return await self.switches.resume(actor, envelope)

    def _words(self, command: c.Command, actor: Actor) -> Outcome:
        match command:
            case c.Help():
                return Page(PageKind.HELP, roles=actor.roles)
            case c.Hi():
                return Page(PageKind.HI, person=actor.person, roles=actor.roles)
            case c.Whoami():
                return Page(PageKind.WHOAMI, person=actor.person, roles=actor.roles)
            case c.Explain(code):
                return self._reading.explain(code)
            case c.Tampered():
                return Refused((reasons.CARD_TAMPERED.refuse(),))
            case c.Malformed(verb, usage, problem):
                return Refused((reasons.MALFORMED.refuse(verb=verb, usage=usage, problem=problem),))
            case c.Unknown(_, nearest):
                suggestion = f" Did you mean `{nearest}`?" if nearest else ""
                said = reasons.UNKNOWN_COMMAND.refuse(suggestion=suggestion)
                return Refused((said,), nearest=nearest)
            case _:
                raise AssertionError(f"no answer for {type(command).__name__}")

    async def _about_a_request(
        self,
        command: c.AboutARequest,
        actor: Actor,
        envelope: Envelope,
    ) -> Outcome:
        card = None if isinstance(command, _TypedOnly) else command.card
        request = c.RequestId("") if isinstance(command, c.Refresh) else command.request or c.RequestId("")
        change = await self._parts.store.change(card.change_id if card else request.key)
        wrong = change is not None and card is None and request.tail not in ("", change.tail)
        if change is None or (wrong and not _decides(command)):
            named = c.RequestId(card.change_id) if card else request
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=str(named)),))
        if card is not None and not self._parts.is_genuine(card, change, actor.oid):
            return await self._stale(change, actor)
        if isinstance(command, _TypedOnly):
            return await self._afterwards(command, change, actor, envelope)
        match command:
            case c.Refresh():
                return await self._reading.status(change, actor)
            case c.Submit():
                if card is None and (request.tail != change.tail or change.requester.oid != actor.oid):
                    return await self._reading.status(change, actor)
                asked = self._batches if change.is_batch else self._requests
                return await asked.submit(change, actor, envelope)
            case c.Cancel():
                if change.is_batch and change.state is State.APPLYING:
                    return await self._batches.stop(change, actor, envelope)
                return await self._requests.cancel(change, actor, envelope)
            case c.OfBatch():
                return await self._batches.said(command, change, actor, envelope)
            case c.ShowPass():
                shown = card is not None and change.is_pass
                return await (
                    self._passes.show(change, actor, envelope)
                    if shown
                    else self._reading.status(change, actor)
                )
            case _:
                return await self._said_about(command, change, actor, envelope)

    async def _afterwards(
        self, command: _TypedOnly, change: Change, actor: Actor, envelope: Envelope
    ) -> Outcome:
        match command:
            case c.Status():
                return await self._reading.status(change, actor)
            case c.Repeat():
                return await self._repeat(change, actor, envelope)
            case c.Nudge():
                return await self._nudging.nudge(change, actor, envelope)
            case c.Take():
                return await self._taking.take(change, actor, envelope)
            case c.Undo():
                asked = self._batches if change.is_batch else self._requests
                return await asked.undo(change, actor, envelope)
            case c.Review():
                return await self.reviewing.review(change, actor, envelope)
            case c.BatchFile():
                shown = await self._reading.status(change, actor)
                unseen = isinstance(shown, Refused) and shown.view is None
                return shown if unseen else await self._files.answer(command, change, actor)

    async def _said_about(
        self,
        command: c.Approve | c.Reject | c.Withdraw | c.NotMe,
        change: Change,
        actor: Actor,
        envelope: Envelope,
    ) -> Outcome:
        match command:
            case c.Approve() | c.Reject():
                return await self._decide(command, change, actor, envelope)
            case c.Withdraw():
                return await self._withdrawing.withdraw(change, actor, envelope)
            case c.NotMe():
                return await self._disputing.not_me(change, actor, envelope)

    async def _decide(
        self, command: c.Approve | c.Reject, change: Change, actor: Actor, envelope: Envelope
    ) -> Outcome:
        """A typed decision counts only with the right tail: it says what was seen. An approval without a word
        on how they know shows the card, which asks for it.
        """
        if command.card is None and command.request.tail != change.tail:
            wrong = command.request.tail != ""
            said = reasons.CARD_STALE.refuse(id=change.printed_id) if wrong else None
            return await self.deciding.card(change, actor, said)
        if isinstance(command, c.Reject):
            ballot = Ballot(Verdict.REJECT, because=command.because, kind=command.kind)
        elif command.how is None and not change.is_batch:
            said = decision_reasons.HOW_MISSING.refuse(id=change.printed_id, name=change.target.name)
            return await self.deciding.card(change, actor, said)
        else:
            ballot = Ballot(Verdict.APPROVE, how=command.how, because=command.line)
        return await self.deciding.vote(ballot, change, actor, envelope)

    async def _repeat(self, change: Change, actor: Actor, envelope: Envelope) -> Outcome:
        if change.requester.oid != actor.oid:
            return Refused((reasons.REQUEST_UNKNOWN.refuse(id=change.printed_id),))
        if change.is_batch:
            return Refused((SEND_AGAIN.refuse(id=change.printed_id),))
        return await self._requests.repeat(change, actor, envelope)

    async def _stale(self, change: Change, actor: Actor) -> Outcome:
        """A button that was not drawn for this reader and content: it decides nothing."""
        shown = await self._reading.status(change, actor)
        if isinstance(shown, Refused) and shown.view is None:
            return shown
        view = getattr(shown, "view", None)
        return Refused((reasons.CARD_STALE.refuse(id=change.printed_id),), view)

    async def _delivered_before(self, envelope: Envelope, command: c.Command) -> Outcome | None:
        """The same answer to the same activity, without doing anything twice."""
        if isinstance(command, _LIGHT) or not envelope.activity_id:
            return None
        seen = await self._parts.store.received(envelope.conversation_id, envelope.activity_id)
        if seen is None or not seen.change_id or seen.body_hash != envelope.body_hash:
            return None
        change = await self._parts.store.change(seen.change_id)
        return None if change is None else await outcome_of(self._parts, change, envelope.oid)

    async def _refuse(self, command: c.Command, envelope: Envelope, outcome: Refused) -> Refused:
        """Access and policy refusals leave an audit row, the same person and code at most once a minute."""
        now = self._parts.now()
        for refusal in outcome.refusals:
            self._parts.metrics.count("refusals", refusal.code)
            recorded = refusal.reason.family in ("access", "policy") or refusal.code in _ALSO_AUDITED
            last = self._audited.get((envelope.oid, refusal.code))
            if not recorded or (last is not None and now - last < _AUDIT_AGAIN):
                continue
            if len(self._audited) >= _REMEMBERED:
                self._audited.clear()
            subject = outcome.view.change.target.oid if outcome.view else ""
            verb = type(command).__name__.lower()
            row = denied(
                verb, refusal.reason.family, envelope.oid, refusal.code, subject, envelope.correlation_id
            )
            # This memory only saves asking: the store knows what others recorded, and until when that counts.
            name = f"refused|{envelope.oid}|{refusal.code}"
            if await self._parts.store.append_audit(now, [row], once=name, until=now + _AUDIT_AGAIN):
                self._audited[(envelope.oid, refusal.code)] = now
        return outcome


_ALSO_AUDITED = frozenset({reasons.CARD_TAMPERED.code, reasons.CARD_STALE.code, reasons.REQUEST_UNKNOWN.code})


_LISTS = {
    c.MyRequests: (PageKind.MY_REQUESTS, Listing.MINE),
    c.Approvals: (PageKind.APPROVALS, Listing.TO_DECIDE),
    c.OpenRequests: (PageKind.OPEN, Listing.OPEN),
}


def _decides(command: c.Command) -> bool:
    """A wrong tail of these shows the current card instead of a refusal."""
    return isinstance(command, c.Approve | c.Reject | c.Submit)
