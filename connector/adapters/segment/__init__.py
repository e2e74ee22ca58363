"""Segment: what people do in a product, by signed webhook. Inbound only."""

from __future__ import annotations

from connector.adapters.segment.webhook import SegmentReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("segment", "Segment", "generic", SegmentReceiver.build)
