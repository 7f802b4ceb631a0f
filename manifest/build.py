"""Template + ids -> the zip that an administrator uploads to Teams, checked before it is written.

Knows the rules of Teams schema 1.29 that this manifest touches (page "App manifest schema reference") and
the rules for icons. Must not know the environment; ids and words are handed in.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manifest.png import NotAPicture, Picture, read

FOLDER = Path(__file__).parent
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_VERSION = re.compile(r"(?:0|[1-9]\d{0,4})(?:\.(?:0|[1-9]\d{0,4})){2}", re.ASCII)
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_LINK = re.compile(r"https://[^\s/]+\S{0,1900}")
_SLOT = re.compile(r"\$\{(\w+)\}")
_SCOPES = {"personal", "team", "groupChat", "copilot"}
_REQUIRED = ("manifestVersion", "version", "id", "developer", "name", "description", "icons", "accentColor")
_ALLOWED = {*_REQUIRED, "$schema", "localizationInfo", "defaultInstallScope", "bots", "validDomains"} | {
    "webApplicationInfo"
}
_COMMANDS = 12
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same input makes the same bytes, so that a package can be compared


@dataclass(frozen=True, slots=True)
class Developer:
    """Who is named in Teams as the maker. Links are https; your own pages belong here before you publish."""

    name: str = "Ringfence"
    website: str = "https://example.com/ringfence"
    privacy: str = "https://example.com/ringfence/privacy"
    terms: str = "https://example.com/ringfence/terms"


class PackageRefused(Exception):
    """The package would not be taken by Teams; `problems` says what is wrong, each in one sentence."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def build(app_id: str, version: str, developer: Developer, out: Path, source: Path = FOLDER) -> Path:
    """Write `out/ringfence-<version>.zip` and return its path. Raises PackageRefused, then writes nothing.

    app_id: the bot's application id, lower case; it is the app's id in Teams as well. source: the folder with
    template and icons.
    """
    filled = _fill(
        (source / "manifest.template.json").read_text("utf-8"),
        {
            "app_id": app_id,
            "version": version,
            "developer_name": developer.name,
            "website_url": developer.website,
            "privacy_url": developer.privacy,
            "terms_url": developer.terms,
        },
    )
    found = list(problems(filled))
    icons = {name: (source / name).read_bytes() for name in ("color.png", "outline.png")}
    found += icon_problems(icons["color.png"], icons["outline.png"])
    if found:
        raise PackageRefused(found)
    text = json.dumps(filled, indent=2, ensure_ascii=False) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"ringfence-{version}.zip"
    with zipfile.ZipFile(target, "w") as package:
        for name, raw in (("manifest.json", text.encode()), *icons.items()):
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            package.writestr(entry, raw, zipfile.ZIP_DEFLATED, 9)
    return target


def _fill(template: str, values: Mapping[str, str]) -> dict[str, Any]:
    # Values go in as JSON text, so that a quote in a name stays a quote.
    filled = _SLOT.sub(lambda slot: json.dumps(values[slot[1]], ensure_ascii=False)[1:-1], template)
    result: dict[str, Any] = json.loads(filled)
    return result


def problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What Teams schema 1.29 would refuse in a manifest of this shape, one sentence each."""
    missing = [key for key in _REQUIRED if key not in manifest]
    yield from (f"{key} is missing" for key in missing)
    yield from (f"{key} is not a key of this manifest" for key in manifest if key not in _ALLOWED)
    if missing:
        return
    if manifest["manifestVersion"] != "1.29":
        yield "manifestVersion is not 1.29"
    if not _VERSION.fullmatch(manifest["version"]):
        yield "version is not three numbers with dots"
    if not _GUID.fullmatch(manifest["id"]):
        yield "id is not a GUID"
    if not _COLOUR.fullmatch(manifest["accentColor"]):
        yield "accentColor is not # and six hex digits"
    if "defaultLanguageTag" not in manifest.get("localizationInfo", {"defaultLanguageTag": ""}):
        yield "localizationInfo has no defaultLanguageTag"
    if manifest.get("defaultInstallScope", "personal") not in _SCOPES | {"meetings"}:
        yield "defaultInstallScope is unknown"
    if len(manifest.get("validDomains", [])) > 100:
        yield "validDomains has more than 100 entries"
    yield from _texts(manifest)
    yield from _bots(manifest.get("bots", []))


def _texts(manifest: Mapping[str, Any]) -> Iterator[str]:
    limits = {
        "developer": {"name": 32, "websiteUrl": 2048, "privacyUrl": 2048, "termsOfUseUrl": 2048},
        "name": {"short": 30, "full": 100},
        "description": {"short": 80, "full": 4000},
        "icons": {"color": 2048, "outline": 2048},
    }
    for part, keys in limits.items():
        for key, most in keys.items():
            text = manifest[part].get(key, "")
            if not isinstance(text, str) or not 0 < len(text) <= most:
                yield f"{part}.{key} is not a text of 1 to {most} characters"
            elif key.endswith("Url") and not _LINK.fullmatch(text):
                yield f"{part}.{key} is not an https address"
        yield from (f"{part}.{key} is not a known key" for key in manifest[part] if key not in keys)


def _bots(bots: list[Mapping[str, Any]]) -> Iterator[str]:
    if len(bots) != 1:
        yield "bots does not hold exactly one bot"
    for bot in bots:
        if not _GUID.fullmatch(str(bot.get("botId"))):
            yield "bots.botId is not a GUID"
        if not bot.get("scopes") or not set(bot["scopes"]) <= _SCOPES:
            yield "bots.scopes is empty or has an unknown scope"
        lists = bot.get("commandLists", [])
        if len(lists) > 3:
            yield "bots.commandLists has more than 3 lists"
        for commands in lists:
            yield from _command_list(commands, set(bot.get("scopes", [])))


def _command_list(commands: Mapping[str, Any], scopes: set[str]) -> Iterator[str]:
    if not commands.get("scopes") or not set(commands["scopes"]) <= scopes:
        yield "a command list has a scope that the bot does not have"
    entries = commands.get("commands", [])
    if not 0 < len(entries) <= _COMMANDS:
        yield f"a command list does not hold 1 to {_COMMANDS} commands"
    titles = [entry.get("title", "") for entry in entries]
    if len(set(titles)) != len(titles):
        yield "a command is listed twice"
    for entry in entries:
        title, about = entry.get("title", ""), entry.get("description", "")
        if not 0 < len(title) <= 128 or len(about) > 4000:
            yield f"the command “{title[:40]}” has a title or description of the wrong length"


def icon_problems(color: bytes, outline: bytes) -> list[str]:
    """What Teams would refuse in the icons: sizes, a transparent ground, white lines."""
    found: list[str] = []
    try:
        picture = read(color)
        if (picture.width, picture.height) != (192, 192):
            found.append("color.png is not 192 x 192")
    except NotAPicture as error:
        found.append(f"color.png: {error}")
    try:
        found += _outline_problems(read(outline))
    except NotAPicture as error:
        found.append(f"outline.png: {error}")
    return found


def _outline_problems(picture: Picture) -> Iterator[str]:
    if (picture.width, picture.height) != (32, 32):
        yield "outline.png is not 32 x 32"
    pixels = [picture.pixels[n : n + 4] for n in range(0, len(picture.pixels), 4)]
    if any(alpha and (red, green, blue) != (255, 255, 255) for red, green, blue, alpha in pixels):
        yield "outline.png has a colour that is not white"
    if (
        not any(alpha == 255 for *_, alpha in pixels)
        or sum(alpha == 0 for *_, alpha in pixels) < len(pixels) / 4
    ):
        yield "outline.png is not white lines on a transparent ground"
