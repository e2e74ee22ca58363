"""Laying down a new adapter: a whole small one that passes the contract suite, to be made the vendor's own."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from connector.errors import Configuration

BLANK = Path(__file__).parent.parent / "blank_adapter"
NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")


def lay_down(name: str, title: str, into: Path | None, checkout: Path) -> list[Path]:
    """Write the folder, the fixtures and the tests of an adapter; returns what was written, and changes no file that is there.

    Without `into` they go into `checkout`, where the registry and the contract suite find them; with it they become a package of
    their own. Raises `Configuration`.
    """
    if not NAME.fullmatch(name):
        raise Configuration(f"{name!r} is no name for an adapter.", "Use small letters, digits and _, such as acme or acme_mail.")
    plan = _in_checkout(name, checkout) if into is None else _in_package(name, into)
    module = f"connector.adapters.{name}" if into is None else f"leadswitch_{name}"
    standing = next((target for target in plan.values() if target.exists()), None)
    if standing is not None:
        raise Configuration(f"{standing} is there already.", "Choose another name, or remove it first.")
    words = {
        "name": name,
        "title": title,
        "module": module,
        "dashed": name.replace("_", "-"),
        "upper": name.upper(),
        "class_name": "".join(part.title() for part in name.split("_")),
    }
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - no HTML
    for source, target in plan.items():
        text = source.read_text(encoding="utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(environment.from_string(text).render(words) if source.suffix == ".jinja" else text, encoding="utf-8")
    return list(plan.values())


def _in_checkout(name: str, checkout: Path) -> dict[Path, Path]:
    if not (checkout / "connector" / "adapters").is_dir() or not (checkout / "tests" / "fixtures").is_dir():
        raise Configuration("This is no checkout of Leadswitch.", "Give --into FOLDER to make a package of your own.")
    return _copied("adapter", checkout / "connector" / "adapters" / name) | _copied(
        "fixtures", checkout / "tests" / "fixtures" / name
    )


def _in_package(name: str, into: Path) -> dict[Path, Path]:
    plan = _copied("adapter", into / f"leadswitch_{name}") | _copied("fixtures", into / "tests" / "fixtures")
    plan[BLANK / "package" / "test_contract.py.jinja"] = into / "tests" / "test_contract.py"
    plan[BLANK / "package" / "pyproject.toml.jinja"] = into / "pyproject.toml"
    return plan


def _copied(part: str, folder: Path) -> dict[Path, Path]:
    sources = sorted(path for path in (BLANK / part).iterdir() if path.is_file())
    return {source: folder / source.name.removesuffix(".jinja") for source in sources}
