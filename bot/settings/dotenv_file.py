"""The `.env` file read strictly: unknown, doubled and unreadable lines are complaints, not warnings.

Knows the file's form. Must not know what the names mean; complaints carry names and line numbers, no values.
"""

from __future__ import annotations

from collections.abc import Collection
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from bot.settings.problems import Problem, nearest


def read_dotenv(path: Path, known: Collection[str]) -> tuple[dict[str, str], list[Problem]]:
    """Values by name, as written (`${X}` is not replaced), and what is wrong. No file = nothing."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError) as error:
        return {}, [
            Problem(
                str(path),
                f"it cannot be read ({type(error).__name__})",
                "Make it a UTF-8 text file that the bot may read.",
            )
        ]
    values: dict[str, str] = {}
    found: list[Problem] = []
    for line in parse_stream(StringIO(text)):
        where = f"{path.name}, line {line.original.line}"
        if line.error or (line.key is not None and line.value is None):
            found.append(Problem(where, "it is not NAME=value", "Correct the line or put # before it."))
        elif line.key is None:
            continue
        elif line.key not in known:
            found.append(
                Problem(
                    line.key,
                    f"no setting has this name ({where}).{nearest(line.key, known)}",
                    "Correct the name or remove the line; docs/settings.md lists all names.",
                )
            )
        elif line.key in values:
            found.append(Problem(line.key, f"it is set twice ({where})", "Keep one of the lines."))
        else:
            values[line.key] = line.value or ""
    return values, found
