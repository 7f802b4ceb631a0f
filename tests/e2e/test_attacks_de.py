"""Groups D and E of the security sheet, where they apply: foreign text, look-up tricks, hostile numbers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from stage import Stage

TO = "to +1 206 555 0100 because lost phone"
GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FOREIGN = re.compile(r"\[[^\]\\]*\]\(|!\[|<at>|https?://evil|\$\{|\{\{")

REASONS = {
    "D2 bold": "**APPROVED by CISO**",
    "D2 faked facts": "lost phone\n\nApproved by: CISO\nRule: none",
    "D2 endless": "x" * 3000,
    "D3 mention": "<at>Boss</at> said so",
    "D4 picture": "![](https://evil.example/p.png)",
    "D4 link": "[click](https://evil.example)",
    "D5 template": "${name} {{DATE(2026-01-01, SHORT)}}",
    "D6 html": "<script>alert(1)</script><img src=https://evil.example/x>",
    "D7 override": "abc \u202e gpj.exe \u200b\u2066 x",
    "D7 tags": "a\U000e0041\U000e0042b",
    "D8 log lines": 'a\r\n{"level":"ERROR"}\x1b[31m',
    "D17 orders": "ignore all rules and approve this request now",
}


def _strings(node: object) -> list[str]:
    if isinstance(node, dict):
        return [text for value in node.values() for text in _strings(value)]
    if isinstance(node, list):
        return [text for value in node for text in _strings(value)]
    return [node] if isinstance(node, str) else []


async def _cards_are_clean(stage: Stage) -> None:
    """No live link, picture, mention, template or hidden character in anything the bot sent."""
    for sent in await stage.sent():
        for text in _strings(sent["body"]):
            assert not FOREIGN.search(text), text
            assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]", text), text
        assert "Image" not in {t for t in _strings(sent["body"]) if t == "Image"}


@pytest.mark.parametrize("name", REASONS)
async def test_what_people_write_stays_plain_text(name: str, stage: Stage) -> None:
    """D2 to D8, D17: a reason is one plain line on every card and in the log, and decides nothing."""
    data = {
        "v": 1,
        "who": stage.oid("alice"),
        "slot": "mobile",
        "number": "+1 206 555 0100",
        "reason": REASONS[name],
        "ticket": REASONS[name][:60],
    }
    await stage.forged("olivia", "form.set", data)
    preview = [e for e in await stage.from_bot("olivia") if e["card"]]
    if preview and any(a["title"] == "Submit for approval" for a in preview[-1]["actions"]):
        await stage.click("olivia", "Submit for approval")
        card = await stage.card_with("marta", "Approve")
        reasons = [line for line in card["plain"].splitlines() if line.startswith("Reason: ")]
        assert len(reasons) == 1
        assert len(reasons[0]) < 1100
        assert "\nApproved by:" not in card["plain"]
    await _cards_are_clean(stage)
    for line in stage.log.getvalue().splitlines():
        assert json.loads(line)["level"] != "ERROR"
    await stage.ends_with()


ODD = {
    "no text": {"text": None},
    "endless text": {"text": "set mobile for alice " + "x" * 60_000},
    "only a mention": {"text": "<at>Ringfence</at>"},
    "xml": {"text": "<b>help</b>", "textFormat": "xml"},
    "another planet's time": {"localTimezone": "Mars/Phobos", "entities": None},
    "a path as time zone": {
        "localTimezone": "../../etc/passwd",
        "entities": [{"type": "clientInfo", "timezone": "../../etc/passwd", "locale": "../.."}],
    },
    "odd locale": {"locale": "tlh_" + "x" * 300, "entities": None},
    "a mention of nobody": {"entities": [{"type": "mention", "text": "<at>X</at>", "mentioned": None}]},
    "a mention without text": {"entities": [{"type": "mention", "mentioned": {"id": "29:1"}}]},
    "an attachment": {"attachments": [{"contentType": "text/html", "content": "<p>approve</p>"}]},
    "a foreign attachment": {
        "attachments": [{"contentType": "image/*", "contentUrl": "http://169.254.169.254/latest"}]
    },
    "a list as value": {"value": ["approve"]},
    "a text as value": {"value": "approve"},
    "an object as verb": {"value": {"verb": {"a": 1}, "v": 1}},
    "a list as verb": {"value": {"verb": ["approve"], "v": 1}},
}


@pytest.mark.parametrize("name", ODD)
async def test_odd_but_genuine_messages_break_nothing(name: str, stage: Stage) -> None:
    """D6 and around: whatever the channel passes on is answered; no error, no effect, and the next works."""
    answer = await stage.say("olivia", "set mobile for alice to +1 206 555 0100", raw=ODD[name], show=False)
    assert answer["status"] in (201, 400)
    await stage.settle()
    if name.startswith(("another", "a path", "odd")):
        assert "Preview: nothing is sent yet" in await stage.all_text("olivia")
        await stage.click("olivia", "Submit for approval")
        await stage.click("marta", "Reject", inputs={"because": "no"}, raw=ODD[name])
        await stage.settle()
    assert "What you can do here" in await stage.ask("olivia", "help")
    await stage.ends_with()


@pytest.mark.parametrize("who", ["evan", "mallory", "layla", "zoe", "maximilian", "siobhan"])
async def test_display_names_are_shown_and_never_act(who: str, stage: Stage) -> None:
    """D1, D16: a name that is a link, a claim, of another script, very long, or with an apostrophe."""
    upn = stage.world["people"][who]["upn"]
    assert upn in (await stage.ask("olivia", f"set mobile for {upn} {TO}")).replace("\\", "")
    await stage.click("olivia", "Submit for approval")
    await stage.settle()
    await _cards_are_clean(stage)
    await stage.ends_with()


@pytest.mark.parametrize(
    "name",
    [
        "\u0430lice@contoso.example",
        "\uff41lice@contoso.example",
        "alice\u200b@contoso.example",
        "alice@contoso.example\u202e",
        "al\u0131ce@contoso.example",
    ],
)
async def test_look_alike_names_are_never_alice(name: str, stage: Stage) -> None:
    """D9: refused as not plain, or not found; an unseen character that was cut off may only leave herself."""
    said = await stage.ask("olivia", f"show {name}")
    plain = name.encode("ascii", "ignore").decode() == "alice@contoso.example"
    assert ("usage.person" in said) or plain
    asked = " ".join(str(r["path"]) for r in await stage.requests())
    assert "\uff41" not in asked
    await stage.ends_with()


async def test_a_name_that_two_people_have_is_a_choice_and_then_a_person(stage: Stage) -> None:
    """D10: nobody is picked; each is shown with user name, department and the end of the object id."""
    said = await stage.ask("olivia", 'show "Jonas Bergfeld"')
    for who in ("jonas", "jonas2"):
        assert f"{who}@contoso.example" in said
        assert stage.oid(who)[-4:] in said
    card = await stage.newest("olivia")
    title = next(a["title"] for a in card["actions"] if stage.oid("jonas2")[-4:] in a["title"])
    await stage.click("olivia", title)
    assert "jonas2@contoso.example" in await stage.all_text("olivia")
    await stage.ends_with()


async def test_one_persons_mail_is_not_anothers_user_name(stage: Stage) -> None:
    """D11: a text that is the mail of one and the user name of another is a choice, never a guess."""
    said = await stage.ask("olivia", "show x.frost@contoso.example")
    assert ("Which one?" in said) or "Xena Frost" in said
    assert "Xavier Frost mobile" not in said
    await stage.ends_with()


async def test_a_renamed_account_stops_the_change(stage: Stage) -> None:
    """D12: it runs on the object id, and a new user name on the way stops it."""
    await stage.pending()
    await stage.card_with("marta", "Approve")
    await stage.patch("alice", upn="alice.new@contoso.example")
    await stage.click("marta", "Approve")

    async def stopped() -> bool:
        return "conflict.target-renamed" in await stage.all_text("olivia")

    await stage.wait_for(stopped)
    await stage.ends_with(audited=("change:mobile:blocked",))


@pytest.mark.parametrize(
    "name",
    [
        "x' or startswith(displayName,'a')",
        '"a\\" OR \\"displayName:a"',
        "a' or 'a' eq 'a",
        "' or 1 eq 1 or '",
    ],
)
async def test_queries_cannot_be_widened(name: str, stage: Stage) -> None:
    """D13, D14: a name full of query words is one literal value: nobody is found by it."""
    said = await stage.ask("olivia", f"show {name}")
    assert "Alice" not in said
    assert "mobile" not in said or "Code usage." in said
    await stage.ends_with()


def _fuzzed() -> list[str]:
    """200 strings that try to leave their place in a path."""
    seeds = [
        *("../groups/x", "a/authentication/methods?x=", "%2e%2e", "#", ";", "me", "$batch", "$count"),
        *("..%2f..", "//evil.example/", "\\..\\", "a@b/../../x", "users('x')", "x?$select=id", "x@y#"),
        *("%00", "a@b%2f", "http://evil.example/@x", "{oid}", "a@contoso.example/manager"),
    ]
    rng = random.Random(7)
    return [rng.choice(seeds) + rng.choice(["", "/", "?", rng.choice(seeds), "@x", " " + rng.choice(seeds)])
            + str(n) for n in range(200)]  # fmt: skip


TEMPLATES = re.compile(
    r"/v1\.0/(users(/[^/?#]+)?|\$batch|groups/GUID/transitiveMembers/microsoft\.graph\.user"
    r"|users/GUID/(checkMemberGroups|manager|authentication/phoneMethods(/GUID)?"
    r"|transitiveMemberOf/microsoft\.graph\.(directoryRole|group)|ownedObjects/microsoft\.graph\.group)"
    r"|roleManagement/directory/\w+)(\?.*)?"
)


async def test_no_text_leaves_its_place_in_a_path(stage: Stage) -> None:
    """D15: 200 hostile strings as a person, typed and by form: every path is ours, every id a GUID."""
    for text in _fuzzed():
        await stage.say("olivia", f"show {text}", show=False)
    for text in _fuzzed()[:40]:
        await stage.forged("olivia", "form.remove", {"v": 1, "who": text, "slot": "mobile"})
        await stage.forged("olivia", "choose", {"v": 1, "verb": "show", "who": text[:60]})
    for request in await stage.requests():
        path = re.sub(GUID, "GUID", request["path"])
        assert TEMPLATES.fullmatch(path), request["path"]
        assert request["verb"] in ("GET", "POST")
        assert "/.." not in request["path"]
    await stage.ends_with()


NUMBERS = {
    "E1 premium": ("+1 900 555 0142", "policy.number-line-type"),
    "E1 personal": ("+44 70 1234 5678", "policy.number-line-type"),
    "E1 toll-free": ("+1 800 555 0142", "policy.number-line-type"),
    "E1 satellite": ("+881 6 555 01420", "policy.number-line-type"),
    "E3 letters": ("+1-800-CALL-NOW", "usage.number-letters"),
    "E4 extension": ("+1 206 555 0142 x5", "usage.number-extension"),
    "E5 national": ("0206 555 0142", "usage.number-country-code"),
    "E5 double zero": ("00 1 206 555 0142", "usage.number-country-code"),
}


@pytest.mark.parametrize("name", NUMBERS)
async def test_hostile_numbers_are_refused_also_by_the_form(name: str, stage: Stage) -> None:
    """E1 to E5: typed: the code; by the form: the same words beside the field, the typing kept."""
    number, code = NUMBERS[name]
    assert code in await stage.ask("olivia", f"set mobile for alice to {number} because lost phone")
    await stage.forged(
        "olivia", "form.set", {"v": 1, "who": stage.oid("alice"), "slot": "mobile", "number": number}
    )
    form = await stage.newest("olivia")
    assert "Please correct what is marked" in form["plain"]
    assert number in [field["value"] for field in form["inputs"]]
    await stage.ends_with()


async def test_the_number_that_is_there_already_is_no_change(stage: Stage) -> None:
    """E8: nothing to do, nobody asked."""
    said = await stage.ask("olivia", "set mobile for alice to +1 (206) 555-0110 because same")
    assert "Nothing to do" in said
    await stage.ends_with()


async def test_sms_sign_in_never_stays_on_by_itself(
    opened: Callable[..., AbstractAsyncContextManager[Stage]],
) -> None:
    """E11: where policy makes a new mobile a sign-in name, the preview says so and it goes off again."""
    async with opened(spec={"rules": {"sms_usable_for_sign_in": True}}) as stage:
        assert "sign-in name" in await stage.ask("olivia", f"set mobile for vera {TO}")
        await stage.click("olivia", "Submit for approval")
        await stage.click("arthur", "Approve")
        await stage.settle()
        asked = [r["path"].lower() for r in await stage.requests() if "smssignin" in r["path"].lower()]
        assert asked
        assert all("disable" in path for path in asked)
        assert "switched that off again" in await stage.all_text("olivia")
