"""The command line: exit codes, JSON, one clear line for a mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from connector.bootstrap import open_house
from connector.cli import app
from connector.settings import read_settings
from leads.records import RepRecord

Run = Callable[..., tuple[int, str, str]]


def commands() -> list[tuple[str, ...]]:
    """Every command there is, as words."""
    found: list[tuple[str, ...]] = []
    top = get_command(app)
    assert isinstance(top, typer.core.TyperGroup)
    for name, command in top.commands.items():
        inner = getattr(command, "commands", None)
        found += [(name, one) for one in inner] if inner else [(name,)]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(run: Run, words: tuple[str, ...]) -> None:
    code, out, _ = run(*words, "--help")
    assert code == 0
    assert re.search(rf"Example: leadswitch {' '.join(words)}\b", " ".join(out.split()))


@pytest.mark.parametrize("words", [words for words in commands() if words[-1] in ("list", "show", "verify")], ids=" ".join)
def test_whatever_lists_can_answer_in_json(run: Run, words: tuple[str, ...]) -> None:
    code, out, err = run(*words, "--json")
    if words == ("models", "show"):
        assert code == 1
        assert err == "leadswitch: No model is in use: leads are scored by rules.\n"
        return
    assert code == 0
    if words == ("policy", "show"):
        assert json.loads(out)["name"] == "Everybody in turn", "the built-in one is in force"
        return
    assert json.loads(out) in ([], {"ok": True, "rows": 0, "first_broken_row": None})


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("nonsense",), 2, "No such command"),
        (("tokens", "create", "--role", "king"), 2, "leadswitch: There is no role king"),
        (("tokens", "revoke", "7"), 1, "leadswitch: There is no live token 7."),
        (("deadletters", "replay"), 2, "leadswitch: Give either ids or --all."),
        (("deadletters", "replay", "9"), 1, "leadswitch: There is no open dead letter 9."),
        (("deadletters", "drop", "9"), 1, "leadswitch: There is no open dead letter 9."),
        (("inbox", "replay", "9"), 1, "1 of 1 could not be replayed"),
        (("reps", "set", "9", "weight=2"), 1, "leadswitch: There is no rep 9"),
        (("reps", "unlink", "9"), 1, "leadswitch: There is no rep 9"),
        (("reps", "set", "9"), 2, "Missing argument"),
        (("reps", "set", "9", "weight"), 2, "weight is not NAME=VALUE."),
        (("models", "show", "v9"), 1, "There is no model v9."),
        (("models", "rollback"), 1, "There is no earlier model."),
        (("policy", "check"), 2, "policy.toml does not exist"),
        (("connections", "backfill", "acme"), 2, "acme is not a CRM connection"),
        (("connections", "test", "acme"), 1, ""),
        (("import", "none.csv", "--map", "none.toml"), 2, "leadswitch: none.csv is not a file."),
        (("replay", "5"), 1, "There is no decision 5."),
        (("why", "nobody"), 1, "There is no lead nobody."),
    ],
)
def test_mistakes_have_a_code_and_one_line(run: Run, words: tuple[str, ...], code: int, says: str) -> None:
    got, _, err = run(*words)
    assert got == code
    assert says in err
    assert "Traceback" not in err


def test_a_configuration_mistake_is_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSWITCH_BIND", "nowhere")
    code, _, err = run("tokens", "list")
    assert (code, err) == (
        2,
        "leadswitch: leadswitch.toml: bind: wants host:port, such as 127.0.0.1:8080. See docs/configuration.md.\n",
    )


def test_a_token_is_shown_once_and_audited(run: Run) -> None:
    code, out, _ = run("tokens", "create", "--role", "ingest", "--name", "website", "--json")
    assert code == 0
    token = json.loads(out)["token"]
    code, listed, _ = run("tokens", "list", "--json")
    assert [one["name"] for one in json.loads(listed)] == ["website"]
    assert token not in listed
    assert run("tokens", "revoke", "1")[0] == 0
    assert run("tokens", "revoke", "1")[0] == 1
    _, trail, _ = run("audit", "show", "--json")
    assert [one["action"] for one in json.loads(trail)] == ["token.revoke", "token.create"]
    assert run("audit", "verify")[:2] == (0, "The audit trail holds: 2 rows.\n")


@pytest.fixture
def rep(tmp_path: Path) -> str:
    """A rep whom the CRM told of; the e-mail address."""
    house = open_house(read_settings({"LEADSWITCH_HOME": str(tmp_path / "var")}), migrate=True)
    house.reps.sync("crm", [RepRecord("7", "anna@example.com", "Anna", True)])
    house.close()
    return "anna@example.com"


def test_what_is_set_for_a_rep_is_kept_and_audited(run: Run, rep: str) -> None:
    code, out, _ = run("reps", "set", rep, "weight=0.5", 'languages=["de"]', "paused_until=2027-01-07", "team=emea", "--json")
    assert code == 0
    assert json.loads(out) | {"id": "1", "name": "Anna", "weight": 0.5, "languages": ["de"], "team": "emea"} == json.loads(out)
    code, out, _ = run("reps", "set", rep, "team=", "--json")
    assert "team" not in json.loads(out)
    _, out, _ = run("reps", "list", "--json")
    assert json.loads(out)[0]["settings"]["weight"] == 0.5
    _, trail, _ = run("audit", "show", "--json")
    assert [one["action"] for one in json.loads(trail)] == ["rep.set", "rep.set"]


@pytest.mark.parametrize("setting", ["weight=-1", "timezone=Mars/Olympus", "paused_until=soon", "languages=de", "nickname=Annie"])
def test_what_makes_no_sense_for_a_rep_is_refused(run: Run, rep: str, setting: str) -> None:
    code, _, err = run("reps", "set", rep, setting)
    assert code == 2
    assert err.startswith(f"leadswitch: {setting.partition('=')[0]}: ")


def test_lists_are_tab_separated_for_other_programs(run: Run) -> None:
    run("tokens", "create", "--role", "rep", "--name", "a b")
    _, out, _ = run("tokens", "list")
    head, row = out.splitlines()
    assert head.split("\t") == ["id", "name", "role", "created_at", "revoked_at"]
    assert row.split("\t")[1:3] == ["a b", "rep"]


def test_migrate_says_what_it_did(run: Run) -> None:
    code, out, _ = run("migrate")
    assert (code, out.splitlines()[0]) == (0, "applied 0001_initial")
    assert run("migrate") == (0, "The database is up to date.\n", "")
    assert run("migrate", "--quiet") == (0, "", "")
