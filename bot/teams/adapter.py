"""The SDK's CloudAdapter with our own front and back: gate and codec before the turn, our HTTP answer
after it.

Knows how a request becomes a turn and a turn becomes an answer. Must not know commands, cards or people's
rights.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web
from botbuilder.core import ActivityHandler, TurnContext
from botbuilder.integration.aiohttp import CloudAdapter
from botbuilder.schema import Activity

from bot.telemetry import correlation_id, new_correlation

from .codec import BadActivity, decode, dumps
from .connector import Connectors, SendError
from .gate import Admitted, Gate, Ignored, Refused
from .invokes import InvokeReply, failed, reply_for
from .turn import GateAuthentication, LeanTurnContext, TurnConnectors

__all__ = ["InvokeReply", "RingfenceAdapter"]

log = logging.getLogger(__name__)

_JSON = {"Content-Type": "application/json; charset=utf-8"}
# After these the request's body is unread or broken: the connection is of no more use.
_CLOSE_AFTER = frozenset({"size", "body"})


def _apology(reference: str) -> str:
    return f"Something went wrong on our side. Nothing was confirmed. Reference: {reference}"


class RingfenceAdapter(CloudAdapter):  # type: ignore[misc]  # the SDK ships no types
    """Runs turns. `process` is the handler of POST /api/messages."""

    def __init__(
        self,
        gate: Gate,
        connectors: Connectors,
        app_id: str,
        *,
        apology: Callable[[str], str] = _apology,
        count: Callable[[str, str], None] = lambda name, label: None,
    ) -> None:
        """`apology` turns a reference id into the text a person sees after an unexpected error."""
        self._gate = gate
        self._authentication = GateAuthentication(app_id, TurnConnectors(connectors))
        self._apology = apology
        self._count = count
        super().__init__(self._authentication)
        self.on_turn_error = self._turn_failed

    async def process(
        self, request: web.Request, bot: ActivityHandler, ws_response: web.WebSocketResponse | None = None
    ) -> web.Response:
        """Judge, decode, run, answer. Never raises for what a stranger sends; there is no streaming.

        Refusals carry only a status. An admitted message is answered 201, an ignored one 200, an invoke with
        exactly the body of its InvokeReply.
        """
        new_correlation()
        verdict = await self._gate.admit(
            request.method, request.headers, request.remote, request.content.iter_any
        )
        if isinstance(verdict, Refused):
            return _refusal(verdict)
        if isinstance(verdict, Ignored):
            return web.Response(status=200)
        try:
            activity = decode(verdict.activity)
        except BadActivity as error:
            self._count("gate_refusals", "activity.fields")
            log.warning(
                "gate refused a request",
                extra={
                    "rule": "activity.fields",
                    "why": str(error),
                    "status": 400,
                    "peer": request.remote,
                },
            )
            return web.Response(status=400)
        return await self._run(activity, verdict, bot)

    async def _run(self, activity: Activity, verdict: Admitted, bot: ActivityHandler) -> web.Response:
        # Replies go through the connector, whatever delivery the sender wishes for.
        activity.delivery_mode = None
        is_invoke = activity.type == "invoke"
        self._count("turns", "invoke" if is_invoke else "other")
        result = await self.process_activity(self._authentication.result(verdict), activity, bot.on_turn)
        if not is_invoke:
            return web.Response(status=201)
        return self._answered(activity, reply_for(result, activity.name or "", activity.value))

    def _answered(self, activity: Activity, reply: InvokeReply) -> web.Response:
        if reply.body is None:
            return web.Response(status=reply.status)
        try:
            body = dumps(reply.body)
        except TypeError as error:
            self._log_failure(activity, error)
            reply = failed(activity.name or "", self._apology(correlation_id.get()))
            body = dumps(reply.body)
        return web.Response(status=reply.status, body=body, headers=_JSON)

    def _create_turn_context(
        self,
        activity: Activity,
        claims_identity: Any,
        oauth_scope: Any,
        connector_client: Any,
        user_token_client: Any,
        logic: Any,
        connector_factory: Any,
    ) -> LeanTurnContext:
        """The SDK's seam for the context of a turn."""
        context = LeanTurnContext(self, activity)
        context.turn_state.update(
            {
                self.BOT_IDENTITY_KEY: claims_identity,
                self.BOT_CONNECTOR_CLIENT_KEY: connector_client,
                self.USER_TOKEN_CLIENT_KEY: user_token_client,
                self.BOT_CALLBACK_HANDLER_KEY: logic,
                self.CONNECTOR_FACTORY_KEY: connector_factory,
                self.BOT_OAUTH_SCOPE_KEY: oauth_scope,
            }
        )
        context.remember(claims_identity)
        return context

    async def _turn_failed(self, context: TurnContext, error: Exception) -> None:
        """One log record; the person gets a short text with the reference id and nothing of the error."""
        activity = context.activity
        self._log_failure(activity, error)
        text = self._apology(correlation_id.get())
        if activity.type == "invoke":
            reply = Activity(type="invokeResponse", value=failed(activity.name or "", text))
            context.turn_state[self._INVOKE_RESPONSE_KEY] = reply
        elif activity.type == "message":
            try:
                await context.send_activity(text)
            except SendError as failure:
                log.warning("the apology could not be sent", extra={"status": failure.status})

    def _log_failure(self, activity: Activity, error: Exception) -> None:
        kind = "invoke" if activity.type == "invoke" else "other"
        self._count("turn_errors", kind)
        log.error("a turn failed", extra={"kind": kind}, exc_info=error)


def _refusal(verdict: Refused) -> web.Response:
    response = web.Response(status=verdict.status)
    if verdict.status == 405:
        response.headers["Allow"] = "POST"
    if verdict.rule in _CLOSE_AFTER:
        response.force_close()
    return response
