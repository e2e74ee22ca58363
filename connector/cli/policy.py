"""The allocation policy: checked, put in force, and its history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from connector.cli.answers import AsJson, fail, me, opened_house, show_facts, show_json, show_rows, wrong

if TYPE_CHECKING:
    from allocation.policy import PolicyError
    from connector.bootstrap import House
    from connector.commands.policies import Checked

app = typer.Typer(help="The allocation policy.", no_args_is_help=True)

File = Annotated[Path | None, typer.Argument(metavar="[FILE.toml]", help="The policy; by default the configured one.")]


@app.command()
def check(file: File = None, as_json: AsJson = False) -> None:
    """Name every mistake with its line, and what is odd about it.

    Where there is a database, the reps it names, their hours and the leads they hold are looked at too. Exit code 2 when it has a
    mistake.

    Example: leadswitch policy check policy.toml
    """
    from allocation.policy import PolicyError
    from connector.commands.policies import check_policy

    path, text = _read(file)
    with known_house() as house:
        try:
            checked = check_policy(text, str(path), house)
        except PolicyError as error:
            _refuse(error, as_json)
        version = checked.policy.version
        in_force = house is not None and house.policies.newest_id() > 0 and house.policy.version == version
    if as_json:
        show_json({"ok": True, "version": version, "warnings": _lines(checked, path), "in_force": in_force})
        return
    for warning in _lines(checked, path):
        print(f"{warning} (a warning)")
    print(f"{path} holds; version {version}.")


@app.command()
def publish(
    file: File = None,
    why: Annotated[str, typer.Option("--why", help="Why it changes; kept with it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Put a policy in force.

    Every process takes it within seconds. Who and why are recorded; it holds until another is published.

    Example: leadswitch policy publish policy.toml --why "Vienna opens"
    """
    from allocation.policy import PolicyError
    from connector.commands.policies import publish_policy

    path, text = _read(file)
    with opened_house() as house:
        try:
            checked = publish_policy(house, text, str(path), me(), why)
        except PolicyError as error:
            _refuse(error, as_json)
    warnings = _lines(checked, path)
    if as_json:
        show_json({"ok": True, "version": checked.policy.version, "name": checked.policy.name, "warnings": warnings})
        return
    for warning in warnings:
        print(f"{warning} (a warning)")
    print(f'"{checked.policy.name}" is in force; version {checked.policy.version}.')


@app.command()
def history(as_json: AsJson = False) -> None:
    """Every policy that was published, the newest first: who, when and why.

    Example: leadswitch policy history
    """
    with opened_house() as house:
        found = house.policies.history()
        rows = [
            {
                "version": one.version, "name": one.name, "at": one.at, "by": one.actor, "why": one.reason,
                "in_force": place == 0,
            }
            for place, one in enumerate(found)
        ]  # fmt: skip
    show_rows(rows, as_json, "No policy was published: the configured file holds, or the built-in policy.")


@app.command()
def show(
    version: Annotated[str | None, typer.Argument(help="As listed by `policy history`; by default the one in force.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a published policy as it was.

    Where none was published, it is the configured file that is in force, or the built-in policy.

    Example: leadswitch policy show 3f9a > back.toml
    """
    with opened_house() as house:
        found = house.policies.find(version) if version else house.policies.newest()
        in_force, file = house.policy, Path(house.settings.policy)
    if found is None and version:
        fail(f"No policy {version} was published; see leadswitch policy history.")
    if found is None:
        text = file.read_text(encoding="utf-8") if file.exists() else "# The built-in policy; see docs/policy.md.\n"
        if as_json:
            show_facts({"version": in_force.version, "name": in_force.name, "at": None, "by": None, "text": text}, True)
        else:
            print(text, end="")
        return
    if as_json:
        show_facts({"version": found.version, "name": found.name, "at": found.at, "by": found.actor, "text": found.text}, True)
        return
    print(found.text, end="" if found.text.endswith("\n") else "\n")


def _read(file: Path | None) -> tuple[Path, str]:
    from connector.settings import read_settings

    path = file or Path(read_settings().policy)
    if not path.exists():
        wrong(f"{path} does not exist; without a policy file the built-in policy stands. See docs/configuration.md.")
    try:
        return path, path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        wrong(f"{path} is not UTF-8 text.")
    except OSError as error:
        wrong(f"{path} cannot be read ({error.strerror}).")


@contextmanager
def known_house() -> Iterator[House | None]:
    """The house when there is a database that can be asked; else None, and a line that says so: a file can be checked anywhere."""
    from connector.errors import LeadswitchError
    from connector.settings import read_settings
    from connector.storage.db import is_there

    if not is_there(read_settings().database):
        yield None
        return
    with ExitStack() as stack:
        try:
            house = stack.enter_context(opened_house())
        except LeadswitchError as error:
            typer.echo(f"leadswitch: reps were not looked at: {error}", err=True)
            house = None
        yield house


def _lines(checked: Checked, path: Path) -> list[str]:
    return [f"{path}:{line}: {message}" if line else f"{path}: {message}" for line, message in checked.warnings]


def _refuse(error: PolicyError, as_json: bool) -> NoReturn:
    if as_json:
        problems = [{"line": one.line, "message": one.message} for one in error.problems]
        show_json({"ok": False, "error": str(error), "problems": problems})
    wrong(str(error))
