"""The command line: exit codes, what is said where, and that checks start without the whole bot."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bot import cli

ROOT = Path(__file__).parents[2]
APP = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `.env` of whoever runs the tests takes part."""
    monkeypatch.chdir(tmp_path)


def test_serve_says_all_that_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Unsafe settings end with 78, every setting named on stderr with what to do, nothing on stdout."""
    assert cli.main(["serve"], {"MicrosoftAppType": "MultiTenant"}) == 78
    out, err = capsys.readouterr()
    assert out == ""
    for name in (
        "MicrosoftAppId",
        "MicrosoftAppTenantId",
        "MicrosoftAppPassword",
        "MicrosoftAppType",
        "POLICY_FILE",
    ):
        assert f"- {name}: " in err
    assert err.count("    -> ") == 5


def test_serve_refuses_a_bad_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Good settings with a policy that cannot be kept end with 78 and name the key."""
    (tmp_path / "policy.toml").write_text("[roles]\noperator = []\n")
    settings = {"MicrosoftAppId": APP, "MicrosoftAppTenantId": APP, "MicrosoftAppPassword": "x~y"}
    assert cli.main(["serve"], settings) == 78
    assert "- [roles] operator: " in capsys.readouterr().err


def test_policy_check_says_what_a_policy_means(capsys: pytest.CaptureFixture[str]) -> None:
    """A good policy is said in words, with what its owner should look at; nothing but the file is needed."""
    assert cli.main(["policy", "check", str(ROOT / "policy.example.toml")], {}) == 0
    out = capsys.readouterr().out
    assert "rule 2 “ordinary change”: set, remove, swap, sms, undo, onboard for new-hire, ordinary" in out
    assert "the manager must agree" in out
    assert "and after 240 minutes: also the role approver" in out
    assert "everything else: refused" in out
    assert "! rule “our own staff”: nobody is vip" in out


def test_policy_check_takes_the_file_of_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an argument the file of POLICY_FILE is checked; a bad one ends with 78."""
    (tmp_path / "mine.toml").write_text("[rols]\n")
    assert cli.main(["policy", "check"], {"POLICY_FILE": "mine.toml"}) == 78
    assert "Did you mean roles?" in capsys.readouterr().err


SETTINGS = {"MicrosoftAppId": APP, "MicrosoftAppTenantId": APP, "MicrosoftAppPassword": "x~y"}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example as the policy of this folder."""
    file = tmp_path / "policy.toml"
    file.write_bytes((ROOT / "policy.example.toml").read_bytes())
    return file


def test_policy_replay_before_the_first_start(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was asked for yet: that is said, and no database is left behind."""
    assert cli.main(["policy", "replay", "--since", "2026-01-01"], SETTINGS) == 0
    assert "0 requests since 2026-01-01" in capsys.readouterr().out
    assert not list(example.parent.glob("**/*.db"))


def test_policy_replay_takes_another_file(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file that is tried is judged like the one in force."""
    other = tmp_path / "other.toml"
    other.write_text("[rols]\n")
    assert cli.main(["policy", "replay", "--file", str(other)], SETTINGS) == 78
    assert "Did you mean roles?" in capsys.readouterr().err


def test_policy_explain_wants_a_request(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no request ends with 2 and says what would be one, before the directory is asked."""
    assert cli.main(["policy", "explain", "--as", "olivia@contoso.example", "help"], SETTINGS) == 2
    assert 'for example "set mobile for alice"' in capsys.readouterr().err


def test_manifest_build_needs_only_the_app_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The package is made on any machine that knows the id; example links are pointed out."""
    assert cli.main(["manifest", "build"], {"MicrosoftAppId": APP}) == 0
    path = tmp_path / "dist" / f"ringfence-{cli.version()}.zip"
    assert zipfile.is_zipfile(path)
    assert "before you publish" in capsys.readouterr().out
    links = [
        "--website",
        "https://c.example/",
        "--privacy",
        "https://c.example/p",
        "--terms",
        "https://c.example/t",
    ]
    assert (
        cli.main(
            ["manifest", "build", "--out", "x", "--developer", "Contoso", *links], {"MicrosoftAppId": APP}
        )
        == 0
    )
    assert "before you publish" not in capsys.readouterr().out


def test_manifest_build_says_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    """No id ends with 78, a package that Teams would refuse with 1."""
    assert cli.main(["manifest", "build"], {}) == 78
    assert cli.main(["manifest", "build", "--website", "http://c.example"], {"MicrosoftAppId": APP}) == 1
    assert "developer.websiteUrl" in capsys.readouterr().err


def test_gate_explain_wants_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A recording that is not there ends with 2 before any setting is looked at."""
    assert cli.main(["gate", "explain", "missing.json"], {}) == 2
    assert "cannot be read" in capsys.readouterr().err


POLICY_MISTAKES = [
    ["policy", "explain", "set mobile for alice"],
    ["policy", "explain", "--as", "olivia"],
    ["policy", "replay", "--since", "yesterday"],
]


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["policy"], ["gate", "explain"], ["serve", "-x"], *POLICY_MISTAKES]
)
def test_unusable_arguments_end_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A typing mistake does nothing and shows the usage."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words, {})
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_version_is_the_projects() -> None:
    """`app.py --version` says the version of pyproject.toml; app.py runs from any folder."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"ringfence {cli.version()}\n"


def test_a_policy_check_loads_neither_teams_nor_the_store() -> None:
    """The check is quick because the parts it does not need are not loaded."""
    code = (
        "import sys; from bot import cli; "
        f"assert cli.main(['policy', 'check', {str(ROOT / 'policy.example.toml')!r}], {{}}) == 0; "
        "heavy = {'botbuilder', 'sqlalchemy', 'msal', 'aiohttp', 'httpx'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)
