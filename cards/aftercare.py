"""What is said of an emergency, and what can be done about a change that has ended: review it, undo it.

Knows: the words and the buttons. Must not know: rights (the view says what may be pressed).
"""

from __future__ import annotations

from bot.domain.change import Change
from bot.domain.outcome import View

from . import verbs
from .sheet import Button, Sheet, Style
from .words import Words, msg


def emergency(sheet: Sheet, _: Words, change: Change) -> None:
    """That nobody had to approve it, by which rule, and whether security has looked at it since."""
    if not change.break_glass:
        return
    sheet.box(
        "⚠", "warning", msg("Break-glass: by the rule “{rule}” nobody has to approve this."), rule=change.rule
    )
    if change.reviewed_by is not None:
        sheet.pair(msg("Reviewed by"), "{name}", name=change.reviewed_by.name)
    elif change.review_until is not None:
        sheet.pair(msg("Security reviews it until"), "{when}", when=_.when(change.review_until))


def afterwards(sheet: Sheet, _: Words, view: View) -> None:
    """What can be done about a change that has ended: undo it, or say that it was looked at."""
    change = view.change
    buttons, typed = [], []
    if view.may_review:
        buttons.append(_run(_(msg("Reviewed")), f"review {change.printed_id}", "positive"))
        typed.append(f"review {change.printed_id}")
    if view.may_undo:
        buttons.append(_run(_(msg("Undo …")), f"undo {change.printed_id}"))
        typed.append(f"undo {change.printed_id}")
    sheet.buttons(*buttons)
    if len(typed) > 1:
        sheet.quiet(msg("Or type `{first}` or `{second}`"), first=typed[0], second=typed[1])
    elif typed:
        sheet.quiet(msg("Or type `{first}`"), first=typed[0])


def _run(title: str, command: str, style: Style = "default") -> Button:
    return Button(title, verbs.RUN, verbs.run_data(command), style=style)
