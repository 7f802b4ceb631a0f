"""How the caller was verified: asked for where the policy wants it, kept, and bound by approvals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import Proof, State, content_hash
from bot.domain.phone import Slot
from bot.domain.policy import Method
from tests.doubles.house import ALICE, OLIVIA, House, house, policy

ALICE_ = c.Who(c.WhoKind.OID, ALICE)
ACCEPTED = frozenset({Method.CALL_BACK, Method.IN_PERSON})
CALLED = Proof("call-back", "HR file")


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, rules=policy(verification=ACCEPTED)) as made:
        yield made


def order(proof: Proof | None, ticket: str = "", *, from_form: bool = False) -> c.SetPhone:
    return c.SetPhone(ALICE_, Slot.MOBILE, "+1 206 555 0100", "lost phone", ticket, from_form, proof)


async def ask(h: House, command: c.Order) -> o.Outcome:
    return await h.desk.handle(command, h.envelope(OLIVIA))


@pytest.mark.parametrize("from_form", [False, True])
@pytest.mark.parametrize(
    ("proof", "ticket", "field", "code"),
    [
        (None, "INC1234", "proof", "policy.proof-missing"),
        (Proof("external", "other desk"), "", "proof", "policy.proof-method"),
        (Proof("push"), "INC1234", "proof", "policy.proof-method"),
        (Proof("call-back"), "", "evidence", "policy.proof-evidence"),
    ],
)
async def test_the_form_asks_for_what_is_missing(
    h: House, proof: Proof | None, ticket: str, field: str, code: str, from_form: bool
) -> None:
    """Typed or sent by the form: the form with everything that was said, the error beside its field."""
    shown = await ask(h, order(proof, ticket, from_form=from_form))
    assert isinstance(shown, o.Form), shown
    assert [(name, refusal.code) for name, refusal in shown.errors] == [(field, code)]
    assert shown.methods == (Method.IN_PERSON, Method.CALL_BACK)
    assert shown.filled == order(proof, ticket, from_form=from_form)


@pytest.mark.parametrize(("proof", "ticket"), [(CALLED, ""), (Proof("in-person"), "INC1234")])
async def test_a_proof_stays_with_the_request(h: House, proof: Proof, ticket: str) -> None:
    """Stored, in the audit, and part of what an approval binds to."""
    shown = await ask(h, order(proof, ticket))
    assert isinstance(shown, o.Preview), shown
    change = shown.view.change
    assert change.proof == proof
    assert content_hash(replace(change, proof=None)) != change.content_hash == content_hash(change)
    sent = await ask(h, c.Submit(shown.view.card))
    assert isinstance(sent, o.AwaitingApproval)
    records, _ = await h.store.history(ALICE, 1)
    assert records[0].event.facts["proof"] == str(proof)


async def test_numbers_in_the_evidence_are_hidden(h: House) -> None:
    """What was called back is often pasted here."""
    shown = await ask(h, order(Proof("call-back", "rang +1 206 555 0134 from HR")))
    assert isinstance(shown, o.Preview)
    assert shown.view.change.proof is not None
    assert "0134" not in shown.view.change.proof.evidence
    assert shown.view.change.proof.evidence.startswith("rang ")


async def test_a_policy_that_asks_for_nothing(tmp_path: Path) -> None:
    """No field and no refusal; what is said all the same is kept."""
    async with house(tmp_path) as h:
        form = await ask(h, c.SetPhone(ALICE_, Slot.MOBILE))
        assert isinstance(form, o.Form)
        assert form.methods == ()
        for proof in (None, CALLED):
            shown = await ask(h, order(proof))
            assert isinstance(shown, o.Preview)
            assert shown.view.change.proof == proof


async def test_a_preview_of_before_is_not_sent_without(tmp_path: Path) -> None:
    """A policy that began to ask for it counts at the submit, too."""
    async with house(tmp_path) as h:
        shown = await ask(h, order(None))
    assert isinstance(shown, o.Preview)
    async with house(tmp_path, rules=policy(verification=ACCEPTED)) as h:
        refused = await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA, "act-later"))
        assert isinstance(refused, o.Refused)
        assert [refusal.code for refusal in refused.refusals] == ["policy.proof-missing"]
        found = await h.store.change(shown.view.change.id)
        assert found is not None
        assert found.state is State.PREVIEWED
