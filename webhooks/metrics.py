"""What the web process counts, and `/metrics`, where the counts of the database stand beside them.

Worker-side figures are read from the database at each scrape, so that one endpoint tells all of it however many workers run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from connector.bootstrap import House
from connector.errors import LeadswitchError, Retriable
from connector.pipeline.reconcile import newest_run
from connector.storage.census import Census
from connector.storage.intake import InboxWriter

log = structlog.get_logger(__name__)

#: From a bare commit to the longest wait a vendor allows (Odoo: one second).
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
ROW_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
#: Stands for every name in a path that is no connection of ours: strangers must not be able to make label values.
UNKNOWN_CONNECTION = "unknown"


class IntakeMetrics:
    """The counters of the way in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "leadswitch_deliveries_received", "Deliveries stored and acknowledged.", ["connection"], registry=registry
        )
        self.duplicates = Counter(
            "leadswitch_deliveries_duplicate", "Repeats of a delivery that was stored before.", ["connection"], registry=registry
        )
        self.rejected = Counter(
            "leadswitch_deliveries_rejected", "Deliveries refused, by reason.", ["connection", "reason"], registry=registry
        )
        self.seconds = Histogram(
            "leadswitch_intake_seconds",
            "From the request's headers to its acknowledgement.",
            ["connection"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.batch_rows = Histogram("leadswitch_intake_batch_rows", "Rows in one commit.", buckets=ROW_BUCKETS, registry=registry)
        self.commit_seconds = Histogram(
            "leadswitch_intake_commit_seconds", "One commit of the inbox.", buckets=LATENCY_BUCKETS, registry=registry
        )

    def observe_commit(self, rows: int, seconds: float) -> None:
        """Note one commit of the inbox writer."""
        self.batch_rows.observe(rows)
        self.commit_seconds.observe(seconds)


class CensusCollector(Collector):
    """Turns a census of the database, taken at each scrape, into metrics."""

    def __init__(self, census: Callable[[], Census], writer: InboxWriter) -> None:
        self._census = census
        self._writer = writer

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not read the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("leadswitch_intake_waiting", "Requests waiting for their commit.", value=self._writer.waiting)
        try:
            counted = self._census()
        except Retriable as error:  # the counters of this process are worth showing without it
            log.error("no census", error=str(error))
            yield GaugeMetricFamily("leadswitch_database_up", "Whether the database answers.", value=0)
            return
        yield GaugeMetricFamily("leadswitch_database_up", "Whether the database answers.", value=1)
        yield GaugeMetricFamily("leadswitch_inbox_pending", "Deliveries stored and not worked off.", value=counted.inbox_pending)
        yield CounterMetricFamily("leadswitch_scores", "Scores made.", value=counted.scores)
        yield CounterMetricFamily("leadswitch_decisions", "Allocation decisions made.", value=counted.decisions)
        yield _by("leadswitch_effects_pending", "Outbox rows not delivered.", "destination", counted.open_effects)
        yield _by("leadswitch_dead_letters", "Work given up, waiting for a person.", "queue", counted.dead_letters)
        yield _by("leadswitch_stage_age_seconds", "Age of the oldest work waiting for a stage.", "stage", counted.stage_ages)
        yield _by("leadswitch_delivery_age_seconds", "Age of the oldest due outbox row.", "destination", counted.delivery_ages)


class ScoreCollector(Collector):
    """Shows what the appraiser of this process counted. One that was never asked is not built for it."""

    def __init__(self, house: House) -> None:
        self._house = house

    def describe(self) -> Iterator[Metric]:
        """Nothing yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        asked = self._house.__dict__.get("appraiser")
        answers = CounterMetricFamily("leadswitch_score_answers", "Answers of the score routes, by source.", labels=["source"])
        for source in ("model", "rules", "cache"):
            answers.add_metric([source], asked.answered[source] if asked else 0)
        yield answers
        slow = asked.too_slow if asked else 0
        yield CounterMetricFamily("leadswitch_score_too_slow", "Times the model was too slow and rules answered.", value=slow)


class CrmCollector(Collector):
    """Shows what no webhook told us and asking the CRM did, and which receivers do not answer."""

    def __init__(self, house: House) -> None:
        self._house = house

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not read the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        opened = GaugeMetricFamily("leadswitch_breaker_open", "Whether a receiver is left alone.", labels=["destination"])
        recovered = CounterMetricFamily("leadswitch_recovered_leads", "Leads found by asking the CRM.", labels=["connection"])
        try:
            for connection in self._house.crm_connections():
                newest = newest_run(self._house, connection)
                recovered.add_metric([connection], newest[1]["recovered_ever"] if newest else 0)
            for destination in ["slack", *self._house.crm_connections(), *self._house.outlets()]:
                opened.add_metric([destination], self._house.breakers.of(destination).opens_at is not None)
        except LeadswitchError as error:  # what else is counted is worth showing without it
            log.error("recovered leads not counted", error=str(error))
            return
        yield recovered
        yield opened


def _by(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def make_metrics_endpoint(registry: CollectorRegistry) -> Callable[[Request], Awaitable[Response]]:
    """`GET /metrics` in Prometheus' text format. Collecting reads the database, so it runs in a thread."""

    async def show(request: Request) -> Response:
        return Response(await asyncio.to_thread(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)

    return show
