"""A card under construction: the few kinds of lines that all our cards are made of, and their plain twin.

Knows: Adaptive Cards 1.5 as Teams draws them (microsoft-teams-cards). Must not know: outcomes. Each method
adds one element and the same words to the twin, so that the two cannot drift apart.

Sources: "Universal Actions for Adaptive Cards" (Action.Execute, refresh, fallback), "Design Adaptive
Cards" (narrow first, at most six actions), Adaptive Cards 1.5 schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import microsoft_teams.cards as ac

from bot.domain.command import CardRef
from bot.domain.reason import Refusal

from . import verbs
from .words import Run, Words, joined, msg

Json = dict[str, Any]
Style = Literal["default", "positive", "destructive"]
Spacing = Literal["None", "Small", "Default", "Medium", "Large"]
Tone = Literal["emphasis", "accent", "good", "attention", "warning"]
TEXT_LIMIT: Final = 999
_COLOURS: Final[dict[str, Literal["Accent", "Good", "Attention"]]] = {
    "good": "Good", "attention": "Attention", "accent": "Accent",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    """One answer, ready to send. card: Adaptive Card JSON; do not change it, some are drawn once and kept.

    text: the same in plain words, masked, under 1,000 characters (also the card's fallbackText).
    """

    card: Json
    text: str


@dataclass(frozen=True, slots=True)
class Button:
    """A button. verb and data as in `cards/verbs.py`; inputs: whether it sends (and checks) the fields."""

    title: str
    verb: str
    data: verbs.Data = field(default_factory=dict)
    style: Style = "default"
    inputs: bool = False
    dialog: bool = False

    def action(self) -> ac.ExecuteAction | ac.SubmitAction:
        """As it stands on a card. dialog: an Action.Submit opens one, whose content Teams does not keep."""
        return self._old() if self.dialog else self.execute()

    def execute(self) -> ac.ExecuteAction:
        """Action.Execute, with the Action.Submit that clients without it fall back to."""
        return ac.ExecuteAction(
            title=self.title,
            verb=self.verb,
            data=dict(self.data),
            style=self._style,
            associated_inputs=self._scope,
            fallback=self._old(),
        )

    def _old(self) -> ac.SubmitAction:
        return ac.SubmitAction(
            title=self.title,
            style=self._style,
            associated_inputs=self._scope,
            data=verbs.submit_data(self.verb, self.data, dialog=self.dialog),
        )

    @property
    def _scope(self) -> Literal["auto", "none"]:
        return "auto" if self.inputs else "none"

    @property
    def _style(self) -> Literal["positive", "destructive"] | None:
        return None if self.style == "default" else self.style


class Sheet:
    """Collects elements and their plain twin; `done` gives the card."""

    def __init__(self, words: Words) -> None:
        self._ = words
        self._body: list[ac.CardElement] = []
        self._twin: list[str] = []
        self._in_pairs = False

    def status(self, glyph: str, word: str, tone: Tone = "emphasis") -> None:
        """The state in one word. Only the glyph is coloured: coloured words are hard to read on white."""
        text = self._(word)
        sign: ac.CardElement = ac.TextRun(
            text=f"{glyph}  ", size="Small", weight="Bolder", color=_COLOURS.get(tone)
        )
        state: ac.CardElement = ac.TextRun(text=text, size="Small", weight="Bolder")
        self._put(ac.RichTextBlock(inlines=[sign, state], spacing="None"), f"{glyph} {text}")

    def title(self, message: str, /, **facts: str) -> None:
        text = self._(message, **facts)
        self._put(
            ac.TextBlock(
                text=text, size="Large", weight="Bolder", style="heading", wrap=True, spacing="Small"
            ),
            text,
        )

    def heading(self, message: str, /, **facts: str) -> None:
        """A smaller heading inside the card."""
        text = self._(message, **facts)
        block = ac.TextBlock(text=text, weight="Bolder", style="heading", wrap=True, spacing="Medium")
        self._put(block, text)

    def say(self, message: str, spacing: Spacing = "Small", /, **facts: str) -> None:
        """A sentence; its facts stand out."""
        self._add(self._.runs(message, **facts), spacing=spacing)

    def quiet(self, message: str, spacing: Spacing = "Small", /, **facts: str) -> None:
        """A sentence in small, subtle letters: how to type it, ids, codes."""
        self._add(self._.runs(message, **facts), spacing=spacing, quiet=True)

    def point(self, message: str, glyph: str = "•", /, **facts: str) -> None:
        """One item of a short list of sentences."""
        self._add([Run(f"{glyph}  "), *self._.runs(message, **facts)], spacing="Small")

    def pair(self, label: str, message: str, /, **facts: str) -> None:
        """`Reason: lost phone` on one line, because two columns do not fit on a phone. Pairs stand close."""
        name = self._(msg("{label}: "), label=self._(label, **facts))
        value = self._.runs(message, **facts)
        start: ac.CardElement = ac.TextRun(text=name, is_subtle=True)
        line = [start, *(_run(Run(run.text, code=run.code)) for run in value)]
        block = ac.RichTextBlock(inlines=line, spacing="None" if self._in_pairs else "Medium")
        self._put(block, name + "".join(run.text for run in value))
        self._in_pairs = True

    def box(self, glyph: str, tone: Tone, message: str, /, **facts: str) -> None:
        """A sentence that must not be missed, set apart and with a glyph.

        On the calm ground of all boxes: the coloured grounds are too bright on dark clients.
        """
        runs = self._.runs(message, **facts)
        strong = tone == "attention"
        sign: ac.CardElement = ac.TextRun(text=f"{glyph}  ", weight="Bolder", color=_COLOURS.get(tone))
        inlines = [sign, *(_run(Run(run.text, run.strong or strong, run.code)) for run in runs)]
        self._put(_boxed([ac.RichTextBlock(inlines=inlines)]), f"{glyph}  " + _text(runs))

    def error(self, refusal: Refusal) -> None:
        """What is wrong with the field above, and what to type instead."""
        title = self._("✕  {title}", title=self._(refusal.reason.title, **refusal.facts))
        block = ac.TextBlock(text=title, size="Small", weight="Bolder", color="Attention", wrap=True)
        self._put(block, title)
        self.quiet(refusal.reason.next_step, "None", **refusal.facts)

    def before_after(self, rows: Sequence[tuple[str, str, str]], was: str, to: str) -> None:
        """(label, before, after), all masked by the caller: the change at one glance. was, to: headings."""
        items: list[ac.CardElement] = []
        for label, before, after in rows:
            if label:
                items.append(ac.TextBlock(text=label, size="Small", weight="Bolder", wrap=True))
            items.append(_arrow(self._(was), before, self._(to), after, "←" if self._.rtl else "→"))
        twin = [f"{label + ': ' if label else ''}{before} → {after}" for label, before, after in rows]
        self._put(_boxed(items), "\n".join(twin))

    def secret(self, above: str, number: str, below: str, /, **facts: str) -> None:
        """A number in full, between two sentences. The twin does not have it."""
        items: list[ac.CardElement] = [
            ac.TextBlock(text=self._(above), wrap=True, size="Small", weight="Bolder", color="Accent"),
            ac.RichTextBlock(spacing="Small", inlines=[_shout(number)]),
            ac.TextBlock(text=self._(below, **facts), wrap=True, size="Small", spacing="Small"),
        ]
        self._put(_boxed(items), "")

    def command(self, line: str, message: str) -> None:
        """A line that can be typed as it stands, and what it does, in small letters behind it."""
        what = self._(message)
        inlines = [_run(Run(line, code=True)), _run(Run(f" · {what}"), quiet=True)]
        self._put(ac.RichTextBlock(inlines=inlines, spacing="Small"), f"{line}: {what}")

    def slots(self, rows: Sequence[tuple[str, str, bool]]) -> None:
        """(phone, masked number, filled): what is registered, one row each."""
        sides: list[ac.CardElement] = []
        for name, number, filled in rows:
            weight: Literal["Bolder"] | None = "Bolder" if filled else None
            left = ac.TextBlock(text=name, wrap=True)
            right = ac.TextBlock(text=number, wrap=True, weight=weight, is_subtle=None if filled else True)
            columns = [ac.Column(width="stretch", items=[left]), ac.Column(width="stretch", items=[right])]
            sides.append(ac.ColumnSet(columns=columns, spacing="Small"))
        self._put(_boxed(sides), "\n".join(f"{name}: {number}" for name, number, _filled in rows))

    def line(self, what: str, meta: str, button: Button | None) -> None:
        """One row of a list: what it is, small facts below, a button to its right."""
        texts: list[ac.CardElement] = [
            ac.RichTextBlock(inlines=[_run(Run(what, strong=True))]),
            ac.RichTextBlock(inlines=[_run(Run(meta), quiet=True)], spacing="None"),
        ]
        columns = [ac.Column(width="stretch", items=texts)]
        if button is not None:
            columns.append(
                ac.Column(
                    width="auto",
                    vertical_content_alignment="Center",
                    items=[ac.ActionSet(actions=[button.action()])],
                )
            )
        self._put(ac.ColumnSet(columns=columns, spacing="Medium", separator=True), f"{what} ({meta})")

    def table(self, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """A table with a header row; at most three columns, because phones do not scroll sideways."""

        def cells(texts: tuple[str, ...], head: bool) -> ac.TableRow:
            weight: Literal["Bolder"] | None = "Bolder" if head else None
            blocks = [ac.TextBlock(text=text, wrap=True, size="Small", weight=weight) for text in texts]
            return ac.TableRow(cells=[ac.TableCell(items=[block]) for block in blocks])

        table = ac.Table(
            first_row_as_headers=True,
            show_grid_lines=False,
            columns=[ac.ColumnDefinition(width=width) for width in (3, 3, 4)],
            rows=[cells(heads, True), *(cells(row, False) for row in rows)],
            spacing="Medium",
        )
        self._put(table, "\n".join(" | ".join(row) for row in rows))

    def raw(self, element: ac.CardElement, twin: str = "") -> None:
        """An element that only one card has. twin: its words."""
        self._put(element, twin)

    def buttons(self, *buttons: Button | ac.Action) -> None:
        actions = [b.action() if isinstance(b, Button) else b for b in buttons]
        if actions:
            self._put(ac.ActionSet(actions=actions, spacing="Medium"), "")

    def done(self, refresh: CardRef | None = None) -> Drawn:
        """The card as JSON. refresh: which request the Refresh entry of the card's menu asks about."""
        text = "\n".join(self._twin)
        text = text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
        again = (
            refresh and Button(self._(msg("Refresh")), verbs.REFRESH, verbs.request_data(refresh)).execute()
        )
        card = ac.AdaptiveCard(
            version="1.5",
            lang=self._.lang,
            rtl=True if self._.rtl else None,
            fallback_text=text,
            body=self._body,
            refresh=ac.RefreshDefinition(action=again, user_ids=[]) if again else None,
        )
        return Drawn(_whole(card.model_dump(exclude_none=True)), text)

    def _add(self, runs: list[Run], spacing: Spacing, quiet: bool = False) -> None:
        drawn = joined([Run(run.text, code=run.code) for run in runs]) if quiet else runs
        block = ac.RichTextBlock(inlines=[_run(run, quiet) for run in drawn], spacing=spacing)
        self._put(block, _text(runs))

    def _put(self, element: ac.CardElement, twin: str) -> None:
        self._body.append(element)
        self._in_pairs = False
        if twin:
            self._twin.append(twin)


def _boxed(items: list[ac.CardElement]) -> ac.Container:
    return ac.Container(style="emphasis", rounded_corners=True, spacing="Medium", items=items)


def _text(runs: Sequence[Run]) -> str:
    return "".join(run.text for run in runs)


def _run(run: Run, quiet: bool = False) -> ac.CardElement:
    return ac.TextRun(
        text=run.text,
        weight="Bolder" if run.strong and not quiet else None,
        font_type="Monospace" if run.code else None,
        size="Small" if quiet else None,
        is_subtle=True if quiet else None,
    )


def _shout(text: str) -> ac.CardElement:
    return ac.TextRun(text=text, size="Large", weight="Bolder", font_type="Monospace")


def _arrow(was_label: str, was: str, to_label: str, to: str, arrow: str) -> ac.ColumnSet:
    """arrow: points the way the reader reads."""

    def side(label: str, number: str, strong: bool) -> ac.Column:
        return ac.Column(
            width="stretch",
            items=[
                ac.TextBlock(text=label, size="Small", is_subtle=True, wrap=True),
                ac.TextBlock(
                    text=number, wrap=True, spacing="None", weight="Bolder" if strong else None,
                    size="Medium",
                ),
            ],
        )  # fmt: skip

    middle = ac.Column(
        width="auto",
        vertical_content_alignment="Center",
        items=[ac.TextBlock(text=arrow, wrap=True, size="Medium")],
    )
    return ac.ColumnSet(
        columns=[side(was_label, was, False), middle, side(to_label, to, True)], spacing="Small"
    )


def _whole(value: Any) -> Any:
    """200.0 as 200: the card classes turn whole numbers into floats, which strict clients refuse."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return value
