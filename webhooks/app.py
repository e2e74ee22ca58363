"""The web process: webhooks, Slack's requests, the API, health and metrics, in one ASGI application."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router

from connector.bootstrap import House, open_house
from connector.logs import set_up_logs
from connector.settings import read_settings
from connector.storage.census import take_census
from connector.storage.intake import BATCH_ROWS, Arrival, InboxWriter, Ring
from webhooks import health
from webhooks.allocation_metrics import OverrideCollector
from webhooks.api import make_api, show_openapi
from webhooks.api.docs import show_docs, show_style
from webhooks.entrances import Entrances
from webhooks.front import Front
from webhooks.inbound import Inbound
from webhooks.metrics import CensusCollector, CrmCollector, IntakeMetrics, ScoreCollector, make_metrics_endpoint
from webhooks.problems import Problem
from webhooks.slack import SLACK, slack_routes, slack_socket

log = structlog.get_logger(__name__)


def create_app(house: House | None = None, *, batch_rows: int = BATCH_ROWS) -> Front:
    """The application; uvicorn calls it as a factory. Without a house it builds one from the settings and closes it at the end.

    `batch_rows` bounds how many deliveries share a commit. Raises `Configuration`.
    """
    owned = house is None
    if house is None:
        settings = read_settings()
        set_up_logs(settings.log_level)
        house = open_house(settings)
    registry = CollectorRegistry()
    metrics = IntakeMetrics(registry)
    writer = InboxWriter(house.db, house.vault, _ring_for(house), observe=metrics.observe_commit, batch_rows=batch_rows)
    _register_collectors(registry, house, writer)
    entrances = Entrances(house.settings, house.adapter, house.receiver, metrics)
    inbound = Inbound(entrances.find, writer, house.settings.public_url, house.clock, metrics)
    return Front(inbound, _make_rest(house, writer, metrics, registry, owned))


def _make_rest(house: House, writer: InboxWriter, metrics: IntakeMetrics, registry: CollectorRegistry, owned: bool) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        gc.collect()
        gc.freeze()  # what start-up made stays for good: collections under load need not walk it again
        writer.start()
        try:
            async with slack_socket(house, writer, metrics):
                yield
        finally:
            await writer.stop()
            if owned:
                house.close()

    routes: list[BaseRoute] = [
        Route("/healthz", health.alive),
        Route("/readyz", health.Readiness(house, writer).show),
        Route("/metrics", make_metrics_endpoint(registry)),
        Mount("/api/v1", Router(make_api(house), redirect_slashes=False)),
        Route("/openapi.json", show_openapi),
        Route("/docs", show_docs),
        Route("/docs/style.css", show_style),
        *slack_routes(house, writer, metrics),
    ]
    handlers: Any = {Problem: _answer_problem, HTTPException: _answer_http_exception, Exception: _answer_error}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.router.redirect_slashes = False  # a redirect would go wherever the Host header says
    return app


def _ring_for(house: House) -> Ring:
    doorbell = house.queue  # built now, so that a wrong broker setting shows at the start

    def ring(arrivals: Sequence[Arrival]) -> None:
        log.info("deliveries stored", inbox_ids=[one.id for one in arrivals], trace_ids=[one.trace_id for one in arrivals])
        clicks = [arrival.id for arrival in arrivals if arrival.connection == SLACK]
        events = [arrival.id for arrival in arrivals if arrival.connection != SLACK]
        if clicks:  # a person waits for these
            doorbell.ring_command(clicks)
        if events:
            doorbell.ring_new(events)

    return ring


def _register_collectors(registry: CollectorRegistry, house: House, writer: InboxWriter) -> None:
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    registry.register(ScoreCollector(house))
    registry.register(OverrideCollector(house))
    registry.register(CrmCollector(house))
    registry.register(CensusCollector(lambda: take_census(house.db, house.clock.now()), writer))


async def _answer_problem(request: Request, problem: Problem) -> Response:
    return problem.response()


async def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    kinds = {404: ("not-found", "There is nothing at this address."), 405: ("method", "This method is not known here.")}
    kind, title = kinds.get(error.status_code, ("http", str(error.detail)))
    return Problem(error.status_code, kind, title, headers=dict(error.headers or {})).response()


async def _answer_error(request: Request, error: Exception) -> Response:
    return Problem(500, "internal", "Something went wrong here.").response()  # Front, which gets the error next, logs it
