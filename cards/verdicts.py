"""The page of `check`: four answers at a glance, then on what each rests and who can mend it.

Knows how a verdict reads. Must not know how it was found. A cause that several uses share is told in full
once. Words of reasons come from the catalogue, words of evidence from `phrases`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from bot.domain.outcome import Page
from bot.domain.people import Reader
from bot.domain.usability import Answer, Cause, Use, Verdict

from . import phrases
from .sheet import Drawn, Sheet
from .words import Words, msg

USES: Final[dict[Use, str]] = {
    Use.MFA_TEXT: msg("Code by text"),
    Use.MFA_CALL: msg("Call at sign-in"),
    Use.SSPR: msg("Password reset"),
    Use.SMS_SIGN_IN: msg("SMS sign-in"),
}
ANSWERS: Final[dict[Answer, tuple[str, str]]] = {
    Answer.YES: ("✓", msg("yes")),
    Answer.NO: ("✕", msg("no")),
    Answer.CANNOT_TELL: ("?", msg("cannot tell")),
}
# What an answer rests on when nothing is wrong. Facts: method, group, when.
EVIDENCE: Final[dict[str, str]] = {
    "included": msg("{method} is allowed through {group}."),
    "everybody": msg("{method} is allowed for everybody."),
    "sms-ready": msg("The number is a sign-in name now (smsSignInState: ready)."),
    "licensed": msg("A licence that allows it is assigned."),
    "reset-open": msg("Password reset is open to the person, by the report of {when}, which lags."),
}


def check_page(outcome: Page, reader: Reader, _: Words) -> Drawn:
    """Everything `check` found out. The number is masked."""
    sheet = Sheet(_)
    person = outcome.person
    if person is not None and outcome.slot is not None:
        facts = {"name": person.name, "slot": _.slot(outcome.slot), "number": outcome.number}
        sheet.title(msg("Could {name} use this number?"), **facts)
        sheet.quiet(msg("As {slot}: {number} · {upn}"), "None", upn=person.upn, **facts)
    sheet.slots([_row(verdict, _) for verdict in outcome.verdicts])
    told: set[str] = set()
    for verdict in outcome.verdicts:
        if verdict.causes:
            sheet.heading(USES[verdict.use])
        for cause in verdict.causes:
            _cause(sheet, _, cause, told)
    sheet.quiet(
        msg("Nothing was changed. “Cannot tell” means that no program can read what decides."), "Medium"
    )
    if person is not None:
        sheet.quiet(msg("Or type `show {upn}`"), "None", upn=person.upn)
    return sheet.done()


def uses_line(sheet: Sheet, _: Words, verdicts: tuple[Verdict, ...]) -> None:
    """The four answers in one line, for a preview; `check` tells on what they rest."""
    if verdicts:
        said = [
            f"{_(USES[each.use])} {ANSWERS[each.answer][0]} {_(ANSWERS[each.answer][1])}" for each in verdicts
        ]
        sheet.pair(msg("Good for"), "{uses}", uses=" · ".join(said))


def _row(verdict: Verdict, _: Words) -> tuple[str, str, bool]:
    glyph, word = ANSWERS[verdict.answer]
    return _(USES[verdict.use]), f"{glyph}  {_(word)}", verdict.answer is not Answer.CANNOT_TELL


def _cause(sheet: Sheet, _: Words, cause: Cause, told: set[str]) -> None:
    facts = {name: _moment(value, _) if name == "when" else value for name, value in cause.facts}
    reason = cause.reason
    if reason is None:
        sheet.point(EVIDENCE.get(cause.key, cause.key), "✓", **facts)
        return
    sheet.point(reason.title, "•", **facts)
    if repr(cause) not in told:
        sheet.quiet(reason.why, "None", **facts)
        sheet.quiet(reason.next_step, "None", **facts)
    told.add(repr(cause))


def _moment(value: str, _: Words) -> str:
    """A moment in the reader's time; the causes carry it as ISO text, "" = not told."""
    return _.when(datetime.fromisoformat(value)) if value else _(phrases.UNTOLD_TIME)
