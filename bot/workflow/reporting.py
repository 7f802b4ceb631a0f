"""`report`: who has which methods registered, counted by department, and as a file.

Knows the report's port and how long an answer of it is good. Must not answer before the question is in the
audit: a list of people without a second factor is what an attacker would ask for first.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.domain.audit import AuditEvent
from bot.domain.command import Report
from bot.domain.coverage import Coverage, Entry, Passkey, Reset, coverage
from bot.domain.outcome import Document, Outcome, Page, PageKind, Refused
from bot.domain.people import Actor
from bot.domain.report_reasons import REPORT_LATER
from bot.domain.sheets import FileKind, FileTable
from bot.ports import Clock, DirectoryRefused, DirectoryUnavailable, Reports
from bot.workflow.parts import Envelope, Parts

#: The report lags by itself; reading it again within this time would tell nothing new and cost its allowance.
GOOD_FOR = timedelta(minutes=15)
COLUMNS = ("department", "name", "user", "methods", "passkey", "password reset", "as of")
_PASSKEY = {"has": "has one", "ready": "can register one", "not-ready": "needs help to register one"}
_RESET = {"usable": "usable", "registered": "registered, not allowed by policy", "none": "no"}


class Reporting:
    """One reading at a time; whoever asks meanwhile waits for it."""

    def __init__(self, reports: Reports, clock: Clock) -> None:
        self._reports = reports
        self._clock = clock
        self._kept: Coverage | None = None
        self._reading = asyncio.Lock()

    async def coverage(self) -> Coverage:
        """At most a quarter of an hour old. Raises DirectoryRefused and DirectoryUnavailable."""
        async with self._reading:
            kept = self._kept
            if kept is None or self._clock.now() - kept.read_at >= GOOD_FOR:
                accounts = await self._reports.accounts()
                enrolments = await self._reports.enrolments()
                kept = self._kept = coverage(enrolments, accounts, self._clock.now())
            return kept


class Answering:
    """The command."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reporting = Reporting(parts.reports, parts.clock) if parts.reports else None

    async def answer(self, command: Report, actor: Actor, envelope: Envelope) -> Outcome:
        """A page with the file beside it. Raises StoreUnavailable: no audit, no answer."""
        if self._reporting is None or self._parts.sheets is None:
            raise RuntimeError("this installation was put together without reports or files")
        try:
            found = await self._reporting.coverage()
        except DirectoryRefused as refused:
            return Refused((refused.refusal,))
        except DirectoryUnavailable as error:
            return Refused((REPORT_LATER.refuse(what=error.what),))
        whole = found.whole
        facts = {"people": str(whole.people), "without": str(whole.without), "by": actor.person.name}
        event = AuditEvent("report:coverage:asked", actor.oid, "", "", envelope.correlation_id, facts)
        await self._parts.store.append_audit(self._parts.now(), [event])
        content = await self._parts.sheets.write(table(found), command.kind)
        name = f"sign-in-methods-{found.read_at:%Y-%m-%d}.{command.kind.value}"
        said = "report" if command.kind is FileKind.XLSX else f"report {command.kind.value}"
        document = Document(name, content, said)
        return Page(PageKind.REPORT, roles=actor.roles, coverage=found, document=document)


def in_words(found: Coverage) -> tuple[str, ...]:
    """The counts as lines of text, for the command line."""
    lines = [f"as of {found.as_of:%Y-%m-%d %H:%M UTC}" if found.as_of else "the report does not say of when"]
    whole = [("everybody", found.whole)]
    for name, count in [*whole, *found.departments]:
        reset, passkey = count.reset, count.passkey
        lines.append(
            f"{name or '(no department)'}: {count.people} people, {count.without} without a method; password "
            f"reset usable {reset[Reset.USABLE]}, merely registered {reset[Reset.REGISTERED]}, no "
            f"{reset[Reset.NONE]}; passkey {passkey[Passkey.HAS]}, ready {passkey[Passkey.READY]}, not ready "
            f"{passkey[Passkey.NOT_READY]}"
        )
    lines.append(f"left out: {found.left_out} guests or disabled; not yet in the report: {found.missing}")
    return tuple(lines)


def table(found: Coverage) -> FileTable:
    """One row a person, by department; no number is in the report, and none is here."""
    return FileTable("Sign-in methods", COLUMNS, tuple(_row(entry) for entry in found.entries))


def _row(entry: Entry) -> tuple[str, ...]:
    each = entry.enrolment
    as_of = each.updated_at.strftime("%Y-%m-%d %H:%M UTC") if each.updated_at else ""
    return (
        entry.department,
        each.name,
        each.upn,
        ", ".join(each.methods) or "none",
        _PASSKEY[each.passkey.value],
        _RESET[each.reset.value],
        as_of,
    )
