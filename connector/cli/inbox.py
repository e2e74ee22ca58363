"""The inbox: every delivery as it came in, kept for replay."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli.answers import AsJson, fail, me, opened_house, show_rows, wrong

app = typer.Typer(help="Stored deliveries.", no_args_is_help=True)


@app.command("list")
def list_deliveries(
    state: Annotated[str | None, typer.Option(help="pending, done, unknown or dead.")] = None,
    connection: Annotated[str | None, typer.Option(help="Only of this connection.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What came in, without the bodies.

    Example: leadswitch inbox list --state unknown
    """
    with opened_house() as house:
        rows = [
            {
                "id": one.id, "received_at": one.delivery.received_at, "connection": one.connection, "state": one.state,
                "signed": one.signed, "bytes": len(one.delivery.body), "attempts": one.attempts, "error": one.error,
                "trace_id": one.trace_id,
            }
            for one in house.inbox.newest(state, connection, limit)
        ]  # fmt: skip
    show_rows(rows, as_json, "Nothing there.")


@app.command()
def replay(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="As shown by `inbox list`.")] = None,
    state: Annotated[str | None, typer.Option(help="Instead of ids: all in this state, such as unknown.")] = None,
) -> None:
    """Send deliveries through again.

    For example once an adapter has learnt a new event type.

    Example: leadswitch inbox replay --state unknown
    """
    from connector.letters import replay_delivery

    if bool(ids) == bool(state):
        wrong("Give either ids or --state.")
    with opened_house() as house:
        chosen = ids or [one.id for one in house.inbox.newest(state, limit=100_000)]
        done = sum(replay_delivery(house, one, me().label) for one in chosen)
    if done < len(chosen) and ids:
        fail(f"{len(chosen) - done} of {len(chosen)} could not be replayed: not there, or waiting already.")
    print(f"{done} deliveries go through the pipeline again.")
