"""The command line: thin. Each sub-command loads what it needs and no more, so that checks start quickly.

Knows arguments, exit codes and what is printed. Must not know how anything is done.
Exit codes: 0 good, 1 looked and found bad, 2 unusable arguments, 78 refused configuration (EX_CONFIG).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.settings.problems import Refused

if TYPE_CHECKING:
    from bot.domain.sheets import FileKind

OK, BAD, USAGE, CONFIG = 0, 1, 2, 78
ROOT = Path(__file__).resolve().parent.parent
_LARGEST_ACTIVITY = 1024 * 1024


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run one sub-command and return its exit code. Reads `.env` in the current folder."""
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace, Mapping[str, str]], int] = arguments.run
    try:
        return run(arguments, environ)
    except Refused as refused:
        count = len(refused.problems)
        print(f"Refused: {count} {'problem' if count == 1 else 'problems'} to mend first.", file=sys.stderr)
        for problem in refused.problems:
            print(f"- {problem}", file=sys.stderr)
        return CONFIG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app.py", description="Ringfence: sign-in phones, changed safely.")
    parser.add_argument("--version", action="version", version=f"ringfence {version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "serve", _serve, "run the bot")

    policy = _group(commands, "policy", "the approval policy")
    check = _add(policy, "check", _policy_check, "read the policy file and say what it means")
    check.add_argument("file", nargs="?", type=Path, help="default: POLICY_FILE")

    explain = _add(policy, "explain", _policy_explain, "say what somebody would be answered, and why")
    explain.add_argument("--as", dest="asker", required=True, metavar="USER", help="whoever asks")
    explain.add_argument("text", nargs="+", help='the request, for example "set mobile for alice"')
    replay = _add(policy, "replay", _policy_replay, "say what past requests would have needed under a policy")
    replay.add_argument("--file", type=Path, help="the policy to try; default: POLICY_FILE")
    replay.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="default: 30 days ago")

    gate = _group(commands, "gate", "the front door")
    explain = _add(gate, "explain", _gate_explain, "say what the front door thinks of a recorded activity")
    explain.add_argument("file", type=Path, help="the activity as JSON")

    manifest = _group(commands, "manifest", "the Teams app package")
    build = _add(manifest, "build", _manifest_build, "make the zip that is uploaded to Teams")
    build.add_argument("--out", type=Path, default=Path("dist"), help="folder, default: dist")
    build.add_argument("--developer", metavar="NAME", help="who is named as the maker, at most 32 characters")
    build.add_argument("--website", metavar="URL", help="https page about the app")
    build.add_argument("--privacy", metavar="URL", help="https page on privacy")
    build.add_argument("--terms", metavar="URL", help="https page with terms of use")

    _bulk_commands(commands)

    audit = _group(commands, "audit", "the audit trail")
    _add(audit, "verify", _audit_verify, "check every link of the audit chain")

    docs = _add(commands, "docs", _docs, "write the reference pages in docs/")
    docs.add_argument("--check", action="store_true", help="write nothing, fail when a page is out of date")
    return parser


def _bulk_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    bulk = _group(commands, "bulk", "many people at once")
    plan = _add(bulk, "plan", _bulk_plan, "say what would become of a file; nothing is stored or asked for")
    plan.add_argument("file", type=Path, help=".xlsx or .csv; - reads a .csv from standard input")
    plan.add_argument("--as", dest="asker", required=True, metavar="USER", help="whoever would send it")
    plan.add_argument("--out", type=Path, metavar="FILE", help="every row, masked, as .xlsx or .csv")
    runs = _add(bulk, "run", _bulk_run, "plan a file and submit it to the approvers of the policy")
    runs.add_argument("file", type=Path, help="the file; - = CSV on standard input")
    runs.add_argument("--as", dest="asker", required=True, metavar="USER", help="whoever asks for it")
    choice = ("overwrite", "as-alternate")
    runs.add_argument("--held", choices=choice, help="what becomes of phones that hold another number")
    report = _add(bulk, "report", _bulk_report, "count who has which sign-in methods, by department")
    report.add_argument("--out", type=Path, metavar="FILE", help="everybody by name, as .xlsx or .csv")


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, about: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(run=run)
    return parser


def _group(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    inner: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    return inner.add_subparsers(required=True, metavar="COMMAND")


def version() -> str:
    """The version of the product, from pyproject.toml: its only place."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def _serve(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot.settings.environment import load_settings
    from bot.settings.policy_file import load_policy, must_fit

    settings = load_settings(environ, Path(".env"))
    policy = load_policy(settings.policy_file)
    must_fit(policy, settings.graph_profile)
    # Next to nothing of what a start makes is garbage; wiring turns the collector on again when it is done.
    gc.disable()
    from bot import wiring

    asyncio.run(wiring.serve(settings, policy))
    return OK


def _policy_check(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot.domain.rule_words import in_words, warnings
    from bot.settings.environment import read_policy_path
    from bot.settings.policy_file import load_policy

    path = arguments.file or read_policy_path(environ, Path(".env"))
    policy = load_policy(path)
    print(f"{path}: good, sha256 {policy.digest}")
    for line in in_words(policy):
        print(f"  {line}")
    for warning in warnings(policy):
        print(f"  ! {warning}")
    return OK


def _policy_explain(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot import questions
    from bot.settings.environment import load_settings
    from bot.settings.policy_file import load_policy

    settings = load_settings(environ, Path(".env"))
    policy = load_policy(settings.policy_file)
    text = " ".join(arguments.text)
    try:
        lines = asyncio.run(questions.explain_policy(settings, policy, arguments.asker, text))
    except questions.NoQuestion as error:
        print(error, file=sys.stderr)
        return USAGE
    return _printed(lines)


def _policy_replay(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot import questions
    from bot.settings.environment import load_settings
    from bot.settings.policy_file import load_policy

    settings = load_settings(environ, Path(".env"))
    policy = load_policy(arguments.file or settings.policy_file)
    day = arguments.since or datetime.now(UTC).date() - timedelta(days=30)
    since = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return _printed(asyncio.run(questions.replay_policy(settings, policy, since)))


def _printed(lines: Sequence[str]) -> int:
    for line in lines:
        print(line)
    return OK


def _gate_explain(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot.settings.environment import load_settings

    try:
        with arguments.file.open("rb") as file:
            raw = file.read(_LARGEST_ACTIVITY + 1)
    except OSError as error:
        print(f"{arguments.file}: it cannot be read ({type(error).__name__})", file=sys.stderr)
        return USAGE
    if len(raw) > _LARGEST_ACTIVITY:
        print(f"{arguments.file}: it is larger than {_LARGEST_ACTIVITY} bytes", file=sys.stderr)
        return USAGE
    settings = load_settings(environ, Path(".env"))
    from bot import wiring

    for line in wiring.explain_activity(settings, raw):
        print(line)
    return OK


def _manifest_build(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot.settings.environment import read_app_id
    from manifest.build import Developer, PackageRefused, build

    app_id = read_app_id(environ, Path(".env"))
    words = {
        key: getattr(arguments, key) for key in ("website", "privacy", "terms") if getattr(arguments, key)
    }
    developer = Developer(**({"name": arguments.developer} if arguments.developer else {}), **words)
    try:
        path = build(app_id, version(), developer, arguments.out)
    except PackageRefused as refused:
        for problem in refused.problems:
            print(f"- {problem}", file=sys.stderr)
        return BAD
    print(path)
    if "https://example.com/" in f"{developer.website} {developer.privacy} {developer.terms}":
        print(
            "Links of the maker are still examples: give --website, --privacy and --terms before you publish."
        )
    return OK


def _bulk_plan(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot.settings.environment import load_settings
    from bot.settings.policy_file import load_policy

    out = arguments.out
    kind, given = _kind_of(out), _content(arguments.file)
    if given is None or (out is not None and kind is None):
        return USAGE
    settings = load_settings(environ, Path(".env"))
    policy = load_policy(settings.policy_file)
    from bot import questions

    try:
        planning = questions.plan_of_file(settings, policy, arguments.asker, *given, kind)
        lines, made = asyncio.run(planning)
    except questions.NoQuestion as error:
        print(error, file=sys.stderr)
        return USAGE
    if out is not None:
        out.write_bytes(made)
    return _printed(lines)


def _bulk_run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot.settings.environment import load_settings
    from bot.settings.policy_file import load_policy

    given = _content(arguments.file)
    if given is None:
        return USAGE
    settings = load_settings(environ, Path(".env"))
    policy = load_policy(settings.policy_file)
    from bot import errands
    from bot.domain.command import BatchWord

    mode = BatchWord(arguments.held) if arguments.held else None
    return _printed(asyncio.run(errands.run_file(settings, policy, arguments.asker, *given, mode)))


def _content(file: Path) -> tuple[str, bytes] | None:
    """Name and bytes of a file, or of standard input; says so when it cannot be read."""
    try:
        if str(file) == "-":
            return "standard-input.csv", sys.stdin.buffer.read()
        return file.name, file.read_bytes()
    except OSError as error:
        print(f"{file}: it cannot be read ({type(error).__name__})", file=sys.stderr)
        return None


def _bulk_report(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot.settings.environment import load_settings

    out: Path | None = arguments.out
    kind = _kind_of(out)
    if out is not None and kind is None:
        return USAGE
    settings = load_settings(environ, Path(".env"))
    from bot import questions

    lines, content = asyncio.run(questions.registration_report(settings, kind))
    if out is not None:
        out.write_bytes(content)
    return _printed(lines)


def _kind_of(out: Path | None) -> FileKind | None:
    """The kind of file that a name asks for; says so when there is none."""
    from bot.domain.sheets import FileKind

    kind = next((kind for kind in FileKind if out is not None and out.suffix == f".{kind.value}"), None)
    if out is not None and kind is None:
        print(f"{out}: the name must end in .xlsx or .csv", file=sys.stderr)
    return kind


def _audit_verify(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot.settings.environment import load_settings

    settings = load_settings(environ, Path(".env"))
    from bot import questions

    report = asyncio.run(questions.verify_audit(settings))
    print(f"{report.records} records in {report.streams} streams")
    for stream, seq, what in report.bad:
        print(f"- stream {stream}, record {seq}: {what}", file=sys.stderr)
    return BAD if report.bad else OK


def _docs(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from bot.settings import pages

    folder = ROOT / "docs"
    names = pages.stale(folder) if arguments.check else pages.write(folder)
    for name in names:
        print(f"docs/{name} {'is out of date: run python app.py docs' if arguments.check else 'written'}")
    return BAD if arguments.check and names else OK
