"""Paths into JSON documents, as JSONPath writes the simple ones: `$.person.mails[0].address`, `items[*].id`, `a["odd name"]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

_STEP: Final = re.compile(r"""\.?([A-Za-z_$@][\w$@-]*)|\[(-?\d{1,6})\]|\[(\*)\]|\[(?:"([^"]*)"|'([^']*)')\]""")
#: A `[*]` looks at so many elements: a path finds a field and is no query language.
WIDEST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path. A step is a member's name, an element's number, or None for every element."""

    text: str
    steps: Sequence[str | int | None]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Raises ValueError with the place that cannot be read."""
        rest, at = text.strip(), 0
        rest = rest[1:] if rest.startswith(("$.", "$[")) or rest == "$" else rest
        steps: list[str | int | None] = []
        while at < len(rest):
            found = _STEP.match(rest, at)
            if found is None or (at == 0 and rest.startswith("..")):
                raise ValueError(f"the path {text!r} cannot be read from {rest[at : at + 12]!r} on")
            name, number, every, double, single = found.groups()
            quoted = double if double is not None else single
            steps.append(None if every else int(number) if number else name if name is not None else quoted)
            at = found.end()
        return cls(text, tuple(steps))

    def all(self, document: Any) -> Iterator[Any]:
        """Everything the path leads to."""
        return _walk(document, self.steps)

    def first(self, document: Any) -> Any:
        """The first thing there that says something, else None."""
        return next((one for one in self.all(document) if one not in (None, "", [], {})), None)


def _walk(value: Any, steps: Sequence[str | int | None]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, *rest = steps
    if step is None:
        for one in value[:WIDEST] if isinstance(value, list) else ():
            yield from _walk(one, rest)
    elif isinstance(step, int):
        if isinstance(value, list) and -len(value) <= step < len(value):
            yield from _walk(value[step], rest)
    elif isinstance(value, dict) and step in value:
        yield from _walk(value[step], rest)
