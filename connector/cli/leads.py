"""Leads in, models from them, and answers about them: import, train, why, replay, features."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli.answers import AsJson, fail, opened_house, progress, show_facts, show_json, show_rows, wrong
from connector.cli.models import figures

if TYPE_CHECKING:
    from connector.bootstrap import House


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_file)
    for command in (train, why, replay, features):
        app.command()(command)


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="CSV or CSV.gz, UTF-8, with a header row.")],
    mapping: Annotated[Path, typer.Option("--map", metavar="MAP.toml", help="Which column is which field; see docs/importing.md.")],
    connection: Annotated[str | None, typer.Option(help="Whose leads they are; instead of the map's own `connection`.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take in existing leads from a file.

    Row by row, whatever its size; repeating it changes nothing twice.

    Rows that cannot be read are written to FILE.errors.csv with the reason. Exit code 1 when no row could be read.

    Example: leadswitch import leads.csv.gz --map examples/x_education_map.toml
    """
    for path in (file, mapping):
        if not path.is_file():
            wrong(f"{path} is not a file.")
    from connector.pipeline.importing import read_mapping, run

    chosen = read_mapping(mapping, connection)
    with opened_house() as house, progress(f"Importing {file.name}") as report:
        done = run(house, file, chosen, report)
    show_facts(asdict(done), as_json)
    if done.rows and done.failed == done.rows:
        fail("No row could be read; see the errors file.")


def train(as_json: AsJson = False) -> None:
    """Train a model and use it.

    It learns from the leads whose outcome is known and is judged on the newest of them.

    Example: leadswitch train
    """
    from connector.pipeline.training import run
    from scoring.training import NotEnough

    with opened_house() as house, progress("Training") as report:
        try:
            record = run(house, report)
        except NotEnough as error:
            fail(str(error))
    facts = {"version": record.version, "state": record.state, "created_at": record.created_at}
    show_facts({**facts, "metrics": dict(record.metrics)} if as_json else {**facts, **figures(record.metrics)}, as_json)


def why(
    lead: Annotated[str, typer.Argument(metavar="LEAD", help="Id, e-mail address, name, or the CRM's id.")],
    as_json: AsJson = False,
) -> None:
    """Why a lead went where it went.

    The score's reasons and each rep's verdict.

    Example: leadswitch why 42
    """
    from connector.commands import why as ask

    with opened_house() as house:
        answer = ask(house, _lead_id(house, lead))
    if answer is None:
        fail(f"Nothing was decided about {lead} yet.")
    if as_json:
        show_json(asdict(answer))
        return
    print(f"Lead {answer.lead_id}: {answer.because}")
    print(f"Decision {answer.decision_id} at {answer.at}, by {answer.method}, policy {answer.policy_version}.")
    if answer.score:
        print(f"Score {answer.score.score} (tier {answer.score.tier.value.upper()}) by {answer.score.model_version}:")
        for reason in answer.score.reasons:
            print(f"  {'+' if reason.contribution > 0 else '-'} {reason.text}")
    rows = [
        {
            "rep": answer.rep_names.get(verdict.rep_id, verdict.rep_id), "verdict": verdict.kind.value, "rank": verdict.rank,
            "gate": verdict.gate.value if verdict.gate else None, "detail": verdict.detail,
        }
        for verdict in answer.verdicts
    ]  # fmt: skip
    show_rows(rows, False, "No rep was considered.")


def replay(
    decision: Annotated[int, typer.Argument(metavar="DECISION", help="As shown by `why`.")],
    as_json: AsJson = False,
) -> None:
    """Make a past decision again.

    From its stored record alone; exit code 1 when it comes out otherwise.

    Example: leadswitch replay 17
    """
    from allocation.replay import replay as again

    with opened_house() as house:
        stored = house.decisions.get(decision)
    if stored is None:
        fail(f"There is no decision {decision}.")
    made = again(stored.record)
    same = (made.outcome, made.rep_id) == (stored.outcome, stored.rep_id)
    facts: dict[str, Any] = {
        "decision": decision, "same": same, "then": stored.rep_id, "now": made.rep_id,
        "outcome": made.outcome.value, "because": made.because,
    }  # fmt: skip
    show_facts(facts, as_json)
    if not same:
        fail(f"Decision {decision} comes out otherwise today.")


def features(
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The page for docs/features.md.")] = False,
) -> None:
    """Every feature of the score.

    Group, type, meaning, source, and what happens when it is missing.

    Example: leadswitch features
    """
    from scoring.catalogue import CATALOGUE, render_catalogue

    if markdown:
        print(render_catalogue(), end="")
        return
    columns = ("name", "group", "type", "meaning", "source", "missing")
    rows = [{column: str(getattr(one, column)) for column in columns} for one in CATALOGUE.values()]
    show_rows(rows, as_json, "There are no features.")


def _lead_id(house: House, named: str) -> int:
    """The id of the one lead that `named` means."""
    from connector.commands import find_leads

    found = find_leads(house, named)
    if not found:
        fail(f"There is no lead {named}.")
    if len(found) > 1:
        names = ", ".join(f"{one.id} ({one.name})" for one in found)
        fail(f"{named} may be one of: {names}. Give the id.")
    return found[0].id
