"""Reading tables with care: every value that is wrong, misspelt or unknown becomes one problem that names its line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from allocation.terms import LEAST_WEIGHT, MOST, MOST_MINUTES, MOST_WEIGHT
from allocation.toml_lines import Path, line_of

Choice = TypeVar("Choice", bound=StrEnum)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it is and how to mend it."""

    line: int
    message: str


class PolicyError(ValueError):
    """The policy cannot be used. `str()` has one line a problem: `policy.toml:12: …`."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(f"{name}:{problem.line}: {problem.message}" for problem in self.problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` when something known is close, else the list of what is known when it is short."""
    options = sorted({str(option) for option in known})
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known: {', '.join(options)}" if 0 < len(options) <= 12 else ""


@dataclass
class Findings:
    """What was found while reading one policy. Warnings do not stop it."""

    lines: dict[Path, int]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def wrong(self, path: Path, message: str) -> None:
        """Note something that stops the policy from being used."""
        self.problems.append(Problem(line_of(self.lines, path), message))

    def odd(self, path: Path, message: str) -> None:
        """Note something that works, though hardly as meant."""
        self.warnings.append(Problem(line_of(self.lines, path), message))


class Table:
    """One table of the file while it is read. Ask for each key, then call `done`: what was not asked for is unknown."""

    def __init__(self, values: object, path: Path, findings: Findings) -> None:
        self.path = path
        self.findings = findings
        self.asked: set[str] = set()
        self.values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        if not isinstance(values, Mapping):
            findings.wrong(path, f"{shown(path)} must be a table")

    def wrong(self, key: str, message: str) -> None:
        """Note a problem with the value of `key`."""
        self.findings.wrong((*self.path, key), message)

    def raw(self, key: str) -> Any:
        """The value as it stands, or None."""
        self.asked.add(key)
        return self.values.get(key)

    def text(self, key: str) -> str | None:
        """A text that is not empty."""
        value = self.raw(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            self.wrong(key, f"{key} must be a text in quotes, not {value!r}")
            return None
        return value

    def flag(self, key: str) -> bool | None:
        """True or false."""
        value = self.raw(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, f"{key} must be true or false, not {value!r}")
            return None
        return value

    def number(self, key: str, low: float = 0.0, high: float = MOST) -> float | None:
        """A number within bounds (inclusive)."""
        value = self.raw(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            bounds = f"from {low:g} up" if high == MOST and not _beyond(value) else f"from {low:g} to {high:g}"
            self.wrong(key, f"{key} must be a number {bounds}, not {_shortly(value)}")
            return None
        return float(value)

    def weight(self, key: str) -> float | None:
        """A weight: 0 for none, else within bounds that keep sums and ratios of weights exact enough."""
        value = self.number(key, 0.0, MOST_WEIGHT)
        if value is not None and 0 < value < LEAST_WEIGHT:
            self.wrong(key, f"{key} must be 0 or from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}, not {value!r}")
            return None
        return value

    def minutes(self, key: str) -> float | None:
        """Minutes, at most a year."""
        return self.number(key, 0.0, MOST_MINUTES)

    def whole(self, key: str, low: int = 0) -> int | None:
        """A whole number, at least `low`."""
        value = self.number(key, low)
        if value is not None and value != int(value):
            self.wrong(key, f"{key} must be a whole number, not {value!r}")
            return None
        return None if value is None else int(value)

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts; one text alone is a list of one."""
        value = self.raw(key)
        if value is None:
            return None
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list | tuple) or not all(isinstance(item, str) and item.strip() for item in values):
            self.wrong(key, f'{key} must be a list of texts such as ["one", "two"], not {value!r}')
            return None
        return tuple(item.strip() for item in values)

    def choice(self, key: str, options: type[Choice]) -> Choice | None:
        """One word out of a closed list."""
        value = self.text(key)
        if value is None:
            return None
        try:
            return options(value)
        except ValueError:
            self.wrong(key, f'"{value}" is not a {key.replace("_", " ")}{did_you_mean(value, options)}')
            return None

    def words(self, key: str, known: Iterable[str]) -> tuple[str, ...] | None:
        """A list of words out of a closed list."""
        values, options = self.texts(key), tuple(known)
        for value in values or ():
            if value not in options:
                self.wrong(key, f'"{value}" is not known in {key}{did_you_mean(value, options)}')
        return None if values is None else tuple(value for value in values if value in options)

    def read(self, key: str, reader: Callable[[Any], Result]) -> Result | None:
        """What `reader` makes of the value; its ValueError becomes a problem."""
        value = self.raw(key)
        if value is None:
            return None
        try:
            return reader(value)
        except (ValueError, TypeError, AttributeError) as error:
            self.wrong(key, f"{key}: {error}")
            return None

    def table(self, key: str) -> Table:
        """A table below this one, empty when missing."""
        value = self.raw(key)
        return Table({} if value is None else value, (*self.path, key), self.findings)

    def tables(self, key: str) -> list[tuple[str, Table]]:
        """The named tables below `key`: `[teams.emea]`."""
        below = self.table(key)
        return [(name, below.table(name)) for name in below.values]

    def rows(self, key: str) -> list[Table]:
        """The tables of an array: `[[rules]]`."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self.wrong(key, f"{key} must be written as [[{key}]]")
            return []
        return [Table(row, (*self.path, key, place), self.findings) for place, row in enumerate(value)]

    def done(self) -> None:
        """Everything left over is a misspelt or unknown key."""
        for key in self.values:
            if key not in self.asked:
                where = f"in {shown(self.path)}" if self.path else "at the top"
                self.wrong(key, f'"{key}" is not a key {where}{did_you_mean(key, self.asked)}')


def _beyond(value: object) -> bool:
    """Whether this is a number too large for any use here."""
    return isinstance(value, int | float) and value > MOST


def _shortly(value: object) -> str:
    """The value as a message shows it: a number of many digits is not written out."""
    return "a number that large" if type(value) is int and _beyond(value) else repr(value)


def shown(path: Path) -> str:
    """A path as a person writes it: `rules[2].when`."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the file"
