"""Metrics pages in the Prometheus text, OpenMetrics and protobuf formats, parsed for what is wanted."""

from exporter.sources.exposition.reader import Page, PageReader

__all__ = ["Page", "PageReader"]
