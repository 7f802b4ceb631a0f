"""Pages to read: help, hi, whoami, show, history, lists of requests, absence, explain.

Knows: what each page is for. Must not know: how its rows were found. Rows of `show` and `whoami` are
(key, text) with a slot's value or a key of `phrases.SHOW_KEYS`; rows of lists carry a change.
"""

from __future__ import annotations

from typing import Final, assert_never

from bot.domain import command as c
from bot.domain import onboarding_commands as oc
from bot.domain.access import may
from bot.domain.command_docs import COMMANDS
from bot.domain.outcome import MORE_COUNTED, Page, PageKind, Row
from bot.domain.people import Person, Reader, Role
from bot.domain.phone import Slot
from bot.domain.reason import Reason
from bot.domain.standing import Standing

from . import phrases
from .absence import absence_page
from .batches import file_page, template_page
from .concerns import concern_page
from .coverage import report_page
from .digest import digest_page
from .foreign import plain
from .lines import request_line, what_of
from .refusals import run
from .sheet import Button, Drawn, Sheet
from .standing import badges, details
from .stops import freeze_page, switches_page
from .verdicts import check_page
from .who_has import who_has
from .words import Words, msg

MOST_ROWS: Final = 25
MOST_BUTTONS: Final = 6
_GROUPS: Final = (
    (msg("Look"), (c.Show, c.Check, c.History, c.WhoHas, c.Report, c.OpenRequests)),
    (
        msg("Change"),
        (c.SetPhone, c.RemovePhone, c.Swap, c.SmsSignIn, c.Submit, c.Repeat, c.Undo, c.Bulk, c.OfBatch),
    ),
    (msg("Decide"), (c.Approvals, c.Approve, c.Reject, c.Withdraw, c.Out)),
    (msg("Follow"), (c.MyRequests, c.Status, c.BatchFile, c.Nudge, c.Cancel, c.Take)),
    (msg("New people"), (oc.Onboard, c.IssuePass, oc.NewPeople, oc.Report, oc.OwnOnboarding)),
    (msg("Stop"), (c.NotMe, c.Freeze, c.Unfreeze, c.Review, c.Pause, c.Resume)),
    (msg("Ask me"), (c.Whoami, c.Explain)),
)
# What help says, where the documentation of a command is too long for a phone. A change is shown by the
# form's way, so that the number does not stand in the chat.
_SHORT: Final[dict[type[object], tuple[str, str]]] = {
    c.Show: ("show alice@contoso.com", msg("the registered phones, masked")),
    c.Check: ("check alice mobile +1 202 555 0123", msg("what a number could be used for, and why not")),
    c.History: ("history alice@contoso.com", msg("past requests")),
    c.WhoHas: ("who has +1 202 555 0123 because reported INC1234", msg("who is known to use a number")),
    c.Report: ("report", msg("who has which sign-in methods, by department")),
    c.OpenRequests: ("open", msg("all open requests")),
    c.SetPhone: ("set mobile for alice because lost phone INC1234", msg("opens the form, then a preview")),
    c.RemovePhone: ("remove office for alice because she moved", msg("shows a preview")),
    c.Swap: ("swap alice because the old mobile is gone", msg("the alternate becomes the mobile")),
    c.BatchFile: ("file R-7K2Q9M", msg("a batch row by row, as a masked file")),
    c.Bulk: ("bulk", msg("a template for many changes from one file")),
    c.OfBatch: ("retry R-7K2Q9M", msg("the failed rows of your batch once more")),
    c.IssuePass: ("issue pass for hugo because no phone", msg("a Temporary Access Pass for somebody new")),
    c.Submit: ("submit R-7K2Q9M-4F3A", msg("send your preview to its approvers")),
    c.Repeat: ("repeat R-7K2Q9M", msg("the same again, as a new request")),
    c.Approvals: ("approvals", msg("what waits for you")),
    c.Approve: ("approve R-7K2Q9M-4F3A in person", msg("say yes to exactly that request")),
    c.Reject: ("reject R-7K2Q9M-4F3A because not verified", msg("say no, and why")),
    c.Withdraw: ("withdraw R-7K2Q9M", msg("take your approval back")),
    c.NotMe: ("not me R-7K2Q9M", msg("the request about your phone is not yours")),
    c.Take: ("take R-7K2Q9M", msg("go on with a colleague's request")),
    c.MyRequests: ("my requests", msg("what you asked for")),
    c.Status: ("status R-7K2Q9M", msg("how a request stands")),
    c.Nudge: ("nudge R-7K2Q9M", msg("remind those who have not decided")),
    c.Cancel: ("cancel R-7K2Q9M", msg("take back your own request")),
    c.Freeze: ("freeze me", msg("no request about your phones goes forward any more")),
    c.Unfreeze: ("unfreeze alice@contoso.com", msg("one of the two yeses that end a freeze")),
    c.Undo: ("undo R-7K2Q9M", msg("restore what a change replaced")),
    c.Review: ("review R-7K2Q9M", msg("you have looked at an emergency change")),
    c.Pause: ("pause because a strange burst", msg("nothing is written any more")),
    c.Resume: ("resume", msg("writes go on; after the breaker by two admins")),
    oc.Onboard: ("onboard hugo@contoso.com", msg("a card for somebody's very first phone")),
    oc.NewPeople: ("new people", msg("first phones that wait for you")),
    oc.Report: ("onboarding report", msg("how the onboardings stand")),
    oc.OwnOnboarding: ("onboarding", msg("your own card, if you are new")),
    c.Whoami: ("whoami", msg("your account and your roles, as I see them")),
    c.Explain: ("explain policy.protected", msg("what the code of a refusal means")),
}
# One kind of command with two verbs.
_SHORT_BY_VERB: Final[dict[str, tuple[str, str]]] = {
    "out until": ("out until friday", msg("you are away: others are asked in your place")),
    "back": ("back", msg("you are here again")),
    "enable sms sign-in": ("enable sms sign-in for alice", msg("a text message replaces the password")),
    "disable sms sign-in": ("disable sms sign-in for alice", msg("the number is no sign-in name any more")),
}


def page(outcome: Page, reader: Reader, _: Words) -> Drawn:
    """Any page, by its kind."""
    match outcome.kind:
        case PageKind.HELP:
            return help_page(reader.roles, _)
        case PageKind.HI:
            return hi_page(reader.roles, _)
        case PageKind.WHOAMI:
            return _whoami(outcome, _)
        case PageKind.SHOW:
            return _show(outcome, reader, _)
        case PageKind.CHECK:
            return check_page(outcome, reader, _)
        case PageKind.HISTORY:
            return _history(outcome, _)
        case PageKind.MY_REQUESTS | PageKind.APPROVALS | PageKind.OPEN:
            return _requests(outcome, _)
        case PageKind.WHO_HAS | PageKind.REPORT:
            return _looked_up(outcome, reader, _)
        case (
            PageKind.FREEZE
            | PageKind.SWITCHES
            | PageKind.AT_LIMIT
            | PageKind.HASTY
            | PageKind.FLOODED
            | PageKind.MANY_OPEN
            | PageKind.SAME_NUMBER
        ):
            return _for_security(outcome, reader, _)
        case PageKind.EXPLAIN:
            return _explain(outcome.reason, _)
        case PageKind.ABSENCE | PageKind.DIGEST | PageKind.BULK | PageKind.BATCH_FILE:
            return _of_own(outcome, _)
    assert_never(outcome.kind)


def _of_own(outcome: Page, _: Words) -> Drawn:
    """What concerns the reader's own work."""
    if outcome.kind is PageKind.BULK:
        return template_page(outcome, _)
    if outcome.kind is PageKind.BATCH_FILE:
        return file_page(outcome, _)
    return absence_page(outcome, _) if outcome.kind is PageKind.ABSENCE else digest_page(outcome, _)


def _for_security(outcome: Page, reader: Reader, _: Words) -> Drawn:
    if outcome.kind is PageKind.FREEZE:
        return freeze_page(outcome, reader, _)
    return switches_page(outcome, _) if outcome.kind is PageKind.SWITCHES else concern_page(outcome, _)


def help_page(roles: frozenset[Role], _: Words) -> Drawn:
    """What these roles may run, with an example each."""
    sheet = Sheet(_)
    sheet.title(msg("What you can do here"))
    for title, kinds in _GROUPS:
        allowed = [doc for kind in kinds if may(kind, roles) for doc in COMMANDS if doc.kind is kind]
        if allowed:
            sheet.heading(title)
        for doc in allowed:
            sheet.command(*_SHORT_BY_VERB.get(doc.verb) or _SHORT.get(doc.kind, (doc.example, doc.what)))
    sheet.buttons(*_first_steps(roles, _))
    sheet.quiet(
        msg("Numbers are masked in everything I write. What you type stays in the chat: the form does not.")
    )
    return sheet.done()


def hi_page(roles: frozenset[Role], _: Words) -> Drawn:
    """The welcome: what this is, for whom, what next."""
    sheet = Sheet(_)
    sheet.title(msg("Hello, I change sign-in phones, safely"))
    if may(c.SetPhone, roles):
        sheet.say(msg("Tell me whose phone changes. I show you what will happen, ask who must approve, "
                      "do it once, and tell everybody concerned."))  # fmt: skip
        sheet.say(msg("Try `set mobile for alice because lost phone`: it opens the form."))
    else:
        sheet.say(msg("The helpdesk asks me to change the phone that somebody signs in with. "
                      "I ask the right people to approve it, and tell the person concerned."))  # fmt: skip
        sheet.say(msg("If a request needs your decision, I write to you here."))
    sheet.buttons(*_first_steps(roles, _), run(_(msg("Help")), "help"))
    sheet.quiet(msg("Or type `help`, `approvals` or `my requests`."))
    return sheet.done()


def _first_steps(roles: frozenset[Role], _: Words) -> list[Button]:
    buttons = []
    if may(c.SetPhone, roles):
        buttons.append(run(_(msg("Change a phone")), "set mobile", style="positive"))
    buttons.append(run(_(msg("Approvals")), "approvals"))
    if may(c.SetPhone, roles):
        buttons.append(run(_(msg("My requests")), "my requests"))
    return buttons


def _whoami(outcome: Page, _: Words) -> Drawn:
    sheet = Sheet(_)
    person = outcome.person
    if person is not None:
        sheet.title(msg("You are {name}"), name=person.name)
        sheet.quiet("{upn}", "None", upn=person.upn)
        sheet.quiet(msg("Object id {oid}"), "None", oid=person.oid)
    else:
        sheet.title(msg("This is how I see you"))
    sheet.heading(msg("Your roles"))
    for role in sorted(outcome.roles):
        sheet.point(phrases.ROLES[role])
    if not outcome.roles:
        sheet.say(msg("None. You can still follow your own requests and decide what is addressed to you."))
    _pairs(sheet, _, outcome.rows)
    sheet.quiet(msg("Roles come from groups in Microsoft Entra and are looked up at every action."), "Medium")
    return sheet.done()


def _show(outcome: Page, reader: Reader, _: Words) -> Drawn:
    sheet = Sheet(_)
    person = outcome.person
    if person is not None:
        sheet.title(msg("Phones of {name}"), name=person.name)
        sheet.quiet("{upn}", "None", upn=person.upn)
        about = " · ".join(plain(part) for part in (person.job_title, person.department) if part)
        if about:
            sheet.quiet("{about}", "None", about=about)
        if outcome.freeze is not None:
            sheet.box("❄", "attention", msg("Frozen: no request about these phones goes forward."))
        badges(sheet, person, outcome.standing)
    phones = {row.cells[0]: row.cells[1] for row in outcome.rows if len(row.cells) > 1}
    slots = [(_.slot(slot), phones.get(slot.value) or phones.get(slot.word, "")) for slot in Slot]
    sheet.slots([(name, _("{n}", n=number) or _(msg("no number")), bool(number)) for name, number in slots])
    if person is not None and outcome.standing is not None:
        details(sheet, _, person, outcome.standing)
    known = {name for slot in Slot for name in (slot.value, slot.word)}
    _pairs(sheet, _, tuple(row for row in outcome.rows if row.cells and row.cells[0] not in known))
    for row in outcome.rows:
        if row.change is not None:
            request_line(sheet, _, row.change, PageKind.OPEN, False)
    if person is not None:
        _show_buttons(sheet, _, person, reader, outcome.standing)
    return sheet.done()


def _show_buttons(sheet: Sheet, _: Words, person: Person, reader: Reader, standing: Standing | None) -> None:
    changeable = person.enabled and person.oid != reader.oid
    if standing is not None and standing.protection != ():
        changeable = False  # protected, or nobody knows
    if changeable and may(c.SetPhone, reader.roles):
        change = run(_(msg("Change a phone")), f"set mobile for {person.oid}", style="positive")
        sheet.buttons(change, run(_(msg("History")), f"history {person.oid}"))
        sheet.quiet(msg("Or type `set mobile for {upn}` or `history {upn}`"), upn=person.upn)
    elif may(c.History, reader.roles):
        sheet.buttons(run(_(msg("History")), f"history {person.oid}"))
        sheet.quiet(msg("Or type `history {upn}`"), upn=person.upn)


def _history(outcome: Page, _: Words) -> Drawn:
    sheet = Sheet(_)
    if outcome.person is not None:
        sheet.title(msg("History of {name}"), name=outcome.person.name)
        sheet.quiet("{upn}", "None", upn=outcome.person.upn)
    else:
        sheet.title(msg("History"))
    shown = outcome.rows[:MOST_ROWS]
    if shown:
        lines = [_history_line(row, _) for row in shown]
        sheet.table((_(msg("When")), _(msg("What")), _(msg("Details"))), lines)
    else:
        sheet.say(msg("There is no request in the history."))
    _more(sheet, outcome, len(shown))
    return sheet.done()


def _history_line(row: Row, _: Words) -> tuple[str, str, str]:
    when = _.when(row.at, year=True) if row.at else ""
    if row.change is None:
        name, *rest = row.cells or ("",)
        details = [each for n, each in enumerate(rest) if each and each not in "".join(rest[n + 1 :])]
        return when, phrases.event_of(name, _), " · ".join(plain(each) for each in details)
    change = row.change
    glyph = phrases.STATES[change.state][0]
    what = _(
        msg("{what}, by {name} ({id})"),
        what=what_of(change, _),
        name=change.requester.name,
        id=change.printed_id,
    )
    return (
        when or _.when(change.created_at, year=True),
        what,
        f"{glyph} {_(phrases.SHORT_STATES[change.state])}",
    )


def _requests(outcome: Page, _: Words) -> Drawn:
    titles = {
        PageKind.MY_REQUESTS: (msg("Your requests"), msg("You have made no request yet.")),
        PageKind.APPROVALS: (msg("Waiting for your decision"), msg("Nothing waits for you.")),
        PageKind.OPEN: (msg("Open requests"), msg("No request is open.")),
    }
    title, empty = titles[outcome.kind]
    sheet = Sheet(_)
    sheet.title(title)
    shown = outcome.rows[:MOST_ROWS]
    if not shown:
        sheet.status("✓", empty, "good")
    for n, row in enumerate(shown):
        if row.change is not None:
            request_line(sheet, _, row.change, outcome.kind, n < MOST_BUTTONS)
        else:
            sheet.say(" · ".join(f"{{c{n}}}" for n in range(len(row.cells))), **_cells(row))
    _more(sheet, outcome, len(shown))
    if shown:
        sheet.quiet(msg("Or type `status ID`, for example `status {id}`"), "Medium", id=_an_id(shown))
    return sheet.done()


def _explain(reason: Reason | None, _: Words) -> Drawn:
    sheet = Sheet(_)
    if reason is None:
        sheet.title(msg("Explain a refusal"))
        sheet.say(msg("Type `explain CODE`. Each refusal shows its code at the bottom."))
        return sheet.done()
    blanks = {fact: f"‹{fact.replace('_', ' ')}›" for fact in reason.facts}
    sheet.status("?", msg("What this refusal means"), "accent")
    sheet.title(reason.title, **blanks)
    sheet.heading(msg("Why"))
    sheet.say(reason.why, **blanks)
    sheet.heading(msg("What to do"))
    sheet.say(reason.next_step, **blanks)
    if reason.retryable:
        sheet.say(msg("Trying again later may work."))
    if reason.link:
        # Said as words: a card of ours opens no outside page by itself.
        sheet.quiet(msg("More at `{page}`"), page=reason.link.removeprefix("https://"))
    sheet.quiet(msg("Code {code}"), "Medium", code=reason.code)
    return sheet.done()


def _looked_up(outcome: Page, reader: Reader, _: Words) -> Drawn:
    if outcome.coverage is not None:
        return report_page(outcome.coverage, _)
    if outcome.who_has is None:
        raise ValueError("a page of who has, without its answer")
    return who_has(outcome.who_has, reader, _)


def _pairs(sheet: Sheet, _: Words, rows: tuple[Row, ...]) -> None:
    for row in rows[:MOST_ROWS]:
        if len(row.cells) > 1:
            key = row.cells[0]
            sheet.pair(phrases.SHOW_KEYS.get(key, "{key}"), "{value}", key=key, value=row.cells[1])


def _cells(row: Row) -> dict[str, str]:
    return {f"c{n}": cell for n, cell in enumerate(row.cells)}


def _more(sheet: Sheet, outcome: Page, shown: int) -> None:
    left = outcome.more + len(outcome.rows) - shown
    if outcome.more >= MORE_COUNTED:
        sheet.quiet(msg("At least {count} more are not shown."), "Medium", count=f"{MORE_COUNTED:,}")
    elif left:
        sheet.quiet(msg("{count} more are not shown."), "Medium", count=str(left))


def _an_id(rows: tuple[Row, ...]) -> str:
    return next((row.change.printed_id for row in rows if row.change), "R-7K2Q9M")
