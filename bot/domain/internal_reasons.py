"""The "no" that is ours alone: the system of record cannot be used. Part of the catalogue in
`bot.domain.reasons`.

Knows words only. Must not say more than is known: a database that broke off may have kept something.
"""

from __future__ import annotations

from bot.domain.reason import Reason

STORE_UNAVAILABLE = Reason(
    "internal.store-unavailable",
    "I cannot save anything just now",
    "My database does not answer or takes nothing more, and what I cannot record I do not do.",
    "Send the same again in a minute; should it have been kept after all, it is not done twice. If it stays "
    "so, tell the operators of this bot: they find an alarm in its log.",
    retryable=True,
)
ROW_UNREADABLE = Reason(
    "internal.row-unreadable",
    "I cannot read that request",
    "What is stored about the request {key} makes no sense to me, so nothing was done with it.",
    "Tell the operators of this bot and quote {key}: they find an alarm in its log.",
)
