"""Settings: what is read, and that every unsafe set refuses the start and names the setting."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.settings.clouds import CLOUDS
from bot.settings.environment import Settings, SettingsRefused, load_settings

APP = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
SECRET = "value~of.the_client-secret"
KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()
SHORT_KEY = base64.b64encode(bytes(range(31))).decode()
FLAT_KEY = base64.b64encode(b"a" * 32).decode()

GOOD = {"MicrosoftAppId": APP, "MicrosoftAppTenantId": TENANT, "MicrosoftAppPassword": SECRET}
LOCAL = {
    **GOOD,
    "ALLOW_LOOPBACK": "true",
    "BOT_OPENID_METADATA_URL": "http://127.0.0.1:5001/v1/.well-known/openidconfiguration",
    "SERVICE_URL_HOSTS": "127.0.0.1",
    "LOGIN_BASE_URL": "https://127.0.0.1:5002",
    "GRAPH_BASE_URL": "http://127.0.0.1:5003",
}
POSTGRES = "postgresql://bot:pw@db.internal/ringfence"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text("# any readable file")
    return path


def load(policy: Path, changes: Mapping[str, str | None], base: Mapping[str, str] = GOOD) -> Settings:
    merged = {"POLICY_FILE": str(policy), **base, **changes}
    return load_settings({name: value for name, value in merged.items() if value is not None})


# Each line: what is wrong, the base set, the changes (None = left out), the settings that must be named.
REFUSED: list[tuple[str, Mapping[str, str], dict[str, str | None], set[str]]] = [
    ("no app id", GOOD, {"MicrosoftAppId": None}, {"MicrosoftAppId"}),
    ("blank app id", GOOD, {"MicrosoftAppId": "  "}, {"MicrosoftAppId"}),
    ("app id no GUID", GOOD, {"MicrosoftAppId": "ringfence"}, {"MicrosoftAppId"}),
    ("nil app id", GOOD, {"MicrosoftAppId": "00000000-0000-0000-0000-000000000000"}, {"MicrosoftAppId"}),
    ("no tenant", GOOD, {"MicrosoftAppTenantId": None}, {"MicrosoftAppTenantId"}),
    ("tenant is a name", GOOD, {"MicrosoftAppTenantId": "contoso.com"}, {"MicrosoftAppTenantId"}),
    ("tenant is common", GOOD, {"MicrosoftAppTenantId": "common"}, {"MicrosoftAppTenantId"}),
    ("no credential", GOOD, {"MicrosoftAppPassword": None}, {"MicrosoftAppPassword"}),
    ("secret's id, not value", GOOD, {"MicrosoftAppPassword": TENANT}, {"MicrosoftAppPassword"}),
    ("secret with a blank", GOOD, {"MicrosoftAppPassword": f"{SECRET} "}, {"MicrosoftAppPassword"}),
    ("MultiTenant", GOOD, {"MicrosoftAppType": "MultiTenant"}, {"MicrosoftAppType"}),
    ("misspelt type", GOOD, {"MicrosoftAppType": "SingelTenant"}, {"MicrosoftAppType"}),
    ("type in other case", GOOD, {"MicrosoftAppType": "singletenant"}, {"MicrosoftAppType"}),
    (
        "managed identity with password",
        GOOD,
        {"MicrosoftAppType": "UserAssignedMSI"},
        {"MicrosoftAppPassword"},
    ),
    (
        "managed identity with certificate",
        GOOD,
        {
            "MicrosoftAppType": "UserAssignedMSI",
            "MicrosoftAppPassword": None,
            "MicrosoftAppCertificatePath": "/x",
        },
        {"MicrosoftAppCertificatePath"},
    ),
    (
        "managed identity in the sandbox",
        LOCAL,
        {"MicrosoftAppType": "UserAssignedMSI", "MicrosoftAppPassword": None},
        {"MicrosoftAppType"},
    ),
    (
        "certificate that is none",
        GOOD,
        {"MicrosoftAppCertificatePath": __file__, "MicrosoftAppPassword": None},
        {"MicrosoftAppCertificatePath"},
    ),
    (
        "certificate and password",
        GOOD,
        {"MicrosoftAppCertificatePath": __file__},
        {"MicrosoftAppCertificatePath"},
    ),
    (
        "certificate not readable",
        GOOD,
        {"MicrosoftAppCertificatePath": "/nowhere/key.pem", "MicrosoftAppPassword": None},
        {"MicrosoftAppCertificatePath"},
    ),
    ("Graph app without credential", GOOD, {"GRAPH_APP_ID": TENANT}, {"GRAPH_APP_PASSWORD"}),
    ("Graph app id no GUID", GOOD, {"GRAPH_APP_ID": "x", "GRAPH_APP_PASSWORD": "y"}, {"GRAPH_APP_ID"}),
    ("Graph credential without app", GOOD, {"GRAPH_APP_PASSWORD": "y"}, {"GRAPH_APP_ID"}),
    (
        "Graph app with two credentials",
        GOOD,
        {"GRAPH_APP_ID": TENANT, "GRAPH_APP_PASSWORD": "y", "GRAPH_APP_CERTIFICATE_PATH": __file__},
        {"GRAPH_APP_CERTIFICATE_PATH"},
    ),
    ("another tenant allowed", GOOD, {"ALLOWED_TENANTS": APP}, {"ALLOWED_TENANTS"}),
    ("two tenants allowed", GOOD, {"ALLOWED_TENANTS": f"{TENANT},{APP}"}, {"ALLOWED_TENANTS"}),
    ("all tenants allowed", GOOD, {"ALLOWED_TENANTS": "*"}, {"ALLOWED_TENANTS"}),
    ("unknown cloud", GOOD, {"CLOUD": "germany"}, {"CLOUD"}),
    (
        "metadata here, rest real",
        GOOD,
        {"BOT_OPENID_METADATA_URL": "http://localhost:1/keys"},
        {"BOT_OPENID_METADATA_URL"},
    ),
    ("service host here, rest real", GOOD, {"SERVICE_URL_HOSTS": "127.0.0.1"}, {"SERVICE_URL_HOSTS"}),
    ("login here, rest real", GOOD, {"LOGIN_BASE_URL": "https://localhost:5002"}, {"LOGIN_BASE_URL"}),
    ("Graph here, rest real", GOOD, {"GRAPH_BASE_URL": "http://[::1]:5003"}, {"GRAPH_BASE_URL"}),
    (
        "only the switch on",
        GOOD,
        {"ALLOW_LOOPBACK": "true"},
        {"BOT_OPENID_METADATA_URL", "SERVICE_URL_HOSTS", "LOGIN_BASE_URL", "GRAPH_BASE_URL"},
    ),
    ("metadata left real", LOCAL, {"BOT_OPENID_METADATA_URL": None}, {"BOT_OPENID_METADATA_URL"}),
    ("service hosts left real", LOCAL, {"SERVICE_URL_HOSTS": None}, {"SERVICE_URL_HOSTS"}),
    (
        "one service host real",
        LOCAL,
        {"SERVICE_URL_HOSTS": "127.0.0.1,smba.trafficmanager.net"},
        {"SERVICE_URL_HOSTS"},
    ),
    ("login left real", LOCAL, {"LOGIN_BASE_URL": None}, {"LOGIN_BASE_URL"}),
    ("login named real", LOCAL, {"LOGIN_BASE_URL": "https://login.microsoftonline.com"}, {"LOGIN_BASE_URL"}),
    ("Graph left real", LOCAL, {"GRAPH_BASE_URL": None}, {"GRAPH_BASE_URL"}),
    (
        "local switch off again",
        LOCAL,
        {"ALLOW_LOOPBACK": "false"},
        set(LOCAL) - set(GOOD) - {"ALLOW_LOOPBACK"},
    ),
    ("open listener with the switch", LOCAL, {"HOST": "0.0.0.0"}, {"HOST"}),  # noqa: S104 - refused here
    ("LAN listener with the switch", LOCAL, {"HOST": "192.168.1.4"}, {"HOST"}),
    ("all interfaces v6 with the switch", LOCAL, {"HOST": "::"}, {"HOST"}),
    ("listener is no address", GOOD, {"HOST": "bot.example.com"}, {"HOST"}),
    ("loopback look-alike", LOCAL, {"GRAPH_BASE_URL": "http://127.0.0.1.evil.example"}, {"GRAPH_BASE_URL"}),
    ("loopback in short", LOCAL, {"GRAPH_BASE_URL": "http://2130706433"}, {"GRAPH_BASE_URL"}),
    ("login over http, even here", LOCAL, {"LOGIN_BASE_URL": "http://127.0.0.1:5002"}, {"LOGIN_BASE_URL"}),
    ("http to a real host", GOOD, {"GRAPH_BASE_URL": "http://graph.microsoft.com"}, {"GRAPH_BASE_URL"}),
    ("user part", GOOD, {"GRAPH_BASE_URL": "https://graph.microsoft.com@evil.example"}, {"GRAPH_BASE_URL"}),
    ("path in a root", GOOD, {"GRAPH_BASE_URL": "https://graph.microsoft.com/v1.0"}, {"GRAPH_BASE_URL"}),
    (
        "tenant in a root",
        GOOD,
        {"LOGIN_BASE_URL": f"https://login.microsoftonline.com/{TENANT}"},
        {"LOGIN_BASE_URL"},
    ),
    ("path in a local root", LOCAL, {"GRAPH_BASE_URL": "http://127.0.0.1:5003/v1.0"}, {"GRAPH_BASE_URL"}),
    ("port of a real host", GOOD, {"GRAPH_BASE_URL": "https://graph.microsoft.com:8443"}, {"GRAPH_BASE_URL"}),
    ("query", GOOD, {"LOGIN_BASE_URL": "https://login.microsoftonline.com?x=1"}, {"LOGIN_BASE_URL"}),
    ("backslash", GOOD, {"GRAPH_BASE_URL": "https://evil.example\\@graph.microsoft.com"}, {"GRAPH_BASE_URL"}),
    ("no scheme", GOOD, {"GRAPH_BASE_URL": "graph.microsoft.com"}, {"GRAPH_BASE_URL"}),
    ("trailing dot", GOOD, {"GRAPH_BASE_URL": "https://graph.microsoft.com."}, {"GRAPH_BASE_URL"}),
    ("unknown host", GOOD, {"LOGIN_BASE_URL": "https://login.evil.example"}, {"LOGIN_BASE_URL"}),
    (
        "unknown key host",
        GOOD,
        {"BOT_OPENID_METADATA_URL": "https://keys.evil.example/x"},
        {"BOT_OPENID_METADATA_URL"},
    ),
    ("another cloud's Graph", GOOD, {"GRAPH_BASE_URL": "https://graph.microsoft.us"}, {"GRAPH_BASE_URL"}),
    (
        "another cloud's Teams",
        {**GOOD, "CLOUD": "gcch"},
        {"SERVICE_URL_HOSTS": "smba.trafficmanager.net"},
        {"SERVICE_URL_HOSTS"},
    ),
    (
        "another cloud's login",
        {**GOOD, "CLOUD": "dod"},
        {"LOGIN_BASE_URL": "https://login.microsoftonline.com"},
        {"LOGIN_BASE_URL"},
    ),
    (
        "another cloud's issuer",
        GOOD,
        {"BOT_TOKEN_ISSUER": "https://api.botframework.us"},
        {"BOT_TOKEN_ISSUER"},
    ),
    ("made-up issuer", LOCAL, {"BOT_TOKEN_ISSUER": "https://evil.example"}, {"BOT_TOKEN_ISSUER"}),
    ("wildcard service host", GOOD, {"SERVICE_URL_HOSTS": "*.trafficmanager.net"}, {"SERVICE_URL_HOSTS"}),
    (
        "service host with scheme",
        GOOD,
        {"SERVICE_URL_HOSTS": "https://smba.trafficmanager.net"},
        {"SERVICE_URL_HOSTS"},
    ),
    ("memory database", GOOD, {"DATABASE_URL": "sqlite:///:memory:"}, {"DATABASE_URL"}),
    ("SQLite without file", GOOD, {"DATABASE_URL": "sqlite://"}, {"DATABASE_URL"}),
    ("another engine", GOOD, {"DATABASE_URL": "mysql://bot:pw@db/ringfence"}, {"DATABASE_URL"}),
    ("another driver", GOOD, {"DATABASE_URL": "postgresql+asyncpg://bot:pw@db/ringfence"}, {"DATABASE_URL"}),
    (
        "PostgreSQL without name",
        GOOD,
        {"DATABASE_URL": "postgresql://bot:pw@db", "DATA_KEYS": f"k1:{KEY}"},
        {"DATABASE_URL"},
    ),
    ("PostgreSQL without keys", GOOD, {"DATABASE_URL": POSTGRES}, {"DATA_KEYS"}),
    ("key without id", GOOD, {"DATA_KEYS": KEY}, {"DATA_KEYS"}),
    ("key not base64", GOOD, {"DATA_KEYS": "k1:not base64!"}, {"DATA_KEYS"}),
    ("short key", GOOD, {"DATA_KEYS": f"k1:{SHORT_KEY}"}, {"DATA_KEYS"}),
    ("key of one byte", GOOD, {"DATA_KEYS": f"k1:{FLAT_KEY}"}, {"DATA_KEYS"}),
    ("key id twice", GOOD, {"DATA_KEYS": f"k1:{KEY},k1:{OTHER_KEY}"}, {"DATA_KEYS"}),
    ("key twice", GOOD, {"DATA_KEYS": f"k1:{KEY},k2:{KEY}"}, {"DATA_KEYS"}),
    ("trailing comma in keys", GOOD, {"DATA_KEYS": f"k1:{KEY},"}, {"DATA_KEYS"}),
    ("no such policy file", GOOD, {"POLICY_FILE": "/nowhere/policy.toml"}, {"POLICY_FILE"}),
    ("policy file is a folder", GOOD, {"POLICY_FILE": "/"}, {"POLICY_FILE"}),
    ("port 0", GOOD, {"PORT": "0"}, {"PORT"}),
    ("port too high", GOOD, {"PORT": "65536"}, {"PORT"}),
    ("port is a word", GOOD, {"PORT": "http"}, {"PORT"}),
    ("metrics on the same port", GOOD, {"METRICS_PORT": "3978"}, {"METRICS_PORT"}),
    ("negative metrics port", GOOD, {"METRICS_PORT": "-1"}, {"METRICS_PORT"}),
    ("profile unknown", GOOD, {"GRAPH_PROFILE": "all"}, {"GRAPH_PROFILE"}),
    ("log level unknown", GOOD, {"LOG_LEVEL": "TRACE"}, {"LOG_LEVEL"}),
    ("read-only neither yes nor no", GOOD, {"READ_ONLY": "maybe"}, {"READ_ONLY"}),
    ("switch neither yes nor no", GOOD, {"ALLOW_LOOPBACK": "maybe"}, {"ALLOW_LOOPBACK"}),
    ("name in another case", GOOD, {"read_only": "true"}, {"READ_ONLY"}),
]


@pytest.mark.parametrize(("base", "changes", "named"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_an_unsafe_set_refuses_the_start(
    policy: Path, base: Mapping[str, str], changes: dict[str, str | None], named: set[str]
) -> None:
    """Start is refused, exactly the settings at fault are named, and no secret is in the words."""
    with pytest.raises(SettingsRefused) as refused:
        load(policy, changes, base)
    assert {problem.where for problem in refused.value.problems} == named
    assert all(problem.why and problem.what_to_do for problem in refused.value.problems)
    for secret in (SECRET, "pw@", KEY, SHORT_KEY, FLAT_KEY):
        assert secret not in str(refused.value)


def test_all_problems_come_at_once(policy: Path) -> None:
    """Whoever mends the settings sees everything in one go, also beside values of the wrong type."""
    wrong = {"MicrosoftAppId": "x", "PORT": "x", "DATA_KEYS": "x", "GRAPH_BASE_URL": "x", "LOG_LEVEL": "x"}
    with pytest.raises(SettingsRefused) as refused:
        load(policy, wrong)
    assert {problem.where for problem in refused.value.problems} == set(wrong)


def test_the_least_that_is_needed(policy: Path) -> None:
    """Three values and a policy start a bot that talks to the real cloud, in one tenant, listening here."""
    settings = load(policy, {"MicrosoftAppId": f"{{{APP.upper()}}}"})
    assert settings.app_id == APP
    assert settings.tenants == {TENANT}
    assert settings.login_base_url == "https://login.microsoftonline.com"
    assert settings.graph_scope == "https://graph.microsoft.com/.default"
    assert settings.bot_scope == "https://api.botframework.com/.default"
    assert settings.service_hosts == {"smba.trafficmanager.net"}
    assert settings.start_url == "https://smba.trafficmanager.net/teams"
    assert (settings.host, settings.port, settings.metrics_port) == ("127.0.0.1", 3978, 9464)
    assert settings.database.sqlite_path == Path("var/ringfence.db")
    assert not settings.allow_loopback
    assert not settings.refuse_forwarded
    assert not settings.custom_login_host


def test_a_sandbox_is_all_on_this_machine(policy: Path) -> None:
    """With every address here the start is allowed, and then nothing may come through a proxy."""
    settings = load(policy, {"GRAPH_BASE_URL": "http://LOCALHOST:5003/"}, LOCAL)
    assert settings.graph_base_url == "http://localhost:5003"
    assert settings.service_hosts == {"127.0.0.1"}
    assert settings.refuse_forwarded
    assert settings.custom_login_host
    assert settings.start_url is None


def _pem(folder: Path, *, other_key: bool = False) -> Path:
    key, signer = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ringfence")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=9))
    certificate = builder.public_key((signer if other_key else key).public_key()).sign(signer, SHA256())
    file = folder / "app.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file


def test_a_certificate_is_checked_at_the_start(policy: Path, tmp_path: Path) -> None:
    """A key with its certificate is taken; a certificate of another key is refused, and nothing is shown."""
    changes = {"MicrosoftAppPassword": None, "MicrosoftAppCertificatePath": str(_pem(tmp_path))}
    settings = load(policy, changes)
    assert settings.identity.certificate == tmp_path / "app.pem"
    assert not settings.identity.managed
    _pem(tmp_path, other_key=True)
    with pytest.raises(SettingsRefused, match="not the one of its key") as refused:
        load(policy, changes)
    assert "BEGIN" not in str(refused.value)


def test_graph_may_have_an_identity_of_its_own(policy: Path) -> None:
    """Set apart, the app that talks to Teams is not the one with power over phones; else one does both."""
    assert load(policy, {}).graph_identity == load(policy, {}).identity
    apart = load(policy, {"GRAPH_APP_ID": TENANT, "GRAPH_APP_PASSWORD": "another-secret"})
    assert (apart.app_id, apart.graph_identity.app_id) == (APP, TENANT)
    assert apart.graph_identity.secret.get_secret_value() == "another-secret"
    assert "another-secret" not in repr(apart)


def test_a_managed_identity_needs_no_credential(policy: Path) -> None:
    """Its id is enough, also for a second one that talks to Graph; both profiles are accepted."""
    managed = {"MicrosoftAppType": "UserAssignedMSI", "MicrosoftAppPassword": None}
    settings = load(policy, {**managed, "GRAPH_APP_ID": TENANT, "GRAPH_PROFILE": "default-guard"})
    assert settings.identity.managed
    assert settings.graph_identity.managed
    assert settings.graph_profile == "default-guard"


@pytest.mark.parametrize("name", sorted(CLOUDS))
def test_each_cloud_brings_its_own_hosts(policy: Path, name: str) -> None:
    """Choosing a cloud is enough: all addresses follow, and naming them again changes nothing."""
    settings = load(policy, {"CLOUD": name})
    cloud = CLOUDS[name]
    named = {
        "BOT_OPENID_METADATA_URL": settings.metadata_url,
        "BOT_TOKEN_ISSUER": settings.token_issuer,
        "SERVICE_URL_HOSTS": ",".join(settings.service_hosts),
        "LOGIN_BASE_URL": settings.login_base_url + "/",
        "GRAPH_BASE_URL": settings.graph_base_url + "/",
    }
    assert load(policy, {"CLOUD": name, **named}) == settings
    assert settings.service_hosts == cloud.service_hosts
    assert settings.graph_base_url == f"https://{cloud.graph_host}"


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_postgresql_means_psycopg(policy: Path, scheme: str) -> None:
    """Both spellings reach the same driver; the first key encrypts."""
    keys = f"new:{OTHER_KEY}, old:{KEY}"
    settings = load(policy, {"DATABASE_URL": POSTGRES.replace("postgresql", scheme), "DATA_KEYS": keys})
    assert settings.database.url == "postgresql+psycopg://bot:pw@db.internal/ringfence"
    assert settings.database.sqlite_path is None
    assert [key.id for key in settings.data_keys] == ["new", "old"]
    assert settings.data_keys[0].secret == bytes(range(1, 33))


def test_printing_settings_shows_no_secret(policy: Path) -> None:
    """A log line or a trace with the settings in it gives nothing away."""
    settings = load(policy, {"DATABASE_URL": POSTGRES, "DATA_KEYS": f"k1:{KEY}"})
    shown = f"{settings} {settings!r} {settings.data_keys} {settings.database}"
    for secret in (SECRET, "pw@", KEY, str(bytes(range(32)))):
        assert secret not in shown
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own bytes


def test_the_env_file_is_read_strictly(tmp_path: Path, policy: Path) -> None:
    """A misspelt, doubled or broken line in `.env` refuses the start and says where; values are not shown."""
    file = tmp_path / ".env"
    file.write_text(
        f"MicrosoftAppID={APP}\nREAD_ONLY=true\nREAD_ONLY=false\nLOG_LEVEL\nMicrosoftAppPasswort={SECRET}\n"
    )
    with pytest.raises(SettingsRefused) as refused:
        load_settings({**GOOD, "POLICY_FILE": str(policy)}, file)
    text = str(refused.value)
    assert [problem.where for problem in refused.value.problems] == [
        "MicrosoftAppID",
        "READ_ONLY",
        ".env, line 4",
        "MicrosoftAppPasswort",
    ]
    assert "Did you mean MicrosoftAppId?" in text
    assert "Did you mean MicrosoftAppPassword?" in text
    assert SECRET not in text


def test_the_environment_wins_over_the_env_file(tmp_path: Path, policy: Path) -> None:
    """What an operator sets for one run counts; an empty value does not; text is taken as it is written."""
    file = tmp_path / ".env"
    file.write_text(
        f"# mine\nMicrosoftAppId={APP}\nMicrosoftAppTenantId={TENANT}\nMicrosoftAppPassword='a${{HOME}}b#c'\n"
        f"PORT=4000\nexport LOG_LEVEL=DEBUG\nPOLICY_FILE={policy}\nCLOUD=\n"
    )
    settings = load_settings({"PORT": "4001", "LOG_LEVEL": ""}, file)
    assert (settings.port, settings.log_level, settings.cloud.name) == (4001, "DEBUG", "global")
    assert settings.identity.secret.get_secret_value() == "a${HOME}b#c"


def test_the_example_is_complete(policy: Path) -> None:
    """.env.example has only names that exist, and works once the three ids are filled in."""
    example = Path(__file__).parents[2] / ".env.example"
    settings = load_settings({**GOOD, "POLICY_FILE": str(policy)}, example)
    assert settings.app_id == APP
