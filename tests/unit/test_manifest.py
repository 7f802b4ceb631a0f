"""The Teams package: valid by Microsoft's schema, filled, checked, the same bytes each time."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bot.domain.command import Unknown
from bot.domain.command_docs import SPELLINGS
from bot.domain.parsing import parse
from manifest import build as package
from manifest.build import FOLDER, Developer, PackageRefused, build, icon_problems, problems
from manifest.draw_icons import BOTTOM, TOP, draw, mark, outline
from manifest.png import NotAPicture, Picture, read, write

APP = "11111111-1111-4111-8111-111111111111"
SCHEMA = Path(__file__).parents[1] / "schemas" / "MicrosoftTeams.schema.v1.29.json"


def manifest_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        loaded: dict[str, Any] = json.loads(archive.read("manifest.json"))
        return loaded


@pytest.fixture
def good(tmp_path: Path) -> dict[str, Any]:
    return manifest_of(build(APP, "1.2.3", Developer(), tmp_path))


def test_microsofts_schema_accepts_it(good: dict[str, Any]) -> None:
    """What is built is valid by the published schema 1.29 (draft 4; one pattern of it is not Python's)."""
    schema = json.loads(SCHEMA.read_text("utf-8").replace("\\\\p{L}", "A-Za-z"))
    jsonschema.Draft4Validator.check_schema(schema)
    assert not list(jsonschema.Draft4Validator(schema).iter_errors(good))


def test_three_files_at_the_root_and_the_same_bytes(tmp_path: Path) -> None:
    """Teams wants the files at the root of the zip; two builds can be compared byte by byte."""
    first = build(APP, "1.2.3", Developer(), tmp_path / "a")
    second = build(APP, "1.2.3", Developer(), tmp_path / "b")
    assert first.name == "ringfence-1.2.3.zip"
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["manifest.json", "color.png", "outline.png"]


def test_ids_version_and_maker_are_filled_in(tmp_path: Path) -> None:
    """Ids are the bot's, words are taken whole, and no placeholder is left."""
    maker = Developer(
        'Contoso "IT"', "https://contoso.example/it", "https://contoso.example/p", "https://contoso.example/t"
    )
    manifest = manifest_of(build(APP, "2.0.1", maker, tmp_path))
    assert (manifest["id"], manifest["bots"][0]["botId"], manifest["version"]) == (APP, APP, "2.0.1")
    assert manifest["developer"]["name"] == 'Contoso "IT"'
    assert manifest["developer"]["termsOfUseUrl"] == "https://contoso.example/t"
    assert "${" not in json.dumps(manifest)


def test_only_personal_chat_is_offered(good: dict[str, Any]) -> None:
    """Answers are about people's sign-in: the app can be installed for a person only, and takes files."""
    bot = good["bots"][0]
    assert bot["scopes"] == ["personal"]
    assert bot["supportsFiles"] is True
    assert good["validDomains"] == []
    assert [group["scopes"] for group in bot["commandLists"]] == [["personal"]]


def test_every_listed_command_is_understood(good: dict[str, Any]) -> None:
    """Whoever picks a command from the list in Teams is not told that it is unknown."""
    entries = good["bots"][0]["commandLists"][0]["commands"]
    assert 0 < len(entries) <= 12
    for entry in entries:
        assert not isinstance(parse(entry["title"]), Unknown), entry["title"]
        assert any(entry["title"].startswith(word) for word in SPELLINGS)


Change = Callable[[dict[str, Any]], object]
BROKEN: list[tuple[str, Change]] = [
    ("accentColor is missing", lambda m: m.pop("accentColor")),
    ("packageName", lambda m: m.update(packageName="x")),
    ("manifestVersion", lambda m: m.update(manifestVersion="1.28")),
    ("version", lambda m: m.update(version="1.2")),
    ("id is not a GUID", lambda m: m.update(id="ringfence")),
    ("accentColor", lambda m: m.update(accentColor="teal")),
    ("defaultLanguageTag", lambda m: m.update(localizationInfo={})),
    ("defaultInstallScope", lambda m: m.update(defaultInstallScope="everywhere")),
    ("name.short", lambda m: m["name"].update(short="x" * 31)),
    ("description.short", lambda m: m["description"].update(short="x" * 81)),
    ("description.full", lambda m: m["description"].update(full="x" * 4001)),
    ("developer.name", lambda m: m["developer"].update(name="x" * 33)),
    ("developer.privacyUrl", lambda m: m["developer"].update(privacyUrl="http://example.com")),
    ("developer.termsOfUseUrl", lambda m: m["developer"].update(termsOfUseUrl="")),
    ("developer.mail is not", lambda m: m["developer"].update(mail="x")),
    ("exactly one bot", lambda m: m["bots"].append(m["bots"][0])),
    ("botId", lambda m: m["bots"][0].update(botId="x")),
    ("bots.scopes", lambda m: m["bots"][0].update(scopes=["groupchat"])),
    ("3 lists", lambda m: m["bots"][0].update(commandLists=m["bots"][0]["commandLists"] * 4)),
    ("scope that the bot", lambda m: m["bots"][0]["commandLists"][0].update(scopes=["team"])),
    ("12 commands", lambda m: m["bots"][0]["commandLists"][0]["commands"].append({"title": "x"})),
    (
        "listed twice",
        lambda m: m["bots"][0]["commandLists"][0].update(commands=[{"title": "a"}, {"title": "a"}]),
    ),
    ("wrong length", lambda m: m["bots"][0]["commandLists"][0].update(commands=[{"title": "x" * 129}])),
]


@pytest.mark.parametrize(("said", "change"), BROKEN, ids=[said for said, _ in BROKEN])
def test_what_teams_would_refuse_is_found_first(good: dict[str, Any], said: str, change: Change) -> None:
    """A manifest that Teams would reject at upload is found here, and the words name the place."""
    assert not list(problems(good))
    change(good)
    assert any(said in problem for problem in problems(good))


def test_a_refused_package_is_not_written(tmp_path: Path) -> None:
    """Nothing half good is left to be uploaded."""
    with pytest.raises(PackageRefused, match=r"developer\.name"):
        build(APP, "1.2.3", Developer(name="x" * 33), tmp_path)
    assert not list(tmp_path.iterdir())


def dot(red: int, green: int, blue: int, alpha: int, size: int) -> bytes:
    return write(Picture(size, size, bytes((red, green, blue, alpha)) * size * size))


def test_icons_are_checked(tmp_path: Path) -> None:
    """Sizes, white on transparent, and the kind of file are judged from the pixels."""
    color, line = ((FOLDER / name).read_bytes() for name in ("color.png", "outline.png"))
    assert icon_problems(color, line) == []
    assert icon_problems(line, color)
    assert "32 x 32" in " ".join(icon_problems(color, dot(255, 255, 255, 0, 31)))
    assert "not white" in " ".join(icon_problems(color, dot(255, 0, 0, 255, 32)))
    assert "transparent ground" in " ".join(icon_problems(color, dot(255, 255, 255, 255, 32)))
    assert "transparent ground" in " ".join(icon_problems(color, dot(255, 255, 255, 0, 32)))
    assert "color.png: it is not a PNG" in icon_problems(b"GIF89a", line)
    for damaged in (color[:200], color[:-30] + b"x" + color[-29:], color[:8]):
        with pytest.raises(NotAPicture):
            read(damaged)


def test_the_icons_are_the_ones_the_script_draws() -> None:
    """The pictures can be made again from their source, pixel by pixel."""
    assert read((FOLDER / "color.png").read_bytes()) == draw(192, mark, (TOP, BOTTOM))
    assert read((FOLDER / "outline.png").read_bytes()) == draw(32, outline, None)


@pytest.mark.parametrize("kind", range(5))
def test_pictures_of_other_programs_are_read(kind: int) -> None:
    """An icon drawn elsewhere, with any of PNG's five filters, is judged by its true pixels."""
    import struct
    import zlib

    rows = [bytes((x * 7 + y * 13 + n) % 256 for x in range(3) for n in range(4)) for y in range(3)]
    lines = b""
    for y, row in enumerate(rows):
        above = rows[y - 1] if y else bytes(12)
        line = bytearray()
        for i, value in enumerate(row):
            left, corner = (row[i - 4], above[i - 4]) if i >= 4 else (0, 0)
            pick = left + above[i] - corner
            paeth = min((left, above[i], corner), key=lambda v, pick=pick: abs(pick - v))  # type: ignore[misc]
            line.append((value - (0, left, above[i], (left + above[i]) // 2, paeth)[kind]) % 256)
        lines += bytes([kind]) + line

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 3, 3, 8, 6, 0, 0, 0)
    raw = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )
    assert read(raw).pixels == b"".join(rows)


def test_the_template_has_no_text_of_its_own_ids() -> None:
    """The template can be shared: it holds no id of anybody."""
    text = (package.FOLDER / "manifest.template.json").read_text("utf-8")
    assert text.count("${app_id}") == 3  # the app, its bot, and who may install it
