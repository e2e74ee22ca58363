"""What a lead scores and why: score a file, explain one lead."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli.answers import AsJson, fail, opened_house, progress, show_facts, show_json, show_rows, wrong

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.commands import Why
    from scoring.appraisal import Appraisal


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (score, why):
        app.command()(command)


def score(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="CSV or CSV.gz, UTF-8, with a header row.")],
    out: Annotated[Path | None, typer.Option(metavar="OUT.csv", help="Where the scores go; default FILE.scored.csv.")] = None,
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="MAP.toml", help="Which column is which field; default by the headings.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score the leads of a file.

    The file comes back with score, probability, tier, priority and reasons beside its own columns. Nothing is stored. Rows that
    cannot be read are written to FILE.errors.csv with the reason. Exit code 1 when no row could be read.

    Example: leadswitch score leads.csv
    """
    for path in (file, *([mapping] if mapping else [])):
        if not path.is_file():
            wrong(f"{path} is not a file.")
    from connector.pipeline.import_map import read_mapping

    target = out or file.with_name(f"{file.name.removesuffix('.gz').removesuffix('.csv')}.scored.csv")
    if target.resolve() == file.resolve():
        wrong("The scores cannot be written into the file they are made from; name another with --out.")
    chosen = read_mapping(mapping) if mapping else None
    with opened_house() as house, progress(f"Scoring {file.name}") as report:
        facts = _score_file(house, file, target, chosen, report)
    show_facts(facts, as_json)
    if facts["rows"] and facts["failed"] == facts["rows"]:
        fail("No row could be read; see the errors file.")


def _score_file(house: House, file: Path, target: Path, mapping: Any, report: Any) -> dict[str, Any]:
    """Write the scored file whole or not at all; returns what to show."""
    from connector.pipeline.score_file import LeadSheet, out_headings, score_rows
    from connector.spreadsheets import CsvFile, ErrorFile, csv_line, under_headings

    size = max(file.stat().st_size, 1)
    errors = ErrorFile.beside(file)
    unfinished = target.with_name(f".{target.name}.part")
    rows = failed = 0
    version = source = None
    try:
        with CsvFile(file) as (raw, text), unfinished.open("w", encoding="utf-8", newline="") as made:
            sheet = LeadSheet(text, mapping)
            made.write(csv_line(out_headings(sheet)))
            for row in score_rows(house, sheet):
                rows += 1
                if row.answer is None:
                    failed += 1
                    errors.add(row.line, row.error, under_headings(sheet.headings, row.cells))
                else:
                    version, source = row.answer.appraisal.score.model_version, row.answer.source
                    made.write(csv_line([*row.cells, *row.added()]))
                report(min(raw.tell() / size, 1.0), f"{rows:,} rows")
        unfinished.replace(target)
    finally:
        errors.close()
        unfinished.unlink(missing_ok=True)
    report(1.0, f"{rows:,} rows")
    facts = {"rows": rows, "scored": rows - failed, "failed": failed, "out": str(target)}
    return {**facts, "errors_file": str(errors.path) if failed else None, "model_version": version, "source": source}


def why(
    lead: Annotated[str, typer.Argument(metavar="LEAD", help="Id, e-mail address, name, or the CRM's id.")],
    as_json: AsJson = False,
) -> None:
    """Why a lead went where it went.

    The score's reasons and each rep's verdict; what playbooks did; then, as of now, what to do next, what would lift it, and which
    past leads were like it.

    Example: leadswitch why 42
    """
    from connector.cli.playbooks import lead_runs, show_runs
    from connector.commands import why as ask

    with opened_house() as house:
        lead_id = lead_id_of(house, lead)
        answer = ask(house, lead_id)
        if answer is None:
            fail(f"Nothing was decided about {lead} yet.")
        history = house.histories.at(answer.lead_id, house.clock.now())
        told = house.appraiser.one(history).appraisal if history else None
        runs = lead_runs(house, answer.lead_id)
    if as_json:
        show_json({**asdict(answer), "playbooks": runs, "now": _now(told) if told else None})
        return
    _show_decision(answer)
    show_runs(runs)
    if told:
        _show_now(told)


def _show_decision(answer: Why) -> None:
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
    for why in answer.set_aside:
        print(f"Not counted: {why}.")
    if answer.ask_next:
        print(f"Worth asking: {answer.ask_next}")


def _show_now(told: Appraisal) -> None:
    print(f"Now: score {told.score.score}, fit {told.fit}, intent {told.intent}, priority {told.priority}.")
    if told.expected_value is not None:
        print(f"Expected value: {told.expected_value:,.2f}.")
    if told.next_step:
        print(f"Next: {told.next_step.text}")
    if told.best_time:
        print(f"Best time: {told.best_time.start:%A %H:%M} UTC ({told.best_time.text}).")
    if told.lift:
        print(f"Lift: {told.lift.text}.")
    for near in told.look_alikes:
        days = round(near.days_to_outcome)
        print(f"Like lead {near.look.lead_id} ({near.similarity:.0%} alike), {near.look.outcome.value} {days} days later.")


def _now(told: Appraisal) -> dict[str, Any]:
    """What stands now, for programs."""
    return {
        "score": told.score.score,
        "probability": told.score.probability,
        "tier": told.score.tier.value,
        "priority": told.priority,
        "fit": told.fit,
        "intent": told.intent,
        "trend": told.trend,
        "expected_value": told.expected_value,
        "next_step": asdict(told.next_step) if told.next_step else None,
        "best_time": asdict(told.best_time) if told.best_time else None,
        "would_lift": asdict(told.lift) if told.lift else None,
        "similar_leads": [
            {
                "lead_id": near.look.lead_id,
                "outcome": near.look.outcome.value,
                "similarity": near.similarity,
                "days_to_outcome": round(near.days_to_outcome, 1),
            }
            for near in told.look_alikes
        ],
    }


def lead_id_of(house: House, named: str) -> int:
    """The id of the one lead that `named` means."""
    from connector.commands import find_leads

    found = find_leads(house, named)
    if not found:
        fail(f"There is no lead {named}.")
    if len(found) > 1:
        names = ", ".join(f"{one.id} ({one.name})" for one in found)
        fail(f"{named} may be one of: {names}. Give the id.")
    return found[0].id
