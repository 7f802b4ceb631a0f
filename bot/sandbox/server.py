"""Starts the three servers of the sandbox (Graph, login, Teams) on one host, over one set of worlds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from ssl import SSLContext

from aiohttp import web

from . import control
from .graph.server import Graph
from .login import Login
from .tls import server_context
from .world import Now
from .worlds import Worlds

MountChannel = Callable[[web.Application, Worlds], None]
_SHUTDOWN_SECONDS = 0.1
_MAX_BODY = 8 * 1024 * 1024


def wall_clock() -> datetime:
    """The time now, UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Running:
    """A started sandbox. `graph`, `login`, `teams` are root URLs without a trailing slash."""

    graph: str
    login: str
    teams: str
    ca_file: Path
    worlds: Worlds
    _runners: list[web.AppRunner] = field(default_factory=list)

    @property
    def urls(self) -> dict[str, str]:
        """What the control API hands out with every world."""
        return {"graph": self.graph, "login": self.login, "teams": self.teams, "ca_file": str(self.ca_file)}

    async def close(self) -> None:
        """Stop all three servers; open connections are cut."""
        for runner in self._runners:
            # A polite end of TLS waits for the other side, which may keep its connection for ever.
            for handler in runner.server.connections if runner.server else ():
                if handler.transport is not None:
                    handler.transport.abort()
            await runner.cleanup()


async def start(
    state_dir: Path,
    graph_port: int = 0,
    login_port: int = 0,
    teams_port: int = 0,
    host: str = "127.0.0.1",
    mount_channel: MountChannel | None = None,
    now: Now = wall_clock,
) -> Running:
    """Start everything; port 0 = any free one. `state_dir` gets the CA file and the journals.

    Raises OSError when a port is taken; nothing stays open then.
    """
    worlds = Worlds(now, state_dir)
    context, ca_file = server_context(state_dir, now())
    urls: dict[str, str] = {}
    graph, login = Graph(worlds), Login(worlds)
    graph_app, login_app, teams_app = (web.Application(client_max_size=_MAX_BODY) for _ in range(3))
    graph.add_routes(graph_app)
    login.add_routes(login_app)
    for app in (graph_app, teams_app):
        control.add_routes(app, worlds, urls)
    if mount_channel is not None:
        mount_channel(teams_app, worlds)
    async with contextlib.AsyncExitStack() as undo:
        runners: list[web.AppRunner] = []
        ports: list[int] = []
        plan = [(graph_app, graph_port, None), (login_app, login_port, context)]
        for app, port, tls in [*plan, (teams_app, teams_port, None)]:
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
            undo.push_async_callback(runner.cleanup)
            ports.append(await _listen(runner, host, port, tls))
            runners.append(runner)
        undo.pop_all()
    bases = [f"http://{host}:{ports[0]}", f"https://{host}:{ports[1]}", f"http://{host}:{ports[2]}"]
    running = Running(bases[0], bases[1], bases[2], ca_file, worlds, runners)
    graph.bases = login.graph_bases = (bases[0], f"http://localhost:{ports[0]}")
    login.base = bases[1]
    urls.update(running.urls)
    return running


async def _listen(runner: web.AppRunner, host: str, port: int, tls: SSLContext | None) -> int:
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    await site.start()
    return int(runner.addresses[0][1])
