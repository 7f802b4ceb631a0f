"""How somebody's sign-in stands, as `show` tells it: methods, default, SMS sign-in, reset, what protects.

Knows what the readings mean together. Must not read anything. Source: Graph docs "userregistrationdetails"
(isSsprRegistered: the required number of methods is registered; methodsRegistered) and Entra docs
"howto-sspr-deployment" (one or two methods are required; which ones count).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.methods import Registration, SignIn, SmsState

_MOST_REQUIRED = 2
#: Words of the report for methods that count for password reset. The alternate mobile does not.
_COUNT_FOR_RESET = frozenset(
    {
        "mobilePhone",
        "officePhone",
        "email",
        "microsoftAuthenticatorPush",
        "softwareOneTimePasscode",
        "hardwareOneTimePasscode",
        "securityQuestion",
    }
)


class Reset(StrEnum):
    """READY: enough is registered. LACKING: not enough. CLOSED: not open to the person. UNKNOWN: not told."""

    READY = "ready"
    LACKING = "lacking"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ResetProgress:
    """have: methods that count; need: how many are required, None when that cannot be told."""

    state: Reset
    have: int = 0
    need: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What `show` knows beside the numbers. protection: None = could not be read (why_unread says why).

    sms: None = there is no mobile.
    """

    sign_in: SignIn
    registration: Registration
    sms: SmsState | None = None
    protection: tuple[str, ...] | None = ()
    why_unread: str = ""


def reset_progress(report: Registration) -> ResetProgress:
    """How far password reset is. No program can read how many methods the tenant requires (one or two).

    It follows only when one counts and the report says that this is not enough: then it is two.
    """
    have = len(set(report.methods) & _COUNT_FOR_RESET)
    if not report.readable or report.sspr_registered is None:
        return ResetProgress(Reset.UNKNOWN, have)
    if report.sspr_enabled is False:
        return ResetProgress(Reset.CLOSED, have)
    if report.sspr_registered:
        return ResetProgress(Reset.READY, have)
    return ResetProgress(Reset.LACKING, have, _MOST_REQUIRED if have == 1 else None)
