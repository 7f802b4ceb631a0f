"""The faults of the matrix by the names that stand in it.

Must not know how one is made.
"""

from __future__ import annotations

from fault_inside import (
    Kill,
    Kind,
    Locked,
    Outage,
    Paused,
    Poisoned,
    ReadOnly,
    Stop,
    Twice,
    TwoWorkers,
    WrongClock,
)
from fault_outside import Broken, Changed, NoWay, ReplyLost, SignedOut, Silent, Stale, Throttled

KINDS: dict[str, type[Kind]] = {
    "f1 kill -9": Kill,
    "f2 SIGTERM": Stop,
    "f3 database locked, failover": Locked,
    "f4 database full or read-only": ReadOnly,
    "f5 delivered twice": Twice,
    "f6 Graph 429": Throttled,
    "f7 Graph 5xx, reset": Broken,
    "f8 reply lost": ReplyLost,
    "f9 token dead": SignedOut,
    "f10 Teams refuses": Silent,
    "f11 clock off": WrongClock,
    "f12 two workers": TwoWorkers,
    "f13 stale reads": Stale,
    "f14 rights or target change": Changed,
    "f15 poison row": Poisoned,
    "f16 outage beyond expiry": Outage,
    "f17 paused for 5 minutes": Paused,
    "f18 DNS, TLS, proxy": NoWay,
}
