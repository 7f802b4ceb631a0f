"""Files in Teams: the drive they lie on, and what people do with them.

Knows: the attachment that carries a file to a bot, the card by which a bot offers one, links that are
authorised by themselves, upload sessions. Must not know: what is in a file.

Source: "Send and receive files using a bot". All on the Teams port, JSON in and out as in acts.py, below
`/_sandbox/worlds/{tenant}/`:
- `POST upload` `{as, name, content (base64), text, url, copies=1, redeliver, raw}`: a message with the
  file; `url` in place of the link to it. Answers like `say`.
- `POST consent` `{as, activity_id?, accept=true, url, context, ...}`: the answer to an offered file, the
  newest one unless named; `url` in place of the upload session's, `context` of the card's.
- `GET drive?as=`: `{"files": [{name, size, content (base64)}]}`, what bots have put into this person's
  OneDrive, oldest first.
The drive: `GET /files/{tenant}/{id}?tempauth=` and `PUT /files/{tenant}/up/{id}?tempauth=`. Each
request is in the journal as server "files", with `authorization` = whether a token came with it; faults of
server "files" hit them.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import weakref
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from . import views
from .acts import Wish, Wrong, answered, served
from .conversations import AllChats, Json, Message
from .delivery import Delivery, activity, laid_over
from .journal import Seen
from .world import Person, World
from .worlds import Worlds

DOWNLOAD = "application/vnd.microsoft.teams.file.download.info"
_RANGE = re.compile(r"bytes 0-(\d+)/(\d+)")
_MAX_UPLOAD = 60 * 1024 * 1024


@dataclass(slots=True)
class Item:
    """One file, or the place for one (content None). owner: object id."""

    id: str
    owner: str
    name: str
    tempauth: str
    content: bytes | None
    by_bot: bool = False


@dataclass(slots=True)
class Drive:
    """Everybody's OneDrive in one world."""

    items: dict[str, Item] = field(default_factory=dict)

    def add(self, owner: Person, name: str, content: bytes | None) -> Item:
        """A file that lies there, or an upload session for one that is to come."""
        made = Item(secrets.token_hex(8), owner.oid, name, secrets.token_urlsafe(16), content)
        self.items[made.id] = made
        return made


def add_routes(app: web.Application, worlds: Worlds, chats: AllChats, delivery: Delivery) -> None:
    """Put the routes of this module on `app`."""
    files = _Files(worlds, delivery)
    root = "/_sandbox/worlds/{tenant}/"
    app.router.add_route("POST", root + "upload", served(worlds, chats, files.upload))
    app.router.add_route("POST", root + "consent", served(worlds, chats, files.consent))
    app.router.add_route("GET", root + "drive", served(worlds, chats, files.drive))
    app.router.add_route("GET", "/files/{tenant}/{id}", files.guarded(files.get))
    app.router.add_route("PUT", "/files/{tenant}/up/{id}", files.guarded(files.put))


class _Files:
    def __init__(self, worlds: Worlds, delivery: Delivery) -> None:
        self._worlds, self._delivery = worlds, delivery
        self._drives: weakref.WeakKeyDictionary[World, Drive] = weakref.WeakKeyDictionary()

    def _drive(self, world: World) -> Drive:
        return self._drives.setdefault(world, Drive())

    # What people do.

    async def upload(self, wish: Wish) -> Json:
        """Attach a file: the client puts it into the person's OneDrive and sends a link."""
        person, chat, name = wish.person, wish.chat(), str(wish.get("name", "file.csv"))
        item = self._drive(wish.chats.world).add(person, name, _decoded(wish.get("content", "")))
        one = _attachment(item, wish.get("url") or _link(wish, item), name)
        page = {"contentType": "text/html", "content": f"<p>{name}</p>"}
        fields: Json = {"type": "message", "text": str(wish.get("text", "")), "textFormat": "plain"}
        fields["attachments"] = [*[one] * int(wish.get("copies", 1)), page]
        built = laid_over(activity(wish.chats, person, chat, wish.service_url, **fields), wish.get("raw", {}))
        person.installed = True
        shown = wish.chats.post(chat, person.oid, {"type": "message", "text": f"[file] {name}"})
        return await self._send(wish, built | {"id": shown.id})

    async def consent(self, wish: Wish) -> Json:
        """Allow or decline; allowing opens an upload session in the person's OneDrive."""
        person, offered = wish.person, _offered(wish)
        card = _consent_of(offered)
        content = card.get("content") or {}
        accept = bool(wish.get("accept", True))
        kept = content.get("acceptContext" if accept else "declineContext")
        value: Json = {"type": "fileUpload", "action": "accept" if accept else "decline"}
        value["context"] = wish.get("context", kept)
        if accept:
            item = self._drive(wish.chats.world).add(person, str(card.get("name")), None)
            value["uploadInfo"] = {
                "contentUrl": _link(wish, item),
                "name": item.name,
                "uploadUrl": wish.get("url") or _link(wish, item, "up/"),
                "uniqueId": item.id,
                "fileType": item.name.rpartition(".")[2],
            }
        fields = {"type": "invoke", "name": "fileConsent/invoke", "value": value, "replyToId": offered.id}
        chat = wish.chats.get(offered.conversation) or wish.chat()
        built = activity(wish.chats, person, chat, wish.service_url, **fields)
        return await self._send(wish, laid_over(built, wish.get("raw", {})), chat.id)

    async def drive(self, wish: Wish) -> Json:
        """What bots have put there."""
        mine = [
            {
                "name": item.name,
                "size": len(item.content),
                "content": base64.b64encode(item.content).decode(),
            }
            for item in self._drive(wish.chats.world).items.values()
            if item.owner == wish.person.oid and item.by_bot and item.content is not None
        ]
        return {"files": mine}

    async def _send(self, wish: Wish, built: Json, chat_id: str = "") -> Json:
        token = self._delivery.token(wish.chats, wish.service_url, wish.get("sign"))
        again = int(wish.get("redeliver", 0))
        answers = await self._delivery.deliver(wish.chats, built, token, again=again)
        chat = wish.chats.get(chat_id) if chat_id else None
        if chat is not None:
            views.apply_reply(wish.chats, chat, wish.person, None, str(built.get("name")), answers[0])
        return answered(wish, built, answers)

    # The drive.

    def guarded(self, work: Any) -> Any:
        """The link must be whole; faults and journal as everywhere."""

        async def handle(request: web.Request) -> web.StreamResponse:
            world = self._worlds.by_tenant(request.match_info["tenant"])
            item = self._drive(world).items.get(request.match_info["id"]) if world else None
            if world is None or item is None:
                return web.Response(status=404)
            early = await world.faults.apply("files", request)
            if early is not None:
                _note(world, request, early.status)
                return early
            allowed = request.query.get("tempauth") == item.tempauth
            done = await work(request, item) if allowed else web.Response(status=401)
            _note(world, request, done.status)
            return await world.faults.after(request, done)

        return handle

    async def get(self, request: web.Request, item: Item) -> web.StreamResponse:
        """The bytes."""
        if item.content is None:
            return web.Response(status=404)
        return web.Response(body=item.content, content_type="application/octet-stream")

    async def put(self, request: web.Request, item: Item) -> web.StreamResponse:
        """One piece, all of it; the session is closed afterwards."""
        if item.content is not None:
            return web.Response(status=404)
        body = await request.clone(client_max_size=_MAX_UPLOAD).read()
        found = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if found is None or int(found[1]) + 1 != int(found[2]) or int(found[2]) != len(body):
            return web.json_response({"error": {"code": "invalidRange"}}, status=416)
        item.content, item.by_bot = body, True
        return web.json_response({"id": item.id, "name": item.name, "size": len(body)}, status=201)


def _attachment(item: Item, url: object, name: str) -> Json:
    content = {
        "downloadUrl": url,
        "uniqueId": item.id,
        "fileType": name.rpartition(".")[2],
        "etag": f'"{item.id},1"',
    }
    return {"contentType": DOWNLOAD, "contentUrl": url, "name": name, "content": content}


def _link(wish: Wish, item: Item, folder: str = "") -> str:
    here = f"{wish.request.scheme}://{wish.request.host}"
    return f"{here}/files/{wish.chats.world.tenant_id}/{folder}{item.id}?tempauth={item.tempauth}"


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise Wrong(400, "content must be base64") from error


def _consent_of(message: Message) -> Json:
    attachments = message.body.get("attachments") or []
    return next((each for each in attachments if each.get("contentType") == views.FILE_CONSENT), {})


def _offered(wish: Wish) -> Message:
    """The named message, or the newest offer that the person sees."""
    if wish.get("activity_id"):
        named = wish.chats.find(str(wish.get("activity_id")))
        if named is None:
            raise Wrong(404, "there is no such message")
        return named
    mine = [message for _, message in wish.chats.visible_to(wish.person) if _consent_of(message)]
    if not mine:
        raise Wrong(409, "no file is offered")
    return mine[-1]


def _note(world: World, request: web.Request, status: int) -> None:
    place = request.match_info.route.resource
    route = place.canonical if place else ""
    details = {"authorization": "Authorization" in request.headers}
    at = world.now().isoformat()
    world.journal.request(Seen(at, "files", request.method, route, request.path, status, details))
