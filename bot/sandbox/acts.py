"""What people do in Teams, as HTTP control routes for players and tests.

Knows: the routes, who acts, in which chat. Must not know: how activities are built (delivery.py,
presses.py) or what replies look like (views.py).

All under `/_sandbox/worlds/{tenant}/` on the Teams port (`tenant` = tenant id or the world's name), JSON
in and out; `as` is an alias, UPN or object id. Where a bot is called the answer is `{status, body,
seconds, activity_id, step, again: [...]}`; `step` = the world's counter before the act; status 0 with
`error` = the bot gave no answer; 409 `{"error"}` = the client itself would not do that.
- `POST say` `{as, text, mention=false, scope="personal|groupChat|channel", redeliver=0, together=false,
  raw={}, sign={}|false, dry=false, show=true}`: `raw` is merged deeply into the activity (null removes),
  `sign` as in `/_sandbox/sign`; `dry` answers `{activity, token}` and sends nothing.
- `POST click` `{as, activity_id?, action=1, inputs={}, data={}, checks=false, old_client=false, redeliver,
  together, raw, sign, dry}`: on the given message or the newest card with buttons. A card that the person
  does not have (forwarded) is clicked from their own chat.
- `POST invoke` `{as, name, value, scope, reply_to?, ...}`: any invoke.
- `POST refresh` `{as, activity_id}`: the automatic refresh of a card when it comes into view.
- `POST activity` `{activity | body, sign, headers={}}`: raw; `body` is sent as it is (text).
- `POST install` `{as, installed=true}`: sends the installation and membership events.
- `POST ways` `{double, reorder, delay, limits}`: twice, out of order, late; rate limits on or off. Answers
  also how many calls were refused for their rate, and `peaks`: the most in one window so far.
- `GET view?as=` a list, see `views.view`; `GET outbound[?since=]` `{"sent": [{order, verb, path, status,
  body}]}`: everything the bot ever sent, answers to HTTP included; `GET step` `{step}`: the counter.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from . import cardtext, views
from .conversations import AllChats, Chats, Conversation, Json, Message, card_of
from .delivery import Answer, Delivery, Ways, activity, laid_over, service_url
from .presses import CannotPress, press
from .world import Person
from .worlds import Worlds

_SCOPES = ("personal", "groupChat", "channel")


def add_routes(app: web.Application, worlds: Worlds, chats: AllChats, delivery: Delivery) -> None:
    """Put the routes of this module on `app`."""
    acts = _Acts(chats, delivery)
    root = "/_sandbox/worlds/{tenant}/"
    for verb, path, work in (
        ("POST", "say", acts.say),
        ("POST", "click", acts.click),
        ("POST", "invoke", acts.invoke),
        ("POST", "refresh", acts.refresh),
        ("POST", "activity", acts.activity),
        ("POST", "install", acts.install),
        ("POST", "ways", acts.ways),
        ("GET", "view", acts.view),
        ("GET", "step", acts.step),
        ("GET", "outbound", acts.outbound),
    ):
        app.router.add_route(verb, root + path, served(worlds, chats, work))


def served(
    worlds: Worlds, chats: AllChats, work: Callable[[Wish], Awaitable[Any]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Find the world, read the body, word the refusals."""

    async def handle(request: web.Request) -> web.Response:
        world = worlds.by_tenant(request.match_info["tenant"])
        if world is None:
            return web.json_response({"error": "no such world"}, status=404)
        fields = await request.json() if request.can_read_body else {}
        try:
            return web.json_response(await work(Wish(request, chats.of(world), fields)))
        except Wrong as wrong:
            return web.json_response({"error": str(wrong)}, status=wrong.status)
        except CannotPress as cannot:
            return web.json_response({"error": str(cannot)}, status=409)

    return handle


class Wrong(Exception):
    """The wish makes no sense: HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Wish:
    """One control request: the world's chats and what is wanted."""

    def __init__(self, request: web.Request, chats: Chats, fields: Mapping[str, Any]) -> None:
        self.request, self.chats, self.fields = request, chats, fields
        self.service_url = service_url(request)
        self.step = chats.now_step

    def get(self, key: str, default: Any = None) -> Any:
        """One field of the body, or of the query."""
        return self.fields.get(key, self.request.query.get(key, default))

    @property
    def person(self) -> Person:
        """Who acts."""
        found = self.chats.world.find(self.get("as"))
        if found is None:
            raise Wrong(404, f"nobody here is called {self.get('as')!r}")
        return found

    def chat(self) -> Conversation:
        """The chat in which the person acts."""
        scope = self.get("scope", "personal")
        if scope not in _SCOPES:
            raise Wrong(400, f"scope must be one of {', '.join(_SCOPES)}")
        person = self.person
        return self.chats.personal(person) if scope == "personal" else self.chats.shared(scope, person)

    def message(self) -> Message | None:
        """The message with the given activity id, or the card with buttons that changed last."""
        if self.get("activity_id"):
            return self.chats.find(str(self.get("activity_id")))
        oid, newest, latest = self.person.oid, None, 0
        for _, message in self.chats.visible_to(self.person):
            changed, body = message.seen_by(oid)
            card = card_of(body)
            if card is not None and changed > latest and cardtext.actions(card):
                newest, latest = message, changed
        return newest


class _Acts:
    def __init__(self, chats: AllChats, delivery: Delivery) -> None:
        self._chats, self._delivery = chats, delivery

    async def say(self, wish: Wish) -> Json:
        """A typed message. Speaking to the bot in personal chat installs it, as in Teams."""
        person, chat, text = wish.person, wish.chat(), str(wish.get("text", ""))
        fields: Json = {"type": "message", "text": text, "textFormat": "plain"}
        if wish.get("mention", chat.kind != "personal"):
            fields = _mentioning(wish, person, chat, text)
        built = laid_over(activity(wish.chats, person, chat, wish.service_url, **fields), wish.get("raw", {}))
        if wish.get("dry"):
            return self._dry(wish, built)
        if chat.kind == "personal":
            person.installed = True
        if wish.get("show", True):
            shown = wish.chats.post(chat, person.oid, {"type": "message", "text": text})
            shown_id = shown.id
            built = built if "id" in wish.get("raw", {}) else built | {"id": shown_id}
        return answered(wish, built, await self._send(wish, built))

    async def click(self, wish: Wish) -> Json:
        """A press on a button; the reply to an invoke changes what the person sees."""
        person, message = wish.person, wish.message()
        if message is None:
            raise Wrong(404, "there is no such card to click")
        chat = wish.chats.get(message.conversation)
        if chat is None or person.oid not in chat.members:
            chat = wish.chats.personal(person)
        pressed = press(wish.chats, person, message, wish.fields).fields(message)
        built = activity(wish.chats, person, chat, wish.service_url, **pressed)
        if message.kind == "message" and built["type"] == "invoke":
            built = laid_over(built, {"channelData": {"source": {"name": "message"}}})
        return await self._invoke(wish, laid_over(built, wish.get("raw", {})), chat, message)

    async def invoke(self, wish: Wish) -> Json:
        """Any invoke by name, with any value."""
        fields = {"type": "invoke", "name": wish.get("name"), "value": wish.get("value")}
        fields |= {"replyToId": wish.get("reply_to")} if wish.get("reply_to") else {}
        chat = wish.chat()
        built = activity(wish.chats, wish.person, chat, wish.service_url, **fields)
        target = wish.chats.find(str(wish.get("reply_to"))) if wish.get("reply_to") else None
        return await self._invoke(wish, laid_over(built, wish.get("raw", {})), chat, target)

    async def refresh(self, wish: Wish) -> Json:
        """What a client does by itself when a card with `refresh` for this person comes into view."""
        person, message = wish.person, wish.message()
        card = card_of(message.seen_by(person.oid)[1]) if message else None
        action = ((card or {}).get("refresh") or {}).get("action")
        if message is None or not isinstance(action, dict):
            raise Wrong(409, "this card has no refresh")
        listed = (card or {})["refresh"].get("userIds")
        if listed is not None and person.mri not in listed and not wish.get("force"):
            raise Wrong(409, "this card does not refresh by itself for this person")
        value = {"action": {k: action[k] for k in ("type", "id", "verb", "data") if k in action}}
        fields: Json = {
            "type": "invoke",
            "name": "adaptiveCard/action",
            "replyToId": message.id,
            "value": value | {"trigger": "automatic"},
        }
        chat = wish.chats.get(message.conversation) or wish.chat()
        built = activity(wish.chats, person, chat, wish.service_url, **fields)
        answers = await self._send(wish, built)
        views.apply_refresh(wish.chats, person, message, answers[0])
        return answered(wish, built, answers)

    async def activity(self, wish: Wish) -> Json:
        """Anything at all, signed as wished."""
        body = wish.get("body")
        raw = body.encode() if isinstance(body, str) else json.dumps(wish.get("activity")).encode()
        token = self._delivery.token(wish.chats, wish.service_url, wish.get("sign"))
        answer = await self._delivery.post(wish.chats, raw, token, wish.get("headers", {}))
        return answer.as_json()

    async def install(self, wish: Wish) -> Json:
        """Add or remove the app for one person, with the two events Teams sends."""
        person, installed = wish.person, bool(wish.get("installed", True))
        chat = wish.chats.personal(person)
        person.installed = installed
        bot = {"id": wish.chats.bot_id, "name": "Ringfence"}
        change = "membersAdded" if installed else "membersRemoved"
        members: Json = {"type": "conversationUpdate", change: [bot]}
        events = [members, {"type": "installationUpdate", "action": "add" if installed else "remove"}]
        answers: list[Answer] = []
        built: Json = {}
        for fields in events if installed else events[::-1]:
            built = activity(wish.chats, person, chat, wish.service_url, **fields)
            answers += await self._send(wish, built)
        return answered(wish, built, answers)

    async def ways(self, wish: Wish) -> Json:
        """How inbound deliveries go from now on, and whether the connector counts calls."""
        if wish.get("limits") is not None:
            wish.chats.limits.on = bool(wish.get("limits"))
        old = self._delivery.ways.get(wish.chats.world.tenant_id, Ways())
        new = Ways(
            int(wish.get("double", old.double)),
            int(wish.get("reorder", old.reorder)),
            float(wish.get("delay", old.delay)),
            old.waiting,
        )
        self._delivery.ways[wish.chats.world.tenant_id] = new
        return {
            "double": new.double,
            "reorder": new.reorder,
            "delay": new.delay,
            "limits": wish.chats.limits.on,
            "refused": wish.chats.limits.refused,
            "peaks": wish.chats.limits.peaks,
        }

    async def view(self, wish: Wish) -> list[Json]:
        """The person's messages as they look now, or the `last` so many of them."""
        return views.view(wish.chats, wish.person, max(int(wish.get("last", 0)), 0))

    async def outbound(self, wish: Wish) -> Json:
        """Everything the bot wrote, in order."""
        since = int(wish.get("since", 0))
        return {"sent": [asdict(sent) for sent in wish.chats.sent if sent.order > since]}

    async def step(self, wish: Wish) -> Json:
        """Where the counter of visible changes is."""
        return {"step": wish.step}

    async def _send(self, wish: Wish, built: Json) -> list[Answer]:
        token = self._delivery.token(wish.chats, wish.service_url, wish.get("sign"))
        return await self._delivery.deliver(
            wish.chats, built, token, again=int(wish.get("redeliver", 0)), together=bool(wish.get("together"))
        )

    async def _invoke(self, wish: Wish, built: Json, chat: Conversation, message: Message | None) -> Json:
        if wish.get("dry"):
            return self._dry(wish, built)
        answers = await self._send(wish, built)
        if built["type"] == "invoke":
            views.apply_reply(wish.chats, chat, wish.person, message, str(built.get("name")), answers[0])
        return answered(wish, built, answers)

    def _dry(self, wish: Wish, built: Json) -> Json:
        return {
            "activity": built,
            "url": wish.chats.world.bot_url,
            "token": self._delivery.token(wish.chats, wish.service_url, wish.get("sign")),
        }


def _mentioning(wish: Wish, person: Person, chat: Conversation, text: str) -> Json:
    """Text and entities as Teams writes them when the bot is mentioned first."""
    mention = "<at>Ringfence</at>"
    plain = activity(wish.chats, person, chat, wish.service_url)
    entity = {"type": "mention", "text": mention, "mentioned": {"id": wish.chats.bot_id, "name": "Ringfence"}}
    return {
        "type": "message",
        "text": f"{mention} {text}",
        "textFormat": "plain",
        "entities": [entity, *plain["entities"]],
    }


def answered(wish: Wish, built: Json, answers: list[Answer]) -> Json:
    """What a control request is told of the bot's answers."""
    first, rest = answers[0].as_json(), [answer.as_json() for answer in answers[1:]]
    return first | {"activity_id": built.get("id"), "again": rest, "step": wish.step}
