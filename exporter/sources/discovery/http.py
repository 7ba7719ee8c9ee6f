"""Prometheus' http_sd: a URL that answers with target groups."""

from __future__ import annotations

import msgspec
import structlog

from exporter.clock import Clock
from exporter.config.settings import ScrapeSource
from exporter.errors import SourceError
from exporter.http import Client, TransportError
from exporter.redaction import redact
from exporter.room import ANSWERS, NoRoom
from exporter.sources.discovery.base import Found, Publish, groups

log = structlog.get_logger()


class HTTPDiscovery:
    """Asks each `refresh`; an answer that is no list keeps the targets there are."""

    def __init__(self, settings: ScrapeSource, url: str, client: Client, clock: Clock) -> None:
        self._settings = settings
        self._url = url
        self._client = client
        self._clock = clock

    async def run(self, publish: Publish) -> None:
        """Ask at once, then again and again."""
        assert self._settings.discover is not None
        refresh = self._settings.discover.refresh
        headers = {
            "Accept": "application/json",
            "X-Prometheus-Refresh-Interval-Seconds": f"{refresh:g}",
        }
        while True:
            try:
                publish(redact(self._url), await self._ask(headers))
            except (SourceError, TransportError) as error:
                log.warning(
                    "discovery.failed",
                    source=self._settings.name,
                    list=redact(self._url),
                    error=str(error),
                )
            await self._clock.sleep(float(refresh))

    async def _ask(self, headers: dict[str, str]) -> list[Found]:
        answer = await self._client.request("GET", self._url, headers=headers)
        if answer.status != 200:
            raise SourceError("http_status", f"answered {answer.status}")
        try:
            ANSWERS.check(answer.body)
            return groups(msgspec.json.decode(answer.body), self._settings)
        except NoRoom as error:
            raise SourceError("too_large", f"there is no memory for the list: {error}") from None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise SourceError("malformed", str(error)) from None
