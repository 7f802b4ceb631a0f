"""A whole batch from its file to its end: bad rows of every kind, throttled readings, a kill -9 half-way."""

from __future__ import annotations

from pathlib import Path

from stage import Sandbox

from tests.bench.bulk import play


async def test_two_thousand_rows_are_written_once_each(
    sandbox: Sandbox, migrated_file: Path, tmp_path: Path
) -> None:
    """Each row that is good is written once and no other, though the process is killed and readings fail."""
    found = await play(sandbox, tmp_path / "state", 2_000, times=10, migrated=migrated_file)
    assert (found.lost, found.doubled, found.wrong) == (0, 0, 0), found
    assert found.applied == found.runs, found
    assert sum(found.buckets.values()) == found.rows
    assert len(found.buckets) >= 7, found.buckets
    assert found.wasted < 0.01, found
    assert found.audit_bad == ()
