"""`leadswitch connections test NAME --sample FILE`: what a map reads, before the source is switched on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = """
[connections.shop]
adapter = "mapped_json"
webhook_secrets = ["env:SHOP_SECRET"]

[connections.shop.map]
always = "form_submitted"
moment = "$.at"
[connections.shop.map.fields]
email = "$.who.mail"
"""


@pytest.fixture
def run(tmp_path: Path) -> Any:
    (tmp_path / "leadswitch.toml").write_text(CONFIG)

    def call(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "body.json").write_text(body)
        command = [sys.executable, "-m", "connector", "connections", "test", *arguments, "--sample", "body.json", "--json"]
        environment = {"PYTHONPATH": str(ROOT), "SHOP_SECRET": "a-long-secret", "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return call


def test_what_is_read_is_shown_and_nothing_is_stored(run: Any, tmp_path: Path) -> None:
    done = run('{"at": 1795000000, "who": {"mail": "ada@example.com"}}', "shop")
    assert done.returncode == 0, done.stderr
    lead, act = json.loads(done.stdout)
    assert (lead["is"], lead["kind"], lead["reads"]) == ("lead", "created", "email=ada@example.com")
    assert (act["is"], act["kind"], act["who"]) == ("act", "form_submitted", "ada@example.com")
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("body", "arguments", "code", "said"),
    [
        ('{"who": {"mail": "ada@example.com"}}', ("shop",), 1, "no moment"),
        ("not json", ("shop",), 1, "not JSON"),
        ("{}", ("shp",), 2, "no connection"),
        ("{}", (), 2, "which connection"),
    ],
)
def test_what_is_wrong_is_said(run: Any, body: str, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run(body, *arguments)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
