"""How somebody's sign-in stands, on the page of `show`: badges, methods, default, SMS sign-in, reset.

Knows the words. Must not know how it was read. What could not be read is said with its cause, never left out.
"""

from __future__ import annotations

from typing import Final

from bot.domain.directory_reasons import of_sms_state
from bot.domain.methods import Method, Registration, SignIn, SmsState
from bot.domain.people import Person
from bot.domain.standing import Reset, Standing, reset_progress

from . import phrases
from .sheet import Sheet
from .words import Words, msg

_RESET: Final[dict[Reset, str]] = {
    Reset.READY: msg("enough methods are registered"),
    Reset.CLOSED: msg("not open to this person (isSsprEnabled: false)"),
    Reset.UNKNOWN: msg("cannot tell: {why}"),
}


def badges(sheet: Sheet, person: Person, standing: Standing | None) -> None:
    """What everybody must see first: protected, disabled, guest, synchronised."""
    if standing is not None and standing.protection is None:
        sheet.box("?", "warning", msg("Whether the account is protected cannot be read: {why}. "
                  "Until it can, I change nothing here."), why=standing.why_unread)  # fmt: skip
    elif standing is not None and standing.protection:
        facts = "; ".join(standing.protection)
        sheet.box("⚠", "warning", msg("Protected: {facts}. Phones are not changed through me."), facts=facts)
    if not person.enabled:
        sheet.box("⚠", "warning", msg("The account is disabled."))
    if person.guest:
        sheet.point(msg("Guest from another organisation."))
    if person.synced:
        sheet.point(msg("Account synchronised from the local directory."))


def details(sheet: Sheet, _: Words, person: Person, standing: Standing) -> None:
    """Default, other methods, SMS sign-in and password reset, each in plain words."""
    _methods(sheet, _, standing.sign_in)
    if standing.sms is not None:
        _sms(sheet, person, standing.sms)
    _reset(sheet, _, standing.registration)


def _methods(sheet: Sheet, _: Words, sign_in: SignIn) -> None:
    if not sign_in.readable:
        sheet.pair(msg("Default and other methods"), msg("cannot be read: {why}"), why=sign_in.why)
        sheet.quiet(msg("The operators of this bot decide what it may read: docs/permissions.md."), "None")
        return
    default = _(sign_in.default.words) if sign_in.default else _(msg("not told"))
    sheet.pair(msg("Default sign-in method"), "{default}", default=default)
    if sign_in.system_preferred:
        sheet.quiet(msg("System-preferred is on: Entra asks for the strongest method by itself; the default "
                        "counts for NPS and AD FS only."), "None")  # fmt: skip
    elif sign_in.system_preferred is None:
        sheet.quiet(msg("Whether Entra prefers the strongest method by itself is not told."), "None")
    others = [_(method.words) for method in dict.fromkeys(sign_in.methods) if method is not Method.PHONE]
    if sign_in.unknown_methods:
        others.append(_(msg("{count} of a kind I do not know"), count=str(sign_in.unknown_methods)))
    names = ", ".join(others) or _(msg("none"))
    sheet.pair(msg("Other methods"), "{names}", names=names)


def _sms(sheet: Sheet, person: Person, state: SmsState) -> None:
    sheet.pair(msg("SMS sign-in"), state.words)
    reason = of_sms_state(state)
    if reason is not None:
        facts = {"who": person.upn} if "who" in reason.facts else {}
        sheet.quiet(reason.why, "None", **facts)
        sheet.quiet(reason.next_step, "None", **facts)


def _reset(sheet: Sheet, _: Words, report: Registration) -> None:
    progress = reset_progress(report)
    why = _(msg("the report does not say")) if report.readable else report.why
    if progress.state is Reset.LACKING:
        have = str(progress.have)
        if progress.need is not None:
            message = msg("SSPR: {have} of {need} methods, one more is needed")
            sheet.pair(msg("Password reset"), message, have=have, need=str(progress.need))
        else:
            message = msg("SSPR: {have} methods count, and that is not enough")
            sheet.pair(msg("Password reset"), message, have=have)
    else:
        sheet.pair(msg("Password reset"), _RESET[progress.state], why=why)
    if report.readable:
        when = _.when(report.updated_at) if report.updated_at else _(phrases.UNTOLD_TIME)
        sheet.quiet(msg("By the registration report of {when}, which lags behind."), "None", when=when)
