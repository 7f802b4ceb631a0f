"""How people are met in Teams: what was remembered of their conversations, and where new ones begin.

Knows conversations. Must not know cards or the connector. The store is what counts; this memory only saves
asking it at every message, and forgets soon, because other processes learn of conversations, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.ports import Clock, Conversation, Store

_FOR = timedelta(minutes=1)
_REMEMBERED = 10_000


class Addresses:
    """start_url: the cloud's own service address, "" = none. tenant_id, bot_id: for new conversations."""

    def __init__(self, store: Store, clock: Clock, start_url: str, tenant_id: str, bot_id: str) -> None:
        self._store = store
        self._clock = clock
        self._latest = start_url
        self._known: dict[str, tuple[datetime, Conversation]] = {}
        self.tenant_id = tenant_id
        self.bot_id = bot_id

    async def met(self, conversation: Conversation, *, anew: bool = False) -> None:
        """Somebody wrote from there: the latest counts. Written only when it differs.

        anew: something happened to the conversation, so whatever is remembered of it is worth nothing.
        """
        now, oid = self._clock.now(), conversation.oid
        known = self._known.get(oid)
        if not anew and known is not None and known[1] == conversation and now - known[0] < _FOR:
            return
        if anew or await self._store.conversation(oid) != conversation:
            await self._store.remember_conversation(conversation)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[oid] = (now, conversation)
        self._latest = conversation.service_url

    async def left(self, oid: str) -> None:
        """They cannot be reached there any more."""
        self._known.pop(oid, None)
        await self._store.forget_conversation(oid)

    async def start(self) -> str:
        """Where a conversation is begun: where somebody was met, by whichever process; "" = nowhere."""
        self._latest = self._latest or await self._store.service_url()
        return self._latest
