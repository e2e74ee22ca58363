"""`leadswitch demo`: the whole product against stand-ins of the outside world, on this machine, with nothing to set up.

It starts the sandbox and Leadswitch itself, reads a made-up past out of the CRM, trains the first model on it, plays a campaign
and closes with a table: what should be, recomputed from what was sent, against what is, read over HTTP only.
"""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

import httpx
from rich.console import Console
from rich.table import Table

from connector.errors import Configuration
from connector.sandbox.show.acts import act_as_people
from connector.sandbox.show.children import ROOT, DemoFailed, last_lines
from connector.sandbox.show.live import Watch, watch_until_played
from connector.sandbox.show.stage import HUBSPOT, Stage
from connector.sandbox.show.verdict import Verdict, judge
from connector.sandbox.show.witness import Witness

SETTLE_S = 100.0  # for what is still under way after the campaign; the last digest comes up to a minute later
QUIET_S = 4.0
WORKED_POLICIES = ROOT / "docs" / "policies"


@dataclass(frozen=True)
class Plan:
    """How large a demo: the past, the campaign, and how long the campaign takes."""

    leads: int = 500
    events: int = 5_000
    seconds: float = 85.0
    history: int = 2_500
    seed: int = 7
    digest_minutes: float = 0.5
    policy: str | None = None  # the text of the policy; None for the built-in one


def main(once: bool = False, policy: str | None = None) -> int:
    """Entry of the command line: run the demo, return its exit code. `policy` is the name of a worked policy, or a file.

    Raises `Configuration` when there is no such policy, or it is wrong.
    """
    console = Console()
    plan = Plan(policy=read_policy_text(policy) if policy else None)
    return run_demo(once, plan, console if console.is_terminal else Console(width=120))


def read_policy_text(named: str) -> str:
    """The text of a worked policy, or of a policy file. Raises `Configuration`."""
    from allocation.policy import parse_policy

    worked = {path.stem: path for path in sorted(WORKED_POLICIES.glob("*.toml"))}
    path = worked.get(named, Path(named))
    try:
        text = path.read_text(encoding="utf-8")
        parse_policy(text, str(path))
    except OSError:
        raise Configuration(f"There is no policy {named}.", f"Name a file, or one of {', '.join(worked)}.") from None
    except ValueError as error:
        raise Configuration(str(error)) from None
    return text


def run_demo(once: bool, plan: Plan | None = None, console: Console | None = None, home: Path | None = None) -> int:
    """Run it. With `once` it stops by itself and returns 0 only if every check of the closing table holds; else it stays until
    Ctrl-C. Whatever happens, every child process is ended; its files are removed, unless something went wrong or the caller has
    given their `home`."""
    plan, console = plan or Plan(), console or Console()
    keep, home = home is not None, home or _new_home()
    stage = Stage(home, plan.seed)
    done = False
    try:
        with _stop_on_sigterm():
            code = _play(stage, plan, console, once)
        done = code == 0
        return code
    except KeyboardInterrupt:
        console.print("\nStopping.")
        done = True
        return 130 if once else 0
    except (DemoFailed, httpx.HTTPError) as failure:
        console.print(f"[bold red]The demo failed:[/] {type(failure).__name__}: {failure}", highlight=False)
        log = failure.log if isinstance(failure, DemoFailed) and failure.log else home / "logs" / "up.log"
        console.print(f"{log}\n{last_lines(log)}", highlight=False, markup=False, soft_wrap=True)
        return 1
    finally:
        stage.children.end(say=lambda text: console.print(text, highlight=False))
        if done and not keep:
            shutil.rmtree(home, ignore_errors=True)
        elif not done:
            console.print(f"Logs and database are kept in {home}", highlight=False)


def _play(stage: Stage, plan: Plan, console: Console, once: bool) -> int:
    began = time.monotonic()
    with _step(console, "Starting the sandbox: a CRM, an e-mail tool, Slack and an LLM"):
        stage.start_stand_ins(plan.history)
        stage.write_config(plan.digest_minutes, plan.policy)
    with _step(console, "Starting Leadswitch"):
        stage.start_service()
    desk = stage.url("slack")
    console.print(
        f"  [bold]Desk: [link={desk}]{desk}[/link][/]   (the CRM and Slack; click, accept, type /lead help)", highlight=False
    )
    with _step(console, "Setting up the CRM's custom properties"):
        stage.leadswitch("connections", "test", HUBSPOT, "--mend", "--json")
    with _step(console, f"Reading {plan.history:,} past contacts"):
        stage.leadswitch("connections", "backfill", HUBSPOT, show=True)
    with _step(console, "Training the first model"):
        stage.leadswitch("train", show=True)
    _tell_model(stage, console)
    witness = Witness(stage.url("crm"), stage.url("mail"), desk, stage.url("service"), stage.api_token())
    try:
        return _campaign(witness, plan, console, once, desk, began)
    finally:
        witness.close()


def _campaign(witness: Witness, plan: Plan, console: Console, once: bool, desk: str, began: float) -> int:
    since = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    watch = Watch(witness, plan.leads, plan.seconds, desk)
    console.print(f"\nCampaign: {plan.leads} leads, {plan.events:,} engagement events, {plan.seconds:.0f} s\n", highlight=False)
    order = {"leads": plan.leads, "events": plan.events, "seconds": plan.seconds}
    for stand_in in (witness.crm, witness.mail):
        witness.post(f"{stand_in}/sandbox/play", order)
    watch_until_played(watch, console, plan.seconds + 60)
    with _step(console, "Waiting for what is still under way"):
        _settle(witness, watch, plan, since)
    answers = []
    if once:
        with _step(console, "Clicking Accept, Pass and Reassign, and typing commands, as reps would"):
            answers = act_as_people(witness)
        _settle(witness, watch, plan, since)
    verdict = judge(witness.gather(since, plan.leads, answers))
    _print(verdict, console, time.monotonic() - began)
    if once:
        return 0 if verdict.ok else 1
    console.print(f"\nThe desk stays open at [bold]{desk}[/]. Ctrl-C ends it.", highlight=False)
    while True:
        time.sleep(1)


def _settle(witness: Witness, watch: Watch, plan: Plan, since: str) -> None:
    """Until CRM and chat have been quiet for a while and nothing is missing, or the time is up."""
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        watch.refresh()
        if watch.played and watch.quiet_for(QUIET_S):
            verdict = judge(witness.gather(since, plan.leads, []))
            if verdict.figures["lost"] == 0:
                return
        time.sleep(1)


def _tell_model(stage: Stage, console: Console) -> None:
    """One line on what was trained."""
    shown = json.loads(stage.leadswitch("models", "show", "--json"))
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in shown["metrics"].items() if isinstance(value, float))
    console.print(f"  Model {shown['version']}: {metrics}"[:300], highlight=False)


def _print(verdict: Verdict, console: Console, took_s: float) -> None:
    """The closing table, and its figures as one line of JSON."""
    table = Table(title=f"\nWhat should be, and what is (after {took_s:.0f} s)", title_justify="left")
    for name in ("", "check", "expected", "actual"):
        table.add_column(name, justify="right" if name in ("expected", "actual") else "left")
    for check in verdict.checks:
        mark = "[green]✓[/]" if check.ok else "[bold red]✗[/]" if check.counts else "[yellow]–[/]"
        table.add_row(mark, check.name, check.expected, check.actual)
    console.print(table)
    for check in verdict.checks:
        if not check.ok and check.examples:
            console.print(f"[red]{check.name}[/]: ", "; ".join(check.examples), highlight=False)
    counted = [check for check in verdict.checks if check.counts]
    bad = sum(not check.ok for check in counted)
    words = f"[bold red]{bad} of {len(counted)} checks do not hold.[/]"
    console.print("[bold green]Every check holds.[/]" if verdict.ok else words)
    console.print(json.dumps(verdict.figures | {"ok": verdict.ok, "took_s": round(took_s, 1)}), highlight=False, soft_wrap=True)


@contextmanager
def _step(console: Console, title: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    began = time.monotonic()
    console.print(f"{title} …", highlight=False)
    yield
    console.print(f"  [green]done[/] in {time.monotonic() - began:.1f} s", highlight=False)


@contextmanager
def _stop_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, so that no child outlives it."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _new_home() -> Path:
    """A new folder under var/demo."""
    parent = ROOT / "var" / "demo"
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%H%M%S-"), dir=parent))
