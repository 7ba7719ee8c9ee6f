"""Targets by DNS: `name:port` asks for A and AAAA records, `_service._proto.name` for SRV.

Source: RFC 2782 for SRV.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import structlog

from exporter.clock import Clock
from exporter.config.settings import ScrapeSource
from exporter.errors import ConfigError, SourceError
from exporter.sources.discovery.base import Found, Publish, target_url

log = structlog.get_logger()


class DNSDiscovery:
    """Asks each `refresh`; a name that does not resolve keeps the targets there are."""

    def __init__(
        self,
        settings: ScrapeSource,
        names: Sequence[str],
        clock: Clock,
        *,
        nameserver: tuple[str, int] | None = None,
    ) -> None:
        for name in names:
            port = name.rpartition(":")[2]
            if not name.startswith("_") and not (port.isdecimal() and ":" in name):
                raise ConfigError(
                    f"discover.dns: {name!r} has no port; write it like app.svc:8080, or ask for "
                    "SRV records with a name like _metrics._tcp.app.svc"
                )
        self._settings = settings
        self._names = names
        self._clock = clock
        self._nameserver = nameserver

    async def run(self, publish: Publish) -> None:
        """Ask at once, then again and again."""
        assert self._settings.discover is not None
        discover = self._settings.discover
        while True:
            for name in self._names:
                try:
                    addresses = await self._resolve(name)
                except SourceError as error:
                    log.warning(
                        "discovery.failed",
                        source=self._settings.name,
                        list=name,
                        error=str(error),
                    )
                    continue
                publish(
                    name,
                    [Found(target_url(a, {}, discover.scheme, discover.path)) for a in addresses],
                )
            await self._clock.sleep(float(discover.refresh))

    async def _resolve(self, name: str) -> list[str]:
        if name.startswith("_"):
            return await self._srv(name)
        host, _, port = name.rpartition(":")
        host = host.strip("[]")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, int(port), type=socket.SOCK_STREAM
            )
        except (OSError, OverflowError, UnicodeError) as error:
            raise SourceError("dns", f"{host} does not resolve: {error}") from None
        hosts = sorted({str(address[0]) for *_, address in found})
        return [f"[{h}]:{port}" if ":" in h else f"{h}:{port}" for h in hosts]

    async def _srv(self, name: str) -> list[str]:
        import dns.asyncresolver
        import dns.exception

        try:
            resolver = dns.asyncresolver.Resolver(configure=self._nameserver is None)
            if self._nameserver is not None:
                host, resolver.port = self._nameserver
                resolver.nameservers = [host]
            answer = await resolver.resolve(name, "SRV", lifetime=float(self._settings.timeout))
        except dns.exception.DNSException as error:
            raise SourceError("dns", f"{name} does not resolve: {error}") from None
        # The target "." says that there is decidedly no such service (RFC 2782).
        found = [(str(record.target).rstrip("."), record.port) for record in answer]
        return sorted(f"{host}:{port}" for host, port in found if host)
