"""The simulated drive of Teams: files that people send, files that a bot offers, and their links."""

from __future__ import annotations

import base64
from typing import Any

from tests.unit.test_sandbox_channel import Bench, bench

__all__ = ["bench"]

CONTENT = b"user,slot,number\r\n"
OFFER = {
    "contentType": "application/vnd.microsoft.teams.card.file.consent",
    "name": "plan.csv",
    "content": {
        "description": "The plan",
        "sizeInBytes": 5,
        "acceptContext": {"v": 1},
        "declineContext": {"v": 1, "no": True},
    },
}


async def sent(bench: Bench, **more: Any) -> dict[str, Any]:
    """The attachment that the bot got."""
    wish = {"as": "alice", "name": "people.csv", "content": base64.b64encode(CONTENT).decode(), **more}
    await bench.control("upload", wish)
    attachments: list[dict[str, Any]] = bench.ear.heard[-1]["attachments"]
    assert attachments[-1]["contentType"] == "text/html"
    return attachments[0]


async def offered(bench: Bench) -> None:
    """The bot offers a file to alice."""
    chat = (await bench.control("view?as=alice"))[-1]["conversation_id"]
    url = f"{bench.base}/teams/v3/conversations/{chat}/activities"
    body = {"type": "message", "attachments": [OFFER]}
    async with bench.http.post(url, json=body, headers=bench.headers) as answer:
        assert answer.status == 201


async def test_a_file_comes_with_a_link_that_is_authorised_by_itself(bench: Bench):
    """The link gives the bytes without a token, and nothing without its secret part."""
    link = (await sent(bench))["content"]["downloadUrl"]
    async with bench.http.get(link) as answer:
        assert await answer.read() == CONTENT
    async with bench.http.get(link.partition("?")[0]) as answer:
        assert answer.status == 401
    seen = [each for each in bench.world.journal.requests if each.server == "files"]
    assert [(each.status, each.details["authorization"]) for each in seen] == [(200, False), (401, False)]


async def test_a_link_of_somebody_else_can_be_put_in_its_place(bench: Bench):
    """For attacks: the message says whatever it is told to say."""
    assert (await sent(bench, url="http://169.254.169.254/"))["content"]["downloadUrl"].endswith("254/")


async def test_an_offer_is_seen_and_taken_into_the_drive(bench: Bench):
    """The bot is told where to put the file; what it puts there lies in the person's drive, once."""
    await sent(bench)
    await offered(bench)
    shown = (await bench.control("view?as=alice"))[-1]["plain"]
    assert "[file offered] plan.csv, 5 bytes" in shown
    await bench.control("consent", {"as": "alice"})
    value = bench.ear.heard[-1]["value"]
    assert (value["action"], value["context"]) == ("accept", {"v": 1})
    place = value["uploadInfo"]["uploadUrl"]
    async with bench.http.put(place, data=b"hello", headers={"Content-Range": "bytes 0-3/4"}) as answer:
        assert answer.status == 416
    async with bench.http.put(place, data=b"hello", headers={"Content-Range": "bytes 0-4/5"}) as answer:
        assert answer.status == 201
    async with bench.http.put(place, data=b"again", headers={"Content-Range": "bytes 0-4/5"}) as answer:
        assert answer.status == 404
    (file,) = (await bench.control("drive?as=alice"))["files"]
    assert (file["name"], base64.b64decode(file["content"])) == ("plan.csv", b"hello")


async def test_an_offer_that_is_declined_opens_no_place(bench: Bench):
    """The bot is told, with the other half of what it sent along."""
    await sent(bench)
    await offered(bench)
    await bench.control("consent", {"as": "alice", "accept": False})
    value = bench.ear.heard[-1]["value"]
    assert (value["action"], value["context"]["no"], "uploadInfo" in value) == ("decline", True, False)


async def test_a_drive_can_fail(bench: Bench):
    """Faults of server "files" hit its requests."""
    bench.world.faults.add(kind="status", server="files", status=503)
    link = (await sent(bench))["content"]["downloadUrl"]
    async with bench.http.get(link) as answer:
        assert answer.status == 503
