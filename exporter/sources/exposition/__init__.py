"""Metrics pages in Prometheus text, OpenMetrics and protobuf, parsed for what is wanted."""

from exporter.sources.exposition.ending import Ending
from exporter.sources.exposition.page import Page
from exporter.sources.exposition.reader import PageReader

__all__ = ["Ending", "Page", "PageReader"]
