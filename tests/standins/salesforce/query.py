"""The part of SOQL that a client of leads needs: one object, conditions, an order and a limit. What it does not know it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Record = Mapping[str, Any]
Test = Callable[[Record], bool]

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')|(?P<moment>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<mark><=|>=|!=|[()=<>,])|(?P<word>[A-Za-z_][\w.]*))"
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Malformed(Exception):
    """Salesforce answers MALFORMED_QUERY, or INVALID_FIELD when `code` says so."""

    def __init__(self, message: str, code: str = "MALFORMED_QUERY") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    """A query that was understood. `fields` is empty for COUNT()."""

    thing: str
    fields: tuple[str, ...]
    test: Test
    order: tuple[str, ...]
    limit: int | None

    def run(self, records: Iterable[Record]) -> list[Record]:
        found = [record for record in records if self.test(record)]
        found.sort(key=lambda record: tuple(_comparable(record.get(name)) for name in self.order))
        return found[: self.limit]


def _comparable(value: Any) -> Any:
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value).timestamp()
    return value if value is not None else ""


class Parser:
    """Reads one query; `fields_of` gives the fields of an object that the caller may see, or None."""

    def __init__(self, text: str, fields_of: Callable[[str], Collection[str] | None]) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._fields_of = fields_of
        self._known: Collection[str] = ()
        at = 0
        text = text.strip()
        while at < len(text):
            found = TOKEN.match(text, at)
            if not found or not found.lastgroup:
                raise Malformed(f"unexpected token: {text[at : at + 10]}")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._tokens.append(("end", ""))

    def read(self) -> Query:
        self._word("SELECT")
        names = [self._name()]
        count = names == ["COUNT"] and self._mark("(") and self._mark(")")
        while self._mark(","):
            names.append(self._name())
        self._word("FROM")
        thing = self._name()
        known = self._fields_of(thing)
        if known is None:
            raise Malformed(f"sObject type '{thing}' is not supported.", "INVALID_TYPE")
        self._known = {*known, "Id"}
        fields = () if count else tuple(self._field(name) for name in names)
        test: Test = lambda record: True  # noqa: E731
        if self._is_word("WHERE"):
            test = self._any()
        order: list[str] = []
        if self._is_word("ORDER"):
            self._word("BY")
            order.append(self._field(self._name()))
            while self._mark(","):
                order.append(self._field(self._name()))
        limit = None
        if self._is_word("LIMIT"):
            limit = int(self._take("number"))
        self._take("end")
        return Query(thing, fields, test, tuple(order), limit)

    def _any(self) -> Test:
        tests = [self._all()]
        while self._is_word("OR"):
            tests.append(self._all())
        return lambda record: any(test(record) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._is_word("AND"):
            tests.append(self._one())
        return lambda record: all(test(record) for test in tests)

    def _one(self) -> Test:
        if self._mark("("):
            test = self._any()
            if not self._mark(")"):
                raise Malformed("a bracket is not closed")
            return test
        name = self._field(self._name())
        if self._is_word("IN"):
            return self._in(name)
        sign = self._take("mark")
        wanted = self._value()
        compare: dict[str, Callable[[Any, Any], bool]] = {
            "=": lambda a, b: a == b,
            ">": lambda a, b: a > b,
            ">=": lambda a, b: a >= b,
            "<": lambda a, b: a < b,
        }
        if sign not in compare:
            raise Malformed(f"unexpected token: {sign}")

        def test(record: Record) -> bool:
            held = record.get(name)
            if wanted is None or held is None:
                return held is wanted and sign == "="
            if isinstance(wanted, datetime):
                return compare[sign](datetime.fromisoformat(held), wanted)
            if name.endswith("Id") and sign == "=":
                return str(held)[:15] == str(wanted)[:15]
            return compare[sign](held, wanted)

        return test

    def _in(self, name: str) -> Test:
        if not self._mark("("):
            raise Malformed("IN wants a list")
        values = [self._value()]
        while self._mark(","):
            values.append(self._value())
        if not self._mark(")"):
            raise Malformed("a bracket is not closed")
        is_id = name.endswith("Id")
        wanted = {str(value)[:15] if is_id else value for value in values}
        return lambda record: (str(record.get(name))[:15] if is_id else record.get(name)) in wanted

    def _value(self) -> Any:
        kind, text = self._tokens.pop(0)
        if kind == "text":
            return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), text[1:-1])
        if kind == "moment":
            return datetime.fromisoformat(text)
        if kind == "number":
            return float(text)
        if kind == "word" and text.upper() in ("TRUE", "FALSE", "NULL"):
            return {"TRUE": True, "FALSE": False, "NULL": None}[text.upper()]
        raise Malformed(f"unexpected token: {text}")

    def _field(self, name: str) -> str:
        if name not in self._known:
            raise Malformed(f"No such column '{name}' on entity", "INVALID_FIELD")
        return name

    def _name(self) -> str:
        return self._take("word")

    def _take(self, kind: str) -> str:
        found, text = self._tokens.pop(0)
        if found != kind:
            raise Malformed(f"unexpected token: {text}")
        return text

    def _word(self, word: str) -> None:
        if self._take("word").upper() != word:
            raise Malformed(f"expecting {word}")

    def _is_word(self, word: str) -> bool:
        if self._tokens[0][0] == "word" and self._tokens[0][1].upper() == word:
            self._tokens.pop(0)
            return True
        return False

    def _mark(self, mark: str) -> bool:
        if self._tokens[0] == ("mark", mark):
            self._tokens.pop(0)
            return True
        return False
