"""Leads that were found to be one person, and how to take that back."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli.answers import AsJson, fail, me, opened_house, show_rows

app = typer.Typer(help="Leads that were found to be one person.", no_args_is_help=True)


@app.command("list")
def list_merges(
    lead: Annotated[int | None, typer.Option(help="Only merges of this lead.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What was merged into what, how, and why.

    Example: leadswitch merges list --lead 12
    """
    with opened_house() as house:
        rows = [
            {
                "id": one.id, "at": one.at, "lead": one.keep_id, "merged": one.gone_id, "how": one.grounds.how,
                "probability": one.grounds.probability, "because": "; ".join(one.grounds.because), "undone_at": one.undone_at,
            }
            for one in house.leads.merges(lead, limit)
        ]  # fmt: skip
    show_rows(rows, as_json, "Nothing was merged.")


@app.command()
def undo(merge: Annotated[int, typer.Argument(metavar="ID", help="As shown by `merges list`.")]) -> None:
    """Make two leads of one again.

    Each takes back what was its own and is scored anew; the two are never merged again by themselves.

    Example: leadswitch merges undo 3
    """
    from connector.commands.merges import part_leads

    with opened_house() as house:
        done = part_leads(house, merge, me())
    if not done.ok:
        fail(done.text)
    typer.echo(done.text)
