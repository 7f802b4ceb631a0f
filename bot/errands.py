"""What the command line has an installation do: put together as for serving, without its listener.

Knows how a wish is handed in and what is said back. Must not hold a rule: the same desk answers as in chat.
"""

from __future__ import annotations

import asyncio

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.naming import read_who
from bot.domain.policy import Policy
from bot.domain.reason import Refusal
from bot.domain.words import split
from bot.ports import DirectoryUnavailable
from bot.settings.environment import Settings
from bot.settings.problems import Problem, Refused
from bot.wiring import STORE_PROBLEMS, Assembled, assembled, why_not, working
from bot.workflow.parts import Envelope

__all__ = ["run_file"]


async def run_file(
    settings: Settings, policy: Policy, asker: str, name: str, content: bytes, mode: c.BatchWord | None
) -> tuple[str, ...]:
    """The file's plan submitted to its approvers, as this person; what is said about it.

    mode: what becomes of phones that hold another number, None = they are left alone. The running bot on the
    same PostgreSQL database carries it out; a SQLite database takes one process at a time, so that there the
    bot must be stopped for this and started again. Raises Refused.
    """
    try:
        async with assembled(settings, policy) as parts:
            oid = await _oid(parts, asker)
            plan = await parts.desk.handle(c.BulkFile(name, content), Envelope(oid))
            if mode is not None and isinstance(plan, o.Preview):
                said = c.OfBatch(mode, c.RequestId(plan.view.change.id))
                plan = await parts.desk.handle(said, Envelope(oid))
            if not isinstance(plan, o.Preview):
                raise Refused(_problems(plan))
            outcome = await parts.desk.handle(c.Submit(plan.view.card), Envelope(oid))
            if not isinstance(outcome, o.AwaitingApproval):
                raise Refused(_problems(outcome))
            await _told(parts)
            return _words(outcome)
    except (DirectoryUnavailable, *STORE_PROBLEMS) as error:
        raise Refused([why_not(error)]) from error


async def _oid(parts: Assembled, asker: str) -> str:
    who = read_who(split(asker, {}).words)
    found = await parts.directory.find(who) if who is not None else ()
    if len(found) != 1:
        what = f"{len(found)} accounts fit “{asker}”, not one"
        raise Refused([Problem("--as", what, "Give the full user name.")])
    return found[0].oid


async def _told(parts: Assembled) -> None:
    """The approvers are written to; whatever else is due goes on with the bot."""
    async with working(parts.jobs):
        await asyncio.sleep(0)
        await parts.jobs.drain()


def _words(outcome: o.AwaitingApproval) -> tuple[str, ...]:
    change = outcome.view.change
    names = ", ".join(each.person.name for each in change.awaited) or "nobody"
    batch = outcome.view.batch
    runs = f"{batch.batch.runs} of {batch.batch.total} rows" if batch else ""
    return (
        f"{change.printed_id}: {runs} wait for approval by rule “{change.rule}”",
        f"asked: {names}",
        f"`status {change.printed_id}` in the chat shows how it stands",
    )


def _problems(outcome: o.Outcome) -> list[Problem]:
    refusals = outcome.refusals if isinstance(outcome, o.Refused) else ()
    return [_problem(each) for each in refusals] or [
        Problem("file", "it leads to no plan", "See `bulk plan`.")
    ]


def _problem(refusal: Refusal) -> Problem:
    reason = refusal.reason
    return Problem(refusal.code, reason.why.format(**refusal.facts), reason.next_step.format(**refusal.facts))
