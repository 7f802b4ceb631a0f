"""What the commands of onboarding are for: a part of the one list behind help, documentation and suggestions.

Knows their words. Must not know how they are read or carried out.
"""

from __future__ import annotations

from bot.domain import command as c
from bot.domain import onboarding_commands as oc
from bot.domain.command_doc import CommandDoc

ONBOARDING: tuple[CommandDoc, ...] = (
    CommandDoc(
        oc.Onboard,
        "onboard",
        "onboard WHO, WHO (or: group ID; everybody created in the last N days)",
        "onboard hugo@contoso.com",
        "Sends a new person a card on which they enter their first phone; their manager decides. Also for "
        "several people, a group, or all new accounts. A manager may do it for direct reports. "
        "`onboard WHO on behalf` is for somebody who cannot be reached here: you enter the number, somebody "
        "else than you decides, and the person confirms it on day one.",
        ("welcome",),
    ),
    CommandDoc(
        c.IssuePass,
        "issue pass",
        "issue pass for WHO [because TEXT] [verified METHOD EVIDENCE] [TICKET]",
        "issue pass for hugo@contoso.com because he gets a security key",
        "Asks for a Temporary Access Pass for somebody new who has no sign-in method yet. When it is "
        "approved its reader, the person or their manager as the policy says, has it made with a button and "
        "sees it once.",
        ("issue a pass", "temporary access pass", "issue tap"),
    ),
    CommandDoc(oc.OwnOnboarding, "onboarding", "onboarding", "onboarding", "Shows your own card again."),
    CommandDoc(
        oc.TakeWayOut,
        "no phone",
        "no phone",
        "no phone",
        "Answers your card: you have no phone. The coordinator arranges another way; nobody asks again.",
        ("i have no phone",),
        on_a_card=True,
    ),
    CommandDoc(
        oc.TakeWayOut,
        "prefer not",
        "prefer not",
        "prefer not",
        "Answers your card: you have a phone and prefer not to use it for work. Nobody asks again.",
        ("i prefer not to use mine",),
        on_a_card=True,
    ),
    CommandDoc(
        oc.Confirm,
        "confirm",
        "confirm LAST-FOUR-DIGITS",
        "confirm 0123",
        "Says that the number somebody entered for you is yours, by its last four digits.",
        on_a_card=True,
    ),
    CommandDoc(
        oc.Confirm,
        "not my number",
        "not my number",
        "not my number",
        "Says that the number somebody entered for you is not yours: you are frozen here, security is told.",
        ("that is not my number",),
        on_a_card=True,
    ),
    CommandDoc(
        oc.ChooseBridge,
        "bridge",
        "bridge CHOICE",
        "bridge keep",
        "Says what is to become of your first phone, now that you have something stronger: keep, demote or "
        "remove.",
        on_a_card=True,
    ),
    CommandDoc(
        oc.NewPeople,
        "new people",
        "new people",
        "new people",
        "Lists the first phones that wait for your decision; all but those you choose can be approved at "
        "once.",
    ),
    CommandDoc(
        oc.Report,
        "onboarding report",
        "onboarding report",
        "onboarding report",
        "Shows how the onboardings stand.",
    ),
)
