"""The audit trail: who did what, when and why; append-only and hash-chained."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli.answers import AsJson, fail, opened_house, show_facts, show_rows

app = typer.Typer(help="The audit trail.", no_args_is_help=True)


@app.command()
def show(
    lead: Annotated[int | None, typer.Option(help="Only acts about this lead.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest acts first.

    Example: leadswitch audit show --lead 42
    """
    with opened_house() as house:
        rows = [
            {
                "id": entry.id, "at": entry.at, "actor": entry.actor, "action": entry.action, "subject": entry.subject,
                "lead": entry.lead_id, "reason": entry.reason, "sealed": entry.sealed,
            }
            for entry in house.audit.entries(lead_id=lead, limit=limit)
        ]  # fmt: skip
    show_rows(rows, as_json, "The audit trail is empty.")


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Walk the hash chain.

    Exit code 1 when a row was changed, removed or put in.

    Example: leadswitch audit verify
    """
    with opened_house() as house:
        while house.audit.seal():
            pass
        held, broken = house.audit.verify()
    if as_json:
        show_facts({"ok": broken is None, "rows": held, "first_broken_row": broken}, as_json)
    if broken is not None:
        fail(f"The audit trail is broken at row {broken}, after {held} rows that hold: somebody changed, removed or inserted rows.")
    if not as_json:
        print(f"The audit trail holds: {held} rows.")
