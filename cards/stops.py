"""Cards of what stops changes: somebody who is frozen, and what is paused.

Knows: how a freeze and a switch read. Must not know: who may lift or turn them (rights are looked up again at
every click).
"""

from __future__ import annotations

from typing import Final

from bot.domain.freeze import LIFTS_NEEDED, Freeze, FreezeKind
from bot.domain.outcome import Page
from bot.domain.people import Reader
from bot.domain.switch import Switch, SwitchName

from .refusals import run
from .sheet import Drawn, Sheet
from .words import Words, msg

_HOW: Final[dict[FreezeKind, str]] = {
    FreezeKind.SELF: msg("They froze it themselves."),
    FreezeKind.NOT_ME: msg("They said that a request about their phone was not theirs."),
    FreezeKind.FRAUD: msg("An approver took a request for fraud: {by}."),
    FreezeKind.SECURITY: msg("IT security froze it: {by}."),
}


def freeze_page(outcome: Page, reader: Reader, _: Words) -> Drawn:
    """How it stands with the freeze of one person, for whoever may know."""
    sheet = Sheet(_)
    freeze = outcome.freeze
    if freeze is None:
        name = outcome.person.name if outcome.person else ""
        sheet.status("✓", msg("Not frozen"), "good")
        sheet.title(msg("Nothing is frozen for {name}"), name=name)
        return sheet.done()
    mine = freeze.person.oid == reader.oid
    if freeze.ended_at is not None:
        _ended(sheet, _, freeze, mine)
    else:
        _holding(sheet, _, freeze, mine)
    return sheet.done()


def switches_page(outcome: Page, _: Words) -> Drawn:
    """Whether anything is written now, and if not, who lets it go on."""
    sheet = Sheet(_)
    closed = [switch for switch in outcome.switches if switch.closed]
    if not closed:
        sheet.status("✓", msg("Running"), "good")
        sheet.title(msg("Approved requests are carried out"))
        for switch in outcome.switches:
            sheet.pair(msg("Resumed"), "{name}, {when}", name=switch.by.name, when=_.when(switch.at))
        return sheet.done()
    sheet.status("‖", msg("Paused"), "attention")
    sheet.title(msg("Nothing is written now"))
    sheet.say(msg("Requests and approvals go on. What is approved waits, and lapses when its time is over."))
    for switch in closed:
        paused(sheet, _, switch)
        for lift in switch.lifts:
            sheet.pair(msg("Resumed by"), "{name}, {when}", name=lift.person.name, when=_.when(lift.at))
    breaker = any(switch.name is SwitchName.BREAKER for switch in closed)
    usage = msg("To go on two different admins type `resume`") if breaker else msg("To go on type `resume`")
    sheet.buttons(run(_(msg("Resume")), "resume"))
    sheet.quiet(usage, "Medium")
    return sheet.done()


def paused(sheet: Sheet, _: Words, switch: Switch) -> None:
    """Why nothing is carried out, since when and by whom."""
    facts = {"name": switch.by.name, "when": _.when(switch.at), "why": switch.why}
    if switch.name is SwitchName.BREAKER:
        sheet.box("‖", "warning", msg("Carrying out stopped by itself {when}: {why}."), **facts)
    else:
        sheet.box("‖", "warning", msg("{name} paused carrying out {when}: {why}"), **facts)


def _holding(sheet: Sheet, _: Words, freeze: Freeze, mine: bool) -> None:
    sheet.status("❄", msg("Frozen"), "attention")
    title = msg("Your phones are frozen here") if mine else msg("{name} is frozen")
    sheet.title(title, name=freeze.person.name)
    if not mine:
        sheet.quiet("{upn}", "None", upn=freeze.person.upn)
        sheet.say(_HOW[freeze.kind], by=freeze.by.name)
    elif freeze.by.oid != freeze.person.oid:
        sheet.say(msg("{by} froze them."), by=freeze.by.name)
    sheet.say(msg("No request about these phones goes forward. Signing in works as before."))
    if mine:
        sheet.say(msg("If somebody may be in your account, call IT security now."))
    if freeze.why:
        sheet.pair(msg("Reason"), "{reason}", reason=freeze.why)
    if freeze.change_id:
        sheet.pair(msg("About the request"), "R-{id}", id=freeze.change_id)
    sheet.pair(msg("Since"), "{when}", when=_.when(freeze.at))
    _lifts(sheet, _, freeze)
    if mine:
        sheet.quiet(msg("Two people of IT security end it when all is clear."), "Medium")
        return
    show = run(_(msg("Show the phones")), f"show {freeze.person.oid}")
    sheet.buttons(show, run(_(msg("History")), f"history {freeze.person.oid}"))
    sheet.quiet(
        msg(
            "To end it two of security type `unfreeze {upn}`: not who froze, nor who made a disputed request."
        ),
        "Medium",
        upn=freeze.person.upn,
    )


def _ended(sheet: Sheet, _: Words, freeze: Freeze, mine: bool) -> None:
    sheet.status("✓", msg("No longer frozen"), "good")
    title = msg("Your phones are no longer frozen") if mine else msg("{name} is no longer frozen")
    sheet.title(title, name=freeze.person.name)
    sheet.say(msg("Requests about these phones go their usual way again."))
    sheet.pair(msg("Frozen"), "{when}", when=_.when(freeze.at))
    _lifts(sheet, _, freeze)


def _lifts(sheet: Sheet, _: Words, freeze: Freeze) -> None:
    for lift in freeze.lifts:
        sheet.pair(msg("Lifted by"), "{name}, {when}", name=lift.person.name, when=_.when(lift.at))
    if freeze.ended_at is None and freeze.lifts:
        missing = str(LIFTS_NEEDED - len(freeze.lifts))
        sheet.say(msg("{count} more of security must lift it before it ends."), count=missing)
