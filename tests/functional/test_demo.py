"""`leadswitch demo --once`, small: every process of the product and of the sandbox, from nothing to a table that holds."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from connector.demo import Plan, run_demo


def test_a_small_campaign_ends_with_every_check_holding(tmp_path: Path) -> None:
    said = io.StringIO()
    plan = Plan(leads=40, events=400, seconds=10.0, history=400, digest_minutes=0)
    code = run_demo(True, plan, Console(file=said, width=160), tmp_path)
    printed = said.getvalue()
    assert code == 0, printed
    figures = json.loads(printed.splitlines()[-1])
    assert figures["ok"]
    assert (figures["leads"], figures["assigned"], figures["written_back"], figures["alerted"]) == (40, 40, 40, 40)
    assert (figures["lost"], figures["doubled"], figures["rejected"]) == (0, 0, 18)
