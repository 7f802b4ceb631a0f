"""`python -m bot.sandbox serve|demo|play`: the sandbox as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from aiohttp import web

from .server import start
from .worlds import Worlds


def main(argv: list[str]) -> int:
    """Run one of the verbs; the exit code."""
    if argv and argv[0] in ("demo", "play"):
        from .demo import main as demo  # the chat is not needed to serve

        return int(demo(argv))
    parser = argparse.ArgumentParser(prog="python -m bot.sandbox", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    serve = verbs.add_parser("serve", help="print one JSON line with the addresses, run until SIGTERM")
    serve.add_argument("--state-dir", type=Path, default=None, help="for CA file and journals (default: new)")
    serve.add_argument("--host", default="127.0.0.1")
    for name in ("graph", "login", "teams"):
        serve.add_argument(f"--{name}-port", type=int, default=0, help="0 = any free port")
    serve.add_argument("--world", default=None, help="make a world of this name at once")
    serve.add_argument("--until-eof", action="store_true", help="also stop when standard input ends")
    verbs.add_parser("demo", help="the terminal chat")
    verbs.add_parser("play", help="play a written conversation")
    return asyncio.run(_serve(parser.parse_args(argv)))


def mount_channel(app: web.Application, worlds: Worlds) -> None:
    """Put the Teams half on an app, with fresh signing keys."""
    from . import channel
    from .signing import Keys

    channel.add_routes(app, worlds, Keys(now=lambda: worlds.now().timestamp()))


async def _serve(args: argparse.Namespace) -> int:
    state_dir = args.state_dir or Path(tempfile.mkdtemp(prefix="sandbox-"))
    ports = (args.graph_port, args.login_port, args.teams_port)
    running = await start(state_dir, *ports, host=args.host, mount_channel=mount_channel)
    if args.world is not None:
        running.worlds.create({"name": args.world})
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    if args.until_eof:
        loop.add_reader(sys.stdin.fileno(), _at_end, loop, stop)
    print(json.dumps(running.urls), flush=True)
    await stop.wait()
    await running.close()
    return 0


def _at_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Something can be read from standard input; nothing left means that whoever started us is gone."""
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stop.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
