"""Cards of a "no": which rule, why, what to do next, and the code to quote.

Knows: how a refusal reads. Must not know: which refusals exist (the registry does).
"""

from __future__ import annotations

from bot.domain.outcome import AlreadySo, Audience, Refused
from bot.domain.policy import Action
from bot.domain.reason import Refusal

from . import phrases, verbs
from .aftercare import afterwards
from .decisions import not_you
from .sheet import Button, Drawn, Sheet, Style
from .subject import about
from .words import Words, msg


def reason_lines(sheet: Sheet, _: Words, refusal: Refusal, *, only_why: bool = False) -> None:
    """Why, and what to do next."""
    facts = phrases.facts_of(refusal, _)
    sheet.say(refusal.reason.why, **facts)
    if not only_why:
        sheet.pair(msg("What to do"), refusal.reason.next_step, **facts)


def code_line(sheet: Sheet, *codes: str) -> None:
    """The codes, small, at the bottom."""
    for code in dict.fromkeys(codes):
        sheet.quiet(msg("Code {code} · type `explain {code}`"), code=code)


def already_so(outcome: AlreadySo, _: Words) -> Drawn:
    """The directory holds it already."""
    sheet = Sheet(_)
    sheet.status("✓", msg("Nothing to do"), "good")
    facts = {"slot": _.slot(outcome.slot), "name": outcome.target.name, "now": outcome.now}
    if outcome.action is Action.SMS:
        on = msg("{name} can already sign in by text message")
        sheet.title(on if outcome.enable else msg("{name} cannot sign in by text message anyway"), **facts)
    elif outcome.now:
        sheet.title(msg("The {slot} of {name} is already {now}"), **facts)
    else:
        sheet.title(msg("There is no {slot} for {name} already"), **facts)
    sheet.quiet("{upn}", "None", upn=outcome.target.upn)
    sheet.say(msg("I changed nothing and asked nobody."))
    return sheet.done()


def refused(outcome: Refused, _: Words) -> Drawn:
    """One refusal or several; with the request it ended, if there is one."""
    sheet = Sheet(_)
    first = outcome.refusals[0]
    many = len(outcome.refusals) > 1
    ended = outcome.view is not None and outcome.view.change.ending == first
    if outcome.view is not None and ended:
        sheet.status(*phrases.STATES[outcome.view.change.state])
    else:
        sheet.status("✕", phrases.FAMILIES[first.reason.family], "attention")
    if many:
        sheet.title(msg("{count} things stand in the way"), count=str(len(outcome.refusals)))
    for refusal in outcome.refusals:
        (sheet.heading if many else sheet.title)(refusal.reason.title, **phrases.facts_of(refusal, _))
        # How a request ended is a task for whoever made it, not for the person concerned.
        aside = ended and outcome.view is not None and outcome.view.audience is Audience.TARGET
        reason_lines(sheet, _, refusal, only_why=aside)
    if outcome.view is not None:
        about(sheet, _, outcome.view)
        afterwards(sheet, _, outcome.view)
        not_you(sheet, _, outcome.view)
    sheet.buttons(*_ways_on(_, outcome))
    code_line(sheet, *(refusal.code for refusal in outcome.refusals))
    return sheet.done()


def _ways_on(_: Words, outcome: Refused) -> list[Button]:
    """No dead end: a refusal about what was typed offers the next click."""
    if outcome.view is not None:
        return []
    first = outcome.refusals[0]
    if first.code == "usage.request-unknown":
        return [run(_(msg("My requests")), "my requests"), run(_(msg("Approvals")), "approvals")]
    if first.reason.family != "usage":
        return []
    nearest = [run(outcome.nearest, outcome.nearest)] if outcome.nearest else []
    return [*nearest, run(_(msg("Help")), "help")]


def run(title: str, command: str, style: Style = "default") -> Button:
    """A button that does what typing `command` does."""
    return Button(title, verbs.RUN, verbs.run_data(command), style=style)
