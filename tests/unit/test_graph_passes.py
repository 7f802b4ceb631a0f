"""Answers to the making of a Temporary Access Pass: what each proves, and that the secret stays inside."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from typing import Any

import httpx
import pytest
from graph_bench import ALICE, OID, Answer, Bench, caught, listed, ok, said

from bot.ports import DirectoryRefused, DirectoryUnavailable, DirectoryUncertain

SECRET = "Q$wSrZ3R"
MADE = {
    "id": "6f1967b7-15e8-4935-ac26-d50770ed07a7",
    "temporaryAccessPass": SECRET,
    "lifetimeInMinutes": 90,
    "isUsableOnce": True,
    "isUsable": True,
    "methodUsabilityReason": "EnabledByPolicy",
}
#: Answers that are no pass, and what each of them means.
WRONG: dict[str, tuple[Answer, type[Exception]]] = {
    "no secret": (ok({**MADE, "temporaryAccessPass": None}, 201), DirectoryUncertain),
    "an empty secret": (ok({**MADE, "temporaryAccessPass": ""}, 201), DirectoryUncertain),
    "another shape": (ok({**MADE, "lifetimeInMinutes": {"of": SECRET}}, 201), DirectoryUncertain),
    "a list": (ok([MADE], 201), DirectoryUncertain),
    "not made": (ok(MADE, 200), DirectoryUncertain),
    "later": (ok(MADE, 202), DirectoryUncertain),
    "a redirect": (ok(MADE, 302), DirectoryUncertain),
    "500": (ok(MADE, 500), DirectoryUncertain),
    "off": (
        ok({**MADE, "isUsable": False, "methodUsabilityReason": "DisabledByPolicy"}, 201),
        DirectoryRefused,
    ),
    "odd": (
        ok({**MADE, "isUsable": False, "methodUsabilityReason": f"it is {SECRET}"}, 201),
        DirectoryRefused,
    ),
    "no reason": (ok({**MADE, "isUsable": False, "methodUsabilityReason": None}, 201), DirectoryRefused),
}


async def test_one_call_asks_for_minutes_and_for_once_and_for_nothing_else() -> None:
    """One POST below the object id; what comes back is what Graph says, not what was asked."""
    bench = Bench(ok(MADE, 201))
    made = await bench.directory.issue_pass(OID.upper(), 60, "call-1")
    (request,) = bench.requests
    assert (request.method, request.url.path) == (
        "POST",
        f"/v1.0/users/{OID}/authentication/temporaryAccessPassMethods",
    )
    assert json.loads(request.content) == {"lifetimeInMinutes": 60, "isUsableOnce": True}
    assert request.headers["client-request-id"] == "call-1"
    assert (made.secret, made.minutes, made.graph_request_id) == (SECRET, 90, "aaaaaaaa-1111")


@pytest.mark.parametrize("reason", ["NotYetValid", "notYetValid"])
async def test_a_pass_that_is_about_to_work_is_a_pass(reason: str) -> None:
    """Without a start of its own it works at once; two clocks may differ by a moment."""
    bench = Bench(ok({**MADE, "isUsable": False, "methodUsabilityReason": reason}, 201))
    assert (await bench.directory.issue_pass(OID, 60, "c")).secret == SECRET


async def test_what_graph_leaves_out_is_not_held_against_it() -> None:
    """A secret is enough; the minutes are then those that were asked for."""
    made = await Bench(ok({"temporaryAccessPass": SECRET}, 201)).directory.issue_pass(OID, 75, "c")
    assert (made.secret, made.minutes) == (SECRET, 75)


@pytest.mark.parametrize("name", WRONG)
async def test_nobody_gets_a_pass_that_cannot_be_trusted(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """One request, the exception that the answer proves, and the secret in neither log nor exception."""
    answer, raised = WRONG[name]
    bench = Bench(answer)
    with caplog.at_level(logging.DEBUG):
        error: Any = await caught(raised, bench.directory.issue_pass(OID, 60, "c"))
    assert bench.verbs == ["POST"]
    if raised is DirectoryRefused:
        assert error.refusal.code == "directory.pass-unusable"
        assert SECRET not in str(dict(error.refusal.facts))
    assert SECRET not in caplog.text
    assert SECRET not in "".join(traceback.format_exception(error))


async def test_the_secret_is_in_no_representation(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever prints or logs a pass shows the minutes only."""
    with caplog.at_level(logging.DEBUG):
        made = await Bench(ok(MADE, 201)).directory.issue_pass(OID, 60, "c")
        logging.getLogger("somebody").info("made %s %r", made, [made])
    assert SECRET not in f"{made} {made!r} {caplog.text}"
    assert "minutes=90" in repr(made)


async def test_somebody_too_new_is_told_from_somebody_gone() -> None:
    """404 for an account that the directory has: nothing was made, and it is worth trying again."""

    def gone(person: Answer) -> Bench:
        missing = said(404, "resourceNotFound", "The user was not found.")
        return Bench(by=lambda request: missing if request.method == "POST" else person)

    bench = gone(ok(ALICE))
    error = await caught(DirectoryUnavailable, bench.directory.issue_pass(OID, 60, "c"))
    assert error.retry_after is not None
    assert bench.verbs == ["POST", "GET"]
    nobody = gone(said(404, "Request_ResourceNotFound"))
    refused = await caught(DirectoryRefused, nobody.directory.issue_pass(OID, 60, "c"))
    assert refused.refusal.code == "directory.person-gone"


async def test_a_cloud_without_the_call_is_no_new_account() -> None:
    """A path that Graph does not know is refused as such, and nobody waits for it."""
    bench = Bench(said(404, "", "No HTTP resource was found that matches the request URI"))
    refused = await caught(DirectoryRefused, bench.directory.issue_pass(OID, 60, "c"))
    assert refused.refusal.code == "directory.wrong-call"


@pytest.mark.parametrize(
    ("held", "code"),
    [
        ("UserAuthMethod-Phone.ReadWrite.All", "directory.permission-missing"),
        ("UserAuthMethod-TAP.ReadWrite.All", "directory.denied"),
    ],
)
async def test_a_missing_permission_is_named(held: str, code: str) -> None:
    """Whoever has to grant it reads its name; the phones' permission does not do."""

    def by(request: httpx.Request) -> Answer:
        if request.method == "POST":
            return said(403, "accessDenied", "Request Authorization failed")
        return listed() if "transitiveMemberOf" in request.url.path else ok(ALICE)

    bench = Bench(by=by)
    claims = base64.urlsafe_b64encode(json.dumps({"roles": [held]}).encode()).decode().rstrip("=")
    bench.tokens.fixed = f"head.{claims}.signature"
    refused = await caught(DirectoryRefused, bench.directory.issue_pass(OID, 60, "c"))
    assert refused.refusal.code == code
    named = refused.refusal.facts.get("permission", "UserAuthMethod-TAP.ReadWrite.All")
    assert named == "UserAuthMethod-TAP.ReadWrite.All"
