"""Answers Prometheus' HTTP API: reads what a query needs, computes it in a thread, and writes the
answer while it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from exporter import __version__
from exporter.app import prom_rules
from exporter.app.prom_turn import Turns, fault
from exporter.app.query_memory import QueryMemory
from exporter.app.series import MOST_SERIES, Series
from exporter.clock import Clock
from exporter.core.engine import Engine
from exporter.promql.errors import QueryError, TooMuch
from exporter.promql.meter import TEXT, Meter, series_bytes
from exporter.web import prom_json
from exporter.web.prom_stream import Stream, Terms

if TYPE_CHECKING:  # PromQL is five megabytes, and many a daemon is never asked.
    from exporter.promql.query import Answer

API = "3.5.0"
"""The release of Prometheus whose API and PromQL this is; Grafana chooses by it what to ask."""

_encode = msgspec.json.Encoder().encode

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
        query_memory: Callable[[], int | None],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._series = series
        self._about = about
        self._path = path
        self._turns = Turns(QueryMemory(query_memory))

    def now(self) -> float:
        """See `prom_api.Answers`."""
        return self._clock.now()

    async def query(self, text: str, at: float, terms: Terms) -> Stream:
        """See `prom_api.Answers`."""
        return await self._answer(terms, text, at, at, 0.0)

    async def query_range(
        self, text: str, start: float, end: float, step: float, terms: Terms
    ) -> Stream:
        """See `prom_api.Answers`."""
        return await self._answer(terms, text, start, end, step)

    async def series(self, selectors: Sequence[str], limit: int, terms: Terms) -> Stream:
        """See `prom_api.Answers`."""
        found: dict[frozenset[tuple[str, str]], Mapping[str, str]] = {}

        def add(labels: Mapping[str, str], meter: Meter) -> None:
            own = frozenset(labels.items())
            if own in found:
                return
            if len(found) == MOST_SERIES:
                raise TooMuch(f"more than {MOST_SERIES:,} series; name fewer")
            meter.take(2 * series_bytes(labels))
            found[own] = labels

        return await self._listed(selectors, limit, terms, add, found.values)

    async def labels(self, selectors: Sequence[str], limit: int, terms: Terms) -> Stream:
        """See `prom_api.Answers`."""
        found: set[str] = set()

        def add(labels: Mapping[str, str], meter: Meter) -> None:
            meter.take(TEXT * len(labels.keys() - found))
            found.update(labels)

        return await self._listed(selectors, limit, terms, add, lambda: sorted(found))

    async def values(self, name: str, selectors: Sequence[str], limit: int, terms: Terms) -> Stream:
        """See `prom_api.Answers`."""
        found: set[str] = set()

        def add(labels: Mapping[str, str], meter: Meter) -> None:
            value = labels.get(name)
            if value is not None and value not in found:
                meter.take(TEXT)
                found.add(value)

        return await self._listed(selectors, limit, terms, add, lambda: sorted(found))

    def format_query(self, text: str) -> str:
        """See `prom_api.Answers`."""
        from exporter.promql.parse import format_query

        try:
            return format_query(text)
        except QueryError as error:
            raise fault(error) from None

    def metadata(self) -> Mapping[str, Mapping[str, str]]:
        """See `prom_api.Answers`."""
        return {
            name: {"type": type, "help": help, "unit": ""} for name, type, help in self._about()
        }

    async def rules(self, terms: Terms) -> Stream:
        """See `prom_api.Answers`."""
        groups = prom_rules.groups(self._engine, self._path(), self._clock.now())
        return await self._told(groups, "groups", terms)

    async def alerts(self, terms: Terms) -> Stream:
        """See `prom_api.Answers`."""
        return await self._told(prom_rules.alerts(self._engine, self._clock.now()), "alerts", terms)

    def build(self) -> Mapping[str, str]:
        """See `prom_api.Answers`."""
        unknown = dict.fromkeys(("buildUser", "buildDate", "goVersion"), "")
        return {"version": API, "revision": __version__, "branch": "slod", **unknown}

    # --- inside ---------------------------------------------------------------------------------

    async def _answer(
        self, terms: Terms, text: str, start: float, end: float, step: float
    ) -> Stream:
        from exporter.promql.query import Query

        async with self._turns.next(terms) as turn:
            query = await turn.compute(lambda: Query(text, start, end, step, meter=turn.meter))
            columns = await self._series.read(query.needs, turn.meter)
            return await turn.send(lambda: _written(query.answer(columns)))

    async def _told(
        self, parts: Iterable[Sequence[Mapping[str, Any]]], name: str, terms: Terms
    ) -> Stream:
        """Parts of a list, each of which one SLO has; others have their turn between them."""
        async with self._turns.next(terms) as turn:
            texts: list[msgspec.Raw] = []
            for part in turn.meter.each(parts):
                for text in map(_encode, part):
                    turn.meter.text(len(text))
                    texts.append(msgspec.Raw(text))
                await asyncio.sleep(0)
            return await turn.send(lambda: prom_json.listed(texts, name))

    async def _listed(
        self,
        selectors: Sequence[str],
        limit: int,
        terms: Terms,
        add: Callable[[Mapping[str, str], Meter], None],
        found: Callable[[], Iterable[object]],
    ) -> Stream:
        """What is found among the labels of the series that one of the selectors names; `add` takes
        those of one series."""
        from exporter.app.prom_labels import Selectors

        async with self._turns.next(terms) as turn:
            meter = turn.meter
            wanted = await turn.compute(lambda: Selectors.of(selectors, meter))

            def take(batch: Sequence[Mapping[str, str]]) -> None:
                for labels in meter.each(batch):
                    if wanted.select(labels):
                        add(labels, meter)

            async for batch in self._series.labels(wanted.fit, meter):
                await turn.compute(partial(take, batch))
            return await turn.send(lambda: prom_json.listed(islice(found(), limit or None)))


def _written(answer: Answer) -> Iterator[bytes]:
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
