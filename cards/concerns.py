"""Cards for security: somebody whose doings should be looked at, with what they did last.

Knows the sentences of each concern. Must not know when one is raised.
"""

from __future__ import annotations

from typing import Final

from bot.domain.outcome import Page, PageKind

from .lines import request_line
from .sheet import Drawn, Sheet
from .words import Words, msg

#: Title, what happened, what to do.
_CONCERNS: Final[dict[PageKind, tuple[str, str, str]]] = {
    PageKind.AT_LIMIT: (
        msg("{name} has reached the limit of requests"),
        msg("{name} asked for as many changes as one person may in an hour; more are refused for now."),
        msg(
            "Ask {name}, by a way you already know, whether they made these requests. If not: block the "
            "account in Entra, and `freeze` the people whose phones were to change."
        ),
    ),
    PageKind.FLOODED: (
        msg("Too many requests wait for {name}"),
        msg("As many requests wait for {name} as may; the next one was held back and nobody was asked."),
        msg(
            "Look who sent them: a flood hides the one request that should not be approved. If they are not "
            "genuine, `freeze` the people whose phones were to change."
        ),
    ),
    PageKind.MANY_OPEN: (
        msg("{name} has as many open requests as one person may"),
        msg("The next request of {name} was held back."),
        msg("Ask {name}, by a way you already know, whether they made these requests."),
    ),
    PageKind.SAME_NUMBER: (
        msg("{name} asked to give one number to too many people"),
        msg("It was refused: one phone that answers for several accounts is what an attacker would set up."),
        msg(
            "Ask {name}, by a way you already know, where the number came from. Who has it: `who has NUMBER "
            "because TEXT`."
        ),
    ),
    PageKind.HASTY: (
        msg("{name} approves faster than one can read"),
        msg(
            "Several approvals in a row came within two seconds of the card. They count; but nobody can have "
            "read what they approved."
        ),
        msg("Talk to {name}. What has not been carried out yet can still be rejected or frozen."),
    ),
}


def concern_page(outcome: Page, _: Words) -> Drawn:
    """Who, what happened, the last requests, what to do."""
    name = outcome.person.name if outcome.person else _(msg("Somebody"))
    title, what, advice = _CONCERNS[outcome.kind]
    sheet = Sheet(_)
    sheet.status("⚠", msg("For IT security"), "attention")
    sheet.title(title, name=name)
    if outcome.person is not None:
        sheet.quiet("{upn}", "None", upn=outcome.person.upn)
    sheet.say(what, name=name)
    for row in outcome.rows:
        if row.change is not None:
            request_line(sheet, _, row.change, PageKind.OPEN, True)
    if outcome.more:
        sheet.quiet(msg("and {count} more, see `history`"), count=str(outcome.more))
    sheet.say(advice, "Medium", name=name)
    return sheet.done()
