"""The simulated Teams channel: connector answers, signed tokens, deliveries, what people see."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import weakref
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from bot.sandbox.channel import add_routes
from bot.sandbox.login import mint
from bot.sandbox.signing import Keys
from bot.sandbox.world import World
from bot.sandbox.worlds import Worlds

MESSAGE = "application/vnd.microsoft.activity.message"
CARD = "application/vnd.microsoft.card.adaptive"
FORM: dict[str, Any] = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [
        {"type": "TextBlock", "text": "Request R-7K2Q9M-4F3A"},
        {"type": "FactSet", "facts": [{"title": "Before", "value": "none"}]},
        {"type": "Input.Text", "id": "why", "label": "Reason", "isRequired": True, "errorMessage": "Say why"},
        {
            "type": "Input.ChoiceSet",
            "id": "who",
            "choices": [],
            "choices.data": {"type": "Data.Query", "dataset": "graph.microsoft.com/users"},
        },
        {
            "type": "ActionSet",
            "actions": [
                {
                    "type": "Action.Execute",
                    "title": "Send it",
                    "verb": "submit",
                    "data": {"v": 1, "change_id": "c1", "nonce": "n"},
                    "fallback": {"type": "Action.Submit", "title": "Send it", "data": {"verb": "submit"}},
                },
            ],
        },
    ],
    "actions": [
        {"type": "Action.Submit", "title": "Plain", "data": {"verb": "plain"}},
        {"type": "Action.Submit", "title": "Form", "data": {"msteams": {"type": "task/fetch"}}},
    ],
}


class Ear:
    """A bot that hears everything and answers what it was told to."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.reply: Any = None
        self.status = 200

    async def messages(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization", ""))
        self.heard.append(await request.json())
        return web.json_response(self.reply, status=self.status)


class Bench:
    """One world, one channel, one listening bot, one HTTP client."""

    def __init__(self, worlds: Worlds, tenant: str, base: str, ear: Ear, http: aiohttp.ClientSession) -> None:
        self.worlds, self.tenant, self.base, self.ear, self.http = worlds, tenant, base, ear, http
        self.headers = {"Authorization": f"Bearer {mint(self.world, 'https://api.botframework.com')}"}

    @property
    def world(self) -> World:
        world = self.worlds.by_tenant(self.tenant)
        assert world is not None
        return world

    async def control(self, what: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
        verb = "GET" if body is None else "POST"
        path = what if what.startswith("/") else f"/_sandbox/worlds/{self.world.tenant_id}/{what}"
        async with self.http.request(verb, self.base + path, json=body) as response:
            assert response.status == status, await response.text()
            return await response.json()

    async def connector(
        self, verb: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        url = f"{self.base}/teams/v3/conversations{path}"
        chosen = self.headers if headers is None else headers
        async with self.http.request(verb, url, json=body, headers=chosen) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def chat_of(self, alias: str) -> str:
        person = self.world.find(alias)
        assert person is not None
        _, made = await self.connector("POST", "", {"members": [{"id": person.oid}]})
        return str(made["id"])

    async def post_card(self, alias: str) -> str:
        body = {"type": "message", "attachments": [{"contentType": CARD, "content": FORM}]}
        _, made = await self.connector("POST", f"/{await self.chat_of(alias)}/activities", body)
        return str(made["id"])


async def _serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    ear, worlds, bot_app, app = Ear(), Worlds(lambda: datetime.now(UTC)), web.Application(), web.Application()
    bot_app.router.add_post("/api/messages", ear.messages)
    bot, bot_base = await _serve(bot_app)
    # No name for the world here: one of the tests looks for what else holds it.
    tenant = worlds.create({"name": "channel-test", "bot_url": f"{bot_base}/api/messages"}).tenant_id
    add_routes(app, worlds, Keys())
    channel, base = await _serve(app)
    async with aiohttp.ClientSession() as http:
        yield Bench(worlds, tenant, base, ear, http)
    await channel.cleanup()
    await bot.cleanup()


async def test_a_typed_message_is_a_true_teams_activity(bench: Bench) -> None:
    """What the bot hears has the ids, tenant places, client info and token that Teams sends."""
    answer = await bench.control("say", {"as": "olivia", "text": "help"})
    assert (answer["status"], len(bench.ear.heard)) == (200, 1)
    heard, olivia = bench.ear.heard[0], bench.world.find("olivia")
    assert olivia is not None
    assert heard["from"] == {"id": olivia.mri, "name": olivia.display_name, "aadObjectId": olivia.oid}
    assert heard["conversation"]["tenantId"] == heard["channelData"]["tenant"]["id"] == bench.world.tenant_id
    assert heard["serviceUrl"] == f"{bench.base}/teams/"
    assert (heard["type"], heard["channelId"]) == ("message", "msteams")
    assert (heard["text"], heard["textFormat"]) == ("help", "plain")
    assert heard["entities"][0]["timezone"] == olivia.timezone
    async with bench.http.get(f"{bench.base}/v1/.well-known/openidconfiguration") as response:
        metadata = await response.json()
    async with bench.http.get(metadata["jwks_uri"]) as response:
        (key,) = (await response.json())["keys"]
    assert key["endorsements"] == ["msteams"]
    claims = jwt.decode(
        bench.ear.tokens[0].removeprefix("Bearer "),
        jwt.PyJWK(key),
        algorithms=["RS256"],
        audience=bench.world.app_id,
        issuer=metadata["issuer"],
        options={"require": ["exp", "nbf"]},
    )
    assert claims["serviceurl"] == heard["serviceUrl"]


@pytest.mark.parametrize("scope", ["groupChat", "channel"])
async def test_in_shared_places_the_bot_is_mentioned(bench: Bench, scope: str) -> None:
    """A message in a shared place carries the mention in text and entities."""
    await bench.control("say", {"as": "olivia", "text": "help", "scope": scope})
    heard = bench.ear.heard[0]
    mention = heard["entities"][0]
    assert heard["text"] == f"{mention['text']} help"
    assert mention["mentioned"]["id"] == heard["recipient"]["id"] == f"28:{bench.world.app_id}"
    assert heard["conversation"]["conversationType"] == scope


async def test_raw_fields_and_redelivery(bench: Bench) -> None:
    """`raw` changes any field, null removes one; a redelivered activity is the same activity."""
    raw = {"from": {"aadObjectId": None}, "channelData": {"tenant": {"id": "x"}}}
    await bench.control("say", {"as": "olivia", "text": "help", "raw": raw, "redeliver": 2})
    assert len(bench.ear.heard) == 3
    assert bench.ear.heard[0] == bench.ear.heard[2]
    assert "aadObjectId" not in bench.ear.heard[0]["from"]
    assert bench.ear.heard[0]["channelData"]["tenant"]["id"] == "x"


async def test_deliveries_can_be_doubled_and_swapped(bench: Bench) -> None:
    """`double` posts everything twice; with `reorder` 2 the later of two messages comes first."""
    await bench.control("ways", {"double": 1})
    await bench.control("say", {"as": "olivia", "text": "one"})
    assert [a["text"] for a in bench.ear.heard] == ["one", "one"]
    await bench.control("ways", {"double": 0, "reorder": 2})
    first = asyncio.create_task(bench.control("say", {"as": "olivia", "text": "two"}))
    second = asyncio.create_task(bench.control("say", {"as": "olivia", "text": "three"}))
    await asyncio.gather(first, second)
    ids = [a["id"] for a in bench.ear.heard[2:]]
    assert ids == sorted(ids, reverse=True)


async def test_the_connector_needs_a_token_of_the_app(bench: Bench) -> None:
    """No token, a strange token or one for another audience: 401, and nothing reaches a chat."""
    chat = await bench.chat_of("olivia")
    graph_token = mint(bench.world, "https://graph.microsoft.com")
    good = bench.headers["Authorization"].removeprefix("Bearer ")
    for wrong in (None, "Bearer x", f"Bearer {graph_token}", f"Basic {good}"):
        headers = {"Authorization": wrong} if wrong else {}
        status, body = await bench.connector(
            "POST", f"/{chat}/activities", {"type": "message", "text": "hi"}, headers
        )
        assert (status, body) == (401, {"message": "Authorization has been denied for this request."})
    assert await bench.control("view?as=olivia") == []


async def test_a_chat_exists_only_where_the_app_is_installed(bench: Bench) -> None:
    """Creating a chat: same id every time; 403 with the true code without the app; sends then fail too."""
    marta = bench.world.find("marta")
    assert marta is not None
    chat = await bench.chat_of("marta")
    assert chat == await bench.chat_of("marta")
    status, made = await bench.connector("POST", "", {"members": [{"id": marta.mri}]})
    assert (status, made["id"], made["serviceUrl"]) == (201, chat, f"{bench.base}/teams/")
    await bench.control("install", {"as": "marta", "installed": False})
    assert [a["type"] for a in bench.ear.heard] == ["installationUpdate", "conversationUpdate"]
    status, body = await bench.connector("POST", "", {"members": [{"id": marta.oid}]})
    assert (status, body["error"]["code"]) == (403, "ForbiddenOperationException")
    status, body = await bench.connector("POST", f"/{chat}/activities", {"type": "message", "text": "hi"})
    assert (status, body["error"]["code"]) == (403, "BotNotInConversationRoster")


async def test_update_and_delete(bench: Bench) -> None:
    """An update replaces the message for everybody; unknown and deleted ones give the true 404."""
    chat, activity = await bench.chat_of("alice"), await bench.post_card("alice")
    text = {"type": "message", "text": "done"}
    assert (await bench.connector("PUT", f"/{chat}/activities/{activity}", text))[0] == 200
    (seen,) = await bench.control("view?as=alice")
    assert (seen["text"], seen["card"], seen["requests"]) == ("done", None, ["R-7K2Q9M", "c1"])
    assert (await bench.connector("DELETE", f"/{chat}/activities/{activity}"))[0] == 200
    for where in (activity, "1"):
        status, body = await bench.connector("PUT", f"/{chat}/activities/{where}", text)
        assert (status, body["error"]["code"]) == (404, "ActivityNotFoundInConversation")
    status, body = await bench.connector("POST", "/a:nowhere/activities", text)
    assert (status, body["error"]["code"]) == (404, "ConversationNotFound")


async def test_size_limits_and_faults_have_true_bodies(bench: Bench) -> None:
    """Too big is 413; the rate limit is 429 with Retry-After when switched on; a fault may hit after."""
    chat = await bench.chat_of("alice")
    big = {"type": "message", "text": "x" * 60_000}
    status, body = await bench.connector("POST", f"/{chat}/activities", big)
    assert (status, body["error"]["code"]) == (413, "MessageSizeTooBig")
    hello = {"type": "message", "text": "hi"}
    bench.world.faults.add(kind="reset_after", server="teams")
    with pytest.raises(aiohttp.ClientError):
        await bench.connector("POST", f"/{chat}/activities", hello)
    assert len(await bench.control("view?as=alice")) == 1
    bench.world.faults.add(kind="status", server="teams", status=429, retry_after=3)
    assert (await bench.connector("POST", f"/{chat}/activities", hello))[0] == 429
    await bench.control("ways", {"limits": True})
    answers = [(await bench.connector("POST", f"/{chat}/activities", hello))[0] for _ in range(9)]
    # One went out in this second before it was switched on.
    assert answers[:6] == [201] * 6
    assert 429 in answers
    assert (await bench.control("ways", {}))["peaks"]["send 1 s"] == 7


async def test_members(bench: Bench) -> None:
    """The roster has Teams ids, object ids and the kind of user; one by one and by pages."""
    chat, alice = await bench.chat_of("alice"), bench.world.find("alice")
    assert alice is not None
    _, listed = await bench.connector("GET", f"/{chat}/members")
    _, paged = await bench.connector("GET", f"/{chat}/pagedmembers")
    _, one = await bench.connector("GET", f"/{chat}/members/{alice.mri}")
    assert listed == paged["members"] == [one]
    assert (one["aadObjectId"], one["userPrincipalName"], one["userRole"]) == (alice.oid, alice.upn, "user")


async def test_a_card_is_seen_as_text_with_buttons_and_fields(bench: Bench) -> None:
    """The view lists words, numbered buttons and fields of a card."""
    await bench.post_card("alice")
    (seen,) = await bench.control("view?as=alice")
    assert seen["plain"] == "Request R-7K2Q9M-4F3A\nBefore: none"
    assert [(a["n"], a["title"], a["verb"]) for a in seen["actions"]] == [
        (1, "Send it", "submit"),
        (2, "Plain", "plain"),
        (3, "Form", None),
    ]
    assert [(i["id"], i["required"], i["people"]) for i in seen["inputs"]] == [
        ("why", True, False),
        ("who", False, True),
    ]


async def test_execute_sends_an_invoke_and_its_card_is_for_the_clicker_alone(bench: Bench) -> None:
    """Fields are merged into data, people become object ids, the reply's card replaces only my copy."""
    activity = await bench.post_card("alice")
    new = {**FORM, "body": [{"type": "TextBlock", "text": "Sent"}], "actions": []}
    bench.ear.reply = {"statusCode": 200, "type": CARD, "value": new}
    answer = await bench.control(
        "click", {"as": "alice", "action": "send IT", "inputs": {"why": "lost", "who": "marta"}}
    )
    assert answer["body"] == bench.ear.reply
    heard, marta = bench.ear.heard[0], bench.world.find("marta")
    assert marta is not None
    assert (heard["type"], heard["name"], heard["replyToId"]) == ("invoke", "adaptiveCard/action", activity)
    assert heard["value"] == {
        "trigger": "manual",
        "action": {
            "type": "Action.Execute",
            "verb": "submit",
            "data": {"v": 1, "change_id": "c1", "nonce": "n", "why": "lost", "who": marta.oid},
        },
    }
    (seen,) = await bench.control("view?as=alice")
    assert seen["plain"] == "Sent"
    chat = await bench.chat_of("alice")
    await bench.connector("PUT", f"/{chat}/activities/{activity}", {"type": "message", "text": "closed"})
    (seen,) = await bench.control("view?as=alice")
    assert seen["plain"] == "closed"


async def test_submit_fetch_and_old_clients(bench: Bench) -> None:
    """Action.Submit is a message with a value; task/fetch opens a form whose press is task/submit."""
    activity = await bench.post_card("alice")
    await bench.control("click", {"as": "alice", "activity_id": activity, "action": "Plain"})
    assert (bench.ear.heard[-1]["type"], bench.ear.heard[-1]["value"]) == ("message", {"verb": "plain"})
    await bench.control("click", {"as": "alice", "activity_id": activity, "action": 1, "old_client": True})
    assert (bench.ear.heard[-1]["type"], bench.ear.heard[-1]["replyToId"]) == ("message", activity)
    card = {"contentType": CARD, "content": FORM}
    bench.ear.reply = {"task": {"type": "continue", "value": {"title": "t", "card": card}}}
    await bench.control("click", {"as": "alice", "activity_id": activity, "action": "Form"})
    assert bench.ear.heard[-1]["name"] == "task/fetch"
    bench.ear.reply = {"task": {"type": "message", "value": "Thank you"}}
    await bench.control("click", {"as": "alice", "action": "Plain", "inputs": {"why": "x"}})
    assert bench.ear.heard[-1]["name"] == "task/submit"
    assert bench.ear.heard[-1]["value"]["data"] == {"verb": "plain", "why": "x"}
    seen = await bench.control("view?as=alice")
    assert [(e["kind"], e["plain"]) for e in seen if e["kind"] != "message"] == [("notice", "Thank you")]


@pytest.mark.parametrize(
    ("status", "reply", "words"),
    [
        (500, None, "Unable to reach app"),
        (200, {"oops": 1}, "Unable to reach app"),
        (200, {"statusCode": 200, "type": MESSAGE, "value": "Too late"}, "Too late"),
        (
            200,
            {
                "statusCode": 400,
                "type": "application/vnd.microsoft.error",
                "value": {"code": "BadRequest", "message": "No such card"},
            },
            "No such card",
        ),
    ],
)
async def test_other_replies_are_lines_only_the_clicker_sees(
    bench: Bench, status: int, reply: Any, words: str
) -> None:
    """Message, error and broken replies are shown as Teams shows them; the card stays."""
    await bench.post_card("alice")
    bench.ear.status, bench.ear.reply = status, reply
    await bench.control("click", {"as": "alice", "inputs": {"why": "x"}})
    card, notice = await bench.control("view?as=alice")
    assert await bench.control("view?as=alice&last=1") == [notice]
    assert card["actions"]
    assert notice["kind"] == "notice"
    assert words in notice["plain"]


async def test_the_client_objects_only_when_asked_to(bench: Bench) -> None:
    """With `checks` a required field is missed by the client; without, the bot gets the bare click."""
    await bench.post_card("alice")
    refused = await bench.control("click", {"as": "alice", "checks": True}, status=409)
    assert refused["error"] == "Reason: Say why"
    assert bench.ear.heard == []
    await bench.control("click", {"as": "alice"})
    assert len(bench.ear.heard) == 1


async def test_a_forwarded_card_is_clicked_from_the_strangers_own_chat(bench: Bench) -> None:
    """A person who never got the card can click it; the activity names them and their chat."""
    activity = await bench.post_card("alice")
    await bench.control("click", {"as": "olivia", "activity_id": activity, "inputs": {"why": "x"}})
    heard, olivia = bench.ear.heard[0], bench.world.find("olivia")
    assert olivia is not None
    assert heard["from"]["aadObjectId"] == olivia.oid
    assert heard["conversation"]["id"] != await bench.chat_of("alice")


async def test_everything_ever_sent_is_on_record(bench: Bench) -> None:
    """Replaced, refused and replied bodies are all listed."""
    chat, activity = await bench.chat_of("alice"), await bench.post_card("alice")
    await bench.connector("PUT", f"/{chat}/activities/{activity}", {"type": "message", "text": "second"})
    await bench.connector("PUT", f"/{chat}/activities/1", {"type": "message", "text": "refused"})
    bench.ear.reply = {"statusCode": 200, "type": MESSAGE, "value": "third"}
    await bench.control("invoke", {"as": "alice", "name": "adaptiveCard/action", "value": {}})
    sent = (await bench.control("outbound"))["sent"]
    assert [(s["verb"], s["status"]) for s in sent[-4:]] == [
        ("POST", 201),
        ("PUT", 200),
        ("PUT", 404),
        ("reply", 200),
    ]
    record = json.dumps(sent)
    assert all(word in record for word in ("Before", "second", "refused", "third"))


async def test_refresh_is_automatic_and_only_for_those_named(bench: Bench) -> None:
    """A card that names alice refreshes by itself for her: trigger automatic, her copy changes."""
    alice = bench.world.find("alice")
    assert alice is not None
    refresh = {"action": {"type": "Action.Execute", "verb": "refresh", "data": {}}, "userIds": [alice.mri]}
    content = {**FORM, "refresh": refresh}
    body = {"type": "message", "attachments": [{"contentType": CARD, "content": content}]}
    _, made = await bench.connector("POST", f"/{await bench.chat_of('alice')}/activities", body)
    new = {"body": [{"type": "TextBlock", "text": "new"}]}
    bench.ear.reply = {"statusCode": 200, "type": CARD, "value": new}
    await bench.control("refresh", {"as": "alice", "activity_id": made["id"]})
    assert bench.ear.heard[0]["value"]["trigger"] == "automatic"
    assert (await bench.control("view?as=alice"))[0]["plain"] == "new"
    await bench.control("refresh", {"as": "marta", "activity_id": made["id"]}, status=409)


async def test_a_raw_activity_goes_out_as_it_is(bench: Bench) -> None:
    """`dry` hands out an activity and its token; `activity` posts any bytes with any headers."""
    dry = await bench.control("say", {"as": "olivia", "text": "help", "dry": True})
    assert bench.ear.heard == []
    assert dry["token"].count(".") == 2
    await bench.control("activity", {"activity": dry["activity"], "sign": False})
    assert (bench.ear.heard, bench.ear.tokens) == ([dry["activity"]], [""])


async def test_a_forgotten_world_leaves_nothing_behind(bench: Bench) -> None:
    """After a world with chats and files is removed, nothing of it stays in memory."""
    await bench.control("say", {"as": "olivia", "text": "help"})
    file = base64.b64encode(b"a,b").decode()
    await bench.control("upload", {"as": "olivia", "name": "phones.csv", "content": file})
    await bench.post_card("olivia")
    left = weakref.ref(bench.world)
    bench.worlds.remove(bench.world)
    gc.collect()
    assert left() is None
