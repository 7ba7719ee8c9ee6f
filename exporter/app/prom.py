"""Answers Prometheus' HTTP API: reads what a query needs, computes it in a thread, writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from exporter import __version__
from exporter.app import prom_rules
from exporter.app.series import MOST_SERIES, Series
from exporter.clock import Clock
from exporter.core.engine import Engine
from exporter.core.selector import Matcher
from exporter.web import prom_json
from exporter.web.prom_api import Body, Fault

if TYPE_CHECKING:  # PromQL is five megabytes, and many a daemon is never asked.
    from exporter.promql.query import Answer, Query

API = "3.5.0"
"""The release of Prometheus whose API and PromQL this is; Grafana chooses by it what to ask."""
AT_ONCE = 2
"""Queries that are computed at the same time; others wait."""

About = tuple[str, str, str]
"""Name, type and help of a metric."""


class Prom:
    """`about`: the metrics there are. `path`: where the configuration is."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        series: Series,
        about: Callable[[], Iterable[About]],
        path: Callable[[], str],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._series = series
        self._about = about
        self._path = path
        self._free = asyncio.Semaphore(AT_ONCE)

    def now(self) -> float:
        """See `prom_api.Answers`."""
        return self._clock.now()

    async def query(self, text: str, at: float, within: float) -> Body:
        """See `prom_api.Answers`."""
        return await self._answer(lambda query: query(text, at, at), within)

    async def query_range(
        self, text: str, start: float, end: float, step: float, within: float
    ) -> Body:
        """See `prom_api.Answers`."""
        return await self._answer(lambda query: query(text, start, end, step), within)

    async def series(self, selectors: Sequence[str]) -> list[Mapping[str, str]]:
        """See `prom_api.Answers`."""
        found: dict[frozenset[tuple[str, str]], Mapping[str, str]] = {}
        async for labels in self._labels(selectors):
            found.setdefault(frozenset(labels.items()), labels)
            if len(found) > MOST_SERIES:
                why = f"more than {MOST_SERIES:,} series; name fewer"
                raise Fault("execution", 422, why)
        return list(found.values())

    async def labels(self, selectors: Sequence[str]) -> list[str]:
        """See `prom_api.Answers`."""
        return sorted({name async for labels in self._labels(selectors) for name in labels})

    async def values(self, name: str, selectors: Sequence[str]) -> list[str]:
        """See `prom_api.Answers`."""
        all_ = self._labels(selectors)
        return sorted({labels[name] async for labels in all_ if name in labels})

    def format_query(self, text: str) -> str:
        """See `prom_api.Answers`."""
        from exporter.promql.errors import QueryError
        from exporter.promql.parse import format_query

        try:
            return format_query(text)
        except QueryError as error:
            raise _fault(error) from None

    def metadata(self) -> Mapping[str, Mapping[str, str]]:
        """See `prom_api.Answers`."""
        return {
            name: {"type": type, "help": help, "unit": ""} for name, type, help in self._about()
        }

    def rules(self) -> list[Mapping[str, Any]]:
        """See `prom_api.Answers`."""
        return prom_rules.groups(self._engine, self._path(), self._clock.now())

    def alerts(self) -> list[Mapping[str, Any]]:
        """See `prom_api.Answers`."""
        return prom_rules.alerts(self._engine)

    def build(self) -> Mapping[str, str]:
        """See `prom_api.Answers`."""
        unknown = dict.fromkeys(("buildUser", "buildDate", "goVersion"), "")
        return {"version": API, "revision": __version__, "branch": "slod", **unknown}

    # --- inside ---------------------------------------------------------------------------------

    async def _labels(self, selectors: Sequence[str]) -> AsyncIterator[Mapping[str, str]]:
        from exporter.promql.errors import QueryError
        from exporter.promql.parse import selectors as read

        try:
            wanted: list[tuple[Matcher, ...]] = read(selectors) or [()]
        except QueryError as error:
            raise _fault(error) from None
        for matchers in wanted:
            async for labels in self._series.labels(matchers):
                yield labels

    async def _answer(self, make: Callable[[type[Query]], Query], within: float) -> Body:
        from exporter.promql.errors import QueryError, TimedOut
        from exporter.promql.query import Query

        until = monotonic() + within

        def check() -> None:
            if monotonic() > until:
                raise TimedOut("query timed out in expression evaluation")

        try:
            query = make(Query)
            async with self._free:
                check()
                columns = await self._series.read(query.needs, check)
                return await asyncio.to_thread(lambda: Body(_written(query.answer(columns, check))))
        except QueryError as error:
            raise _fault(error) from None


def _written(answer: Answer) -> bytes:
    from exporter.promql import query as of

    match answer:
        case of.Scalar(at, value):
            return prom_json.single("scalar", at, value)
        case of.String(at, value):
            return prom_json.single("string", at, value)
        case of.Vector(at, series):
            return prom_json.vector(at, series)
        case of.Matrix(series):
            return prom_json.matrix(series)


def _fault(error: Exception) -> Fault:
    from exporter.promql import errors

    if isinstance(error, errors.BadData):
        return Fault("bad_data", 400, str(error))
    if isinstance(error, errors.TimedOut):
        return Fault("timeout", 503, str(error))
    return Fault("execution", 422, str(error))
