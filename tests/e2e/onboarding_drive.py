"""Steps of an onboarding over HTTP, as people take them in their Teams chats.

Knows the sandbox's company: Cora coordinates, Hugo is new, Marta is his manager. Must not judge.
"""

from __future__ import annotations

from typing import Any

from stage import Stage

Json = dict[str, Any]
SEND = "Send to my manager"
NUMBER = "(206) 555-0147"
WRITTEN = "+1 2065550147"


async def invited(stage: Stage, who: str = "hugo") -> Json:
    """Begun by the coordinator; the card in the person's chat."""
    await stage.say("cora", f"onboard {who}")
    return await stage.card_with(who, SEND)


async def fill_in(stage: Stage, who: str = "hugo", number: str = NUMBER, **more: Any) -> Json:
    """Filled in and sent; the bot's answer."""
    return await stage.click(who, SEND, inputs={"number": number, "region": "US", **more})


async def entered(stage: Stage, who: str = "hugo") -> str:
    """Waiting for the manager; the printed id of the request."""
    await invited(stage, who)
    await fill_in(stage, who)
    return stage.printed_id(await stage.newest(who))


def data_of(entry: Json, verb: str) -> Json:
    """What the button with this verb carries, wherever on the card it is."""
    found = _find(entry["card"], verb)
    assert found is not None, entry["plain"]
    return dict(found)


def _find(node: Any, verb: str) -> Json | None:
    if isinstance(node, dict):
        if node.get("type") == "Action.Execute" and node.get("verb") == verb:
            return dict(node.get("data") or {})
        node = list(node.values())
    if isinstance(node, list):
        return next((found for each in node if (found := _find(each, verb)) is not None), None)
    return None
