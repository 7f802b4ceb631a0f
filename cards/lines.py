"""One request as a line of a list.

Knows how a request is named in a few words. Must not know which list it stands in, beyond its kind.
"""

from __future__ import annotations

from bot.domain.change import Change, OpKind
from bot.domain.outcome import PageKind

from . import phrases
from .refusals import run
from .sentences import sentences_of
from .sheet import Sheet
from .words import Words, msg


def request_line(sheet: Sheet, _: Words, change: Change, kind: PageKind, button: bool) -> None:
    """One request of a list, with a button that opens it."""
    glyph, _word, _tone = phrases.STATES[change.state]
    state = _(phrases.SHORT_STATES[change.state])
    what = what_of(change, _, of=True)
    facts = {"id": change.printed_id, "state": f"{glyph} {state}", "name": change.requester.name}
    if kind is PageKind.APPROVALS and change.expires_at:
        message, facts["when"] = (
            msg("{name} asks · until {when} · {id}"),
            _.when(change.expires_at),
        )
    elif kind is PageKind.OPEN:
        message, facts["when"] = msg("{state} · {id} · {name} · {when}"), _.when(change.created_at)
    else:
        message, facts["when"] = msg("{state} · {id} · {when}"), _.when(change.created_at)
    open_it = run(_(msg("Open")), f"status {change.printed_id}") if button else None
    sheet.line(what, _(message, **facts), open_it)


def what_of(change: Change, _: Words, of: bool = False) -> str:
    """What a change does, in a few words; of: with whose phone it is."""
    op = change.operations[0]
    facts = {"slot": _.slot(op.slot), "after": op.after, "name": change.target.name, "before": op.before}
    if op.kind is OpKind.BATCH:
        return _(msg("{what}: {after}"), what=change.reason, after=op.after)
    if op.kind not in (OpKind.SET, OpKind.REMOVE):
        return _(sentences_of(change).preview, **facts)
    if op.kind is OpKind.SET:
        return _(msg("{name}: {slot} → {after}") if of else msg("{slot} → {after}"), **facts)
    return _(msg("{name}: remove {slot}") if of else msg("remove {slot}"), **facts)
