"""Stand-ins for CRMs: small, stateful, and as strict as the vendor. `tests/functional/test_crm_journeys.py` runs over all of them.

A module `tests/standins/<adapter>.py` (or a package of that name) has a function `open_stand_in(clock) -> StandIn`. It speaks the
vendor's wire format and refuses what the vendor refuses: calls without a live token, more calls than allowed, batches that are too
big, fields and owners it does not know, rows that lack what they need. What a test says to it and reads of it is in canonical words
(`leads.fields`), with external ids as the adapter gives them.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.testing import StandingClock
from leads.records import FieldValue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Notice:
    """One webhook as the vendor sends it. `path` is what follows the connection's address: "", "/secret" or "?secret=…"."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class SeenTask:
    """One task of a lead. Vendors that keep a day alone show its first moment."""

    owner_id: str
    subject: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A lead as a person finds it in the CRM. `stage` is a LifecycleStage value, `tier` a Tier value; `notes` are bodies, `deals`
    titles."""

    owner_id: str | None
    score: int | None
    tier: str | None
    stage: str | None
    reasons: str | None = None
    tasks: Sequence[SeenTask] = ()
    notes: Sequence[str] = ()
    deals: Sequence[str] = ()


@dataclass(slots=True)
class Knobs:
    """What goes wrong. Nothing does, unless a test turns one."""

    drop: float = 0.0  # the share of webhooks that never arrive
    double: bool = False  # every webhook arrives twice
    shuffle: bool = False  # they arrive in disorder
    lose_answers: int = 0  # so many of the next calls that make something are carried out, and their answer is lost
    too_many: int = 0  # so many of the next calls are answered as the vendor answers too many
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def send(self, notices: Sequence[T]) -> list[T]:
        """What of these arrives, and in which order."""
        sent = [one for one in notices if self.chance.random() >= self.drop]
        if self.double:
            sent = [one for one in sent for _ in range(2)]
        if self.shuffle:
            self.chance.shuffle(sent)
        return sent


class StandIn(Protocol):
    """One vendor's CRM. Its moments come from the clock that it was opened with."""

    adapter: str  # the name of the adapter that talks to it
    app: ASGIApp
    knobs: Knobs
    owners: Sequence[str]  # ids of at least three people who may own leads
    unknown_owner: str  # an id in the vendor's form that nobody has
    changes: int  # of leads, tasks, notes and deals, by anybody
    impatient: int  # calls that came before the pause was over that an earlier answer asked for

    def connection(self, base_url: str) -> dict[str, Any]:
        """The connection's table, without its name: adapter, base_url, secrets and options."""
        ...

    def make_lead(self, **fields: FieldValue) -> str:
        """A person makes a lead; returns its external id. Takes canonical fields, `lifecycle_stage` and `owner_id` among them."""
        ...

    def edit_lead(self, external_id: str, **fields: FieldValue) -> None:
        """A person changes a lead."""
        ...

    def make_company(self, name: str, website: str, owner_id: str) -> str:
        """A person makes a company, of which no webhook tells; returns its id."""
        ...

    def see(self, external_id: str) -> Seen:
        """The lead as it is now."""
        ...

    def take_notices(self) -> list[Notice]:
        """The webhooks of all changes since the last time, also of our own writes, as the knobs let them through."""
        ...

    def expire_tokens(self) -> None:
        """From now on every access token given out before is refused."""
        ...


def stand_in_names() -> list[str]:
    """The adapters that have a stand-in in this package."""
    modules = (module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return sorted(name for name in modules if hasattr(importlib.import_module(f"{__name__}.{name}"), "open_stand_in"))


def open_stand_in(name: str, clock: StandingClock) -> StandIn:
    """The stand-in of an adapter, fresh."""
    opened: StandIn = importlib.import_module(f"{__name__}.{name}").open_stand_in(clock)
    return opened


def lose_answers(app: ASGIApp, knobs: Knobs, makes: Callable[[Scope], bool]) -> ASGIApp:
    """`app`, whose answers are lost behind a gateway's 504 for `knobs.lose_answers` calls of those that `makes` tells to make
    something."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not knobs.lose_answers or not makes(scope):
            await app(scope, receive, send)
            return
        knobs.lose_answers -= 1

        async def swallow(message: Message) -> None:
            return None

        await app(scope, receive, swallow)
        await send({"type": "http.response.start", "status": 504, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<html>Gateway Time-out</html>"})

    return answer


@contextlib.contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """The address of `app`, served on a free port of 127.0.0.1 by a thread of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="stand-in", daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise RuntimeError("the stand-in did not start")
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
