"""Structured logs: one JSON line an event on stderr: `trace_id` follows an event from its webhook to Slack.

The text of an exception that is not ours may quote what it was given, a person's address for example: only its type and where
it came from are written.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from types import TracebackType
from typing import Any

import structlog

from connector.errors import LeadswitchError

#: Keys that never reach a log, whoever passes them.
REFUSED = frozenset({"email", "phone", "first_name", "last_name", "token", "secret", "body", "payload", "fields", "text"})


def set_up_logs(level: str = "info") -> None:
    """Configure structlog and the standard library's loggers for this process."""
    number = getattr(logging, level.upper(), logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlainLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _refuse,
            _show_exception,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _refuse(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    for key in REFUSED & event.keys():
        event[key] = "(left out)"
    return event


def describe(error: BaseException) -> str:
    """The types of an exception and its causes, each with where it was raised; in full only what is ours and safe."""
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        lines += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(cause.__traceback__)]
        lines.append(f"{type(cause).__name__}: {cause}" if isinstance(cause, LeadswitchError) else type(cause).__name__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(lines)


def _show_exception(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    given: Any = event.pop("exc_info", None)
    error = (
        given
        if isinstance(given, BaseException)
        else given[1]
        if isinstance(given, tuple)
        else sys.exc_info()[1]
        if given
        else None
    )
    if error is not None:
        event["exception"] = describe(error)
    return event


class _PlainLines(logging.Formatter):
    """Lines of other people's loggers, in the form of ours."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"event": record.getMessage(), "logger": record.name, "level": record.levelname.lower()}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)

    def formatException(self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]) -> str:
        return describe(ei[1]) if ei[1] is not None else ""
