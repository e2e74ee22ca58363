"""Each worked policy in the demo: no lead is lost or doubled under it, and simulating it gives back every owner."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from connector.demo import WORKED_POLICIES, Plan, read_policy_text, run_demo
from connector.errors import Configuration


def test_there_are_three_and_no_others_can_be_chosen() -> None:
    names = [path.stem for path in sorted(WORKED_POLICIES.glob("*.toml"))]
    assert names == ["enterprise", "regional", "startup"]
    with pytest.raises(Configuration, match="enterprise, regional, startup"):
        read_policy_text("nosuch")


@pytest.mark.parametrize("name", ["startup", "regional", "enterprise"])
def test_a_worked_policy_runs_and_its_simulation_gives_back_every_owner(tmp_path: Path, name: str) -> None:
    said = io.StringIO()
    plan = Plan(leads=20, events=60, seconds=4.0, history=200, digest_minutes=0, policy=read_policy_text(name))
    run_demo(True, plan, Console(file=said, width=160), tmp_path)  # so few leads that there may be no card to click every button on
    figures = next(json.loads(line) for line in said.getvalue().splitlines() if line.startswith("{"))
    assert {figures[name] for name in ("leads", "assigned", "written_back", "alerted")} == {20}, said.getvalue()
    assert (figures["lost"], figures["doubled"]) == (0, 0), said.getvalue()
    settings = {"LEADSWITCH_CONFIG": str(tmp_path / "leadswitch.toml"), "PATH": os.defpath, "HOME": str(tmp_path)}
    secrets = ("HUBSPOT_TOKEN", "HUBSPOT_SECRET", "SENDGRID_KEY", "SLACK_TOKEN", "SLACK_SECRET", "LLM_KEY")
    command = [sys.executable, "-m", "connector", "simulate", "--policy", str(tmp_path / "policy.toml"), "--since", "1d", "--json"]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**settings, **{f"SANDBOX_{key}": "x" for key in secrets}},
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["leads"] >= 20
    assert (told["moved"], told["moves"]) == (0, [])
    used = {rep["rep_id"] for rep in told["reps"] if rep["leads"]["now"]}
    assert 1 < len(used) <= 10
