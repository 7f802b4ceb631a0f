"""Who reads a Temporary Access Pass: one person, named by the policy, bound to the approval.

Knows the terms of the policy and who can be reached. Must not issue or show anything.
"""

from __future__ import annotations

from bot.domain import reasons
from bot.domain.pass_reasons import PASS_NO_READER, PASS_OFF
from bot.domain.people import Person, PersonRef
from bot.domain.policy import PassReader
from bot.domain.reason import Refusal
from bot.ports import DirectoryUnavailable
from bot.workflow.managers import Managers
from bot.workflow.parts import Parts


class PassReaders:
    """Fresh answers; what cannot be read is a refusal."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._managers = Managers(parts)

    async def of(self, target: Person, requester: str) -> PersonRef | Refusal:
        """The one who sees a pass of this person. Whoever asks for a pass never does."""
        if not self._parts.policy.onboarding.pass_minutes:
            return PASS_OFF.refuse()
        try:
            return await self._found(target, requester)
        except DirectoryUnavailable as error:
            return reasons.DIRECTORY_UNAVAILABLE.refuse(what=error.what)

    async def _found(self, target: Person, requester: str) -> PersonRef | Refusal:
        reader, why = target, ""
        if self._parts.policy.onboarding.pass_shown_to is PassReader.MANAGER:
            superior = await self._managers.of(target)
            manager, why = superior.person, superior.why
            if manager is None or why:
                said = why if manager is None else f"{manager.name} {why}"
                return PASS_NO_READER.refuse(name=target.name, why=said)
            reader = manager
            if not (manager.enabled and not manager.guest):
                why = f"the account of {manager.name} is disabled or a guest's"
            elif manager.oid == requester:
                why = f"{manager.name} asks for it, and whoever asks never sees it"
        reach = await self._parts.messenger.reach(reader.oid)
        why = why or ("" if reach.ok else f"{reader.name} cannot be reached in Teams: {reach.why}")
        return PASS_NO_READER.refuse(name=target.name, why=why) if why else PersonRef.of(reader)
