"""The card of `report`: who has a method, who could register a passkey, who can reset a password alone.

Knows: how counts are shown, as a chart and in words. Must not know: how they were counted. Clients without
charts show the same bars, made of columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import microsoft_teams.cards as ac

from bot.domain.coverage import NO_DEPARTMENT, Count, Coverage, Passkey, Reset

from .foreign import SHORT, plain
from .sheet import Drawn, Sheet
from .words import Words, msg

_MOST_DEPARTMENTS: Final = 8
Tone = Literal["good", "warning", "attention"]
#: (words, how many, tone): one piece of a bar.
Piece = tuple[str, int, Tone]


def report_page(found: Coverage, _: Words) -> Drawn:
    """Counts in words first, then the bars, then the departments where most is missing."""
    sheet, whole = Sheet(_), found.whole
    sheet.title(msg("Sign-in methods of {count} people"), count=f"{whole.people:,}")
    if found.as_of is not None:
        when = _.when(found.as_of, year=True)
        sheet.quiet(msg("As Entra's registration report tells, as of {when}. It lags behind."), when=when)
    if whole.people:
        _words(sheet, whole)
        bars = _bars(whole, _)
        sheet.raw(_chart(bars, _))
        _departments(sheet, found, _)
    _apart(sheet, found)
    sheet.quiet(msg("This question is in the audit log. Everybody by name: the file below."), "Medium")
    sheet.quiet(msg("Or type `report csv`"))
    return sheet.done()


def _words(sheet: Sheet, whole: Count) -> None:
    counts = {
        "without": f"{whole.without:,}",
        "usable": f"{whole.reset[Reset.USABLE]:,}",
        "registered": f"{whole.reset[Reset.REGISTERED]:,}",
        "none": f"{whole.reset[Reset.NONE]:,}",
        "has": f"{whole.passkey[Passkey.HAS]:,}",
        "ready": f"{whole.passkey[Passkey.READY]:,}",
        "help": f"{whole.passkey[Passkey.NOT_READY]:,}",
    }
    if whole.without:
        sheet.box("⚠", "warning", msg("{without} people have no method at all."), **counts)
    else:
        sheet.status("✓", msg("Everybody has a method"), "good")
    sheet.pair(
        msg("Password reset"),
        msg("usable for {usable}; only registered, not allowed by policy: {registered}; neither: {none}"),
        **counts,
    )
    sheet.pair(
        msg("Passkey (FIDO2)"),
        msg("{has} have one; {ready} could register one now; {help} could not without help"),
        **counts,
    )


def _bars(whole: Count, _: Words) -> list[tuple[str, list[Piece]]]:
    reset, passkey = whole.reset, whole.passkey
    return [
        (
            _(msg("Any method")),
            [
                (_(msg("yes")), whole.people - whole.without, "good"),
                (_(msg("none")), whole.without, "attention"),
            ],
        ),
        (
            _(msg("Password reset")),
            [
                (_(msg("usable")), reset[Reset.USABLE], "good"),
                (_(msg("registered only")), reset[Reset.REGISTERED], "warning"),
                (_(msg("no")), reset[Reset.NONE], "attention"),
            ],
        ),
        (
            _(msg("Passkey")),
            [
                (_(msg("has one")), passkey[Passkey.HAS], "good"),
                (_(msg("ready")), passkey[Passkey.READY], "warning"),
                (_(msg("not ready")), passkey[Passkey.NOT_READY], "attention"),
            ],
        ),
    ]


def _chart(bars: Sequence[tuple[str, list[Piece]]], _: Words) -> ac.CardElement:
    data = [
        ac.StackedHorizontalBarChartData(
            title=title,
            data=[
                ac.StackedHorizontalBarChartDataPoint(legend=words, value=count, color=tone)
                for words, count, tone in pieces
            ],
        )
        for title, pieces in bars
    ]
    return ac.StackedHorizontalBarChart(
        title=_(msg("Sign-in methods")), data=data, spacing="Medium", fallback=_columns(bars)
    )


def _columns(bars: Sequence[tuple[str, list[Piece]]]) -> ac.Container:
    """The same bars for clients without charts: a strip of columns as wide as their counts, words below."""
    items: list[ac.CardElement] = []
    for title, pieces in bars:
        whole = sum(count for _, count, _ in pieces)
        items.append(ac.TextBlock(text=title, size="Small", weight="Bolder", wrap=True, spacing="Medium"))
        strip = [
            ac.Column(
                # Nothing narrower than this can be seen.
                width=max(round(count * 100 / whole), 2),
                style=tone,
                min_height="10px",
                spacing="None",
            )
            for _, count, tone in pieces
            if count
        ]
        items.append(ac.ColumnSet(columns=strip, spacing="Small"))
        told = " · ".join(f"{words} {round(count * 100 / whole)} %" for words, count, _ in pieces)
        items.append(ac.TextBlock(text=told, size="Small", is_subtle=True, wrap=True, spacing="Small"))
    return ac.Container(items=items, spacing="Medium")


def _departments(sheet: Sheet, found: Coverage, _: Words) -> None:
    if len(found.departments) < 2:
        return
    sheet.heading(msg("By department"))
    shown = found.departments[:_MOST_DEPARTMENTS]
    rows = [
        (
            plain(name, SHORT) if name != NO_DEPARTMENT else _(msg("(none given)")),
            _(msg("{without} of {people}"), without=f"{count.without:,}", people=f"{count.people:,}"),
            f"{count.usable_percent} %",
        )
        for name, count in shown
    ]
    heads = (_(msg("Department")), _(msg("No method")), _(msg("Reset usable")))
    sheet.table(heads, rows)
    more = len(found.departments) - len(shown)
    if more:
        sheet.quiet(msg("{count} more departments are in the file."), count=str(more))


def _apart(sheet: Sheet, found: Coverage) -> None:
    facts = {"left": f"{found.left_out:,}", "missing": f"{found.missing:,}"}
    if found.missing:
        sheet.quiet(
            msg("Enabled members who are not in the report yet, and not counted: {missing}."), **facts
        )
    if found.left_out:
        sheet.quiet(msg("Guests and disabled accounts, {left} of them, are left out."), **facts)
