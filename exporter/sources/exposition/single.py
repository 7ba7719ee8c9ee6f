"""A metric of which a target has one sample, such as the start of its process."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.sources.exposition.lines import name_of, parse_key, parse_rest


class Single:
    """The one sample of a metric of which a target has one; found again where it was last time."""

    _NEAR = 65_536

    def __init__(self, name: str) -> None:
        self._name = name
        self._needle = name.encode()
        self._place = 0

    def read(self, body: bytes) -> float | None:
        """Its value; None when there is none, or several: then they are not of the target itself,
        as on pages that pass on what they were pushed."""
        low, high = max(0, self._place - self._NEAR), self._place + self._NEAR
        for start, stop in ((low, high), (0, len(body))):
            found = list(self._values(body, start, stop))
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def _values(self, body: bytes, start: int, stop: int) -> Iterator[float]:
        while (at := body.find(self._needle, start, stop)) >= 0:
            begin = body.rfind(b"\n", 0, at) + 1
            end = body.find(b"\n", at)
            line = body[begin : end if end >= 0 else begin].lstrip(b" \t")
            start = end if end >= 0 else len(body)
            key = parse_key(line) if name_of(line) == self._name else None
            parsed = parse_rest(line[key.length :]) if key else None
            if parsed is not None:
                self._place = at
                # The samples of a metric stand together, so the end is near.
                stop = min(stop, at + self._NEAR)
                yield parsed[0]
