"""What the web process counts, and `/metrics`, where the counts of the database stand beside them.

Worker-side figures are read from the database at each scrape, so that one endpoint tells all of it however many workers run.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

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
