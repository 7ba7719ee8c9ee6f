"""The parameters of Prometheus' HTTP API, from the address and, with POST, from a form.

Source: Prometheus documentation, "HTTP API"; what a wrong one is told is in Prometheus' words where
clients may look for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from aiohttp import web

from exporter.config.duration import parse_duration
from exporter.web.bodies import read_form
from exporter.web.prom_stream import Terms

MOST_POINTS = 11_000
"""Of a range query, for each series: a minute for a week, or an hour for a year."""
LONGEST_TIMEOUT = 30.0
_FORM = "application/x-www-form-urlencoded"
_EARLIEST, _LATEST = -1e12, 1e12


class Wrong(Exception):
    """In one line, what is wrong with a parameter; and the status code of the answer."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class Params:
    """Those of one request; `path`: those in its path. `now`: in unix seconds. `gone`:
    whether the client has left."""

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        path: Mapping[str, str],
        now: float,
        gone: Callable[[], bool],
    ) -> None:
        self.path = path
        self.now = now
        self._gone = gone
        self._pairs = pairs

    @classmethod
    async def of(cls, request: web.Request, now: float) -> Params:
        """Read them."""
        pairs = list(request.query.items())
        if request.method == "POST" and request.content_type == _FORM:
            pairs = await read_form(request) + pairs

        def gone() -> bool:
            return request.transport is None or request.transport.is_closing()

        return cls(pairs, request.match_info, now, gone)

    def all(self, name: str) -> list[str]:
        """Every value of one that may stand several times."""
        return [value for key, value in self._pairs if key in (name, f"{name}[]") and value]

    def selectors(self) -> list[str]:
        """Those of series, empty ones as well, which select nothing; and the time that is asked for
        is one, though all that is known is answered."""
        for name in ("start", "end"):
            self.moment(name, self.now)
        return [value for key, value in self._pairs if key == "match[]"]

    def text(self, name: str) -> str:
        """One that must be there."""
        found = self.all(name)
        if not found:
            raise Wrong(f'invalid parameter "{name}": it is missing')
        return found[0]

    def moment(self, name: str, otherwise: float | None = None) -> float:
        """Unix seconds or RFC 3339."""
        found = self.all(name)
        if not found and otherwise is not None:
            return otherwise
        text = self.text(name)
        try:
            when = float(text)
        except ValueError:
            when = _rfc3339(text)
        if not _EARLIEST <= when <= _LATEST:
            raise Wrong(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp')
        return when

    def seconds(self, name: str) -> float:
        """Seconds or a duration."""
        text = self.text(name)
        try:
            return float(text)
        except ValueError:
            pass
        try:
            return parse_duration(text)
        except ValueError:
            raise Wrong(
                f'invalid parameter "{name}": cannot parse "{text}" to a valid duration'
            ) from None

    def span(self) -> tuple[float, float, float]:
        """Start, end and step of a range query."""
        start, end, step = self.moment("start"), self.moment("end"), self.seconds("step")
        if end < start:
            raise Wrong('invalid parameter "end": end timestamp must not be before start time')
        if not 0.001 <= step < math.inf:
            raise Wrong(
                'invalid parameter "step": zero or negative query resolution step widths are not '
                "accepted. Try a positive integer"
            )
        if (end - start) // step > MOST_POINTS:
            raise Wrong(
                f"exceeded maximum resolution of {MOST_POINTS:,} points per timeseries. Try "
                "decreasing the query resolution (?step=XX)"
            )
        return start, end, step

    def terms(self) -> Terms:
        """How long the request may take, and for whom."""
        if not self.all("timeout"):
            return Terms(LONGEST_TIMEOUT, self._gone)
        return Terms(max(0.0, min(self.seconds("timeout"), LONGEST_TIMEOUT)), self._gone)

    def limit(self) -> int:
        """How many are wanted; 0 is all."""
        texts = self.all("limit")
        if not texts:
            return 0
        if not (texts[0].isascii() and texts[0].isdigit()):
            raise Wrong(f'invalid parameter "limit": cannot parse "{texts[0]}" to a whole number')
        return int(texts[0][:9])


def _rfc3339(text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return when.timestamp() if when.tzinfo is not None else math.nan
