"""Turns over HTTP: every kind of invoke is answered well, failures say nothing, the context behaves."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from botbuilder.core import InvokeResponse, MessageFactory, TurnContext
from botbuilder.schema import Activity, ConversationReference
from botbuilder.schema.teams import TaskModuleMessageResponse, TaskModuleResponse
from fake_channel import House, house

from bot.teams.adapter import InvokeReply

_KINDS = "application/vnd.microsoft"
CARD_ERROR = {"statusCode", "type", "value"}
INVOKES: dict[str, tuple[int, set[str]]] = {
    "adaptiveCard/action": (200, CARD_ERROR),
    "task/fetch": (200, {"task"}),
    "task/submit": (200, {"task"}),
    "composeExtension/query": (200, {"composeExtension"}),
    "composeExtension/queryLink": (200, {"composeExtension"}),
    "composeExtension/anonymousQueryLink": (200, {"composeExtension"}),
    "composeExtension/selectItem": (200, {"composeExtension"}),
    "composeExtension/submitAction": (200, {"task"}),
    "composeExtension/fetchTask": (200, {"task"}),
    "composeExtension/querySettingUrl": (200, {"composeExtension"}),
    "composeExtension/setting": (200, set()),
    "composeExtension/onCardButtonClicked": (200, set()),
    "fileConsent/invoke": (200, set()),
    "signin/verifyState": (200, set()),
    "signin/tokenExchange": (412, {"id", "connectionName", "failureDetail"}),
    "signin/failure": (200, set()),
    "application/search": (200, CARD_ERROR),
    "message/submitAction": (200, set()),
    "message/fetchTask": (200, {"task"}),
    "actionableMessage/executeAction": (200, set()),
    "tab/fetch": (501, {"error"}),
    "tab/submit": (501, {"error"}),
    "config/fetch": (501, {"error"}),
    "config/submit": (501, {"error"}),
    "somethingNew/ofTomorrow": (501, {"error"}),
    "": (200, set()),
}
VALUES: dict[str, Any] = {
    "adaptiveCard/action": {
        "action": {"type": "Action.Execute", "verb": "x", "data": {}},
        "trigger": "manual",
    },
    "fileConsent/invoke": {"type": "fileUpload", "action": "decline", "context": {}},
    "signin/tokenExchange": {"id": "1", "connectionName": "c", "token": "t"},
    "composeExtension/submitAction": {"commandId": "c", "data": {}},
}


async def _invoke(home: House, name: str, value: Any = None) -> tuple[int, Any]:
    body = home.activity(
        type="invoke", name=name or None, value=VALUES.get(name, {}) if value is None else value
    )
    status, raw = await home.post(body)
    return status, json.loads(raw) if raw else None


async def _nothing(context: TurnContext) -> None:
    return None


@pytest.mark.parametrize("name", INVOKES)
async def test_an_invoke_that_nobody_handles_gets_a_well_formed_answer(name: str) -> None:
    """Whether our handler returns nothing or the SDK's defaults run, the client gets a body it can read."""
    status, keys = INVOKES[name]
    async with house() as home:
        for handler in (_nothing, None):
            home.bot.on_invoke = handler
            answer, body = await _invoke(home, name)
            assert (answer, set(body or ())) == (status, keys)


@pytest.mark.parametrize("name", INVOKES)
async def test_an_invoke_that_fails_shows_a_reference_and_no_more(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken handler gives HTTP 200 and a body the client can show, and one record in the log."""

    async def broken(context: TurnContext) -> None:
        raise KeyError("+1 206 555 0100")

    async with house() as home:
        home.bot.on_invoke = broken
        status, body = await _invoke(home, name)
        assert status == 200
        text = json.dumps(body)
        assert "Reference: " in text
        assert "555" not in text
        assert "Traceback" not in text
        if not set(body) & {"task", "composeExtension"}:
            assert body["type"] == "application/vnd.microsoft.error"
            assert body["value"]["code"] == "InternalError"
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        "a turn failed"
    ]


@pytest.mark.parametrize(
    "reply",
    [
        InvokeReply(200, {"statusCode": 200, "type": f"{_KINDS}.activity.message", "value": "ok"}),
        InvokeReply(200, {"statusCode": 200, "type": f"{_KINDS}.card.adaptive", "value": {"a": [1]}}),
        InvokeReply(200, {"task": {"type": "continue", "value": {"title": "t", "card": {"x": None}}}}),
        InvokeReply(412, {"id": "1", "connectionName": "c", "failureDetail": "d"}),
        InvokeReply(200, {}),
        InvokeReply(200),
    ],
)  # fmt: skip
async def test_a_handlers_reply_is_the_http_answer(reply: InvokeReply) -> None:
    """Exactly the status and the body that the handler returned, serialised once."""

    async def answer(context: TurnContext) -> InvokeReply:
        return reply

    async with house() as home:
        home.bot.on_invoke = answer
        assert await _invoke(home, "adaptiveCard/action") == (reply.status, reply.body)


async def test_the_sdks_own_replies_work_too() -> None:
    """An SDK response with a model inside is sent as JSON, which the stock adapter cannot do."""

    async def answer(context: TurnContext) -> InvokeResponse:
        return InvokeResponse(status=200, body=TaskModuleResponse(task=TaskModuleMessageResponse(value="hi")))

    async with house() as home:
        home.bot.on_invoke = answer
        assert await _invoke(home, "task/submit") == (200, {"task": {"type": "message", "value": "hi"}})


@pytest.mark.parametrize("value", ["text", [], 5, {"action": 5}, {"action": {"type": "Action.Submit"}}])
async def test_a_card_action_that_cannot_be_read_is_answered_in_its_own_form(value: Any) -> None:
    """The SDK's parser meets nonsense: the answer is still HTTP 200 with a card error, or a failure with
    one.
    """
    async with house() as home:
        status, body = await _invoke(home, "adaptiveCard/action", value)
        assert status == 200
        assert body["type"] == "application/vnd.microsoft.error"


async def test_a_reply_that_cannot_be_sent_is_a_failure_not_a_500() -> None:
    """A body with an object that is no JSON becomes the failure answer."""

    async def answer(context: TurnContext) -> InvokeReply:
        return InvokeReply(200, {"value": object()})

    async with house() as home:
        home.bot.on_invoke = answer
        status, body = await _invoke(home, "adaptiveCard/action")
        assert (status, body["statusCode"]) == (200, 500)


async def test_a_message_that_fails_gets_a_short_answer_with_a_reference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The person reads a reference id, Teams gets 201 (so that it does not send again), the log one
    record.
    """

    async def broken(context: TurnContext) -> None:
        raise PermissionError("secret detail")

    async with house() as home:
        home.bot.on_message = broken
        assert await home.post() == (201, b"")
        [(_, _, sent)] = home.connector.calls
        assert "Reference: " in sent["text"]
        assert "secret" not in sent["text"]
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


async def test_a_failure_that_cannot_be_told_is_still_no_500() -> None:
    """When Teams refuses the apology as well, the request ends normally."""

    async def broken(context: TurnContext) -> None:
        raise RuntimeError

    async with house() as home:
        home.bot.on_message = broken
        home.connector.answers = [(403, {}, {})]
        assert await home.post() == (201, b"")


async def test_a_wish_for_replies_in_the_answer_is_not_granted() -> None:
    """deliveryMode expectReplies changes nothing: replies go through the connector."""
    async with house() as home:
        assert await home.post(home.activity(deliveryMode="expectReplies")) == (201, b"")
        assert len(home.connector.calls) == 1


async def test_an_answer_is_addressed_and_the_original_stays_untouched() -> None:
    """One activity can be sent twice; each copy goes to the person, from the bot, in reply to the message."""
    shared = MessageFactory.text("hi")

    async def twice(context: TurnContext) -> None:
        first = await context.send_activity(shared)
        assert first.id == "sent-1"
        await context.send_activity(shared)
        assert context.responded

    async with house() as home:
        home.bot.on_message = twice
        await home.post()
        assert shared.conversation is None
        assert shared.recipient is None
        for _, _, sent in home.connector.calls:
            assert sent["from"]["id"] == home.activity()["recipient"]["id"]
            assert sent["recipient"]["id"] == "29:alice"
            assert sent["replyToId"] == "1700000000001"
            assert sent["conversation"]["id"] == "a:conv"


async def test_updates_deletes_and_send_handlers_work_as_in_the_sdk() -> None:
    """A posted card can be replaced and removed in the turn, and middleware still sees what is sent."""
    seen: list[str] = []

    async def play(context: TurnContext) -> None:
        async def watch(_: TurnContext, activities: list[Activity], go_on: Any) -> None:
            seen.extend(activity.text for activity in activities)
            await go_on()

        context.on_send_activities(watch)
        await context.send_activity("one")
        await context.update_activity(Activity(type="message", id="sent-1", text="two"))
        await context.delete_activity("sent-1")

    async with house() as home:
        home.bot.on_message = play
        assert (await home.post())[0] == 201
        assert seen == ["one"]
        assert [method for method, _, _ in home.connector.calls] == ["POST", "PUT", "DELETE"]


async def test_the_sdks_proactive_way_uses_the_shared_client() -> None:
    """continue_conversation sends through our connector, with no token client and no other session."""

    async def keep(context: TurnContext) -> None:
        reference = TurnContext.get_conversation_reference(context.activity)
        assert isinstance(reference, ConversationReference)
        await context.adapter.continue_conversation(reference, later, "app")

    async def later(context: TurnContext) -> None:
        await context.send_activity("later")

    async with house() as home:
        home.bot.on_message = keep
        assert (await home.post())[0] == 201
        assert [sent["text"] for _, _, sent in home.connector.calls] == ["later"]
