"""Playbooks: checked, tried on the past, put in force, and what they did."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from connector.cli.answers import AsJson, fail, me, opened_house, progress, show_json, show_rows, wrong
from connector.cli.policy import known_house
from connector.cli.scores import lead_id_of
from connector.cli.simulation import Since, span

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.playbooks.plan import Playbook
    from connector.playbooks.reading import PlaybookError, Playbooks

app = typer.Typer(help="Playbooks: when, if, then.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE.toml", help="The playbooks.")]


@app.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Name every mistake with its line.

    Where there is a database, the teams, webhooks, tools and features it names are looked at too. Exit code 2 when there is one.

    Example: leadswitch playbooks check docs/playbooks/hot-inbound.toml
    """
    from connector.commands.playbooks import check_playbooks
    from connector.playbooks.reading import PlaybookError

    text = _read(file)
    with known_house() as house:
        try:
            found = check_playbooks(text, str(file), house)
        except PlaybookError as error:
            _refuse(error, as_json)
    if as_json:
        show_json({"ok": True, "version": found.version, "playbooks": list(found.by_name)})
        return
    print(f"{file} holds: {', '.join(found.by_name)}; version {found.version}.")


@app.command()
def publish(
    file: File,
    why: Annotated[str, typer.Option("--why", help="Why they change; kept with them.")] = "",
    as_json: AsJson = False,
) -> None:
    """Put a file of playbooks in force.

    It replaces the one before: a playbook that it lacks stops where it is. Runs under way end as they began.

    Example: leadswitch playbooks publish playbooks.toml --why "a first one"
    """
    from connector.commands.playbooks import publish_playbooks
    from connector.playbooks.reading import PlaybookError

    text = _read(file)
    with opened_house() as house:
        try:
            found = publish_playbooks(house, text, str(file), me(), why)
        except PlaybookError as error:
            _refuse(error, as_json)
    if as_json:
        show_json({"ok": True, "version": found.version, "playbooks": list(found.by_name)})
        return
    print(f"In force: {', '.join(found.by_name)}; version {found.version}.")


@app.command("list")
def list_playbooks(as_json: AsJson = False) -> None:
    """The playbooks in force, and how many runs each had.

    Example: leadswitch playbooks list
    """
    with opened_house() as house:
        playbooks, counts = _in_force(house), house.playbooks.counts()
    rows = [
        {
            "name": one.name, "title": one.title, "when": one.when.on.value, "steps": len(one.steps), "enabled": one.enabled,
            **{state: counts.get((one.name, state), 0) for state in ("running", "done", "stopped")},
        }
        for one in playbooks.by_name.values()
    ]  # fmt: skip
    show_rows(rows, as_json, "No playbooks were published; see docs/playbooks.md.")


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="Only whether this one is in it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the file that is in force, as it was published.

    Example: leadswitch playbooks show > playbooks.toml
    """
    with opened_house() as house:
        playbooks = _in_force(house)
        published = house.playbooks.published()
    if name is not None and name not in playbooks.by_name:
        fail(f"There is no playbook {name} in force; see leadswitch playbooks list.")
    newest = published[0] if published else None
    if as_json:
        told = {"version": newest.version, "at": newest.at, "by": newest.actor, "why": newest.reason} if newest else {}
        chosen = [one for one in playbooks.by_name.values() if name in (None, one.name)]
        show_json([{"name": one.name, **told, "playbook": one.table} for one in chosen])
        return
    text = newest.text if newest else "# No playbooks were published; see docs/playbooks.md."
    print(text, end="" if text.endswith("\n") else "\n")


@app.command()
def runs(
    playbook: Annotated[str | None, typer.Option("--playbook", help="Only of this one.")] = None,
    lead: Annotated[str | None, typer.Option("--lead", help="Only of this lead, with every step.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What playbooks did.

    Example: leadswitch playbooks runs --lead 42
    """
    with opened_house() as house:
        if lead is not None:
            rows = lead_runs(house, lead_id_of(house, lead))
            rows = [row for row in rows if playbook in (None, row["playbook"])]
            if as_json:
                show_json(rows)
            else:
                show_runs(rows)
            return
        found = house.playbooks.newest(playbook, limit)
    rows = [
        {
            "run": run.id, "playbook": run.playbook, "lead": run.lead_id, "cause": run.cause.partition(":")[0], "state": run.state,
            "ended_as": run.ended_as, "step": run.position, "due_at": run.due_at, "started_at": run.started_at,
        }
        for run in found
    ]  # fmt: skip
    show_rows(rows, as_json, "No playbook ran.")


def lead_runs(house: House, lead_id: int) -> list[dict[str, Any]]:
    """Every run of a lead with its steps, the oldest first, as plain values."""
    from connector.commands.playbooks import playbook_history

    return [
        {
            "run": told.run.id, "playbook": told.run.playbook, "cause": told.cause, "state": told.run.state,
            "ended_as": told.run.ended_as, "due_at": told.run.due_at, "started_at": told.run.started_at,
            "steps": [{"at": one.at, "step": one.step, "result": one.result} for one in told.steps],
        }
        for told in playbook_history(house, lead_id)
    ]  # fmt: skip


def show_runs(rows: list[dict[str, Any]]) -> None:
    """The runs of a lead for people: a line a run, and one a step."""
    for row in rows:
        told = row["ended_as"] or (f"next step {row['due_at']:%Y-%m-%d %H:%M} UTC" if row["due_at"] else "")
        print(f"{row['started_at']:%Y-%m-%d %H:%M}  {row['playbook']} (by {row['cause']}): {row['state']}{', ' * bool(told)}{told}")
        for step in row["steps"]:
            print(f"  {step['at']:%Y-%m-%d %H:%M}  {step['step']}: {step['result']}")


@app.command("dry-run")
def try_out(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE.toml]", help="By default those in force.")] = None,
    since: Since = "30d",
    as_json: AsJson = False,
) -> None:
    """Who would have got what.

    Past leads are looked at as they stood whenever they were scored. Nothing is sent.

    Example: leadswitch playbooks dry-run playbooks.toml --since 30d
    """
    from connector.commands.playbooks import check_playbooks
    from connector.playbooks.dry_run import dry_run
    from connector.playbooks.reading import PlaybookError

    back, text = span(since), _read(file) if file else None
    with opened_house() as house, progress("Trying playbooks on past leads") as report:
        try:
            playbooks = _in_force(house) if text is None else check_playbooks(text, str(file), house)
        except PlaybookError as error:
            _refuse(error, as_json)
        chosen: list[Playbook] = [one for one in playbooks.by_name.values() if one.enabled]
        found = dry_run(house, chosen, house.clock.now() - back, report)
    rows = [{"at": one.at, "playbook": one.playbook, "lead": one.lead_id, "cause": one.cause} for one in found]
    counts = Counter(one.playbook for one in found)
    if as_json:
        show_json({"since": since, "runs": rows, "counts": {one.name: counts[one.name] for one in chosen}})
        return
    show_rows(rows, False, "No lead would have been taken in.")
    for one in chosen:
        steps = ", ".join(str(step.do) for step in one.steps if step.do)
        print(f"{one.name}: {counts[one.name]} runs, each of: {steps}", file=sys.stderr)


def _in_force(house: House) -> Playbooks:
    playbooks = house.playbook_shelf.current()
    if house.playbook_shelf.fault:
        fail(f"The published playbooks are not used: {house.playbook_shelf.fault}")
    return playbooks


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        wrong(f"{file} is not UTF-8 text.")
    except OSError as error:
        wrong(f"{file} cannot be read: {error.strerror}.")


def _refuse(error: PlaybookError, as_json: bool) -> NoReturn:
    if as_json:
        problems = [{"line": one.line, "message": one.message} for one in error.problems]
        show_json({"ok": False, "error": str(error), "problems": problems})
    wrong(str(error))
