"""All worlds of one sandbox process: made, found, forgotten.

Knows how a world is filled with people. Must not know HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .journal import Journal
from .people import populate
from .world import Now, World


class Worlds:
    """All worlds of one sandbox process."""

    def __init__(self, now: Now, state_dir: Path | None = None) -> None:
        self.now = now
        self._state_dir = state_dir
        self._tenants: dict[str, World] = {}

    def create(self, spec: dict[str, Any]) -> World:
        """A new world from a spec (control.py lists its keys); replaces one with the same tenant id.

        Raises ValueError when the spec names something that does not exist.
        """
        world = World(spec, self.now)
        if self._state_dir is not None:
            world.journal = Journal(self._state_dir / f"journal-{world.tenant_id}.jsonl")
        populate(world, spec)
        self._tenants[world.tenant_id] = world
        return world

    def by_tenant(self, tenant_id: str) -> World | None:
        """The world with this tenant id or name (any letter case)."""
        key = tenant_id.casefold()
        if key in self._tenants:
            return self._tenants[key]
        return next((w for w in self._tenants.values() if w.name and w.name.casefold() == key), None)

    def by_app(self, app_id: str) -> World | None:
        """The world whose bot has this app id."""
        return next((w for w in self._tenants.values() if w.app_id == app_id.casefold()), None)

    def remove(self, world: World) -> None:
        """Forget a world."""
        self._tenants.pop(world.tenant_id, None)

    def __iter__(self) -> Iterator[World]:
        return iter(list(self._tenants.values()))
