"""Where targets come from: each mechanism publishes its whole current list whenever it changes."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.clock import Clock
from exporter.config.settings import ScrapeSource
from exporter.http import Client
from exporter.sources.discovery.base import Discovery
from exporter.sources.discovery.dns import DNSDiscovery
from exporter.sources.discovery.file import FileDiscovery
from exporter.sources.discovery.http import HTTPDiscovery
from exporter.sources.discovery.kubernetes import KubernetesDiscovery


def discoveries(settings: ScrapeSource, client: Client, clock: Clock) -> list[Discovery]:
    """One for each mechanism a source names; `ConfigError` when one of them cannot work."""
    discover = settings.discover
    if discover is None:
        return []
    out: list[Discovery] = []
    if discover.file:
        out.append(FileDiscovery(settings, _several(discover.file), clock))
    if discover.http:
        out.append(HTTPDiscovery(settings, discover.http, client, clock))
    if discover.dns:
        out.append(DNSDiscovery(settings, _several(discover.dns), clock))
    if discover.kubernetes:
        out.append(KubernetesDiscovery(discover.kubernetes, settings.name, clock))
    return out


def _several(text: str | Sequence[str]) -> Sequence[str]:
    return [text] if isinstance(text, str) else text
