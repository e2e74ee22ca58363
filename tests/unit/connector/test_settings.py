"""Settings: the file, the environment over it, secrets by reference, one clear line for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import Configuration
from connector.settings import read_settings, resolve_secret

FILE = """
bind = "127.0.0.1:9000"

[connections.hubspot-main]
adapter = "hubspot"
base_url = "https://api.hubapi.com"
token = "env:HUBSPOT_TOKEN"
webhook_secrets = ["env:HUBSPOT_SECRET", "file:old-secret"]
portal_id = 42

[slack]
bot_token = "env:SLACK_BOT_TOKEN"
"""
SECRETS = {"HUBSPOT_TOKEN": "pat-1", "HUBSPOT_SECRET": "s3cret", "SLACK_BOT_TOKEN": "xoxb-1"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "leadswitch.toml"
    path.write_text(FILE)
    (tmp_path / "old-secret").write_text("older\n")
    return path


def test_without_a_file_the_defaults_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read_settings({})
    assert settings.home == tmp_path / "var"
    assert settings.database == f"sqlite:///{tmp_path}/var/leadswitch.db"
    assert (settings.bind_host, settings.bind_port) == ("127.0.0.1", 8080)
    assert not settings.connections


def test_secrets_come_from_where_they_are_said_to_be(config: Path) -> None:
    connection = read_settings(SECRETS, config).connections["hubspot-main"]
    assert connection.name == "hubspot-main"
    assert connection.token is not None
    assert connection.token.get_secret_value() == "pat-1"
    assert [secret.get_secret_value() for secret in connection.webhook_secrets] == ["s3cret", "older"]
    assert connection.option("portal_id") == 42
    assert connection.option("absent", 7) == 7


def test_no_secret_shows_when_settings_are_printed(config: Path) -> None:
    shown = repr(read_settings(SECRETS, config))
    for secret in (*SECRETS.values(), "older"):
        assert secret not in shown


def test_the_environment_wins_over_the_file(config: Path) -> None:
    changed = {
        "LEADSWITCH_CONFIG": str(config),
        "LEADSWITCH_BIND": "127.0.0.1:9100",
        "LEADSWITCH_SLACK__CHANNEL": "#sales",
        "LEADSWITCH_CONNECTIONS__HUBSPOT_MAIN__BASE_URL": "http://127.0.0.1:4010",
        "LEADSWITCH_SOMEBODY_ELSES": "kept out",
    }
    settings = read_settings(SECRETS | changed)
    assert settings.bind_port == 9100
    assert settings.slack.channel == "#sales"
    assert settings.connections["hubspot-main"].base_url == "http://127.0.0.1:4010"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('bnid = "127.0.0.1:1"', "bnid"),
        ('bind = "127.0.0.1"', "bind: wants host:port"),
        ('bind = "127.0.0.1:70000"', "bind: wants host:port"),
        ("worker_threads = 'four'", "worker_threads"),
        ('[connections.a]\nbase_url = "https://x"', "connections.a.adapter"),
        ('[connections.a]\nadapter = "hubspot"\ntoken = "pat-in-clear"', "connections.a.token: A secret stands in clear"),
        (
            '[connections.a]\nadapter = "hubspot"\ntoken = "env:UNSET"',
            "connections.a.token: The environment variable UNSET is not set",
        ),
        (
            '[connections.a]\nadapter = "hubspot"\ntoken = "file:nowhere"',
            "connections.a.token: The secret file nowhere cannot be read",
        ),
        ("[slack\n", "leadswitch.toml"),
        ('[slack]\nmode = "pigeon"', "slack.mode"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "leadswitch.toml"
    path.write_text(text)
    with pytest.raises(Configuration) as raised:
        read_settings({}, path)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "pat-in-clear" not in str(raised.value)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Configuration, match="does not exist"):
        read_settings({"LEADSWITCH_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("reference", ["", "plain", "env:", "file:", "vault:x"])
def test_what_is_no_reference_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(Configuration):
        resolve_secret(reference, {}, tmp_path)
