"""Metrics pages in Prometheus text, OpenMetrics and protobuf, parsed for what is wanted."""

from exporter.sources.exposition.page import Page
from exporter.sources.exposition.reader import PageReader

__all__ = ["Page", "PageReader"]
