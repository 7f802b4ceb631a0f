"""What somebody still lacks after the first phone, and what they have registered since that is stronger.

Knows methods and how many a password reset asks for. Must not change anything; what cannot be read is said
to be unknown, never guessed.
"""

from __future__ import annotations

from bot.domain.methods import Method, SignIn
from bot.domain.outcome import Effect
from bot.domain.people import Phones
from bot.domain.phone import Slot
from bot.ports import DirectoryUnavailable
from bot.workflow.parts import Parts

#: Methods that a web page which imitates the sign-in cannot use.
PHISHING_RESISTANT = frozenset({Method.FIDO2, Method.HELLO, Method.PLATFORM})
#: What counts for a password reset (Entra docs "concept-sspr-howitworks"): one each, beside the phones.
_FOR_RESET = frozenset({Method.AUTHENTICATOR, Method.OATH, Method.EMAIL})
#: An alternate mobile does not count there.
_PHONES_FOR_RESET = (Slot.MOBILE, Slot.OFFICE)


class Missing:
    """Reads one person's methods."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def after(self, oid: str) -> tuple[Effect, ...]:
        """Sentences about what is missing, the most urgent first."""
        try:
            phones = await self._parts.directory.phones(oid)
            sign_in = await self._parts.directory.sign_in(oid)
        except DirectoryUnavailable:
            return (Effect("missing-unknown"),)
        return tuple(_missing(phones, sign_in, self._parts.policy.onboarding.sspr_methods))

    async def stronger(self, oid: str) -> tuple[Method, ...] | None:
        """What is there now that a phone is weaker than; None where that cannot be read.

        Raises DirectoryUnavailable.
        """
        sign_in = await self._parts.directory.sign_in(oid)
        return sign_in.stronger_than_phone if sign_in.readable else None


def _missing(phones: Phones, sign_in: SignIn, needed: int) -> list[Effect]:
    have = sum(slot in phones.by_slot for slot in _PHONES_FOR_RESET)
    have += len(_FOR_RESET & set(sign_in.methods)) if sign_in.readable else 0
    facts = (("have", str(min(have, needed))), ("needed", str(needed)))
    found = [Effect("sspr-short" if have < needed else "sspr-enough", facts)]
    if not sign_in.readable:
        found.append(Effect("missing-methods-unread"))
    elif not PHISHING_RESISTANT & set(sign_in.methods):
        found.append(Effect("no-passkey"))
    return [*found, Effect("bridge")]
