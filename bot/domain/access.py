"""Who may use which command: one table, default deny. Roles do not imply each other.

Knows commands and roles. Must not know people, cards or the approval rules (no role passes those).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.domain import command as c
from bot.domain import onboarding_commands as oc
from bot.domain.people import Role

EVERYONE: frozenset[Role] | None = None
# Security asks and looks only for who is frozen, in emergencies and to undo: judged where it is handled.
_ASKERS = frozenset({Role.OPERATOR, Role.SECURITY})
_LOOKERS = frozenset({Role.OPERATOR, Role.AUDITOR, Role.SECURITY})

# None = everyone in the directory who is an enabled member. `show me`, and a person's own requests, are
# finer than a role and are judged where they are handled.
ALLOWED: Mapping[type[object], frozenset[Role] | None] = MappingProxyType(
    {
        c.Help: EVERYONE,
        c.Hi: EVERYONE,
        c.Whoami: EVERYONE,
        c.Explain: EVERYONE,
        c.MyRequests: EVERYONE,
        c.Approvals: EVERYONE,
        c.Status: EVERYONE,
        c.Cancel: EVERYONE,
        c.Approve: EVERYONE,
        c.Reject: EVERYONE,
        c.Withdraw: EVERYONE,
        c.NotMe: EVERYONE,
        c.Take: frozenset({Role.OPERATOR}),
        c.Refresh: EVERYONE,
        c.Submit: _ASKERS | {Role.COORDINATOR},
        c.Tampered: EVERYONE,
        c.Unknown: EVERYONE,
        c.Malformed: EVERYONE,
        c.Show: _ASKERS,
        c.SetPhone: _ASKERS,
        c.RemovePhone: _ASKERS,
        c.Swap: _ASKERS,
        c.SmsSignIn: frozenset({Role.OPERATOR}),
        c.IssuePass: frozenset({Role.COORDINATOR}),
        c.ShowPass: EVERYONE,  # judged by whom the pass is shown to
        c.Check: frozenset({Role.OPERATOR}),
        c.OpenRequests: frozenset({Role.OPERATOR}),
        c.Repeat: frozenset({Role.OPERATOR}),
        c.Nudge: EVERYONE,  # of their own requests
        c.Out: EVERYONE,
        c.History: _LOOKERS,
        c.Freeze: EVERYONE,  # for others only security, which is finer and judged where it is handled
        c.Unfreeze: frozenset({Role.SECURITY}),
        c.Undo: _ASKERS,
        c.Bulk: frozenset({Role.BULK}),
        c.BulkFile: frozenset({Role.BULK}),  # with operator, which is judged where it is handled
        c.OfBatch: frozenset({Role.BULK, Role.SECURITY}),  # of their own; security may hold any
        c.BatchFile: EVERYONE,  # of batches whose status they may see
        c.Review: frozenset({Role.SECURITY}),
        c.Pause: frozenset({Role.ADMIN}),
        c.Resume: frozenset({Role.ADMIN}),
        c.WhoHas: frozenset({Role.AUDITOR, Role.SECURITY}),
        oc.Onboard: frozenset({Role.COORDINATOR}),  # and a manager for direct reports: judged where handled
        oc.Report: frozenset({Role.COORDINATOR, Role.AUDITOR}),
        oc.NewPeople: EVERYONE,
        oc.ApproveAllBut: EVERYONE,
        # Answers to a card: judged by whose it is.
        oc.OwnOnboarding: EVERYONE,
        oc.Register: EVERYONE,
        oc.TakeWayOut: EVERYONE,
        oc.Confirm: EVERYONE,
        oc.ChooseBridge: EVERYONE,
        c.Report: frozenset({Role.COORDINATOR, Role.AUDITOR}),
    }
)
MAY_SEE_ANY_STATUS = _LOOKERS


def may(kind: type[object], roles: frozenset[Role]) -> bool:
    """True when the command kind is open to everyone or one of the roles allows it. Unlisted = no."""
    if kind not in ALLOWED:
        return False
    allowed = ALLOWED[kind]
    return allowed is None or bool(allowed & roles)
