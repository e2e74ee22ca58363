"""Connections: the configured accounts of CRMs and e-mail tools."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from connector.cli.answers import AsJson, counting, opened_house, show_facts, show_rows, wrong

app = typer.Typer(help="Configured accounts of CRMs and e-mail tools.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="CONNECTION", help="As in leadswitch.toml: [connections.CONNECTION].")]


@app.command("list")
def list_connections(as_json: AsJson = False) -> None:
    """Every connection and its webhook address.

    Example: leadswitch connections list
    """
    with opened_house() as house:
        rows = [
            {
                "name": name, "adapter": one.adapter, "kind": house.adapter(name).kind,
                "webhook": f"{house.settings.public_url.rstrip('/')}/webhooks/{name}", "calls": one.base_url or None,
                "secrets": len(one.webhook_secrets),
            }
            for name, one in house.settings.connections.items()
        ]  # fmt: skip
    show_rows(rows, as_json, "No connections yet: see README.md, or examples/leadswitch.toml.")


@app.command("test")
def check(
    name: Annotated[str | None, typer.Argument(metavar="[CONNECTION]", help="By default all of them.")] = None,
    mend: Annotated[bool, typer.Option("--mend", help="Create in the CRM what we need there, such as custom properties.")] = False,
    sample: Annotated[Path | None, typer.Option("--sample", help="Show what is read in this body of the source.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try credentials and webhook subscription.

    Permissions and custom properties too. With --sample nothing is called: the body in the file is read as a delivery would be, and
    what came of it is shown. Exit code 1 when something is wrong.

    Example: leadswitch connections test hubspot-main --mend
    """
    if sample is not None:
        _show_sample(name, sample, as_json)
    from connector.doctor import examine_connection

    with opened_house() as house:
        names = [name] if name else list(house.settings.connections)
        results = [(one, result) for one in names for result in examine_connection(house, one, mend=mend)]
    rows = [
        {"connection": one, "check": r.name, "ok": r.ok, "detail": r.detail, "mend": "" if r.ok else r.mend} for one, r in results
    ]
    show_rows(rows, as_json, "No connections yet: see README.md.")
    raise typer.Exit(0 if all(result.ok for _, result in results) else 1)


@app.command("new")
def lay_down_adapter(
    name: Annotated[str, typer.Argument(metavar="ADAPTER", help="Small letters, digits and _, such as acme.")],
    title: Annotated[str | None, typer.Option("--title", help="The vendor's name as people write it.")] = None,
    into: Annotated[Path | None, typer.Option("--into", help="Make it a package of your own in this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Begin an adapter for one more vendor.

    Lays down its folder, fixtures and tests, which pass the contract suite as they are; no file that is there is changed. In a
    checkout of Leadswitch they go beside the others. The guide is docs/adapters.md.

    Example: leadswitch connections new acme --title Acme
    """
    from connector.cli.new_adapter import lay_down
    from connector.registry import adapters

    if name in adapters():
        wrong(f"There is an adapter called {name} already.")
    written = lay_down(name, title or name.replace("_", " ").title(), into, Path.cwd())
    show_rows([{"written": str(path)} for path in written], as_json, "")


@app.command()
def backfill(name: Name, as_json: AsJson = False) -> None:
    """Read what the CRM has already.

    Owners, existing leads, their history and outcomes. Goes on where an interrupted run stopped.

    Example: leadswitch connections backfill hubspot-main
    """
    from connector.pipeline.backfill import run

    with opened_house() as house:
        _crm(name, house.crm_connections())
        with counting(f"Reading {name}", "leads") as report:
            read = run(house, name, report)
    show_facts(asdict(read), as_json)


@app.command()
def reconcile(name: Name, as_json: AsJson = False) -> None:
    """Take in what no webhook told us.

    Asks the CRM for what changed since the last time.

    Example: leadswitch connections reconcile hubspot-main
    """
    from connector.pipeline.reconcile import reconcile as run

    with opened_house() as house:
        _crm(name, house.crm_connections())
        with counting(f"Comparing {name}", "leads") as report:
            found = run(house, name, report)
    show_facts(asdict(found), as_json)


def _show_sample(name: str | None, path: Path, as_json: bool) -> NoReturn:
    """Read a body in a file with a connection's receiver, and show the events. Exit code 1 when one of them cannot be read."""
    from connector.cli.samples import read_sample

    if name is None:
        wrong("Say which connection the sample is for.")
    rows = read_sample(name, path)
    show_rows(rows, as_json, "Nothing is read in this body: it holds no events.")
    raise typer.Exit(0 if rows and all(row["is"] != "not read" for row in rows) else 1)


def _crm(name: str, crms: list[str]) -> None:
    if name not in crms:
        wrong(f"{name} is not a CRM connection; there are: {', '.join(crms) or 'none'}.")
