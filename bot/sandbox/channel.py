"""The Teams side of the sandbox, as a bot sees it: the connector's REST interface under `/teams/`.

Knows: the connector's paths, answers, refusals and limits. Must not know: what people do (acts.py),
how inbound tokens are signed (signing.py), anything of the bot's insides.

Sources: "Bot Connector REST API reference" (paths and bodies), "Send proactive messages" and "Build
conversational capability" (error codes), "Optimize your bot with rate limiting" (windows).

Connector paths, each also without the trailing activity id where Teams allows it:
`POST v3/conversations`, `POST v3/conversations/{c}/activities[/{a}]`, `PUT` and `DELETE` of
`.../activities/{a}`, `GET .../members`, `.../members/{m}`, `.../pagedmembers`.
A world's bot is told from the `appid` of its bearer token.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from . import acts, files, signing
from .conversations import AllChats, Chats, Conversation, Json, Message
from .delivery import Delivery, service_url
from .journal import Seen
from .login import app_of_token
from .signing import Keys
from .world import Person, World
from .worlds import Worlds

#: The documented limit of one message in bytes of UTF-16.
MAX_MESSAGE = 100 * 1024
RESOURCE = "https://api.botframework.com"
Work = Callable[["_Call"], Awaitable[web.Response]]


def add_routes(app: web.Application, worlds: Worlds, keys: Keys) -> None:
    """Put the whole Teams half on `app`: connector, key documents, and what people do."""
    chats, delivery = AllChats(), Delivery(keys)

    async def interfere(request: web.Request) -> web.StreamResponse | None:
        for world in worlds:
            if (instead := await world.faults.apply("metadata", request)) is not None:
                return instead
        return None

    signing.add_routes(app, keys, interfere)
    acts.add_routes(app, worlds, chats, delivery)
    files.add_routes(app, worlds, chats, delivery)
    connector = Connector(worlds, chats)
    root = "/teams/v3/conversations"
    for verb, path, work, limit in (
        ("POST", "", connector.create, "send"),
        ("POST", "/{c}/activities", connector.send, "send"),
        ("POST", "/{c}/activities/{a}", connector.send, "send"),
        ("PUT", "/{c}/activities/{a}", connector.update, "send"),
        ("DELETE", "/{c}/activities/{a}", connector.delete, "send"),
        ("GET", "/{c}/members", connector.members, "read"),
        ("GET", "/{c}/pagedmembers", connector.paged_members, "read"),
        ("GET", "/{c}/members/{m}", connector.member, "read"),
    ):
        app.router.add_route(verb, root + path, connector.guarded(work, limit))

    async def close(_app: web.Application) -> None:
        await delivery.close()

    app.on_cleanup.append(close)


class Refusal(Exception):
    """The connector says no: HTTP status, code and message of its error body."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def response(self) -> web.Response:
        """`{"error": {"code", "message"}}`; a 401 has only `{"message"}`."""
        if self.status == 401:
            return web.json_response({"message": self.message}, status=401)
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}
        body = {"error": {"code": self.code, "message": self.message}}
        return web.json_response(body, status=self.status, headers=headers)


class _Call:
    """One request of a bot: its world, its chats, the parsed body."""

    def __init__(self, request: web.Request, chats: Chats, body: Any) -> None:
        self.request, self.chats, self.body = request, chats, body

    def conversation(self) -> Conversation:
        """The addressed chat; 404 when there is none, 403 when the bot is not in it."""
        chat = self.chats.get(self.request.match_info["c"])
        if chat is None:
            raise Refusal(404, "ConversationNotFound", "Conversation not found.")
        if chat.kind == "personal" and not self.chats.world.people[chat.members[0]].installed:
            raise Refusal(403, "BotNotInConversationRoster", "The bot is not part of this conversation.")
        return chat

    def message(self) -> Message:
        """The addressed message of the bot; 404 when unknown or deleted."""
        found = self.conversation().messages.get(self.request.match_info["a"])
        if found is None or found.deleted:
            raise Refusal(404, "ActivityNotFoundInConversation", "Activity not found in the conversation.")
        if found.sender != self.chats.bot_id:
            raise Refusal(403, "NotEnoughPermissions", "Bots can change only their own messages.")
        return found

    def activity(self) -> Json:
        """The body as an activity; 400 when it is not an object."""
        if not isinstance(self.body, dict):
            raise Refusal(400, "Bad Argument", "The activity in the body is missing or malformed.")
        return self.body


class Connector:
    """The connector's operations over the chats of all worlds."""

    def __init__(self, worlds: Worlds, chats: AllChats) -> None:
        self._worlds, self._chats = worlds, chats

    def guarded(self, work: Work, limit: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Token, size, faults and limits first; then the work; everything sent is recorded."""

        async def handle(request: web.Request) -> web.StreamResponse:
            world = self._world(request)
            if world is None:
                return Refusal(401, "", "Authorization has been denied for this request.").response()
            chats = self._chats.of(world)
            raw = await request.read()
            body = _parsed(raw)
            early = await world.faults.apply("teams", request)
            if early is not None:
                chats.record(request.method, request.path, early.status, body)
                _note(world, request, early.status)
                return early
            try:
                _check_size(raw)
                _check_limits(chats, request.match_info.get("c", ""), limit)
                done = await work(_Call(request, chats, body))
            except Refusal as refusal:
                done = refusal.response()
            if request.method != "GET":
                chats.record(request.method, request.path, done.status, body)
            _note(world, request, done.status)
            return await world.faults.after(request, done)

        return handle

    def _world(self, request: web.Request) -> World | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        app_id = app_of_token(token, RESOURCE)
        return self._worlds.by_app(app_id) if app_id else None

    async def create(self, call: _Call) -> web.Response:
        """A 1:1 chat by object id or `29:` id: always the same one for the same person."""
        body = call.activity()
        members = body.get("members") or []
        if body.get("isGroup") or len(members) != 1 or not isinstance(members[0], dict):
            raise Refusal(400, "BadSyntax", "Exactly one member is needed for a 1:1 conversation.")
        tenant = body.get("tenantId") or ((body.get("channelData") or {}).get("tenant") or {}).get("id")
        if tenant is not None and str(tenant).lower() != call.chats.world.tenant_id:
            raise Refusal(403, "Forbidden", "The bot is not enabled in this tenant.")
        person = call.chats.member(str(members[0].get("id", "")))
        if person is None or person.deleted or not person.installed:
            raise Refusal(403, "ForbiddenOperationException", "Bot is not installed in user's personal scope")
        chat = call.chats.personal(person)
        made: Json = {"id": chat.id, "serviceUrl": service_url(call.request)}
        if isinstance(body.get("activity"), dict):
            made["activityId"] = call.chats.post(chat, call.chats.bot_id, body["activity"]).id
        else:
            made["activityId"] = call.chats.new_id()
        return web.json_response(made, status=201)

    async def send(self, call: _Call) -> web.Response:
        """Post or reply. Typing and other passing signs are recorded, not kept in the chat."""
        body, chat = call.activity(), call.conversation()
        kind = body.get("type", "message")
        if kind not in ("message", "typing", "trace", "endOfConversation", "event", "invokeResponse"):
            raise Refusal(400, "Bad Argument", "Unknown activity type.")
        if kind != "message":
            return web.json_response({"id": call.chats.new_id()}, status=201)
        if not body.get("text") and not body.get("attachments"):
            raise Refusal(400, "BadSyntax", "Activity resulted into multiple skype activities")
        posted = call.chats.post(chat, call.chats.bot_id, body)
        answers = str(call.request.match_info.get("a") or body.get("replyToId"))
        posted.reply_to = answers if answers in chat.messages else None
        return web.json_response({"id": posted.id}, status=201)

    async def update(self, call: _Call) -> web.Response:
        """The message looks like this to everybody from now on."""
        message = call.message()
        call.chats.replace(message, call.activity())
        return web.json_response({"id": message.id})

    async def delete(self, call: _Call) -> web.Response:
        """The message is gone for everybody."""
        message = call.message()
        message.deleted, message.changed = True, call.chats.step()
        return web.Response(status=200)

    async def members(self, call: _Call) -> web.Response:
        """Everybody in the chat, as a list."""
        return web.json_response(_roster(call))

    async def paged_members(self, call: _Call) -> web.Response:
        """Everybody in the chat, by pages of `pageSize` (50 to 500)."""
        size = min(max(int(call.request.query.get("pageSize", "200")), 50), 500)
        start = int(call.request.query.get("continuationToken", "0") or 0)
        everybody = _roster(call)
        page: Json = {"members": everybody[start : start + size]}
        if start + size < len(everybody):
            page["continuationToken"] = str(start + size)
        return web.json_response(page)

    async def member(self, call: _Call) -> web.Response:
        """One member of the chat by `29:` id or object id."""
        chat, person = call.conversation(), call.chats.member(call.request.match_info["m"])
        if person is None or person.oid not in chat.members:
            raise Refusal(404, "MemberNotFoundInConversation", "The user is not part of the conversation.")
        return web.json_response(_account(call.chats.world, person))


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _check_size(raw: bytes) -> None:
    # Teams counts UTF-16 code units, so plain text weighs twice its UTF-8 bytes.
    if len(raw.decode("utf-8", "replace").encode("utf-16-le")) > MAX_MESSAGE:
        raise Refusal(413, "MessageSizeTooBig", "Message size too large.")


def _note(world: World, request: web.Request, status: int) -> None:
    place = request.match_info.route.resource
    route = place.canonical if place else ""
    at = world.now().isoformat()
    world.journal.request(Seen(at, "teams", request.method, route, request.raw_path, status, {}))


def _check_limits(chats: Chats, conversation: str, kind: str) -> None:
    wait = chats.limits.wait_for(conversation, kind, chats.world.now().timestamp())
    if wait is not None:
        raise Refusal(429, "Throttled", "Too many requests.", retry_after=wait)


def _account(world: World, person: Person) -> Json:
    return {
        "id": person.mri,
        "name": person.display_name,
        "aadObjectId": person.oid,
        "objectId": person.oid,
        "givenName": person.given_name,
        "surname": person.surname,
        "email": person.mail,
        "userPrincipalName": person.upn,
        "tenantId": world.tenant_id,
        "userRole": "guest" if person.user_type == "Guest" else "user",
    }


def _roster(call: _Call) -> list[Json]:
    people = call.chats.world.people
    return [_account(call.chats.world, people[oid]) for oid in call.conversation().members if oid in people]
