"""Cells that would run in a spreadsheet, in rows and in headings."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from connector.spreadsheets import ErrorFile, csv_line, safe_cell


@pytest.mark.parametrize("cell", ["=1+1", "+SUM(A1)", "-2+3", "@cmd", "\tx", "\r=1", "=HYPERLINK(1)"])
def test_a_formula_is_shown_and_not_run(cell: str) -> None:
    assert safe_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Ada", "-5", "+4.5", "-1e3", "a=b", "'=1"])
def test_plain_text_and_numbers_stay(cell: str) -> None:
    assert safe_cell(cell) == cell


def test_a_line_is_one_record() -> None:
    assert csv_line(["a", None, 3, 'say "hi"\nthere', "=x"]) == 'a,,3,"say ""hi""\nthere",\'=x\r\n'


def test_headings_of_the_errors_file_do_not_run_either(tmp_path: Path) -> None:
    errors = ErrorFile.beside(tmp_path / "leads.csv.gz")
    errors.close()
    assert not errors.path.exists(), "no error, no file"
    errors.add(7, "too short", {"=cmd|calc": "+1+1", "Name": None, None: ["more"]})
    errors.close()
    assert errors.path.name == "leads.errors.csv"
    with errors.path.open(newline="") as file:
        assert list(csv.reader(file)) == [["line", "reason", "'=cmd|calc", "Name"], ["7", "too short", "'+1+1", ""]]
