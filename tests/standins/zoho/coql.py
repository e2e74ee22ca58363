"""Zoho's query language as far as a stand-in needs it: select, where with brackets in pairs, order by, limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

Test = Callable[[Mapping[str, Any]], bool]
WORDS = re.compile(r"\s*('[^']*'|[(),]|!=|>=|<=|[=<>]|[\w.]+)")
FORM = re.compile(
    r"select (?P<select>.+?) from (?P<module>\w+) where (?P<where>.+?)(?: order by (?P<order>.+?))?(?: limit (?P<limit>\d+))?$"
)


class BadQuery(Exception):
    """What Zoho answers with INVALID_QUERY."""


def run(text: str, modules: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The rows that a query selects. Raises `BadQuery`."""
    form = FORM.fullmatch(text)
    if form is None or form["module"] not in modules or int(form["limit"] or 200) > 2000:
        raise BadQuery(text)
    names = [name.strip() for name in form["select"].split(",")]
    if len(names) > 50:
        raise BadQuery("too many fields")
    words = [word.strip("'") if word.startswith("'") else word for word in WORDS.findall(form["where"])]
    test = _condition(words)
    if words:
        raise BadQuery("brackets do not pair")
    found = [row for row in modules[form["module"]] if test(row)]
    for order in reversed((form["order"] or "id asc").split(",")):
        name, _, way = order.strip().partition(" ")
        found.sort(key=lambda row: _comparable(row.get(name)), reverse=way == "desc")
    return [{name: row.get(name) for name in dict.fromkeys(["id", *names])} for row in found[: int(form["limit"] or 200)]]


def _condition(words: list[str]) -> Test:
    """One comparison, or two conditions in brackets joined by and/or: Zoho takes no third one without brackets of its own."""
    left = _operand(words)
    if words and words[0] in ("and", "or"):
        joint = words.pop(0)
        right = _operand(words)
        if joint == "and":
            return lambda row: left(row) and right(row)
        return lambda row: left(row) or right(row)
    return left


def _operand(words: list[str]) -> Test:
    if words[0] == "(":
        words.pop(0)
        inner = _condition(words)
        if not words or words.pop(0) != ")":
            raise BadQuery("brackets do not pair")
        return inner
    name, sign = words.pop(0), words.pop(0)
    if sign == "in":
        values = []
        words.pop(0)
        while (word := words.pop(0)) != ")":
            if word != ",":
                values.append(_comparable(word))
        if len(values) > 50:
            raise BadQuery("too many values")
        return lambda row: _comparable(_plain(row.get(name))) in values
    wanted = _comparable(words.pop(0))
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "=": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
    }
    if sign not in tests:
        raise BadQuery(sign)
    return lambda row: tests[sign](_comparable(_plain(row.get(name))), wanted)


def _plain(value: Any) -> Any:
    return value.get("id") if isinstance(value, Mapping) else value


def _comparable(value: Any) -> tuple[int, Any]:
    """Ids by number, moments by time, the rest as text."""
    text = str(value)
    if text.isdecimal():
        return 0, int(text)
    try:
        return 1, datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 2, text.lower()
