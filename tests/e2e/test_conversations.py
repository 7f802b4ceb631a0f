"""Ten conversations, played as people have them, on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from stage import Stage

Write = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Lines of the player (see bot.sandbox.player), and what must be true afterwards.

    writes: every directory write, (who, slot, number). audited: events that must be in the audit trail.
    """

    lines: str
    writes: tuple[Write, ...] = ()
    audited: tuple[str, ...] = ()


ALICE_00: Write = ("alice", "mobile", "+1 2065550100")
ASK = "set mobile for alice to +1 206 555 0100 because lost phone INC1234"

CONVERSATIONS = {
    "main job by button": Conversation(
        f"""
        {ASK}
        /expect Alice Anders
        /expect +1 •••••• 10
        /expect +1 •••••• 00
        /expect +1 206 555 0100
        /expect Marta Mayfair
        /expect INC1234
        /writes 0
        /click Submit for approval
        /expect Waiting for approval
        /expect-not 5550100
        /as alice
        /expect Somebody asked to change your phone
        /expect-not 5550100
        /as marta
        /expect Your decision is needed
        /expect lost phone
        /expect-not 5550100
        /fill how in-person
        /click Approve
        /expect-all Done
        /expect-all +1 •••••• 00
        /number alice mobile +1 2065550100
        """,
        (ALICE_00,),
        tuple(
            f"change:mobile:{what}" for what in ("previewed", "submitted", "approved", "attempted", "applied")
        ),
    ),
    "main job by typed ids": Conversation(
        f"""
        {ASK}
        /click Submit for approval
        /expect Waiting for approval
        approve {{id}} in person
        /expect access.own-request
        /as marta
        approvals
        /expect Alice Anders
        approve {{id}} in person
        /expect-all Done
        /as olivia
        status {{id}}
        /expect Done
        /expect Marta Mayfair
        """,
        (ALICE_00,),
        ("change:mobile:applied",),
    ),
    "the form, an error beside the field, then right": Conversation(
        """
        set mobile for tessa because new contract INC77
        /expect Change a phone
        /expect Tessa Thorne
        /fill number +1 206 555 CALL
        /click Show the preview
        /expect Please correct what is marked
        /expect The number contains letters
        /expect new contract
        /expect INC77
        /writes 0
        /fill who tessa
        /fill slot mobile
        /fill number +1 206 555 0144
        /fill reason new contract
        /fill ticket INC77
        /click Show the preview
        /expect +1 •••••• 44
        /expect INC77
        /click Submit for approval
        /expect Waiting for approval
        /as marta
        /expect Your decision is needed
        /fill how in-person
        /click Approve
        /expect-all Done
        """,
        (("tessa", "mobile", "+1 2065550144"),),
        ("change:mobile:applied",),
    ),
    "two people of one name": Conversation(
        """
        set mobile for "Jonas Bergfeld" to +49 1512 3456789 because new phone
        /expect 2 people match
        /writes 0
        /fill who {oid:jonas2}
        /fill slot mobile
        /fill number +49 1512 3456789
        /click Show the preview
        /expect jonas2@contoso.example
        /expect Vera Valence
        /click Submit for approval
        /as vera
        /expect Your decision is needed
        /fill how in-person
        /click Approve
        /expect-all Done
        show "Jonas Bergfeld"
        /expect access.not-allowed
        """,
        (("jonas2", "mobile", "+49 15123456789"),),
        ("change:mobile:applied", "access:show:refused"),
    ),
    "rejected with a reason": Conversation(
        f"""
        {ASK}
        /click Submit for approval
        /as marta
        /expect Your decision is needed
        reject {{id}}
        /expect usage.reason-missing
        /fill because the caller could not be verified
        /click Reject
        /expect-all Rejected: nothing was changed
        /expect-all the caller could not be verified
        /as olivia
        /expect the caller could not be verified
        approve {{id}} in person
        /expect conflict.already-decided
        /as alice
        /expect Rejected
        /number alice mobile +1 2065550110
        """,
        (),
        ("change:mobile:rejected",),
    ),
    "an approver says how they know": Conversation(
        f"""
        {ASK}
        /click Submit for approval
        /as marta
        /expect Your decision is needed
        approve {{id}}
        /expect Say how you know
        /fill how did-not
        /click Approve
        /expect policy.approver-must-know
        approve {{id}} did not
        /expect policy.approver-must-know
        /writes 0
        /fill how known-number
        /click Approve
        /as olivia
        /expect Approved by: Marta Mayfair, spoke on a known number
        /writes 1
        """,
        writes=(ALICE_00,),
        audited=("policy:approve:refused", "change:mobile:approved"),
    ),
    "cancelled, then too late to approve": Conversation(
        f"""
        {ASK}
        /click Submit for approval
        /as marta
        /expect Your decision is needed
        /as olivia
        /click Cancel the request
        /expect-all Cancelled: nothing was changed
        /as marta
        /expect Cancelled: nothing was changed
        approve {{id}} in person
        /expect conflict.cancelled
        /as olivia
        cancel {{id}}
        /expect Cancelled: nothing was changed
        """,
        (),
        ("change:mobile:cancelled",),
    ),
    "the manager has no app, the fallback decides": Conversation(
        """
        set mobile for nora to +1 206 555 0145 because new phone INC1235
        /expect Ned Nutley
        /expect Arthur Appleby
        /click Submit for approval
        /expect Waiting for approval
        /as arthur
        /expect Nora Nettle
        /fill how in-person
        /click Approve
        /expect-all Done
        /as astrid
        approve {id} in person
        /expect conflict.already-decided
        """,
        (("nora", "mobile", "+1 2065550145"),),
        ("change:mobile:applied",),
    ),
    "removed": Conversation(
        """
        remove mobile for alma
        /expect policy.alternate-still-there
        remove alternate mobile for alma because she left the project
        /expect +1 •••••• 31
        /click Submit for approval
        /as marta
        /expect Remove the alternate mobile of Alma Arden?
        /fill how in-person
        /click Approve
        /expect-all Done
        /number alma alternateMobile none
        /as olivia
        remove alternate mobile for alma
        /expect policy.nothing-to-remove
        """,
        (("alma", "alternateMobile", None),),
        ("change:alternateMobile:applied",),
    ),
    "repeated after it was cancelled": Conversation(
        f"""
        {ASK}
        /click Submit for approval
        /click Cancel the request
        /expect Cancelled: nothing was changed
        repeat {{id}}
        /expect Change a phone
        /expect Alice Anders
        /expect lost phone
        /expect-not 5550100
        /fill number +1 206 555 0100
        /click Show the preview
        /click Submit for approval
        /as marta
        /expect Your decision is needed
        /fill how in-person
        /click Approve
        /expect-all Done
        """,
        (ALICE_00,),
        ("change:mobile:cancelled", "change:mobile:applied"),
    ),
    "check and show": Conversation(
        """
        check alice mobile +1 206 555 0177
        /expect Could Alice Anders use this number?
        /expect +1 •••••• 77
        /expect Code by text
        /expect SMS sign-in
        /expect Nothing was changed
        /expect-not 5550177
        check alice mobile 206 555 0177
        /expect country code
        check mobile for alice
        /expect +1 •••••• 10
        show alice
        /expect Password reset
        /expect SMS sign-in
        swap
        /expect Swap the mobiles
        enable sms sign-in
        /expect Switch SMS sign-in on
        /as marta
        check alice mobile +1 206 555 0177
        /expect access.not-allowed
        /writes 0
        """,
    ),
    "looking around": Conversation(
        f"""
        hi
        /expect help
        help
        /expect approve R-
        whoami
        /expect Olivia Oakes
        /expect operator: looks up and requests changes
        show alice
        /expect +1 •••••• 10
        /expect-not 5550110
        {ASK}
        /click Submit for approval
        my requests
        /expect Alice Anders
        open
        /expect Alice Anders
        history alice
        /expect submitted
        status {{id}}
        /expect Waiting for approval
        explain policy.protected
        /expect policy.protected
        explain policy.nonsense
        /expect usage.code-unknown
        /as marta
        approvals
        /expect Alice Anders
        show me
        /expect +1 •••••• 11
        open
        /expect access.not-allowed
        /as audra
        history alice
        /expect submitted
        status R-ZZZZZZ
        /expect usage.request-unknown
        """,
        (),
        ("change:mobile:submitted", "access:openrequests:refused"),
    ),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_a_conversation_ends_as_it_should(name: str, any_stage: Stage) -> None:
    """Each person sees what the lines say, the directory takes just the stated writes, the chain verifies."""
    conversation = CONVERSATIONS[name]
    async with any_stage.player() as player:
        for line in conversation.lines.splitlines():
            await player.line(re.sub(r"\{oid:(\w+)\}", lambda found: any_stage.oid(found[1]), line))
    await any_stage.ends_with(*conversation.writes, audited=conversation.audited)


async def test_a_request_that_nobody_decided_expires_and_can_be_repeated(any_stage: Stage) -> None:
    """Time running out is a no in every copy of the card; `repeat` offers the same without the number."""
    stage = any_stage
    request = await stage.pending()
    await stage.later(hours=24, minutes=1)
    for who in ("olivia", "marta", "alice"):
        for _ in range(5):  # a redraw that was put off comes some seconds later
            if "Expired: nothing was changed" in await stage.all_text(who):
                break
            await stage.later(seconds=5)
        assert "Expired: nothing was changed" in await stage.all_text(who)
    assert "conflict.expired" in await stage.ask("marta", f"approve {request} in person")
    form = await stage.ask("olivia", f"repeat {request}")
    assert "Change a phone" in form
    assert "lost phone" in form
    assert "5550100" not in form.replace(" ", "").replace("+12065550100", "")
    await stage.ends_with(audited=("change:mobile:expired",))
