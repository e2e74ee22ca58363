"""The doctor against real servers that answer well or badly: every fault is named with how to mend it, and none is raised."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from connector.bootstrap import open_house
from connector.cli import main
from connector.doctor import examine
from connector.settings import read_settings
from connector.storage.db import Database
from leads.records import RepRecord
from leads.results import CheckResult

Look = Callable[..., dict[str, CheckResult]]


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]) -> Look:
    """`look(toml, NAME=value)` → every check by its name, in an installation of its own."""
    monkeypatch.chdir(tmp_path)
    port = free_port()

    def examined(toml: str = "", **environment: str) -> dict[str, CheckResult]:
        config = tmp_path / "leadswitch.toml"
        config.write_text(f'bind = "127.0.0.1:{port}"\n{toml}')
        settings = read_settings(environment, config)
        database = Database(settings.database)
        database.migrate()
        database.close()
        return {result.name: result for result in examine(settings)}

    return examined


@pytest.fixture
def late_server() -> Iterator[str]:
    """A server whose clock is ten minutes slow."""

    class Late(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Late) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_new_installation_is_well(look: Look) -> None:
    results = look()
    assert [result for result in results.values() if not result.ok] == []
    assert {"configuration", "home", "encryption keys", "database", "queue", "clock", "policy", "model", "slack", "llm"} <= set(
        results
    )
    assert "scored by rules" in results["model"].detail


def test_every_fault_says_how_to_mend_it(look: Look, tmp_path: Path, httpserver: HTTPServer, late_server: str) -> None:
    httpserver.expect_request("/v1/models").respond_with_data("", status=401)
    (tmp_path / "policy.toml").write_text('[teams.a]\nreps = ["*"]\n[[rules]]\nteam = "b"\n')
    (tmp_path / "var").mkdir()
    base = httpserver.url_for("/")
    results = look(
        f"""
        broker_url = "redis://127.0.0.1:1/0"
        [connections.odd]
        adapter = "acme"
        base_url = "{late_server}"
        [connections.mail]
        adapter = "sendgrid"
        [llm]
        api_key = "env:KEY"
        base_url = "{base}v1"
        """,
        KEY="secret-key",
    )
    bad = {name: result for name, result in results.items() if not result.ok}
    assert set(bad) == {"configuration", "queue", "clock", "policy", "odd", "mail", "llm"}
    assert all(result.mend for result in bad.values())
    assert "no vendor can reach" in bad["configuration"].detail
    assert "policy.toml:4" in bad["policy"].detail
    assert "There is no adapter called acme" in bad["odd"].detail
    assert "refuses the key (401)" in bad["llm"].detail
    assert not any("secret-key" in f"{result.detail}{result.mend}" for result in results.values())


def test_keys_that_others_can_read_are_a_fault(look: Look, tmp_path: Path) -> None:
    look()
    (tmp_path / "var" / "encryption.keys").chmod(0o644)
    assert look()["encryption keys"].mend.startswith("chmod 600")


def test_a_database_that_is_behind_is_a_fault(look: Look, tmp_path: Path) -> None:
    settings_home = tmp_path / "empty"
    results = {one.name: one for one in examine(read_settings({"LEADSWITCH_HOME": str(settings_home)}))}
    assert not results["database"].ok
    assert results["database"].mend == "leadswitch migrate"


def test_a_wrong_key_ring_stops_the_examination_there(tmp_path: Path) -> None:
    settings = read_settings({"LEADSWITCH_HOME": str(tmp_path), "LEADSWITCH_ENCRYPTION_KEYS": "k1:short"})
    last = list(examine(settings))[-1]
    assert (last.name, last.ok) == ("encryption keys", False)


@pytest.mark.parametrize(("policy", "code"), [("", 0), ("[teams.a]\nreps = []\n", 1)])
def test_the_command_tells_by_its_exit_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    free_port: Callable[[], int],
    policy: str,
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEADSWITCH_BIND", f"127.0.0.1:{free_port()}")
    if policy:
        (tmp_path / "policy.toml").write_text(policy)
    monkeypatch.setattr(sys, "argv", ["leadswitch", "migrate", "--quiet"])
    with pytest.raises(SystemExit):
        main()
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["leadswitch", "doctor", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    results = json.loads(capsys.readouterr().out)
    assert ended.value.code == code
    assert any(not result["ok"] for result in results) == bool(code)


def test_the_policy_is_held_against_the_reps_and_one_that_was_published_against_the_program(tmp_path: Path) -> None:
    settings = read_settings({"LEADSWITCH_HOME": str(tmp_path), "LEADSWITCH_POLICY": str(tmp_path / "policy.toml")})
    house = open_house(settings, migrate=True)
    house.reps.sync("crm", [RepRecord("7", "ann@example.com", "Ann", True)])
    (tmp_path / "policy.toml").write_text('[teams.a]\nreps = ["*"]\n[teams.far]\n')
    found = next(one for one in examine(settings) if one.name == "policy")
    assert found.ok
    assert "team far has no rep in the CRM" in found.detail
    house.policies.publish("v", "x", "[teams", "cli:x", "y")
    house.close()
    found = next(one for one in examine(settings) if one.name == "policy")
    assert not found.ok
    assert "the published one is not used" in found.detail
