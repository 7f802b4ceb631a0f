"""For every test: nothing may leave this machine."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

_NAMED = frozenset({"localhost", ""})


def _only_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse sockets to other machines, whoever in the process opens them. Unix sockets have text addresses."""
    if event != "socket.connect" or not isinstance(arguments[1], tuple):
        return
    host = str(arguments[1][0])
    if host not in _NAMED and not ipaddress.ip_address(host).is_loopback:
        raise ConnectionRefusedError("tests speak to this machine only")


sys.addaudithook(_only_loopback)
