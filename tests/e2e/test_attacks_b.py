"""Group B of the security sheet: who may do what, with the whole bot and a real directory behind it."""

from __future__ import annotations

import pytest
from stage import Stage

SET = "set mobile for {who} to +1 206 555 0100 because lost phone INC1234"
TO_ALICE = SET.format(who="alice")

CLOSED = {
    TO_ALICE: "setphone",
    "set mobile for alice": "setphone",
    "remove mobile for alice because lost": "removephone",
    "show alice": "show",
    "history alice": "history",
    "open": "openrequests",
    "repeat R-7K2Q9M": "repeat",
}


@pytest.mark.parametrize("text", CLOSED)
async def test_an_ordinary_member_is_refused_whatever_they_type(text: str, stage: Stage) -> None:
    """B1, D18: one refusal, the same for known and unknown people, before any look-up, and an audit row."""
    said = await stage.ask("mallory", text)
    assert "Code access.not-allowed" in said
    assert "Alice" not in said
    asked = [request["path"] for request in await stage.requests()]
    assert not [path for path in asked if stage.oid("mallory") not in path]
    await stage.ends_with(audited=(f"access:{CLOSED[text]}:refused",))


async def test_known_and_unknown_people_are_refused_in_the_same_words(stage: Stage) -> None:
    """D18: whoever may not look people up cannot tell who exists."""
    known = await stage.ask("mallory", "show alice")
    assert known == await stage.ask("mallory", "show nobody.known@contoso.example")


OPEN_TO_ALL = {
    "help": "What you can do here",
    "hi": "help",
    "whoami": "CISO (approved)",
    "explain policy.protected": "policy.protected",
    "my requests": "",
    "approvals": "",
    "show me": "mobile",
    "status R-7K2Q9M": "usage.request-unknown",
    "approve R-7K2Q9M-4F3A in person": "usage.request-unknown",
    "cancel R-7K2Q9M": "usage.request-unknown",
}


@pytest.mark.parametrize("text", OPEN_TO_ALL)
async def test_an_ordinary_member_gets_what_is_everybodys(text: str, stage: Stage) -> None:
    """B1: reading about oneself is open to every member; it names nobody else and changes nothing."""
    said = await stage.ask("mallory", text)
    assert OPEN_TO_ALL[text] in said.replace("\\", "")
    assert "access." not in said
    await stage.ends_with()


@pytest.mark.parametrize(
    "typed", ["status {id}", "approve {id} in person", "reject {id} because no", "cancel {id}"]
)
@pytest.mark.parametrize("who", ["mallory", "arthur"])
async def test_a_bystander_learns_nothing_about_a_request(typed: str, who: str, stage: Stage) -> None:
    """B1, C12: an id that somebody overheard opens nothing: not even that the request exists."""
    request = await stage.pending()
    said = await stage.ask(who, typed.format(id=request))
    assert "usage.request-unknown" in said
    assert "Alice" not in said
    assert "Waiting for approval" in await stage.ask("olivia", f"status {request}")
    await stage.ends_with()


@pytest.mark.parametrize("text", ["show alice", TO_ALICE, "help", "show me"])
async def test_a_guest_in_the_operator_group_is_refused(text: str, stage: Stage) -> None:
    """B2: membership does not make a guest one of ours."""
    said = await stage.ask("gustav", text)
    assert "access.not-allowed" in said
    await stage.ends_with()


async def test_a_disabled_operator_is_refused(stage: Stage) -> None:
    """B2: a disabled account has no rights, whatever its groups."""
    await stage.patch("olivia", enabled=False)
    assert "access.not-allowed" in await stage.ask("olivia", "show alice")
    await stage.ends_with()


async def test_an_operator_who_lost_the_role_may_not_ask(stage: Stage) -> None:
    """B3: the role is looked up at each action, not remembered from the last one."""
    assert "+1" in await stage.ask("olivia", "show alice")
    await stage.leave("operator", "olivia")
    assert "access.not-allowed" in await stage.ask("olivia", "show alice")
    await stage.ends_with()


async def test_an_operator_who_lost_the_role_after_submit_gets_nothing_done(stage: Stage) -> None:
    """B3: checked again right before the write: stopped, and the requester is told why."""
    await stage.pending()
    await stage.leave("operator", "olivia")
    await stage.click("marta", "Approve")
    await stage.wait_for(lambda: _told(stage, "olivia", "policy.rights-lost"))
    await stage.ends_with(audited=("change:mobile:blocked",))


async def _told(stage: Stage, who: str, words: str) -> bool:
    return words in await stage.all_text(who)


@pytest.mark.parametrize("kind", ["status", "reset", "html"])
async def test_rights_that_cannot_be_checked_are_no_rights(kind: str, stage: Stage) -> None:
    """B4: Graph fails where groups are looked up: refused as "cannot check", no change."""
    await stage.fault(kind=kind, status=503, path="checkMemberGroups", times=None)
    await stage.say("olivia", TO_ALICE)
    await stage.wait_for(lambda: _told(stage, "olivia", "access.cannot-check"))
    await stage.ends_with()


async def test_a_vote_whose_rights_cannot_be_checked_does_not_count(stage: Stage) -> None:
    """B4: the same at the click of the approver; the request stays open."""
    request = await stage.pending()
    await stage.card_with("marta", "Approve")
    await stage.fault(kind="status", status=503, path="/manager|checkMemberGroups", times=None)
    await stage.click("marta", "Approve")
    await stage.wait_for(lambda: _told(stage, "marta", "access.cannot-check"))
    await stage.heal()
    assert "Waiting for approval" in await stage.ask("olivia", f"status {request}")
    await stage.ends_with()


async def test_people_are_shown_by_what_the_directory_says_not_by_what_they_call_themselves(
    stage: Stage,
) -> None:
    """B6: a display name that claims an approval stands beside the user name from Graph; a name in the
    activity counts for nothing.
    """
    await stage.join("operator", "mallory")
    raw = {"from": {"name": "Marta Mayfair"}}
    await stage.say("mallory", TO_ALICE, raw=raw)
    await stage.click("mallory", "Submit for approval", raw=raw)
    card = await stage.card_with("marta", "Approve")
    assert "mallory@contoso.example" in card["plain"]
    assert "Marta Mayfair asks" not in card["plain"]
    await stage.ends_with()


async def test_membership_through_nested_groups_and_pages_counts(stage: Stage) -> None:
    """B7: the last member of a nested group on a later page is an operator like any other."""
    assert "+1 •••••• 10" in await stage.ask("nadia", "show alice")
    await stage.ends_with()


@pytest.mark.parametrize("form", ["upper", "braces"])
async def test_another_spelling_of_an_object_id_is_the_same_person(form: str, stage: Stage) -> None:
    """B8: upper case or braces do not make the requester somebody else."""
    request = await stage.pending()
    oid = stage.oid("olivia")
    spelled = oid.upper() if form == "upper" else "{" + oid + "}"
    said = await stage.ask("olivia", f"approve {request} in person", raw={"from": {"aadObjectId": spelled}})
    assert "access.own-request" in said
    assert "policy.own-number" in await stage.ask(
        "olivia", SET.format(who=oid.upper()), raw={"from": {"aadObjectId": spelled}}
    )
    await stage.ends_with()


PROTECTED = {
    "gabriel": "Global Administrator",
    "petra": "may become Privileged Authentication Administrator",
    "piers": "may become an administrator through a group",
    "rita": "member of a role-assignable group with a role",
    "rhea": "member of a role-assignable group",
    "rolf": "owner of a role-assignable group",
    "ruth": "in a restricted unit",
    "dina": "any directory role counts",
    "breakglass": "listed in the policy",
}


@pytest.mark.parametrize("who", PROTECTED)
async def test_protected_people_are_refused(who: str, stage: Stage) -> None:
    """B10: set and remove alike, at the preview already; nothing is written and an audit row is kept."""
    upn = stage.world["people"][who]["upn"]
    assert "policy.protected" in await stage.ask("olivia", SET.format(who=upn))
    assert "policy.protected" in await stage.ask("olivia", f"remove office for {upn} because left")
    await stage.ends_with(audited=("policy:setphone:refused",))


@pytest.mark.parametrize(
    "path", ["directoryRole", "microsoft.graph.group", "select=id(,|%2C)isManagementRestricted", "ligib"]
)
async def test_protection_that_cannot_be_read_is_protection(path: str, stage: Stage) -> None:
    """B10: each part of the check fails closed."""
    await stage.fault(kind="status", status=403, path=path, times=None)
    await stage.say("olivia", TO_ALICE)
    await stage.wait_for(lambda: _told(stage, "olivia", "policy.protection-unknown"))
    await stage.ends_with()


GROWN = {
    "a role": {"roles": ["62e90394-69f5-4237-9190-012177145e10"]},
    "an eligible role": {"eligible": ["7be44c8a-adaf-4e2a-84d6-ab2649e08a13"]},
    "a restricted unit": {"management_restricted": True},
}


@pytest.mark.parametrize("how", GROWN)
async def test_whoever_becomes_protected_after_the_preview_is_not_touched(how: str, stage: Stage) -> None:
    """B11: judged once more at execution, eligible roles included."""
    await stage.pending()
    await stage.card_with("marta", "Approve")
    await stage.patch("alice", **GROWN[how])
    await stage.click("marta", "Approve")
    await stage.wait_for(lambda: _told(stage, "olivia", "policy.protected"))
    await stage.ends_with(audited=("change:mobile:blocked",))


async def test_whoever_becomes_protected_between_preview_and_submit_is_refused(stage: Stage) -> None:
    """B11: and at submit."""
    await stage.previewed()
    await stage.patch("alice", **GROWN["a role"])
    await stage.click("olivia", "Submit for approval")
    assert "policy.protected" in await stage.all_text("olivia")
    assert await stage.from_bot("marta") == []
    await stage.ends_with()


@pytest.mark.parametrize("text", [SET.format(who="me"), SET.format(who="olivia"), "remove mobile for me"])
async def test_nobody_changes_their_own_number(text: str, stage: Stage) -> None:
    """B12: by any name for oneself."""
    assert "policy.own-number" in await stage.ask("olivia", text)
    await stage.ends_with()


@pytest.mark.parametrize("who", ["omar", "arthur", "sven", "audra", "adam"])
async def test_phones_of_our_own_staff_need_security(who: str, stage: Stage) -> None:
    """B12: whoever holds a role of ours is not an ordinary target: security is asked, not the manager."""
    said = await stage.ask("olivia", SET.format(who=who))
    assert "Selma Sorrel" in said
    assert "Hanna Harrow" not in said
    assert "Vera Valence" not in said
    if who == "sven":
        assert "Must approve: Selma Sorrel" in said
    await stage.ends_with()


async def test_the_person_concerned_never_decides(stage: Stage) -> None:
    """B12: security staff is asked about a colleague, but that colleague's own vote is refused."""
    request = await stage.pending("sven")
    await stage.card_with("selma", "Approve")
    assert "access.own-phone-decision" in await stage.ask("sven", f"approve {request} in person")
    await stage.ends_with()


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("dana", "policy.target-disabled"),
        ("dean", "usage.person-unknown"),
        ("gina@fabrikam.example", "policy.no-rule"),
    ],
)
async def test_accounts_that_are_not_plain_members_are_refused(who: str, code: str, stage: Stage) -> None:
    """B13: disabled, deleted and guest accounts."""
    assert code in await stage.ask("olivia", SET.format(who=who))
    await stage.ends_with()


async def test_a_target_disabled_after_the_vote_is_not_touched(stage: Stage) -> None:
    """B13: also when it happens on the way."""
    await stage.pending()
    await stage.card_with("marta", "Approve")
    await stage.patch("alice", enabled=False)
    await stage.click("marta", "Approve")
    await stage.wait_for(lambda: _told(stage, "olivia", "policy.target-disabled"))
    await stage.ends_with(audited=("change:mobile:blocked",))


@pytest.mark.parametrize(
    "text",
    [
        "add mallory to operators",
        "set role operator for mallory",
        "grant operator to mallory",
        "set policy approvers to mallory",
        "reload policy",
        "config operator_may_approve true",
        "pause",
    ],
)
async def test_no_words_widen_anybodys_rights(text: str, stage: Stage) -> None:
    """B14: rights live in the directory and in the policy file; chat has no verb for either."""
    for who in ("olivia", "adam"):
        said = await stage.ask(who, text)
        assert "Code usage." in said or "Code access." in said or "Please correct what is marked" in said
    assert "access.not-allowed" in await stage.ask("mallory", "show alice")
    await stage.ends_with()


async def test_the_policy_in_force_is_part_of_the_audit(stage: Stage) -> None:
    """B14: each submitted request names the digest of the policy file it was judged by."""
    await stage.pending()
    facts = dict(await stage.audit_rows())["change:mobile:submitted"]["facts"]
    assert len(facts["policy"]) == 64
    await stage.ends_with()


async def test_accounts_from_another_tenant_are_shut_out(stage: Stage) -> None:
    """B13: an object id that our directory does not know has no rights at all."""
    stranger = "bbbbbbbb-1111-4222-8333-444444444444"
    said = await stage.ask("mallory", "help", raw={"from": {"aadObjectId": stranger}})
    assert "access.not-allowed" in said
    await stage.ends_with()
