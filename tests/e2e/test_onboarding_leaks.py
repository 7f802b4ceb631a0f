"""A number that a new person entered is nowhere in clear but on their own card while they correct it."""

from __future__ import annotations

import json

from leaks import Clear, found
from onboarding_drive import SEND, WRITTEN, fill_in, invited
from stage import Stage

NUMBERS = {Clear.read(WRITTEN), Clear.read("+1 20655501471")}


async def test_only_on_their_own_card_while_it_is_corrected(stage: Stage) -> None:
    """Log, database, every card and answer of the whole flow, in every disguise."""
    await invited(stage)
    await fill_in(stage, number="(206) 555-01471")
    await fill_in(stage)
    await stage.say("cora", "onboarding report")
    await stage.say("marta", "new people")
    await stage.click("marta", "Approve all but those chosen", inputs={"how": "in-person"})
    await stage.settle()
    await stage.say("hugo", "onboarding")
    await stage.settle()
    chat = await stage.parts.store.conversation(stage.oid("hugo"))
    assert chat is not None
    hits = {}
    for sent in await stage.sent():
        text = json.dumps(sent["body"], ensure_ascii=False)
        own = chat.conversation_id in sent["path"] or sent["verb"] == "reply"
        if not (own and SEND in text and "Please correct what is marked" in text):
            hits[f"{sent['verb']} {sent['path']}"] = found(NUMBERS, text.encode())
    for file in stage.state.rglob("*"):
        if file.is_file() and file.name != "policy.toml":
            hits[file.name] = found(NUMBERS, file.read_bytes())
    hits["log"] = found(NUMBERS, stage.log.getvalue().encode())
    assert {name: where for name, where in hits.items() if where} == {}
    await stage.ends_with(("hugo", "mobile", WRITTEN))
