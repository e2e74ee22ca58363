"""CSV files as they come from and go to spreadsheets: packed or plain, with a byte-order mark, with cells that would run."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from connector.errors import Configuration

#: A cell that starts so is a formula to a spreadsheet, which would run it (OWASP, CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
#: How the headings of an errors file begin.
START = ["line", "reason"]
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")


def safe_cell(text: str) -> str:
    """The text as a spreadsheet shows it and never runs it. A plain number stays one."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(text) else text


def csv_line(cells: Sequence[object]) -> str:
    """One record with its line end, every cell safe."""
    written = io.StringIO()
    csv.writer(written).writerow([safe_cell("" if cell is None else str(cell)) for cell in cells])
    return written.getvalue()


def under_headings(headings: Sequence[str], cells: Sequence[str]) -> dict[str | None, Any]:
    """A row's cells by heading, as a spreadsheet shows them: what is missing is empty, cells without a heading are left out."""
    return dict(zip_longest(headings, cells[: len(headings)], fillvalue=""))


class CsvFile:
    """A CSV or CSV.gz, opened as (raw file for the position, text); a byte-order mark is dropped.

    What cannot be read within the `with` is a `Configuration` that names the file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> tuple[io.BufferedReader, io.TextIOBase]:
        self._raw = self._file.open("rb")
        packed = self._raw.peek(2)[:2] == b"\x1f\x8b"
        plain: Any = gzip.GzipFile(fileobj=self._raw) if packed else self._raw
        self._text = io.TextIOWrapper(plain, encoding="utf-8-sig", newline="")
        return self._raw, self._text

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._text.close()
        self._raw.close()
        if isinstance(error, UnicodeDecodeError):
            raise Configuration(f"{self._file.name} is not UTF-8.", "Save it as UTF-8.") from None
        if isinstance(error, EOFError | gzip.BadGzipFile | zlib.error):
            raise Configuration(f"{self._file.name} is cut short or not gzip.", "Pack it again.") from None
        if isinstance(error, csv.Error):
            raise Configuration(f"{self._file.name} is not a CSV file: {error}.", "Mend the file.") from None


class ErrorFile:
    """Rows that were set aside, with line and reason. Made when there is a first one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: io.TextIOWrapper | None = None

    @classmethod
    def beside(cls, file: Path) -> ErrorFile:
        """`leads.csv.gz` → `leads.errors.csv`."""
        return cls(file.with_name(f"{file.name.removesuffix('.gz').removesuffix('.csv')}.errors.csv"))

    def add(self, line: int, reason: str, row: Mapping[str | None, Any]) -> None:
        """Set a row aside; `row` is by heading."""
        named = {name: value for name, value in row.items() if name is not None}
        if self._handle is None:
            self._handle = self.path.open("w", encoding="utf-8", newline="")
            self._handle.write(csv_line([*START, *named]))
        self._handle.write(csv_line([line, reason, *(value or "" for value in named.values())]))

    def keep_up_to(self, line: int) -> None:
        """Go on with the file of a run that was cut off: keep the rows that it set aside up to this line.

        The last row may have been written in part. One up to `line` was not: it was flushed before that line was noted.
        """
        if line < 2 or not self.path.exists():
            return
        with self.path.open(encoding="utf-8", errors="replace", newline="") as handle:
            written = csv.reader(handle)
            headings = next(written, [])
            kept = [cells for cells in written if len(cells) == len(headings) and cells[0].isdecimal() and int(cells[0]) <= line]
        if headings[:2] != START or not kept:
            return
        part = self.path.with_name(f"{self.path.name}.part")
        with part.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows([headings, *kept])
        part.replace(self.path)
        self._handle = self.path.open("a", encoding="utf-8", newline="")

    def flush(self) -> None:
        """Let what was set aside so far outlive the process."""
        if self._handle is not None:
            self._handle.flush()

    def close(self) -> None:
        """Close the file if one was made."""
        if self._handle is not None:
            self._handle.close()
