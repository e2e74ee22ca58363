"""Structured logs: one JSON line an event on stderr, with one id a lead event from webhook to Slack (`trace_id`)."""

from __future__ import annotations

import logging
import sys

import structlog

#: Keys that never reach a log, whoever passes them.
REFUSED = frozenset({"email", "phone", "first_name", "last_name", "token", "secret", "body", "payload", "fields", "text"})


def set_up_logs(level: str = "info") -> None:
    """Configure structlog and the standard library's loggers for this process."""
    number = getattr(logging, level.upper(), logging.INFO)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format='{"event": "%(message)s", "logger": "%(name)s", "level": "%(levelname)s"}'
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _refuse,
            structlog.processors.format_exc_info,
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
