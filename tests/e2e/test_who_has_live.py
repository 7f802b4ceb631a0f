"""Who has a number, asked of the whole house: Graph, database, Teams."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from stage import Stage

QUESTION = "who has +1 206 555 0110 because its codes are reported INC1234"
SCAN = "\n[index]\nscan = true\npeople_per_minute = 60000\n"
Opened = Callable[..., AbstractAsyncContextManager[Stage]]


async def test_before_anybody_was_looked_at(stage: Stage) -> None:
    """It says nobody known so far, never nobody; a look at somebody makes the holder known."""
    said = await stage.ask("sven", QUESTION)
    assert "Nobody known so far" in said
    assert "I have looked at nobody" in said
    await stage.ask("olivia", "show alice")
    said = await stage.ask("sven", QUESTION)
    assert "Alice Anders" in said
    assert "alice@contoso.example" in said
    assert "+1 •••••• 10" in said
    assert "I have not looked at everybody" in said
    await stage.ends_with(audited=("numbers:lookup:asked", "numbers:lookup:asked"))


async def test_after_a_scan_everybody_is_known(opened: Opened) -> None:
    """The worker read every page and everybody's phones through Graph; the database holds no number."""
    async with opened(policy=lambda text: text + SCAN) as stage:
        scanned: Any = stage.parts.store

        async def finished() -> bool:
            stage.clock.pass_by(seconds=5)
            scan = await scanned.scan()
            return scan is not None and scan.finished_at is not None

        await stage.wait_for(finished, 20)
        said = await stage.ask("sven", QUESTION)
        assert "Alice Anders" in said
        assert "100 %" in said
        assert "Nobody has it" in await stage.ask("sven", QUESTION.replace("0110", "0198"))
        await stage.ends_with(audited=("numbers:lookup:asked", "numbers:lookup:asked"))
        assert "skiptoken" not in str(stage.log_lines())


async def test_an_operator_may_not_ask(stage: Stage) -> None:
    """Refused, and nothing was asked of the index or the directory."""
    assert "access.not-allowed" in await stage.ask("olivia", QUESTION)
    await stage.ends_with()
