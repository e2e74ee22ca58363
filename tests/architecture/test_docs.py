"""The documentation says what the code does: every setting, every command, every example."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.main import get_command

from allocation.policy import parse_policy
from connector.cli import app
from connector.pipeline.import_map import read_mapping
from connector.settings import ConnectionSettings, Settings, read_settings
from connector.storage.models import TABLES
from scoring.catalogue import render_catalogue
from webhooks.api.operations import OPERATIONS, STREAMS

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "connector").rglob("doc.md")])


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """Every fenced block: its language and its text."""
    yield from re.findall(r"^ *```(\w*)\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def keys(model: type[BaseModel]) -> list[str]:
    """Every key of a settings table."""
    return [name for name in model.model_fields if name not in ("name", "connections")]


def test_every_setting_is_explained() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    missing = []
    for name, field in Settings.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            assert f"## `[{name}]`" in page
            section = page.partition(f"## `[{name}]`")[2].partition("\n## ")[0]
            missing += [f"{name}.{key}" for key in keys(inner) if f"`{key}`" not in section]
        elif name != "connections" and f"| `{name}` |" not in page:
            missing.append(name)
    section = page.partition("## `[connections.NAME]`")[2].partition("\n## ")[0]
    missing += [f"connections.{key}" for key in keys(ConnectionSettings) if f"`{key}`" not in section]
    assert missing == []


def test_every_table_is_explained() -> None:
    page = (ROOT / "docs" / "database.md").read_text(encoding="utf-8")
    told = {name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert told == {table._meta.table_name for table in TABLES}  # type: ignore[attr-defined]


def test_no_setting_is_explained_that_is_not_there() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for table, model in [
        ("[scoring]", "scoring"),
        ("[write_back]", "write_back"),
        ("[limits]", "limits"),
        ("[llm]", "llm"),
        ("[slack]", "slack"),
    ]:
        section = page.partition(f"## `{table}`")[2].partition("\n## ")[0]
        told = {key for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
        annotation = Settings.model_fields[model].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        assert told == set(keys(annotation))


def test_every_command_that_a_page_names_exists() -> None:
    top = get_command(app)
    known = getattr(top, "commands", {})
    unknown = []
    for page in PAGES:
        for words in re.findall(
            r"leadswitch ([a-z]+(?: [a-z][a-z-]*)?)\b", re.sub(r"leadswitch/|/leadswitch", "", page.read_text(encoding="utf-8"))
        ):
            name, _, inner = words.partition(" ")
            if name not in known or (inner and hasattr(known[name], "commands") and inner not in known[name].commands):
                unknown.append(f"{shown(page)}: leadswitch {words}")
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not (page.parent / target).exists():
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_toml_block_is_toml(page: Path) -> None:
    for language, text in blocks(page):
        if language == "toml":
            indent = re.match(r" *", text)
            assert indent is not None
            tomllib.loads(re.sub(rf"^{indent.group()}", "", text, flags=re.MULTILINE))


def test_the_policies_of_the_documentation_hold() -> None:
    for language, text in blocks(ROOT / "docs" / "policy.md"):
        if language == "toml":
            parse_policy(text, "docs/policy.md")
    example = (ROOT / "examples" / "policy.toml").read_text(encoding="utf-8")
    assert parse_policy(example, "policy.toml").warnings == ()


def test_the_example_configuration_holds() -> None:
    secrets = dict.fromkeys(re.findall(r"env:(\w+)", (ROOT / "examples" / "leadswitch.toml").read_text(encoding="utf-8")), "x")
    settings = read_settings(secrets, ROOT / "examples" / "leadswitch.toml")
    assert set(settings.connections) == {"hubspot-main", "sendgrid-main"}
    named = set(re.findall(r"^#? ?(\w+)=", (ROOT / "examples" / "env").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(secrets) - {"OPENAI_API_KEY"} <= named


def test_the_example_map_holds_and_leaves_out_what_leaks() -> None:
    mapping = read_mapping(ROOT / "examples" / "x_education_map.toml")
    assert mapping.external_id == "Prospect ID"
    used = {*mapping.extra, *mapping.fields.values()}
    leaking = {"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity", "Converted"}
    assert not used & leaking
    assert not any(column.startswith("Asymmetrique") for column in used)


def test_every_call_of_the_api_is_told_with_its_role() -> None:
    told = re.findall(r"^\| `(\w+) /api/v1(\S+)` \| (\w+) \|", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    files = {("POST", one.path, one.role.value) for one in STREAMS}
    assert set(told) == {(one.method, one.path, one.role.value) for one in OPERATIONS} | files


def test_the_generated_pages_are_those_of_the_code(tmp_path: Path) -> None:
    """`make docs` writes both; a change of the code without it fails here."""
    assert (ROOT / "docs" / "features.md").read_text(encoding="utf-8") == render_catalogue()
    page = tmp_path / "cli.md"
    command = [sys.executable, "-c", "from typer.cli import main; main()", "connector.cli", "utils", "docs"]
    options = ["--name", "leadswitch", "--title", "The command line", "--output", str(page)]
    subprocess.run([*command, *options], check=True, capture_output=True, cwd=ROOT)
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == page.read_text(encoding="utf-8"), "run: make docs"
