"""Nothing that the bot writes or sends holds a clear number, a token or a secret: all is read."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from leaks import Clear, found, secrets_found
from stage import DATA_KEY, Stage

Json = dict[str, Any]
TYPED = (
    "+1 2065550100",
    "+1 2065550144",
    "+1 2065550145",
    "+44 7400123499",
    "+1 9005550142",
    "+1 2065550177",
)


async def _long_conversation(stage: Stage) -> None:
    """The main job, refusals, form errors, a rejection, a failure of the directory, a request left open."""
    await stage.pending()
    await stage.click("marta", "Approve")
    await stage.wait_for(stage.effects)
    for text in (
        "set mobile for alice to +1 900 555 0142 because test",
        "set mobile for alice to 206 555 0177 because test",
        "set mobile for +1 206 555 0177 to alice",
        "show +1 206 555 0177",
        "remove mobile +1 206 555 0177 for alice",
        "+1 206 555 0177",
        "what is +12065550177 and why",
        "history alice",
        "show alice",
        "show tessa",
        "explain +12065550177",
        "status +12065550177",
        "set mobile for tessa to +1 206 555 0144 because call +1 206 555 0177 INC1",
    ):
        await stage.say("olivia", text)
    await stage.forged(
        "olivia", "form.set", {"v": 1, "who": stage.oid("tessa"), "slot": "mobile", "number": "206 555 0177"}
    )
    await stage.forged(
        "olivia", "form.set", {"v": 1, "who": "nobody", "slot": "mobile", "number": "+1 206 555 0177"}
    )
    await stage.forged(
        "olivia", "approve", {"v": 1, "change_id": "ABCDEF", "nonce": "0" * 32, "number": TYPED[0]}
    )
    await stage.forged("marta", "+12065550177", {"v": 1, "phone": "+12065550177"})
    await stage.previewed("ulla", "+44 7400 123499")
    await stage.click("olivia", "Submit for approval")
    await stage.click("marta", "Reject", inputs={"because": "I called +1 206 555 0177, nobody there"})
    await stage.settle()
    await stage.fault(
        kind="status", status=400, verb="PATCH", path="phoneMethods", message="bad +12065550145"
    )
    await stage.pending("nora", "+1 206 555 0145")
    await stage.click("arthur", "Approve")
    await stage.settle()
    await stage.heal()
    await stage.pending("tessa", "+1 206 555 0144")
    await stage.say("mallory", "set mobile for alice to +1 206 555 0177")
    await stage.settle()


def _everybodys(stage: Stage) -> set[Clear]:
    held = [n for p in stage.world["people"].values() for n in p["phones"].values()]
    return {Clear.read(text) for text in (*held, *TYPED)}


def _allowed(sent: Json, olivia: str) -> bool:
    """The requester's own preview and form: what was typed, for reading back, in her own chat."""
    text = json.dumps(sent["body"])
    own_reply = sent["verb"] == "reply"
    return (own_reply or olivia in sent["path"]) and (
        "Only you see this. Read it back" in text or '"form.set"' in text or '"form.remove"' in text
    )


async def _written(stage: Stage) -> dict[str, bytes]:
    """Everything, by where it stands."""
    files = {
        f"file {file.name}": file.read_bytes()
        for file in stage.state.rglob("*")
        if file.is_file() and file.name not in ("policy.toml",)
    }
    return {
        **files,
        "log": stage.log.getvalue().encode(),
        "metrics": stage.parts.counters.render(),
        **{
            f"{sent['verb']} {sent['path']} ({sent['order']})": json.dumps(
                sent["body"], ensure_ascii=False
            ).encode()
            for sent in await stage.sent()
        },
    }


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_no_clear_number_and_no_secret_is_written_anywhere(
    level: str, opened: Callable[..., AbstractAsyncContextManager[Stage]]
) -> None:
    """Logs, database, WAL, cards, answers and metrics of a long conversation, every number of the world, in
    every disguise; allowed only on the requester's own preview and form.
    """
    async with opened(log_level=level, more={"LOG_LEVEL": level}) as stage:
        await _long_conversation(stage)
        numbers = _everybodys(stage)
        conversation = await stage.parts.store.conversation(stage.oid("olivia"))
        assert conversation is not None
        own = {
            f"{s['verb']} {s['path']} ({s['order']})"
            for s in await stage.sent()
            if _allowed(s, conversation.conversation_id)
        }
        written = await _written(stage)
        assert any(name.startswith("file ringfence.db") for name in written)
        secrets = (stage.world["secret"], DATA_KEY, base64.b64decode(DATA_KEY).decode())
        hits = {name: found(numbers, text) for name, text in written.items() if name not in own}
        assert {name: where for name, where in hits.items() if where} == {}
        told = {name: secrets_found(secrets, text) for name, text in written.items()}
        assert {name: where for name, where in told.items() if where} == {}
        assert any(found(numbers, written[name]) for name in own), "the scan must have met the preview"
        assert len(await stage.effects()) == 1
        assert (await stage.parts.store.verify_audit()).bad == ()


async def test_the_preview_in_full_disappears_when_it_is_submitted(stage: Stage) -> None:
    """The requester's card holds the number before submit, and no card of anybody holds it afterwards."""
    number = [Clear.read(TYPED[0])]
    preview = await stage.previewed()
    assert found(number, json.dumps(preview["card"]).encode())
    await stage.click("olivia", "Submit for approval")
    await stage.settle()
    for who in ("olivia", "marta", "alice"):
        for entry in await stage.from_bot(who):
            assert not found(number, json.dumps(entry, ensure_ascii=False).encode()), entry["plain"]


async def test_the_preview_in_full_disappears_after_ten_minutes(stage: Stage) -> None:
    """Also when nobody submits."""
    await stage.previewed()
    await stage.later(minutes=10, seconds=1)
    for entry in await stage.from_bot("olivia"):
        assert not found([Clear.read(TYPED[0])], json.dumps(entry, ensure_ascii=False).encode())


async def test_a_lapsed_preview_is_not_shown_in_full_again(stage: Stage) -> None:
    """Also before the worker has come by: asking for the status does not bring the number back."""
    preview = await stage.previewed()
    await stage.settle()
    stage.clock.pass_by(minutes=10, seconds=1)
    said = await stage.ask("olivia", f"status {stage.printed_id(preview)}")
    assert not found([Clear.read(TYPED[0])], said.encode())


async def test_nothing_of_the_number_is_kept_when_the_request_has_ended(stage: Stage) -> None:
    """Sealed while it waits, erased at the end."""
    await stage.pending()
    await stage.click("marta", "Approve")
    await stage.wait_for(stage.effects)
    await stage.settle()
    change = (await stage.newest("olivia"))["requests"]
    ids = [each.removeprefix("R-")[:6] for each in change if each.startswith("R-")]
    assert await stage.parts.store.numbers(ids[0]) == {}


PLANTED = (
    "+12065550100",
    "+1 206 555 0100",
    "(206) 555-0100",
    "206.555.0100",
    "2065550100",
    "%2B12065550100",
    "+1\u00a0206\u00a0555\u00a00100",
    b"2065550100".hex(),
    *(base64.b64encode(b"\n" * shift + b"+12065550100 ").decode() for shift in range(3)),
    *(base64.b64encode(b"ab"[:shift] + b"2065550100").decode() for shift in range(3)),
)


@pytest.mark.parametrize("planted", PLANTED)
def test_the_scanner_finds_what_is_planted(planted: str) -> None:
    """The scan is worth something: it finds the number in every disguise."""
    assert found([Clear("1", "2065550100")], f'{{"x": "some {planted} text"}}'.encode())


@pytest.mark.parametrize(
    "innocent", ["+1 •••••• 00", "120655501001", "20655501009", "1795440586084", "5550100"]
)
def test_the_scanner_does_not_cry_wolf(innocent: str) -> None:
    """Masked numbers, other numbers and ids are no finding."""
    assert not found([Clear("1", "2065550100")], innocent.encode())


async def test_a_number_planted_in_the_log_is_masked_before_it_is_written(stage: Stage) -> None:
    """The last line of defence: the log formatter."""
    logging.getLogger("bot.somewhere").warning("number %s", "+1 206 555 0100", extra={"who": "206-555-0100"})
    assert not found([Clear("1", "2065550100")], stage.log.getvalue().encode())
    assert "••••••" in stage.log.getvalue()
