"""The card that stands for many: how many requests wait for somebody.

Knows: the number. Must not know: the requests; the list shows them as they are when it is opened.
"""

from __future__ import annotations

from bot.domain.outcome import Page

from .refusals import run
from .sheet import Drawn, Sheet
from .words import Words, msg


def digest_page(outcome: Page, _: Words) -> Drawn:
    """The number and the way to the list."""
    sheet = Sheet(_)
    if not outcome.more:
        sheet.status("✓", msg("Nothing waits for you any more"), "good")
        return sheet.done()
    sheet.status("◔", msg("Your decision is needed"), "warning")
    one = outcome.more == 1
    title = msg("You have one request waiting") if one else msg("You have {count} requests waiting")
    sheet.title(title, count=str(outcome.more))
    sheet.say(
        msg("So many are waiting that I do not send you a card for each. The number here stays current.")
    )
    sheet.buttons(run(_(msg("Show them")), "approvals"))
    sheet.quiet(msg("Or type `approvals`"))
    return sheet.done()
