"""The id that follows an event from its webhook to Slack: it stands in every log line of every stage, in every process.

It is bound while a delivery is worked off, travels with each doorbell that is rung meanwhile, and is kept with each outbox row.
Several events that end in one card or one write share that effect; its lines carry the id of the first that asked for it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import structlog

KEY = "trace_id"


def current() -> str | None:
    """The id that is bound in this thread or task."""
    found = structlog.contextvars.get_contextvars().get(KEY)
    return str(found) if found else None


def follow(trace_id: str | None) -> AbstractContextManager[None]:
    """Bind the id for a while; what is bound already stands when there is none to bind."""
    return structlog.contextvars.bound_contextvars(**({KEY: trace_id} if trace_id else {}))
