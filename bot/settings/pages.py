"""The five reference pages of docs/, written from what the program really knows.

Knows how a page looks. Must not know any fact of its own: settings, reasons, commands, permissions and
the policy come from where they are defined, so that a page cannot say anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from string import Formatter

from pydantic import SecretStr

from bot.domain.command_docs import COMMANDS
from bot.domain.permissions import PROFILES, TABLE, Permission
from bot.domain.reason import FAMILIES
from bot.domain.reasons import every
from bot.settings.names import Names
from bot.settings.policy_page import policy_page

_HEAD = "<!-- Written by `python app.py docs`. Do not edit: change the source it names and run that. -->\n"
_FAMILY = {
    "usage": "What was typed cannot be done as it stands",
    "access": "Who is asking",
    "policy": "The rules said no",
    "conflict": "Something else happened first",
    "directory": "Microsoft Entra said no, or did not answer",
    "internal": "Something went wrong on our side",
}


def settings_page() -> str:
    """docs/settings.md, from bot/settings/names.py."""
    lines = [
        f"{_HEAD}<!-- Source: bot/settings/names.py -->",
        "# Settings",
        "",
        "From the environment or from a file `.env` in the current folder; the environment wins. The "
        "spelling of a name counts. An empty value means the default. A name in `.env` that is not listed "
        "here refuses the start, as does every unsafe set of values: all problems are listed at once.",
        "",
        "Lists have commas. `LOGIN_BASE_URL` and `GRAPH_BASE_URL` are roots (no tenant, no version). "
        "A private certificate authority is named in `REQUESTS_CA_BUNDLE` (sign-in) and `SSL_CERT_FILE` "
        "(Graph).",
        "",
        "| Name | Default | Why it is there | What an unsafe value would do |",
        "| --- | --- | --- | --- |",
    ]
    for field, info in Names.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        cells = (
            f"`{info.alias or field.upper()}`",
            _default(info.default),
            info.description or "",
            extra["unsafe"],
        )
        lines.append(f"| {' | '.join(_cell(str(cell)) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value != "" else "(none)"


def reasons_page() -> str:
    """docs/reasons.md, from the registered reasons."""
    lines = [
        f"{_HEAD}<!-- Source: bot/domain/reasons.py and bot/domain/*_reasons.py -->",
        "# Every “no” of Ringfence",
        "",
        "Each refusal card shows its code; `explain CODE` says the same as this page. "
        "Words in capitals stand for what the card fills in.",
    ]
    for family in FAMILIES:
        lines += ["", f"## {family}: {_FAMILY[family]}"]
        for reason in every():
            if reason.family == family:
                lines += [
                    "",
                    f"### `{reason.code}`",
                    "",
                    f"**{_words(reason.title)}.** {_words(reason.why)}",
                    "",
                    f"What to do: {_words(reason.next_step)}",
                    "",
                    f"For: {reason.audience}. Worth trying later: {'yes' if reason.retryable else 'no'}.",
                ]
                lines += ["", f"More: <{reason.link}>"] if reason.link else []
    return "\n".join(lines) + "\n"


def _words(text: str) -> str:
    parts = Formatter().parse(text)
    return "".join(
        literal + (name.upper().replace("_", " ") if name else "") for literal, name, _, _ in parts
    )


def commands_page() -> str:
    """docs/commands.md, from the list behind `help`."""
    lines = [
        f"{_HEAD}<!-- Source: bot/domain/command_docs.py -->",
        "# Commands",
        "",
        "Typed in a personal chat with the bot. Words in capitals are yours; parts in [brackets] may be left "
        "out. Who may use a command is looked up in your groups each time; a person's own requests and "
        "`show me` are open to everyone.",
        "",
        "| Command | What it does | Example | Also | Who |",
        "| --- | --- | --- | --- | --- |",
    ]
    for doc in COMMANDS:
        also = ", ".join(f"`{word}`" for word in doc.also)
        cells = (f"`{doc.usage}`", doc.what, f"`{doc.example}`", also, ", ".join(doc.who_may))
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def permissions_page() -> str:
    """docs/permissions.md, from the table of permissions."""
    lines = [
        f"{_HEAD}<!-- Source: bot/domain/permissions.py -->",
        "# Permissions in Microsoft Graph",
        "",
        "Application permissions with admin consent, for the app named in `GRAPH_APP_ID` or, without that, "
        "in `MicrosoftAppId`. Grant those of your `GRAPH_PROFILE` and no others. The least that the bot "
        "works with is marked **needed**; each of the others adds what its line says.",
        "",
        "> **Tier 0.** Whoever holds a permission marked so can add a phone or a pass to any account, a "
        "Global Administrator's too, and so take the tenant over: an app's permission carries no check of "
        "the target's roles (only this bot's own rules do that). Keep the credential of this app as you keep "
        "a Global Administrator's: a managed identity or a certificate, a host of its own, few owners of the "
        "app registration, alerts on new credentials. `GRAPH_APP_ID` keeps these permissions away from the "
        "identity that talks to Teams.",
    ]
    for profile in PROFILES:
        lines += ["", f"## GRAPH_PROFILE={profile}", ""]
        mine = [each for each in TABLE if profile in each.profiles]
        lines += [f"- `{each.name}`{_marks(each)}" for each in mine]
    lines += ["", "## Each permission"]
    for each in TABLE:
        lines += [
            "",
            f"### `{each.name}`",
            "",
            f"{each.why}{_marks(each)}",
            "",
            f"- Id: {f'`{each.app_role}`' if each.app_role else 'look it up by name'}",
            f"- Profiles: {', '.join(each.profiles)}",
            *(f"- Call: `{call}`" for call in each.calls),
            f"- Without it: {each.without}",
        ]
    return "\n".join(lines) + "\n"


def _marks(permission: Permission) -> str:
    return (" (**needed**)" if permission.needed else "") + (" (**tier 0**)" if permission.tier_zero else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "reasons.md": reasons_page,
    "commands.md": commands_page,
    "permissions.md": permissions_page,
    "policy.md": lambda: f"{_HEAD}<!-- Source: bot/settings/policy_grammar.py -->\n{policy_page()}",
}


def stale(folder: Path) -> list[str]:
    """Names of pages that are missing or say something else than the program."""
    return [name for name, page in PAGES.items() if _read(folder / name) != page()]


def write(folder: Path) -> list[str]:
    """Write what is stale; returns the names."""
    names = stale(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(PAGES[name](), "utf-8")
    return names


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None
