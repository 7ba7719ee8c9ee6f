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
from exporter.clock import Clock
from exporter.core.account import Account
from exporter.core.engine import Engine
from exporter.core.history import History
from exporter.core.instance import Instance
from exporter.core.selector import NAME, Matcher
from exporter.core.slo import SLO
from exporter.core.status import Snapshot
from exporter.formats import sloth_history
from exporter.promql.columns import LOOKBACK, InstantColumn, Need, RangeColumn
from exporter.promql.errors import TooMuch
from exporter.series import slo as slo_series
from exporter.series.grid import Grid, Ticks
from exporter.series.readable import Computed, Readable, Remembered
from exporter.series.recorded import EVERY, Recorded, labels_of
from exporter.series.row import Row

MOST_SERIES = 20_000
"""Series that one selector may have."""
MOST_SAMPLES = 1_000_000
"""Samples that the selectors of one query may have together: 32 MB."""
_SLICE = 0.005
"""So many seconds at a time, so that polls do not wait for a graph."""

Rows = Mapping[str, Sequence[Row]]
"""The rows of an instance by name, for as long as its SLO is configured so."""
Lines = Callable[[], Iterable[tuple[str, float]]]
"""The lines of the metrics page of now, with their values."""


class _Reading:
    """One query at work: what it has read of, and how much."""

    def __init__(self, now: float, lines: Lines, check: Callable[[], None]) -> None:
        self.now = now
        self.ticks = Ticks(now)
        self.samples = 0
        self._lines = lines
        self._check = check
        self._since = perf_counter()

    def live(self, line: str) -> float | None:
        """What the page says now of what is remembered."""
        return self._page.get(line)

    @cached_property
    def _page(self) -> Mapping[str, float]:
        return dict(self._lines())

    async def took(self, samples: int) -> None:
        """So many samples more; others have their turn."""
        self.samples += samples
        if self.samples > MOST_SAMPLES:
            raise TooMuch(
                f"more than {MOST_SAMPLES:,} samples; ask for a shorter time, a longer step or "
                "fewer series"
            )
        if perf_counter() - self._since > _SLICE:
            await asyncio.sleep(0)
            self._check()
            self._since = perf_counter()


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
    ) -> None:
        self._engine = engine
        self._heard = heard
        self._clock = clock
        self._snapshot = snapshot
        self._lines = lines
        self._compat = compat
        self._recorded = Recorded()
        self._rows: WeakKeyDictionary[Instance, tuple[SLO, Rows]] = WeakKeyDictionary()

    async def run(self) -> None:
        """Remember what no ledger knows, again and again."""
        while True:
            self._recorded.add(self._clock.now(), self._lines())
            await self._clock.sleep(EVERY)

    async def read(
        self, needs: Sequence[Need], check: Callable[[], None]
    ) -> list[list[InstantColumn] | list[RangeColumn]]:
        """The samples that each need asks for; `TooMuch` when these are too many. `check` is called
        all the while, and may raise."""
        await self._heard.listen(self._snapshot().now)
        reading = _Reading(self._snapshot().now, self._lines, check)
        return [
            [c async for c in self._ranges(need, reading)]
            if need.range
            else [c async for c in self._instants(need, reading)]
            for need in needs
        ]

    async def labels(self, matchers: Sequence[Matcher]) -> AsyncIterator[Mapping[str, str]]:
        """The labels, names included, of the series that meet every matcher."""
        await self._heard.listen(self._snapshot().now)
        reading = _Reading(self._snapshot().now, self._lines, lambda: None)
        for one in self._select(matchers, reading, inf):
            await reading.took(0)
            yield one.labels

    # --- inside ---------------------------------------------------------------------------------

    async def _instants(self, need: Need, reading: _Reading) -> AsyncIterator[InstantColumn]:
        for one in self._select(need.matchers, reading):
            with self._engine.apart(one.labels.get("slo", ""), "series") as work:
                values, times = one.instant(need.moments, LOOKBACK)
            if not work.failed:
                await reading.took(len(values))
                yield InstantColumn(one.labels, values, times)

    async def _ranges(self, need: Need, reading: _Reading) -> AsyncIterator[RangeColumn]:
        for one in self._select(need.matchers, reading):
            with self._engine.apart(one.labels.get("slo", ""), "series") as work:
                times, values = one.within(need.moments, need.range)
            if not work.failed:
                await reading.took(len(values))
                yield RangeColumn(one.labels, times, values)

    def _select(
        self, matchers: Sequence[Matcher], reading: _Reading, most: float = MOST_SERIES
    ) -> Iterator[Readable]:
        names = [m for m in matchers if m.label == NAME]
        others = [m for m in matchers if m.label != NAME]
        many = 0
        for one in self._named(names, reading):
            if all(m.matches(one.labels.get(m.label, "")) for m in others):
                many += 1
                if many > most:
                    raise TooMuch(f"a selector has more than {MOST_SERIES:,} series; name fewer")
                yield one

    def _named(self, names: Sequence[Matcher], reading: _Reading) -> Iterator[Readable]:
        def fits(name: str) -> bool:
            return all(m.matches(name) for m in names)

        for account in list(self._engine.accounts.values()):
            found: list[Readable] = []
            with self._engine.apart(account.slo.name, "series"):
                for instance in list(account.memory.instances.values()):
                    found += self._of(account, instance, fits, reading.ticks)
            yield from found
        grid = Grid(EVERY, -inf, reading.ticks)
        for name, labels, read in self._heard.fired.rows():
            if fits(name):
                yield Computed({NAME: name, **labels}, read, grid)
        for line in self._recorded.lines():
            if fits(line.partition("{")[0]):
                name, labels = labels_of(line)
                named = {NAME: name, **labels}
                yield Remembered(named, line, self._recorded, reading.now, reading.live)

    def _of(
        self, account: Account, instance: Instance, fits: Callable[[str], bool], ticks: Ticks
    ) -> Iterator[Readable]:
        slo, rows = self._rows.get(instance, (None, {}))
        if slo is not instance.slo:
            rows = self._made(instance)
            self._rows[instance] = (instance.slo, rows)
        past = History(instance)
        grid = Grid(instance.slo.interval, past.first, ticks)
        for name, of in rows.items():
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
