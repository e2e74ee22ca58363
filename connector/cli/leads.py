"""Leads in, models from them, and what they rest on: import, train, features."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from connector.cli.answers import AsJson, fail, opened_house, progress, show_facts, show_rows, wrong
from connector.cli.models import figures


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_file)
    for command in (train, features):
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
    from connector.pipeline.import_map import read_mapping
    from connector.pipeline.importing import run

    chosen = read_mapping(mapping, connection)
    with opened_house() as house, progress(f"Importing {file.name}") as report:
        done = run(house, file, chosen, report)
    show_facts(asdict(done), as_json)
    if done.rows and done.failed == done.rows:
        fail("No row could be read; see the errors file.")


def train(
    file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE.csv", help="An export of any CRM, instead of the stored leads.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="The file's column of the outcome.")] = None,
    won: Annotated[str | None, typer.Option(help="Its value for a won lead, where it is no common word.")] = None,
    order: Annotated[str | None, typer.Option(help="The column that rises with creation; # is the order of the rows.")] = None,
    keep: Annotated[list[str], typer.Option(help="Use this column whatever the leakage guard says of it; may be repeated.")] = [],  # noqa: B006
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="MAP.toml", help="A map that you looked over: use its columns.")
    ] = None,
    compare: Annotated[bool, typer.Option(help="Hold seven model families side by side; see `models compare`.")] = False,
    tune: Annotated[
        int, typer.Option(metavar="N", min=0, max=1_000, help="Try N recipes of the trees; wants the extra leadswitch[tune].")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Train a model and use it.

    It learns from the leads whose outcome is known and is judged on the newest of them. With --csv it learns from a file as it is:
    it finds out what the columns are, leaves out those that tell the outcome, and writes FILE.map.toml for you to look over.

    Example: leadswitch train --csv leads.csv --target Converted
    """
    if (file is None) != (target is None):
        wrong("--csv and --target go together.")
    for path in (file, mapping):
        if path is not None and not path.is_file():
            wrong(f"{path} is not a file.")
    from connector.pipeline import training, training_csv
    from scoring.past import NotEnough
    from scoring.tuning import NoTuner, check_tuner

    if tune:
        try:
            check_tuner()
        except NoTuner as error:
            fail(str(error))
    told: dict[str, Any] = {}
    with opened_house() as house, progress("Training") as report:
        try:
            if file is None or target is None:
                record = training.run(house, report, families=compare, tries=tune)
            else:
                done = training_csv.run_csv(
                    house, file, target, won=won, order=order, keep=keep, mapping=mapping, families=compare, tries=tune,
                    progress=report,
                )  # fmt: skip
                record = done.record
                told = {"map_file": str(done.map_file), "card": str(done.folder / "card.md"), "notes": list(done.notes)}
                told["left_out"] = [{"column": item.column, "why": item.why} for item in done.left_out]
        except NotEnough as error:
            fail(str(error))
    facts = {"version": record.version, "state": record.state, "created_at": record.created_at}
    if as_json:
        show_facts({**facts, **told, "metrics": dict(record.metrics)}, as_json)
        return
    show_facts({**facts, **figures(record.metrics)}, as_json)
    for note in told.get("notes", ()):
        print(f"inferred: {note}")
    for item in told.get("left_out", ()):
        print(f"left out: {item['column']}: {item['why']}")
    if told:
        print(f"The columns are written down in {told['map_file']}, the model card in {told['card']}.")


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
