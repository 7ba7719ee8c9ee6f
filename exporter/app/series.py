"""slod's own series with their past, for whoever asks by matchers: of the SLOs and their alerts,
read off the ledgers; of slod itself, remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from math import inf
from time import perf_counter
from weakref import WeakKeyDictionary

from exporter.app.heard import Heard
from exporter.app.remembering import Remembering
from exporter.clock import Clock
from exporter.core.apart import Apart
from exporter.core.engine import Engine
from exporter.core.history import History
from exporter.core.instance import Instance
from exporter.core.selector import NAME, Matcher
from exporter.core.slo import SLO
from exporter.core.status import Snapshot
from exporter.formats import sloth_history
from exporter.promql.columns import LOOKBACK, InstantColumn, Need, RangeColumn
from exporter.promql.errors import TooMuch
from exporter.promql.meter import PLACE, Meter
from exporter.series import slo as slo_series
from exporter.series.grid import Grid, Ticks
from exporter.series.readable import Computed, Readable, Remembered
from exporter.series.recorded import EVERY, Recorded, labels_of
from exporter.series.row import Row
from exporter.store.database import Store

MOST_SERIES = 20_000
"""Series that one selector may have."""
MOST_SAMPLES = 1_000_000
"""Samples that the selectors of one query may have together: 32 MB."""
_SLICE = 0.005
"""So many seconds at a time, so that polls do not wait for a graph."""
_BATCH = 500
_KEPT = 1000
"""Instances whose rows are kept, at 20 KB each; those of others are made anew for each query."""

Rows = Mapping[str, Sequence[Row]]
"""The rows of an instance by name, for as long as its SLO is configured so."""
Lines = Callable[[], Iterable[tuple[str, float]]]
"""The lines of the metrics page of now, with their values."""


class _Reading:
    """One query that reads, on the event loop: others have their turn every few milliseconds."""

    def __init__(self, now: float, lines: Lines, meter: Meter) -> None:
        self.now = now
        self.ticks = Ticks(now)
        self.meter = meter
        self._samples = 0
        self._lines = lines
        self._since = perf_counter()
        self._counted = 0

    def live(self, line: str) -> float | None:
        """The metrics page's value of now of a series that is remembered."""
        return self._page.get(line)

    @cached_property
    def _page(self) -> Mapping[str, float]:
        return dict(self._lines())

    async def pause(self) -> None:
        """Give way to others when it is time to."""
        if perf_counter() - self._since > _SLICE:
            await asyncio.sleep(0)
            self.meter.check()
            self._since = perf_counter()

    def took(self, samples: int) -> None:
        """Count so many samples more."""
        self._samples += samples
        if self._samples > MOST_SAMPLES:
            raise TooMuch(
                f"more than {MOST_SAMPLES:,} samples; ask for a shorter time, a longer step or "
                "fewer series"
            )
        self.meter.values(self.ticks.size - self._counted)
        self._counted = self.ticks.size


class Series:
    """All there are. `compat` as in [server]; `snapshot`: the numbers of now; `lines`: those of the
    metrics page that no ledger knows."""

    def __init__(
        self,
        engine: Engine,
        heard: Heard,
        clock: Clock,
        snapshot: Callable[[], Snapshot],
        lines: Lines,
        compat: Sequence[str],
        store: Store,
    ) -> None:
        self._engine = engine
        self._heard = heard
        self._clock = clock
        self._snapshot = snapshot
        self._lines = lines
        self._compat = compat
        self._recorded = Recorded()
        self._remembering = Remembering(self._recorded, store)
        self._rows: WeakKeyDictionary[Instance, tuple[SLO, Rows]] = WeakKeyDictionary()

    async def start(self) -> None:
        """Remember what was shown before slod was started."""
        await self._remembering.load(self._clock.now())

    async def run(self) -> None:
        """Remember what no ledger knows, again and again."""
        while True:
            self._recorded.add(self._clock.now(), self._lines())
            await self._remembering.keep()
            await self._clock.sleep(EVERY)

    async def read(
        self, needs: Sequence[Need], meter: Meter
    ) -> list[list[InstantColumn] | list[RangeColumn]]:
        """The samples that each need asks for; `TooMuch` when these are too many."""
        reading = await self._reading(meter)
        return [
            [c async for c in self._ranges(need, reading)]
            if need.range
            else [c async for c in self._instants(need, reading)]
            for need in needs
        ]

    async def labels(
        self, fits: Callable[[str], bool], meter: Meter
    ) -> AsyncIterator[list[Mapping[str, str]]]:
        """The labels, names included, of the series whose name fits, some hundreds at a time."""
        reading = await self._reading(meter)
        batch: list[Mapping[str, str]] = []
        for one in self._named(_once(fits), reading):
            await reading.pause()
            if one is not None:
                batch.append(one.labels)
            if len(batch) == _BATCH:
                yield batch
                batch = []
        yield batch

    # --- inside ---------------------------------------------------------------------------------

    async def _reading(self, meter: Meter) -> _Reading:
        await self._heard.listen(self._snapshot().now)
        return _Reading(self._snapshot().now, self._lines, meter)

    async def _instants(self, need: Need, reading: _Reading) -> AsyncIterator[InstantColumn]:
        many = len(need.moments)
        async for one in self._select(need.matchers, reading):
            reading.took(many)
            reading.meter.series(one.labels, many)
            reading.meter.take(PLACE * many)
            with self._apart(one.labels.get("slo", "")) as work:
                values, times = one.instant(need.moments, LOOKBACK)
            if not work.failed:
                yield InstantColumn(one.labels, values, times)

    async def _ranges(self, need: Need, reading: _Reading) -> AsyncIterator[RangeColumn]:
        async for one in self._select(need.matchers, reading):
            with self._apart(one.labels.get("slo", "")) as work:
                times, values = one.within(need.moments, need.range)
            if not work.failed:
                reading.took(len(values))
                reading.meter.series(one.labels, 2 * len(values))
                yield RangeColumn(one.labels, times, values)

    async def _select(
        self, matchers: Sequence[Matcher], reading: _Reading
    ) -> AsyncIterator[Readable]:
        names = [m for m in matchers if m.label == NAME]
        others = [m for m in matchers if m.label != NAME]
        many = 0
        fits = _once(lambda name: all(m.matches(name) for m in names))
        for one in self._named(fits, reading):
            await reading.pause()
            if one is None or not all(m.matches(one.labels.get(m.label, "")) for m in others):
                continue
            many += 1
            if many > MOST_SERIES:
                raise TooMuch(f"a selector has more than {MOST_SERIES:,} series; name fewer")
            yield one

    def _apart(self, slo: str) -> Apart:
        # Memory that cannot be had is the query's failure: it is answered with 503.
        return self._engine.apart(slo, "series", MemoryError)

    def _named(self, fits: Callable[[str], bool], reading: _Reading) -> Iterator[Readable | None]:
        """The series whose name fits; None now and then, so that the caller can pause."""
        for account in list(self._engine.accounts.values()):
            instances: list[Instance] = []
            with self._apart(account.slo.name):
                instances += account.memory.instances.values()
            for instance in instances:
                found: list[Readable | None] = []
                with self._apart(account.slo.name):
                    found += self._of(instance, fits, reading.ticks)
                yield None
                yield from found
        grid = Grid(EVERY, -inf, reading.ticks)
        for name, labels, read in self._heard.fired.rows():
            yield Computed({NAME: name, **labels}, read, grid) if fits(name) else None
        for line in self._recorded.lines():
            if not fits(line.partition("{")[0]):
                yield None
                continue
            name, labels = labels_of(line)
            named = {NAME: name, **labels}
            yield Remembered(named, line, self._recorded, reading.now, reading.live)

    def _of(
        self, instance: Instance, fits: Callable[[str], bool], ticks: Ticks
    ) -> Iterator[Readable | None]:
        slo, rows = self._rows.get(instance, (None, {}))
        if slo is not instance.slo:
            rows = self._made(instance)
            if len(self._rows) < _KEPT or instance in self._rows:
                self._rows[instance] = (instance.slo, rows)
        past = History(instance)
        grid = Grid(instance.slo.interval, past.first, ticks)
        for name, of in rows.items():
            yield None
            if fits(name):
                for row in of:
                    named = {NAME: name, **row.labels}
                    yield Computed(named, partial(row.read, past), grid)

    def _made(self, instance: Instance) -> Rows:
        rows = list(slo_series.rows(instance, self._heard.fired))
        if "sloth" in self._compat:
            rows += (Row(*row) for row in sloth_history.rows(instance))
        out: dict[str, list[Row]] = {}
        for row in rows:
            out.setdefault(row.name, []).append(row)
        return out


def _once(fits: Callable[[str], bool]) -> Callable[[str], bool]:
    """The same, asked once for each name: thousands of SLOs have the same few."""
    known: dict[str, bool] = {}

    def asked(name: str) -> bool:
        answer = known.get(name)
        if answer is None:
            answer = known[name] = fits(name)
        return answer

    return asked
