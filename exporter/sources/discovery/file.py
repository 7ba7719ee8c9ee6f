"""Prometheus' file_sd: JSON or YAML files, read again when they change."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from exporter.clock import Clock
from exporter.config.settings import ScrapeSource
from exporter.errors import SourceError
from exporter.sources.discovery.base import Found, Publish, groups

log = structlog.get_logger()

_UNREAD = (0, 0, 0)


class FileDiscovery:
    """Looks at the files each `refresh`; a file that is gone takes its targets along."""

    def __init__(self, settings: ScrapeSource, patterns: Sequence[str], clock: Clock) -> None:
        self._settings = settings
        self._patterns = patterns
        self._clock = clock
        self._seen: dict[str, tuple[int, int, int]] = {}

    async def run(self, publish: Publish) -> None:
        """Look at once, then again and again."""
        assert self._settings.discover is not None
        while True:
            self._look(publish)
            await self._clock.sleep(float(self._settings.discover.refresh))

    def _look(self, publish: Publish) -> None:
        paths = sorted({p for pattern in self._patterns for p in glob.glob(pattern)})  # noqa: PTH207 - a Path cannot
        for path in set(self._seen) - set(paths):
            del self._seen[path]
            publish(path, [])
        for path in paths:
            try:
                about = Path(path).stat()
                version = (about.st_mtime_ns, about.st_size, about.st_ino)
                if self._seen.get(path) == version:
                    continue
                # A bad file is not read again until it changes; one that cannot be read, is.
                self._seen[path] = version
                publish(path, _read(path, self._settings))
            except (OSError, SourceError) as error:
                if isinstance(error, OSError):
                    self._seen[path] = _UNREAD
                log.warning(
                    "discovery.failed", source=self._settings.name, list=path, error=str(error)
                )


def _read(path: str, settings: ScrapeSource) -> list[Found]:
    raw = Path(path).read_bytes()
    if path.endswith((".yml", ".yaml")):
        import yaml

        try:
            return groups(yaml.safe_load(raw) or [], settings)
        except (yaml.YAMLError, ArithmeticError, LookupError, RecursionError, ValueError) as error:
            # PyYAML lets Python's own refusals through, e.g. of the date 2001-13-45.
            raise SourceError("malformed", " ".join(str(error).split())) from None
    try:
        return groups(msgspec.json.decode(raw), settings)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise SourceError("malformed", str(error)) from None
