"""Dead letters: work that was given up after three tries."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli.answers import AsJson, me, opened_house, show_rows, wrong

app = typer.Typer(help="Work that was given up.", no_args_is_help=True)
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="As shown by `deadletters list`.")]
All = Annotated[bool, typer.Option("--all", help="Every open one.")]


@app.command("list")
def list_letters(
    state: Annotated[str, typer.Option(help="open, replayed or dropped.")] = "open",
    limit: Annotated[int, typer.Option(help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What was given up and why.

    Example: leadswitch deadletters list
    """
    with opened_house() as house:
        rows = [
            {
                "id": one.id, "created_at": one.created_at, "queue": one.queue, "origin": one.origin, "reference": one.reference,
                "error": one.error, "state": one.state,
            }
            for one in house.deadletters.all(state, limit)
        ]  # fmt: skip
    show_rows(rows, as_json, f"There are no dead letters ({state}).")


@app.command()
def replay(ids: Ids = None, everything: All = False) -> None:
    """Try it again, once the cause is mended.

    Nothing that was done already is done twice.

    Example: leadswitch deadletters replay --all
    """
    from connector.letters import replay_letter

    with opened_house() as house:
        for letter_id in _chosen(ids, [one.id for one in house.deadletters.all(limit=10_000)] if everything else None):
            print(f"{letter_id}: {replay_letter(house, letter_id, me().label)}")


@app.command()
def drop(
    ids: Ids = None,
    everything: All = False,
    reason: Annotated[str, typer.Option(help="For the audit trail.")] = "",
) -> None:
    """Close it without doing the work.

    Example: leadswitch deadletters drop 7 --reason "test record"
    """
    from connector.letters import drop_letter

    with opened_house() as house:
        for letter_id in _chosen(ids, [one.id for one in house.deadletters.all(limit=10_000)] if everything else None):
            drop_letter(house, letter_id, me().label, reason or None)
            print(f"{letter_id}: dropped.")


def _chosen(ids: list[int] | None, everything: list[int] | None) -> list[int]:
    if bool(ids) == (everything is not None):
        wrong("Give either ids or --all.")
    return ids or everything or []
