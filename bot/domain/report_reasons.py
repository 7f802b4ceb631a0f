"""Why the registration report cannot be had. Part of the catalogue in `bot.domain.reasons`; knows words only."""

# ruff: noqa: E501 - whole sentences stay whole, for readers and translators
from __future__ import annotations

from bot.domain.reason import Reason

_REPORT = "https://learn.microsoft.com/graph/api/authenticationmethodsroot-list-userregistrationdetails"

REPORT_LICENCE = Reason(
    "directory.report-licence",
    "This directory has no registration report",
    "Microsoft Entra gives it to tenants with the licence Entra ID P1 or P2 only.",
    "Ask whoever looks after licences. `show` and `check` work without it.",
    link=_REPORT,
)
REPORT_PERMISSION = Reason(
    "directory.report-permission",
    "I may not read the registration report",
    "The app of this bot lacks the permission AuditLog.Read.All, or its consent.",
    "Whoever runs this bot grants AuditLog.Read.All to its app (see the page about permissions).",
    audience="operators",
    link=_REPORT,
)
REPORT_LATER = Reason(
    "directory.report-later",
    "The registration report cannot be read just now",
    "Microsoft Graph answered: {what}. It gives this report out at five pages in ten seconds at most.",
    "Type `report` again in some minutes.",
    retryable=True,
    link=_REPORT,
)
