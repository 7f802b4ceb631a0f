"""What cannot be done is refused with the rule, why, and what to do instead; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from stage import Stage


@dataclass(frozen=True, slots=True)
class No:
    """What is typed by whom, and the words of the answer: code, title, why, what to do."""

    typed: str
    code: str
    title: str
    why: str
    do: str
    who: str = "olivia"


REFUSALS = {
    "unknown command": No(
        "make me a sandwich",
        "usage.unknown-command",
        "I do not know that command",
        "so that nothing happens by accident",
        "Type help to see what you can do",
    ),
    "a command with a slip": No(
        "aprovals",
        "usage.unknown-command",
        "I do not know that command",
        "so that nothing happens by accident",
        "Did you mean approvals",
    ),
    "unknown person": No(
        "set mobile for nobody.known@contoso.example to +1 206 555 0142 because test",
        "usage.person-unknown",
        "I cannot find that person",
        "I never pick somebody who is only similar",
        "use the people picker",
    ),
    "a look-alike name": No(
        "show \u0430lice@contoso.example",
        "usage.person-not-plain",
        "That name has characters I do not accept",
        "how one person is passed off as another",
        "use the people picker",
    ),
    "half a command about a request": No(
        "approve",
        "usage.malformed",
        "I cannot read that “approve”",
        "The ID of the request is missing",
        "Write it like this: approve",
    ),
    "an unknown kind of phone": No(
        "set fax for alice to +1 206 555 0142",
        "usage.malformed",
        "I cannot read that “set”",
        "I know three kinds of phone",
        "Write it like this: set SLOT for WHO",
    ),
    "a number with letters": No(
        "set mobile for alice to +1 206 555 CALL because test",
        "usage.number-letters",
        "The number contains letters",
        "I never turn letters into digits",
        "Type digits with the country code, for example +1",
    ),
    "another country's local format": No(
        "set mobile for jonas2 to 0151 23456789 because new phone",
        "usage.number-country-code",
        "The number has no country code",
        "I never guess the country",
        "Start with + and the country code, without the leading zero",
    ),
    "a number that cannot exist": No(
        "set mobile for alice to +1 206 55 because test",
        "usage.number-invalid",
        "That is not a possible phone number",
        "can exist in that country's numbering plan",
        "Read the number back with the caller",
    ),
    "an extension on a mobile": No(
        "set mobile for alice to +1 206 555 0142 x12 because test",
        "usage.number-extension",
        "Only an office phone can have an extension",
        "a mobile with an extension could not receive them",
        "use the slot office",
    ),
    "a premium number": No(
        "set mobile for alice to +1 900 555 0142 because test",
        "policy.number-line-type",
        "That kind of line is not allowed for mobile",
        "It is a premium rate number",
        "Ask the person for another number",
    ),
    "a personal number of the UK": No(
        "set mobile for alice to +44 70 1234 5678 because test",
        "policy.number-line-type",
        "That kind of line is not allowed for mobile",
        "It is a personal number",
        "Ask the person for another number",
    ),
    "a toll-free number": No(
        "set mobile for alice to +1 800 555 0142 because test",
        "policy.number-line-type",
        "That kind of line is not allowed for mobile",
        "It is a toll free number",
        "Ask the person for another number",
    ),
    "a satellite number": No(
        "set mobile for alice to +882 16 555 0142 because test",
        "policy.number-line-type",
        "That kind of line is not allowed for mobile",
        "satellite or international",
        "Ask the person for another number",
    ),
    "a protected person": No(
        "set mobile for gabriel to +1 206 555 0142 because he asked",
        "policy.protected",
        "Gabriel Gatewood is protected",
        "never changed through me",
        "in the Entra admin center",
    ),
    "one's own number": No(
        "set mobile for me to +1 206 555 0142 because mine is new",
        "policy.own-number",
        "Nobody changes their own number here",
        "A stolen helpdesk account",
        "Ask a colleague in the helpdesk",
    ),
    "no role for it": No(
        "set mobile for alice to +1 206 555 0142 because I say so",
        "access.not-allowed",
        "You cannot do that here",
        "needs a role that your account does not have",
        "ask the owner of the helpdesk groups",
        who="mallory",
    ),
    "an unknown request": No(
        "status R-ZZZZZZ",
        "usage.request-unknown",
        "I do not know a request R-ZZZZZZ",
        "no request with that ID that you may see",
        "Type my requests or approvals",
    ),
    "an unknown code": No(
        "explain policy.nothing",
        "usage.code-unknown",
        "I do not know the code",
        "Each refusal card shows its code",
        "Check the spelling",
    ),
    "the mobile while there is an alternate": No(
        "remove mobile for alma because left",
        "policy.alternate-still-there",
        "The mobile cannot go while an alternate mobile exists",
        "Entra keeps the mobile",
        "Remove the alternate mobile first",
    ),
    "an alternate before the mobile": No(
        "set alternate mobile for vera to +1 206 555 0142 because second phone",
        "policy.mobile-first",
        "An alternate mobile needs a mobile first",
        "only for somebody who has a mobile",
        "Set the mobile first",
    ),
    "nothing to remove": No(
        "remove office for alice because moved",
        "policy.nothing-to-remove",
        "Alice Anders has no office",
        "There is nothing to remove",
        "to see what is registered",
    ),
    "a disabled account": No(
        "set mobile for dana to +1 206 555 0142 because back",
        "policy.target-disabled",
        "The account of Dana Dewhurst is disabled",
        "could be waiting for an attacker",
        "Have the account enabled first",
    ),
    "no rule for guests": No(
        "set mobile for gina to +1 206 555 0142 because guest",
        "policy.no-rule",
        "No rule allows this change",
        "a target of kind guest",
        "Ask the owner of the policy file",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_says_the_rule_why_and_what_to_do_instead(name: str, stage: Stage) -> None:
    """One card with title, why, next step and the code to quote; the directory is not written to."""
    no = REFUSALS[name]
    said = (await stage.ask(no.who, no.typed)).replace("`", "")
    assert no.title in said
    assert no.why in said
    assert no.do in said
    assert f"Code {no.code}" in said
    explained = await stage.ask(no.who, f"explain {no.code}")
    assert no.code in explained
    await stage.ends_with()


async def test_half_a_set_opens_the_form_with_what_was_said(stage: Stage) -> None:
    """A `set` without a number is no error: the form opens, the person found, the reason kept."""
    said = await stage.ask("olivia", "set mobile for alice because lost phone INC1234")
    assert "Change a phone" in said
    assert "Alice Anders" in said
    assert "lost phone" in said
    assert "INC1234" in said
    fields = {field["id"]: field["value"] for field in (await stage.newest("olivia"))["inputs"]}
    assert fields["who"] == stage.oid("alice")
    assert fields["slot"] == "mobile"
    await stage.ends_with()


async def test_a_manager_without_the_app_is_named_before_submit(stage: Stage) -> None:
    """The requester reads who cannot be reached, why, and who is asked instead."""
    said = await stage.ask("olivia", "set mobile for nora to +1 206 555 0145 because new phone INC1235")
    assert "Ned Nutley" in said
    assert "this app is not installed for them in Teams" in said
    assert "Arthur Appleby" in said
    await stage.ends_with()


async def test_nobody_reachable_is_refused_before_anything_is_sent(stage: Stage) -> None:
    """No approver with the app: refused at the preview, with the rule, each missing person, and a way on."""
    for who in ("arthur", "astrid", "anselm"):
        await stage.patch(who, installed=False)
    said = await stage.ask("olivia", "set mobile for nora to +1 206 555 0146 because new phone")
    assert "Nobody who may approve can be reached" in said
    assert "ordinary change" in said
    assert "Ned Nutley" in said
    assert "Have the approver install this app in Teams" in said
    assert "Code policy.nobody-to-ask" in said
    assert await stage.from_bot("nora") == []
    await stage.ends_with(audited=("policy:setphone:refused",))


async def test_several_reasons_are_all_told_at_once(stage: Stage) -> None:
    """Own number and a bad number in one go: the caller is not sent round twice."""
    said = await stage.ask("olivia", "set mobile for nobody.known@contoso.example to +1 206 555 CALL")
    assert "usage.person-unknown" in said
    assert "usage.number-letters" in said
    await stage.ends_with()


@pytest.mark.parametrize(
    ("path", "code"),
    [("checkMemberGroups", "access.cannot-check"), ("phoneMethods", "directory.unavailable")],
)
async def test_a_directory_that_fails_is_told_as_such(path: str, code: str, stage: Stage) -> None:
    """B4: an answer that cannot be had is a no, worded as a matter of time."""
    await stage.fault(kind="status", status=503, path=path, times=None)
    await stage.say("olivia", "show alice")
    await stage.wait_for(lambda: _says(stage, "olivia", code))
    assert "Try again in" in await stage.text("olivia")
    await stage.ends_with()


async def _says(stage: Stage, who: str, words: str) -> bool:
    return words in await stage.text(who)
