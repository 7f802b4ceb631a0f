"""The answer to `who has NUMBER`: holders, sign-in apart from the rest, and how far the answer reaches.

Knows: how certainty and its lack are said. Must not know: how holders were found. It never says "nobody"
while somebody was not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.domain import command as c
from bot.domain.access import may
from bot.domain.numbers import Coverage, Holder, WhoHasAnswer
from bot.domain.people import Reader

from .refusals import run
from .sheet import Drawn, Sheet
from .words import Words, msg

_MOST_DELETED: Final = 3
_MOST_HOLDERS: Final = 12
_MOST_BUTTONS: Final = 6


def who_has(answer: WhoHasAnswer, reader: Reader, _: Words) -> Drawn:
    """Holders first, then coverage with its age, then what cannot be known."""
    sheet = Sheet(_)
    sheet.title(msg("Who has {number}"), number=answer.number)
    shown = answer.holders[:_MOST_HOLDERS]
    signing_in = [each for each in shown if each.sign_in]
    others = [each for each in shown if not each.sign_in]
    _holders(sheet, _, msg("Signs in with it"), signing_in, reader)
    _holders(sheet, _, msg("Also registered for") if signing_in else msg("Registered for"), others, reader)
    more = answer.unnamed + len(answer.holders) - len(shown)
    if more:
        sheet.quiet(msg("{count} more are known and not listed."), count=str(more))
    whole = answer.coverage.is_whole(answer.asked_at)
    if not answer.holders and not answer.unnamed:
        if whole:
            sheet.status("✓", msg("Nobody has it"), "good")
        else:
            sheet.status("?", msg("Nobody known so far"), "warning")
    elif others and not signing_in:
        sheet.say(msg("None of them is known to sign in with it by text message."))
    _coverage(sheet, _, answer.coverage, whole)
    _deleted(sheet, _, answer)
    if answer.holders and may(c.History, reader.roles):
        first = answer.holders[0].person
        sheet.quiet(msg("Or type `history {upn}`"), upn=first.upn or first.oid)
    sheet.quiet(msg("This question and its reason are in the audit log."), "Medium")
    return sheet.done()


def _holders(sheet: Sheet, _: Words, heading: str, holders: Sequence[Holder], reader: Reader) -> None:
    if holders:
        sheet.heading(heading)
    for n, each in enumerate(holders):
        what = _(msg("{name} · {slot}"), name=each.person.name, slot=_.slot(each.slot))
        facts = {"upn": each.person.upn or each.person.oid, "when": _.when(each.seen_at, year=True)}
        state = "" if each.person.enabled else _(msg(" · disabled"))
        seen = msg("{upn} · read just now{state}") if each.fresh else msg("{upn} · last seen {when}{state}")
        button = None
        if n < _MOST_BUTTONS and may(c.History, reader.roles):
            button = run(_(msg("History")), f"history {each.person.oid}")
        sheet.line(what, _(seen, **facts, state=state), button)


def _coverage(sheet: Sheet, _: Words, known: Coverage, whole: bool) -> None:
    sheet.heading(msg("How much I know"))
    if known.newest is None or known.oldest is None:
        sheet.say(msg("I have looked at nobody's phones yet, so this answer says nothing about who has it."))
        return
    facts = {
        "when": _.when(known.newest),
        "oldest": _.when(known.oldest),
        "seen": f"{known.seen:,}",
        "percent": str(known.percent),
        "total": f"{known.total or 0:,}",
    }
    if known.total is None:
        sheet.say(msg("As of {when}: {seen} people looked at. How many there are I do not know."), **facts)
    else:
        sheet.say(msg("As of {when}: {percent} % of people looked at, {seen} of {total}."), **facts)
    sheet.quiet(msg("The oldest look is of {oldest}; later changes elsewhere I may not know."), **facts)
    if not whole:
        sheet.say(msg("I have not looked at everybody lately: somebody I have not seen may have it."))


def _deleted(sheet: Sheet, _: Words, answer: WhoHasAnswer) -> None:
    for each in answer.held_before:
        when = _.when(each.deleted_at, year=True) if each.deleted_at else "?"
        sheet.box(
            "⚠",
            "warning",
            msg("{name} had it and was deleted ({when}). The deleted account may still hold it for sign-in."),
            name=each.name,
            when=when,
        )
    if answer.deleted is None:
        sheet.quiet(msg("I could not read the recycle bin: a deleted account may still hold it."))
        return
    others = [each.name for each in answer.deleted if each not in answer.held_before]
    if others:
        sheet.quiet(
            msg("Accounts in the recycle bin: {count}, the latest {names}. I cannot see their phones; one of "
                "them may still hold it for sign-in."),
            count=str(len(others)),
            names=", ".join(others[:_MOST_DELETED]),
        )  # fmt: skip
