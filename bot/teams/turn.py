"""The SDK's TurnContext and its connector, without the copies and the clients that the SDK makes for every
turn.

Knows the SDK's seams. Must not know HTTP requests, commands or cards.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Any

from botbuilder.core import TurnContext
from botbuilder.schema import Activity, ResourceResponse
from botframework.connector.auth import (
    AuthenticateRequestResult,
    BotFrameworkAuthentication,
    ClaimsIdentity,
    ConnectorFactory,
)

from .codec import encode
from .connector import Connector, Connectors, SendLater
from .gate import Admitted

_LONGEST_WAIT = 1.0
_SHORT_WAIT = 0.3
_ADMITTED = "ringfence.admitted"


def admitted(context: TurnContext) -> Admitted:
    """What the gate said about this turn's activity. Raises KeyError in a turn that did not come through
    it.
    """
    found: Admitted = context.turn_state[_ADMITTED]
    return found


class GateIdentity(ClaimsIdentity):  # type: ignore[misc]  # the SDK ships no types
    """The proven claims, with the gate's verdict beside them."""

    def __init__(self, verdict: Admitted) -> None:
        super().__init__(verdict.claims, True)
        self.verdict = verdict


class LeanTurnContext(TurnContext):  # type: ignore[misc]  # the SDK ships no types
    """A TurnContext that addresses a shallow copy of each outgoing activity.

    The SDK deep-copies cards (126 microseconds measured for a small one). Only top-level fields are set
    here, so the caller's object stays as it was. With send handlers registered, the SDK's own way is taken.
    """

    async def send_activities(self, activities: list[Activity]) -> list[ResourceResponse]:
        if self._on_send_activities:
            sent: list[ResourceResponse] = await super().send_activities(activities)
            return sent
        outgoing = [_addressed(activity, self.activity) for activity in activities]
        responses: list[ResourceResponse] = await self.adapter.send_activities(self, outgoing)
        if any(activity.type != "trace" for activity in outgoing):
            self.responded = True
        return responses

    def remember(self, identity: object) -> None:
        """Keep the gate's verdict for `admitted`."""
        if isinstance(identity, GateIdentity):
            self.turn_state[_ADMITTED] = identity.verdict


def _addressed(activity: Activity, incoming: Activity) -> Activity:
    """An answer to `incoming`: same conversation, from and recipient swapped, in reply to it."""
    answer = copy.copy(activity)
    answer.id = None
    answer.type = answer.type or "message"
    answer.input_hint = answer.input_hint or "acceptingInput"
    answer.channel_id = incoming.channel_id
    answer.locale = incoming.locale
    answer.service_url = incoming.service_url
    answer.conversation = incoming.conversation
    answer.from_property = incoming.recipient
    answer.recipient = incoming.from_property
    if incoming.id and incoming.type != "conversationUpdate":
        answer.reply_to_id = incoming.id
    return answer


class TurnConnector:
    """Stands where the SDK expects its ConnectorClient; the SDK calls `client.conversations.<method>`.

    A send that Teams postpones is tried twice within one second, then SendLater is raised: a turn must not
    wait longer, and the outbox is the place for patience.
    """

    def __init__(self, connector: Connector, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._connector = connector
        self._sleep = sleep

    @property
    def conversations(self) -> TurnConnector:
        """Itself: there is only one group of calls."""
        return self

    async def send_to_conversation(self, conversation_id: str, activity: Activity) -> ResourceResponse:
        """Post an activity to a conversation."""
        return await self.reply_to_activity(conversation_id, None, activity)

    async def reply_to_activity(
        self, conversation_id: str, activity_id: str | None, activity: Activity
    ) -> ResourceResponse:
        """Post an activity in answer to another."""
        body = encode(activity)
        return await self._twice(lambda: self._connector.send(conversation_id, body, activity_id))

    async def update_activity(
        self, conversation_id: str, activity_id: str, activity: Activity
    ) -> ResourceResponse:
        """Replace a posted activity."""
        body = encode(activity)
        return await self._twice(lambda: self._connector.update(conversation_id, activity_id, body))

    async def delete_activity(self, conversation_id: str, activity_id: str) -> None:
        """Remove a posted activity."""
        await self._connector.delete(conversation_id, activity_id)

    async def _twice(self, call: Callable[[], Awaitable[str]]) -> ResourceResponse:
        try:
            return ResourceResponse(id=await call())
        except SendLater as error:
            wait = _SHORT_WAIT if error.retry_after is None else error.retry_after
            if wait > _LONGEST_WAIT:
                raise
        await self._sleep(wait)
        return ResourceResponse(id=await call())


class TurnConnectors(ConnectorFactory):  # type: ignore[misc]  # the SDK ships no types
    """The SDK's factory: hands out a view on the shared client of each service address."""

    def __init__(
        self, connectors: Connectors, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._connectors = connectors
        self._sleep = sleep

    async def create(self, service_url: str, audience: str) -> TurnConnector:
        """The client for the address. Raises SendRefused when the address is not allowed."""
        return TurnConnector(self._connectors.at(service_url, answers=True), self._sleep)


class GateAuthentication(BotFrameworkAuthentication):  # type: ignore[misc]  # the SDK ships no types
    """The SDK's authentication seam. Inbound checks are the gate's alone, so these methods refuse to
    judge.
    """

    def __init__(self, app_id: str, factory: ConnectorFactory) -> None:
        self._app_id = app_id
        self._factory = factory

    def result(self, verdict: Admitted) -> AuthenticateRequestResult:
        """What the SDK wants to know about an admitted request."""
        result = AuthenticateRequestResult()
        result.audience = self._app_id
        result.claims_identity = GateIdentity(verdict)
        result.connector_factory = self._factory
        return result

    async def authenticate_request(self, activity: Activity, auth_header: str) -> AuthenticateRequestResult:
        """Never: a bare header has not passed the gate."""
        raise RuntimeError("requests are authenticated by the gate")

    async def authenticate_streaming_request(
        self, auth_header: str, channel_id_header: str
    ) -> AuthenticateRequestResult:
        """Never: there is no streaming route."""
        raise RuntimeError("there is no streaming route")

    def create_connector_factory(self, claims_identity: ClaimsIdentity) -> ConnectorFactory:
        """The shared factory."""
        return self._factory

    async def create_user_token_client(self, claims_identity: ClaimsIdentity) -> Any:
        """None: the bot signs nobody in, and the SDK would build this client for every turn."""
        return None
