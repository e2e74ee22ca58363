"""What is made of an export that nobody prepared, and what is said of one that cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.errors import Configuration
from connector.pipeline.exports import infer_roles, read_export, to_examples
from leads.enums import Outcome

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "leads.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_roles_are_found_by_values(tmp_path: Path) -> None:
    lines = [f"{1000 - row},2026-01-{1 + row % 28:02},{'web' if row % 2 else 'Select'},{row % 2}" for row in range(100)]
    export = read_export(write(tmp_path, "\n".join(["No,Created,Source,Won", *lines])))
    roles = infer_roles(export, "Won")
    assert roles.order == "Created"
    assert roles.dated
    assert roles.ids == ("No",)
    assert roles.columns == ("Source",)
    past = to_examples(export, roles, NOW)
    moments = [example.history.created_at for example in past]
    assert moments == sorted(moments)
    assert moments[0] == datetime(2026, 1, 1, tzinfo=UTC)
    assert {example.history.extra["Source"] for example in past} == {"web", None}  # "Select" is no answer
    assert sum(example.outcome is Outcome.WON for example in past) == 50


def test_a_falling_number_gives_the_order(tmp_path: Path) -> None:
    export = read_export(
        write(tmp_path, "\n".join(["No,X,Won", *(f"{9000 - row},{row},{'yes' if row % 3 else 'no'}" for row in range(60))]))
    )
    roles = infer_roles(export, "Won")
    assert roles.order == "No"
    past = to_examples(export, roles, NOW)
    assert [example.history.extra["X"] for example in past[:2]] == ["59", "58"]
    assert past[-1].history.created_at < NOW


def test_without_an_order_it_says_so(tmp_path: Path) -> None:
    export = read_export(write(tmp_path, "A,Won\nx,1\ny,0\n"))
    roles = infer_roles(export, "Won")
    assert roles.order is None
    assert "none found" in roles.notes[0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is empty"),
        ("A,A,Won\n1,2,1\n", "'A' stands twice"),
        ("A,,Won\n1,2,1\n", "no heading"),
        ("A;Won\n1;1\n", "not separated by commas"),
        ("A,Won\n1\n", "line 2: 1 cells under 2 headings"),
        ("A,Won\ncafé,1\n".encode("latin-1"), "not UTF-8"),
        ("A,Won\n1,1\n2,1\n", "holds '1' alone"),
        ("A,Won\n1,\n2,\n", "is empty"),
        ("A,Won\n1,0.73\n2,0.12\n", "'0.73' is neither won nor lost"),
        ("A,Other\n1,1\n", "no column 'Won'"),
        ("A,Won\n2026-01-05,1\n05/28/2026,0\n28.05.2026,0\n", "dates written in several ways"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, text: str | bytes, line: str) -> None:
    with pytest.raises(Configuration, match=line) as caught:
        infer_roles(read_export(write(tmp_path, text)), "Won")
    assert "\n" not in str(caught.value)


def test_a_float_label_of_nought_and_one_is_a_label(tmp_path: Path) -> None:
    roles = infer_roles(read_export(write(tmp_path, "A,Won\nx,1.0\ny,0.0\n")), "Won")
    assert (roles.won, roles.lost) == (frozenset({"1.0"}), frozenset({"0.0"}))


def test_a_person_says_what_won_is_called(tmp_path: Path) -> None:
    export = read_export(write(tmp_path, "A,Stage\nx,signed\ny,gone\nz,silent\n"))
    with pytest.raises(Configuration, match="neither won nor lost"):
        infer_roles(export, "Stage")
    roles = infer_roles(export, "Stage", won="signed")
    assert roles.lost == {"gone", "silent"}
    with pytest.raises(Configuration, match="no lead has the value 'bought'"):
        infer_roles(export, "Stage", won="bought")
