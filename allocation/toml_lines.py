"""Where a key stands in a TOML file: the parser of the standard library does not say."""

from __future__ import annotations

import re
from typing import Final

Path = tuple[str | int, ...]

_KEY: Final = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_DOTTED: Final = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_TABLE: Final = re.compile(rf"^\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?$")
_ARRAY: Final = re.compile(rf"^\s*\[\[\s*({_DOTTED})\s*\]\]\s*(?:#.*)?$")
_ENTRY: Final = re.compile(rf"^\s*({_DOTTED})\s*=(.*)$")
_QUOTED: Final = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')


def line_numbers(text: str) -> dict[Path, int]:
    """The line (from 1) of every table header and key of a well-formed file, by path: ("rules", 0, "team").

    Keys inside inline tables are not listed; `line_of` answers with the key that holds them.
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    depth = 0  # of brackets of a value that runs over several lines
    for number, line in enumerate(text.splitlines(), 1):
        if depth > 0:
            depth += _depth(line)
        elif found := _ARRAY.match(line):
            name = _resolved(_keys(found[1]), counts)
            counts[name] = counts.get(name, -1) + 1
            table = (*name, counts[name])
            lines.setdefault(name, number)
            lines[table] = number
        elif found := _TABLE.match(line):
            table = _resolved(_keys(found[1]), counts)
            lines[table] = number
        elif found := _ENTRY.match(line):
            path = (*table, *_keys(found[1]))
            for end in range(len(table) + 1, len(path) + 1):
                lines.setdefault(path[:end], number)
            depth = _depth(found[2])
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a path, or of the nearest thing that holds it; 1 when nothing does."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1


def _keys(dotted: str) -> Path:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, dotted))


def _resolved(keys: Path, counts: dict[Path, int]) -> Path:
    """Put the current index behind every array of tables that the path runs through, except at its end."""
    path: Path = ()
    for place, key in enumerate(keys):
        path = (*path, key)
        if path in counts and place < len(keys) - 1:
            path = (*path, counts[path])
    return path


def _depth(value: str) -> int:
    bare = _QUOTED.sub("", value).split("#", 1)[0]
    return sum(bare.count(bracket) for bracket in "[{") - sum(bare.count(bracket) for bracket in "]}")
