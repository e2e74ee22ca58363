"""The allocation policy: one validated file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector.cli.answers import AsJson, show_json, wrong

app = typer.Typer(help="The allocation policy.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="The policy; by default the configured one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Name every mistake with its line.

    Exit code 2 when there is one.

    Example: leadswitch policy check policy.toml
    """
    from allocation.policy import parse_policy
    from connector.settings import read_settings

    path = file or Path(read_settings().policy)
    if not path.exists():
        wrong(f"{path} does not exist; without a policy file the built-in policy stands. See docs/configuration.md.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        wrong(f"{path} is not UTF-8 text.")
    try:
        policy = parse_policy(text, str(path))
    except ValueError as error:  # its message names file, line and mistake
        if as_json:
            show_json({"ok": False, "error": str(error)})
        wrong(str(error))
    warnings = [f"{path}:{one.line}: {one.message}" for one in policy.warnings]
    if as_json:
        show_json({"ok": True, "version": policy.version, "warnings": warnings})
        return
    for warning in warnings:
        print(f"{warning} (a warning)")
    print(f"{path} holds; version {policy.version}.")
