"""`/healthz`: this process answers. `/readyz`: it could take a delivery now, and if not, what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse

from connector.bootstrap import House
from connector.errors import LeadswitchError
from connector.storage.intake import InboxWriter

#: A probe that takes longer has failed.
PROBE_SECONDS = 3.0
OK = "ok"


async def alive(request: Request) -> JSONResponse:
    """Whoever gets this answer reached a living process."""
    return JSONResponse({"status": OK})


class Readiness:
    """The probes behind `/readyz`."""

    def __init__(self, house: House, writer: InboxWriter) -> None:
        self._house = house
        self._writer = writer

    async def show(self, request: Request) -> JSONResponse:
        """200 with every part `ok`, or 503 that says which part is not and why."""
        names = ("database", "broker", "writer")
        probes = (self._probe(self._database), self._probe(self._broker), self._probe(self._intake))
        parts = dict(zip(names, await asyncio.gather(*probes), strict=True))
        ready = all(state == OK for state in parts.values())
        return JSONResponse({"status": OK if ready else "failing", "parts": parts}, 200 if ready else 503)

    async def _probe(self, probe: Callable[[], str]) -> str:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await asyncio.to_thread(probe)
        except TimeoutError:
            return f"no answer within {PROBE_SECONDS:g} s"
        except LeadswitchError as error:
            return str(error)
        except Exception as error:  # a probe that breaks is a part that fails, whatever broke it
            return type(error).__name__

    def _database(self) -> str:
        pending = self._house.db.pending_migrations()
        return f"{len(pending)} migrations are not applied: run `leadswitch migrate`" if pending else OK

    def _broker(self) -> str:
        return OK if self._house.queue.reachable() else "the broker does not answer"

    def _intake(self) -> str:
        return self._writer.failure or OK
