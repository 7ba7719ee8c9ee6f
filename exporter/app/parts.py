"""From settings to parts: the one place where a new source or receiver is a line."""

from __future__ import annotations

from exporter.app.receivers import make_receiver
from exporter.clock import Clock
from exporter.config.load import Config
from exporter.config.settings import (
    ScrapeSource as ScrapeSettings,
)
from exporter.config.settings import (
    Source as SourceSettings,
)
from exporter.http import Client
from exporter.receivers.base import Receiver
from exporter.receivers.words import Count, ignore
from exporter.sources.base import Source
from exporter.sources.prometheus import PrometheusSource
from exporter.sources.scrape import ScrapeSource
from exporter.supervisor import Supervisor


def make_source(
    settings: SourceSettings, clock: Clock, supervisor: Supervisor | None = None
) -> Source:
    """The source that a [source.NAME] table describes. `supervisor`: of the daemon, if any."""
    client = Client(settings)
    if isinstance(settings, ScrapeSettings):
        return ScrapeSource(settings, client, clock, supervisor)
    return PrometheusSource(settings, client, clock, supervisor)


def make_receivers(config: Config, count: Count = ignore) -> list[Receiver]:
    """One for each [receiver.NAME] table, and one for each Alertmanager of an alertmanager one.

    `count` hears, by the receiver's name, of what went wrong besides delivery.
    """
    # Texts and links go on from it with a slash of their own.
    url = (config.server.external_url or "").rstrip("/") or None
    return [made for one in config.receivers.values() for made in make_receiver(one, url, count)]
