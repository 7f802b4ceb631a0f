"""What each command is for: the one list behind help, the written documentation and suggestions.

Knows the words of this version's commands and who may use them (from the access table). Must not know how
they are read or carried out.
"""

from __future__ import annotations

import difflib

from bot.domain import command as c
from bot.domain.command_doc import CommandDoc as CommandDoc
from bot.domain.onboarding_docs import ONBOARDING

COMMANDS: tuple[CommandDoc, ...] = (
    CommandDoc(c.Help, "help", "help", "help", "Lists what you can do here.", ("?", "commands")),
    CommandDoc(c.Hi, "hi", "hi", "hi", "Says what I am and where to start.", ("hello", "hey", "start")),
    CommandDoc(c.Whoami, "whoami", "whoami", "whoami", "Shows how I see you: your account and your roles."),
    CommandDoc(
        c.Show,
        "show",
        "show WHO",
        "show alice@contoso.com",
        "Shows the phones registered for somebody, masked. `show me` works for everyone.",
    ),
    CommandDoc(
        c.SetPhone,
        "set",
        "set SLOT for WHO [to NUMBER] [because TEXT] [verified METHOD EVIDENCE] [TICKET]",
        "set mobile for alice@contoso.com to +1 202 555 0123 because lost phone INC1234",
        "Prepares a change of a phone and shows it before anything happens. Missing parts open the form.",
        ("add", "change", "update"),
    ),
    CommandDoc(
        c.RemovePhone,
        "remove",
        "remove SLOT for WHO [because TEXT] [verified METHOD EVIDENCE] [TICKET]",
        "remove office for alice@contoso.com because she left that desk",
        "Prepares the removal of a phone and shows it before anything happens.",
        ("delete", "clear"),
    ),
    CommandDoc(
        c.Swap,
        "swap",
        "swap WHO [because TEXT] [verified METHOD EVIDENCE] [TICKET]",
        "swap alice@contoso.com because the old mobile is gone",
        "Prepares that the number of the alternate mobile becomes the mobile; the old mobile goes.",
        ("promote",),
    ),
    CommandDoc(
        c.SmsSignIn,
        "enable sms sign-in",
        "enable sms sign-in for WHO [because TEXT] [verified METHOD EVIDENCE] [TICKET]",
        "enable sms sign-in for alice@contoso.com because frontline worker",
        "Prepares that the mobile may be used to sign in by text message, without a password.",
        ("enable sms signin", "enable sms sign in", "enable sms", "sms sign-in on", "sms on"),
    ),
    CommandDoc(
        c.SmsSignIn,
        "disable sms sign-in",
        "disable sms sign-in for WHO [because TEXT] [verified METHOD EVIDENCE] [TICKET]",
        "disable sms sign-in for alice@contoso.com because she has a password now",
        "Prepares that the mobile is no sign-in name any more; calls and codes go on.",
        ("disable sms signin", "disable sms sign in", "disable sms", "sms sign-in off", "sms off"),
    ),
    CommandDoc(
        c.Check,
        "check",
        "check WHO SLOT [NUMBER]",
        "check alice@contoso.com mobile +1 202 555 0123",
        "Says for what somebody could use a number (codes, calls, password reset, SMS sign-in), and why "
        "not. It changes nothing. Without a number it looks at the one that is registered.",
    ),
    CommandDoc(
        c.Approvals, "approvals", "approvals", "approvals", "Lists the requests that wait for your decision."
    ),
    CommandDoc(
        c.Approve,
        "approve",
        "approve ID HOW",
        "approve R-7K2Q9M-4F3A in person",
        "Approves a request. HOW says how you know that the person wants it: `in person`, `known number` or "
        "`did not`. Without it, or without the last four characters of the ID, it shows the request instead.",
    ),
    CommandDoc(
        c.Reject,
        "reject",
        "reject ID [KIND] because TEXT",
        "reject R-7K2Q9M-4F3A because the caller could not be verified",
        "Rejects a request; the requester reads why. KIND is `not now` (also when left out), `wrong person` "
        "(it goes to somebody else), `left` (the person has left) or `fraud` (freezes the person here and "
        "alerts security).",
    ),
    CommandDoc(
        c.Withdraw,
        "withdraw",
        "withdraw ID",
        "withdraw R-7K2Q9M",
        "Takes your approval back, as long as the change has not started.",
    ),
    CommandDoc(
        c.NotMe,
        "not me",
        "not me ID",
        "not me R-7K2Q9M",
        "You did not ask for the request about your phone: it ends if nothing was written, your phones are "
        "frozen here, and IT security is alerted. It undoes nothing.",
        ("this was not me",),
    ),
    CommandDoc(
        c.Out,
        "out until",
        "out until DATE",
        "out until friday",
        "Says that you are away until that day, at most 90 days: others are asked in your place, also in "
        "what waits for you now. Any form such as `friday`, `24 dec` or `2026-12-24` will do.",
        ("out", "away until", "away"),
    ),
    CommandDoc(c.Out, "back", "back", "back", "Says that you are here again.", ("i am back", "i'm back")),
    CommandDoc(
        c.MyRequests,
        "my requests",
        "my requests",
        "my requests",
        "Lists the requests you made.",
        ("requests",),
    ),
    CommandDoc(c.OpenRequests, "open", "open", "open", "Lists all open requests.", ("open requests",)),
    CommandDoc(
        c.Status,
        "status",
        "status ID",
        "status R-7K2Q9M",
        "Shows where a request stands. Your own ones always; others need a role.",
    ),
    CommandDoc(
        c.Submit,
        "submit",
        "submit ID",
        "submit R-7K2Q9M-4F3A",
        "Sends your preview to its approvers, with the whole ID as the card shows it.",
    ),
    CommandDoc(
        c.Cancel, "cancel", "cancel ID", "cancel R-7K2Q9M", "Cancels a request of yours that has not started."
    ),
    CommandDoc(
        c.Nudge,
        "nudge",
        "nudge ID",
        "nudge R-7K2Q9M",
        "Reminds those who have not decided a request of yours; three times for each request.",
        ("remind",),
    ),
    CommandDoc(
        c.Take,
        "take",
        "take ID",
        "take R-7K2Q9M",
        "Goes on with a colleague's request that still waits: shows it as your own preview. Votes so far do "
        "not count, and neither of you can approve it.",
        ("take over",),
    ),
    CommandDoc(
        c.Repeat,
        "repeat",
        "repeat ID",
        "repeat R-7K2Q9M",
        "Opens the form filled as in a request of yours that has ended; the number is typed again.",
    ),
    CommandDoc(
        c.History,
        "history",
        "history WHO",
        "history alice@contoso.com",
        "Lists past requests about somebody.",
    ),
    CommandDoc(
        c.WhoHas,
        "who has",
        "who has NUMBER because TEXT [TICKET]",
        "who has +1 202 555 0123 because two people report its codes INC1234",
        "Lists who is known to use a number, and how much of the directory that covers. It is audited.",
        ("who uses", "whose number is"),
    ),
    CommandDoc(
        c.Report,
        "report",
        "report [csv]",
        "report",
        "Counts who has which sign-in methods, by department, and gives a file with everybody by name: "
        "without a method, ready for a passkey, password reset usable or merely registered. It is audited.",
        ("coverage",),
    ),
    CommandDoc(
        c.Undo,
        "undo",
        "undo ID",
        "undo R-7K2Q9M",
        "Prepares a request that restores what a change replaced, within 72 hours. It is approved like any "
        "other. Operators undo what they asked for, security anything.",
    ),
    CommandDoc(
        c.Review,
        "review",
        "review ID",
        "review R-7K2Q9M",
        "Says that you have looked at a change made by a break-glass rule. Not for your own.",
        ("reviewed",),
    ),
    CommandDoc(
        c.Freeze,
        "freeze",
        "freeze WHO [because TEXT]",
        "freeze alice@contoso.com because somebody rang and claimed to be her",
        "Stops every request about somebody's phones at once; security is alerted, sign-in is untouched. "
        "`freeze me` works for everyone; for others it needs the role security.",
    ),
    CommandDoc(
        c.Unfreeze,
        "unfreeze",
        "unfreeze WHO",
        "unfreeze alice@contoso.com",
        "Lifts a freeze. It takes two of security: not who froze, nor who made a disputed request.",
        ("thaw",),
    ),
    CommandDoc(
        c.Bulk,
        "bulk",
        "bulk [csv]",
        "bulk",
        "Gives a template for many changes at once. Fill it in and send it here: you see a plan before "
        "anything is asked for. `bulk skip ID`, `bulk overwrite ID` and `bulk as alternate ID` choose what "
        "becomes of phones that hold another number.",
        ("template",),
    ),
    CommandDoc(
        c.BatchFile,
        "file",
        "file ID [csv]",
        "file R-7K2Q9M",
        "Gives the plan of a batch row by row, and once it runs what became of each row, as a masked file.",
        ("plan file", "result file"),
    ),
    CommandDoc(
        c.OfBatch,
        "retry",
        "retry ID",
        "retry R-7K2Q9M",
        "Tries the rows of your batch that failed once more. `pause ID` and `resume ID` hold a batch and let "
        "it go on, `cancel ID` ends it.",
    ),
    CommandDoc(
        c.Pause,
        "pause",
        "pause because TEXT",
        "pause because we look into a burst of requests",
        "Stops every write at once, on all replicas. Requests and approvals go on; nothing is carried out.",
    ),
    CommandDoc(
        c.Resume,
        "resume",
        "resume",
        "resume",
        "Lets writes go on. After the breaker closed by itself, two admins must type it.",
        ("unpause",),
    ),
    *ONBOARDING,
    CommandDoc(
        c.Explain,
        "explain",
        "explain CODE",
        "explain policy.protected",
        "Explains a refusal: the rule, why it exists, and what to do.",
    ),
)
_BY_VERB = {doc.verb: doc for doc in COMMANDS}
LONGEST_VERB = max(len(word.split()) for doc in COMMANDS for word in (doc.verb, *doc.also))
SPELLINGS: dict[str, str] = {word: doc.verb for doc in COMMANDS for word in (doc.verb, *doc.also)}
_USAGES = {doc.usage.lower(): doc.verb for doc in COMMANDS}
_ENOUGH = 0.65
_PROBE = 60


def doc_of(verb: str) -> CommandDoc:
    """The entry of a canonical verb. KeyError for any other word."""
    return _BY_VERB[verb]


def nearest(text: str) -> str:
    """The verb that a mistyped text most resembles, or "". Never a part of the text itself."""
    words = text[:_PROBE].lower().split()
    best, score = "", _ENOUGH
    probes = ((" ".join(words[:1]), SPELLINGS), (" ".join(words[:2]), SPELLINGS), (" ".join(words), _USAGES))
    for probe, choices in probes:
        for close in difflib.get_close_matches(probe, choices, n=1, cutoff=_ENOUGH):
            ratio = difflib.SequenceMatcher(None, close, probe).ratio()
            if ratio > score:
                best, score = choices[close], ratio
    return best
