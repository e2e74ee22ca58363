"""How commands answer: a table for people, JSON for programs, a progress bar on a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from leads.enums import Role

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.commands import Actor

#: `report(done, text)`: the share done, 0–1, and what is being done.
Report = Callable[[float, str], None]

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value)


def show_json(answer: object) -> None:
    """One JSON document on stdout; moments as ISO 8601."""
    print(json.dumps(answer, ensure_ascii=False, indent=2, default=_plain))


def show_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, empty: str) -> None:
    """A list of equal mappings: their keys are the columns. `empty` is said when there are none."""
    if as_json:
        show_json(rows)
        return
    if not rows:
        print(empty)
        return
    if not sys.stdout.isatty():  # for grep, cut and awk: one row a line, tabs between
        for line in [list(rows[0]), *(list(row.values()) for row in rows)]:
            print("\t".join("" if value is None else _plain(value) for value in line))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if value is None else _plain(value)) for value in row.values()))
    Console().print(table)


def show_facts(facts: Mapping[str, Any], as_json: bool) -> None:
    """One thing: a line a fact."""
    if as_json:
        show_json(facts)
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):<{width}}  {'' if value is None else _plain(value)}")


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """A progress bar on a terminal; elsewhere a line at each quarter, on stderr."""
    if not sys.stderr.isatty():
        shown = -1

        def tell(done: float, text: str = "") -> None:
            nonlocal shown
            quarter = int(done * 4)
            if quarter > shown:
                shown = quarter
                print(f"{title}: {quarter * 25}% {text}".rstrip(), file=sys.stderr, flush=True)

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    title_column, what = TextColumn("{task.description}"), TextColumn("{task.fields[what]}")
    columns = (title_column, BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), what)
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=1.0, what="")

        def move(done: float, text: str = "") -> None:
            bar.update(task, completed=min(done, 1.0), what=text)

        yield move


@contextmanager
def counting(title: str, what: str) -> Iterator[Callable[[int, int | None], None]]:
    """As `progress`, for work whose size may not be known: `report(done, total)` with a total of None."""
    with progress(title) as report:

        def tell(done: int, total: int | None) -> None:
            of = f" of {total:,}" if total else ""
            report(done / total if total else 0.0, f"{done:,}{of} {what}")

        yield tell


@contextmanager
def opened_house() -> Iterator[House]:
    """The house of the settings, closed at the end. A new SQLite file is made ready; PostgreSQL is migrated on purpose only.

    Raises `Configuration`.
    """
    from connector import logs
    from connector.bootstrap import open_house
    from connector.errors import Configuration
    from connector.settings import read_settings

    logs.set_up_logs("warning")  # on stderr: stdout is for the answer
    house = open_house(read_settings())
    try:
        if house.db.pending_migrations():
            if not house.db.is_sqlite:
                raise Configuration("The database is not up to date.", "Run: leadswitch migrate")
            house.db.migrate()
        yield house
    finally:
        house.close()


def me() -> Actor:
    """Whoever runs the command: an admin, by the name of their account on this machine."""
    import pwd

    from connector.commands import Actor

    return Actor("cli", pwd.getpwuid(os.getuid()).pw_name, Role.ADMIN)


def fail(text: str) -> NoReturn:
    """End with one line and exit code 1."""
    print(f"leadswitch: {text}", file=sys.stderr)
    raise typer.Exit(1)


def wrong(text: str) -> NoReturn:
    """End with one line and exit code 2: the call itself is wrong."""
    print(f"leadswitch: {text}", file=sys.stderr)
    raise typer.Exit(2)
