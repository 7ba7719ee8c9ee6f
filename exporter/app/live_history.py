"""Evidence of `slod check --live`: what batches show of series, targets and alerts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite

from exporter.core.alert import Alert
from exporter.core.burn_alerts import BURN
from exporter.core.engine import Engine
from exporter.core.sample import Batch, NativeHistogram, Reading
from exporter.core.selector import Want
from exporter.core.slo import SLO, HistogramSLI
from exporter.core.taken import Taken

_PART_LEFT = 0.2
"""Share of its value that a sum over workers keeps when one of them ends. Less may be a restart
that the start time on the page does not show, as on that of another process' exporter."""
_JITTER = 1e-6


class History:
    """Samples of a source, as far as findings need them. `bounds`: by SLO, what its histogram
    has, where the threshold is none of them."""

    def __init__(self, slos: Sequence[SLO], is_history: bool) -> None:
        self.slos = slos
        self.is_history = is_history
        self.bounds: dict[str, list[float]] = {}
        self.last: dict[Want, dict[str, float]] = defaultdict(dict)
        """The newest value of each series, by want."""
        self.types: dict[str, str] = {}
        """Types of metrics that an upstream knows, beside those that pages name."""
        self.looks = 0
        self.fired: Counter[tuple[str, str]] = Counter()
        """How many looks saw an alert of an SLO and severity active."""
        self.surplus: dict[str, float] = defaultdict(float)
        """By SLO, events of the part that were more than its total, and were let go."""
        self.parts: dict[str, tuple[float, float]] = {}
        """By SLO, surplus of the part over its total, let go or not yet, and all events."""
        self.pages: dict[str, Batch] = {}
        """The newest batch of each target; of an upstream the readings of all of them together."""
        self.falls: dict[Want, Counter[str]] = defaultdict(Counter)
        """How often each series fell while its process cannot be seen to have begun anew."""
        self.worn: dict[Want, set[str]] = defaultdict(set)
        """Series that fell to a part of their value in a process that went on."""
        self._started: dict[str, float] = {}
        self._newest: dict[tuple[Want, str], float] = {}

    def take(self, batch: Batch, target: str) -> None:
        """Keep what a batch shows. `target`: what was polled."""
        if self.is_history:
            before = self.pages.setdefault(target, Batch(batch.source, batch.at, own_clock=False))
            before.types |= batch.types
        else:
            before = self.pages[target] = Batch(batch.source, batch.at, own_clock=True)
            before.types = batch.types
        for want, readings in batch.readings.items():
            known = {id(r.series) for r in before.readings.setdefault(want, [])}
            before.readings[want] += [r for r in readings if id(r.series) not in known]
            for reading in readings:
                self._follow(want, reading, batch)
        for name, state in batch.targets.items():
            if state.starts:
                self._started[name] = state.starts[-1][1]

    def _follow(self, want: Want, reading: Reading, batch: Batch) -> None:
        """Compare a series' samples with those before them."""
        name = f"{reading.series.target} {reading.series.key}"
        state = batch.targets.get(reading.series.target)
        moves = list(state.starts) if state is not None else []
        for time, value in reading.samples:
            number = value.count if isinstance(value, NativeHistogram) else value
            before = self.last[want].get(name)
            newest = self._newest.get((want, name))
            if not isfinite(number) or (newest is not None and time <= newest):
                continue
            if before is not None and number < before * (1 - _JITTER):
                start = self._started.get(reading.series.target)
                moved = any((newest or 0.0) < at <= time and s != start for at, s in moves)
                if not moved:
                    self.falls[want][name] += 1
                if not moved and start is not None and number >= _PART_LEFT * before:
                    self.worn[want].add(name)
            self.last[want][name] = number
            self._newest[want, name] = time

    def count_surplus(self, taken: Mapping[str, Taken]) -> None:
        """Add up what was let go as a batch was counted, by SLO."""
        for name, one in taken.items():
            self.surplus[name] += one.surplus

    def count_alerts(self, engine: Engine) -> None:
        """Note which alerts are active, and how parts and totals stand, after a tick."""
        self.looks += 1
        for name, account in engine.accounts.items():
            active = {a.labels["severity"] for a in account.alerts() if a.firing and _burns(a)}
            self.fired.update((name, severity) for severity in active)
            instances = account.memory.instances.values()
            self.parts[name] = (
                self.surplus[name] + sum(i.debt for i in instances),
                sum(i.ledger.all.total for i in instances),
            )

    @property
    def when(self) -> str:
        """Where, or in which time, the samples were."""
        return " in the last day" if self.is_history else " on the targets' pages"

    def lacking(self, slo: SLO) -> tuple[list[str], int]:
        """Targets on which the threshold of a histogram is no bucket bound, of how many; empty when
        all have it, or native histograms."""
        assert isinstance(slo.sli, HistogramSLI)
        targets: list[set[str]] = [set(), set(), set()]
        for batch in self.pages.values():
            for kind, want in enumerate(slo.sli.wants()):
                targets[kind] |= {
                    r.series.target
                    for r in batch.readings.get(want, ())
                    if kind == 1 or _is_bucket(r, slo.sli.threshold)
                }
        bucket, count, native = targets
        return sorted(count - bucket - native), len(count | native)


def _is_bucket(reading: Reading, threshold: float) -> bool:
    """Check that a series is the threshold's bucket, or a native histogram."""
    if "le" not in reading.series.labels:
        return any(isinstance(value, NativeHistogram) for _, value in reading.samples)
    try:
        return float(reading.series.labels["le"]) == threshold
    except ValueError:
        return False


def _burns(alert: Alert) -> bool:
    return alert.labels["alertname"] == BURN
