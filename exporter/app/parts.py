"""From settings to parts: the one place where a new source or receiver is a line."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.config.load import Config
from exporter.config.settings import (
    AlertmanagerReceiver as AlertmanagerSettings,
)
from exporter.config.settings import (
    ScrapeSource as ScrapeSettings,
)
from exporter.config.settings import (
    Source as SourceSettings,
)
from exporter.http import Client
from exporter.receivers.alertmanager import AlertmanagerReceiver
from exporter.receivers.base import Receiver
from exporter.receivers.webhook import WebhookReceiver
from exporter.sources.base import Source
from exporter.sources.prometheus import PrometheusSource
from exporter.sources.scrape import ScrapeSource


def make_source(settings: SourceSettings, clock: Clock) -> Source:
    """The source that a [source.NAME] table describes."""
    client = Client(settings)
    if isinstance(settings, ScrapeSettings):
        return ScrapeSource(settings, client, clock)
    return PrometheusSource(settings, client, clock)


def make_receivers(config: Config) -> list[Receiver]:
    """One receiver for each webhook, and one for each Alertmanager of an alertmanager receiver."""
    url = config.server.external_url
    out: list[Receiver] = []
    for settings in config.receivers.values():
        if isinstance(settings, AlertmanagerSettings):
            out += [
                AlertmanagerReceiver(settings, one, Client(settings), external_url=url)
                for one in settings.urls
            ]
        else:
            out.append(WebhookReceiver(settings, Client(settings), external_url=url))
    return out
