"""Every kind of invoke that Teams may send, over HTTP, against the whole bot: always a well-formed answer.

A malformed or missing answer shows people "Unable to reach app" and makes some clients send again.
"""

from __future__ import annotations

from typing import Any

import pytest
from stage import Stage

Json = dict[str, Any]
CARD = "application/vnd.microsoft.card.adaptive"
MESSAGE = "application/vnd.microsoft.activity.message"
ERROR = "application/vnd.microsoft.error"
DIALOGS = ("task/fetch", "task/submit", "composeExtension/fetchTask", "composeExtension/submitAction")
EXTENSIONS = (
    "composeExtension/query",
    "composeExtension/queryLink",
    "composeExtension/anonymousQueryLink",
    "composeExtension/selectItem",
    "composeExtension/querySettingUrl",
)
BARE = (
    "actionableMessage/executeAction",
    "composeExtension/onCardButtonClicked",
    "composeExtension/setting",
    "fileConsent/invoke",
    "signin/verifyState",
    "signin/failure",
    "message/submitAction",
)
VALUES: dict[str, Json] = {
    "task/fetch": {"data": {"v": 1}, "context": {"theme": "default"}},
    "task/submit": {"data": {"approve": True}},
    "composeExtension/query": {"commandId": "find", "parameters": [{"name": "q", "value": "alice"}]},
    "composeExtension/queryLink": {"url": "https://contoso.example/1"},
    "composeExtension/anonymousQueryLink": {"url": "https://contoso.example/1"},
    "composeExtension/selectItem": {"id": "1"},
    "composeExtension/fetchTask": {"commandId": "open", "commandContext": "compose"},
    "composeExtension/submitAction": {"commandId": "open", "data": {}, "commandContext": "compose"},
    "composeExtension/querySettingUrl": {"commandId": "find"},
    "fileConsent/invoke": {"type": "fileUpload", "action": "decline", "context": {}},
    "signin/verifyState": {"state": "123456"},
    "application/search": {"kind": "search", "queryText": "al", "queryOptions": {"skip": 0, "top": 5}},
    "signin/tokenExchange": {"id": "x1", "connectionName": "none", "token": "secret-of-a-stranger"},
}


def _check_card_action(body: Json) -> None:
    assert set(body) == {"statusCode", "type", "value"}
    assert body["type"] in (CARD, MESSAGE, ERROR)
    if body["type"] == CARD:
        assert body["value"]["type"] == "AdaptiveCard"
        assert body["value"]["version"] == "1.5"
    elif body["type"] == MESSAGE:
        assert isinstance(body["value"], str)
        assert body["value"]
    else:
        assert set(body["value"]) == {"code", "message"}


@pytest.mark.parametrize("who", ["olivia", "mallory"])
@pytest.mark.parametrize(
    "value",
    [
        {"action": {"type": "Action.Execute", "verb": "run", "data": {"v": 1, "command": "help"}}},
        {"action": {"type": "Action.Execute", "verb": "run", "data": {"v": 1, "command": "show alice"}}},
        {"action": {"type": "Action.Execute", "verb": "form.set", "data": {"v": 1}}},
        {"action": {"type": "Action.Execute", "verb": "form.remove", "data": {"v": 1, "slot": "office"}}},
        {
            "action": {
                "type": "Action.Execute",
                "verb": "choose",
                "data": {"v": 1, "verb": "show", "who": "x"},
            }
        },
        {"action": {"type": "Action.Execute", "verb": "approve", "data": {}}},
        {"action": {"type": "Action.Execute", "verb": "nothing", "data": {}}},
        {"action": {"type": "Action.Submit", "data": {}}},
        {"action": {"type": "Action.Execute"}, "trigger": "automatic"},
        {"action": "approve"},
        {},
        None,
        "approve",
        [1, 2],
    ],
)
async def test_a_card_action_is_always_answered_in_form(who: str, value: Any, stage: Stage) -> None:
    """adaptiveCard/action: HTTP 200 with status code, type and a value that fits the type."""
    answer = await stage.invoke(who, "adaptiveCard/action", value)
    assert answer["status"] == 200
    _check_card_action(answer["body"])
    await stage.ends_with()


@pytest.mark.parametrize("name", DIALOGS)
async def test_a_dialog_that_we_do_not_have_says_so(name: str, stage: Stage) -> None:
    """task and composeExtension dialogs: a task message."""
    answer = await stage.invoke("olivia", name, VALUES.get(name, {}))
    assert answer["status"] == 200
    assert answer["body"]["task"]["type"] == "message"
    assert answer["body"]["task"]["value"]
    await stage.ends_with()


@pytest.mark.parametrize("name", EXTENSIONS)
async def test_a_message_extension_that_we_do_not_have_says_so(name: str, stage: Stage) -> None:
    """composeExtension queries: a message in the extension's place; nobody is looked up."""
    answer = await stage.invoke("olivia", name, VALUES.get(name, {}))
    assert answer["status"] == 200
    assert answer["body"]["composeExtension"]["type"] == "message"
    assert await stage.requests() == []
    await stage.ends_with()


@pytest.mark.parametrize("name", BARE)
async def test_an_invoke_that_wants_nothing_gets_a_bare_200(name: str, stage: Stage) -> None:
    """Acknowledged without a body."""
    answer = await stage.invoke("olivia", name, VALUES.get(name, {}))
    assert answer["status"] == 200
    assert answer["body"] is None
    await stage.ends_with()


async def test_an_invoke_without_a_name_is_acknowledged(stage: Stage) -> None:
    """A card's old-style action has no name."""
    answer = await stage.invoke("olivia", None, {"approve": True})
    assert answer["status"] == 200
    await stage.ends_with()


async def test_a_search_finds_nothing_in_form(stage: Stage) -> None:
    """application/search (typeahead): an empty result list."""
    answer = await stage.invoke("olivia", "application/search", VALUES["application/search"])
    assert answer["status"] == 200
    assert answer["body"]["value"] == {"results": []}
    await stage.ends_with()


async def test_a_silent_sign_in_is_declined(stage: Stage) -> None:
    """signin/tokenExchange: 412, so that the client stops; the token is not repeated anywhere."""
    answer = await stage.invoke("olivia", "signin/tokenExchange", VALUES["signin/tokenExchange"])
    assert answer["status"] == 412
    assert answer["body"]["id"] == "x1"
    assert "secret-of-a-stranger" not in str(answer["body"]) + stage.log.getvalue()
    await stage.ends_with()


@pytest.mark.parametrize("name", ["made/up", "config/fetch", "tab/fetch"])
async def test_an_unknown_invoke_is_not_implemented(name: str, stage: Stage) -> None:
    """Anything else: 501 with a body, and no log of an error."""
    answer = await stage.invoke("olivia", name, {})
    assert answer["status"] == 501
    assert answer["body"]["error"]["code"] == "NotImplemented"
    assert not [line for line in stage.log_lines() if line["level"] == "ERROR"]
    await stage.ends_with()


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "typing"},
        {"type": "messageReaction", "reactionsAdded": [{"type": "like"}]},
        {"type": "messageDelete"},
        {"type": "event", "name": "anything"},
        {"type": "endOfConversation"},
        {"type": "installationUpdate", "action": "add"},
        {"type": "conversationUpdate", "membersAdded": [{"id": "28:bot"}]},
        {"type": "messageUpdate", "channelData": {"eventType": "editMessage"}},
    ],
)
async def test_other_activities_are_accepted_and_change_nothing(raw: Json, stage: Stage) -> None:
    """No 4xx, no 5xx, no effect; an edited message is answered with why it does not count."""
    answer = await stage.say("olivia", "set mobile for alice to +1 206 555 0100", raw=raw, show=False)
    assert answer["status"] in (200, 201)
    if raw["type"] == "messageUpdate":
        assert "I do not act on edited messages" in await stage.text("olivia")
    assert await stage.audit_names() == []
    await stage.ends_with()
