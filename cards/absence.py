"""The page that answers `out until` and `back`.

Knows: until when somebody is away. Must not know: who is asked instead, that stands on each request.
"""

from __future__ import annotations

from bot.domain.outcome import Page

from .refusals import run
from .sheet import Drawn, Sheet
from .words import Words, msg


def absence_page(outcome: Page, _: Words) -> Drawn:
    """Away until a day, or here again."""
    sheet = Sheet(_)
    absence = outcome.absence
    if absence is None:
        sheet.status("✓", msg("You are here"), "good")
        sheet.say(msg("Requests come to you again. What was passed on meanwhile stays with those asked."))
        return sheet.done()
    sheet.status("✓", msg("Noted"), "good")
    sheet.title(msg("You are out {when}"), when=absence.words)
    sheet.say(msg("Others are asked in your place. You may still decide what was addressed to you."))
    if outcome.more:
        sheet.say(
            msg("Waiting for you now and passed on, where others may decide: {n}."), n=str(outcome.more)
        )
    sheet.buttons(run(_(msg("I am back")), "back"))
    sheet.quiet(msg("Or type `back`"))
    return sheet.done()
