"""The allocation-error rate on `/metrics`: picks of the engine in the last seven days, and those that people set aside."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connector.bootstrap import House
from connector.errors import Retriable
from connector.pipeline.overrides import lately

log = structlog.get_logger(__name__)


class OverrideCollector(Collector):
    """Counts at each scrape."""

    def __init__(self, house: House) -> None:
        self._house = house

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not read the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        try:
            found = lately(self._house)
        except Retriable as error:  # the other figures are worth showing without it
            log.error("overrides not counted", error=str(error))
            return
        yield GaugeMetricFamily(
            "leadswitch_allocation_picks_7d", "Leads the engine gave to a rep in seven days.", value=found.picks
        )
        family = GaugeMetricFamily(
            "leadswitch_allocation_overrides_7d",
            "Of the engine's picks, those that people set aside in seven days.",
            labels=["cause"],
        )
        for cause, count in found.causes.items():
            family.add_metric([cause], count)
        yield family
