"""The metrics page, rendered and packed once for each change, however many ask for it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Hashable, Sequence

from exporter.web.exposition import Family, write_openmetrics, write_text

# Below this packing is faster than handing the work to a thread.
_SMALL = 128 * 1024


class MetricsPage:
    """Keeps the bodies of the page's present version, in each form that was asked for."""

    def __init__(
        self, families: Callable[[], Sequence[Family]], version: Callable[[], Hashable]
    ) -> None:
        self._families = families
        self._version = version
        self._kept: Hashable = object()
        self._bodies: dict[tuple[bool, bool], bytes] = {}
        self._lock = asyncio.Lock()

    async def body(self, *, openmetrics: bool, packed: bool) -> bytes:
        """The page in one of the two formats, gzipped when `packed`."""
        async with self._lock:
            version = self._version()
            if version != self._kept:
                self._bodies.clear()
                self._kept = version
            return await self._body(openmetrics, packed)

    async def _body(self, openmetrics: bool, packed: bool) -> bytes:
        key = (openmetrics, packed)
        if (body := self._bodies.get(key)) is not None:
            return body
        if packed:
            plain = await self._body(openmetrics, False)
            body = pack(plain) if len(plain) < _SMALL else await asyncio.to_thread(pack, plain)
        else:
            families = self._families()
            body = write_openmetrics(families) if openmetrics else write_text(families)
        self._bodies[key] = body
        return body


def pack(body: bytes) -> bytes:
    """The body as gzip, quickly rather than tightly."""
    if len(body) >= _SMALL:
        try:  # Five times as quick, where it is installed; a small page is not worth its memory.
            from isal import igzip
        except ImportError:
            pass
        else:
            packed: bytes = igzip.compress(body, 1)
            return packed
    return gzip.compress(body, 1, mtime=0)
