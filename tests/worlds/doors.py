"""The two front doors: a world's looks as the batches that a source would bring to the engine.

`scraped`: page by page, on our own clock. `upstream`: ranges of raw samples behind a Prometheus,
cut where the caller says. `play` brings them to an engine and tells what it counted, if wanted with
slod started anew from what it had kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter as Multiset
from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.core.engine import Engine
from exporter.core.intake import Taken
from exporter.core.sample import Batch, Reading, Series, Target
from exporter.core.selector import Selector, Want, parse_selector
from tests.core.builders import packed, show
from tests.core.builders import slo as make_slo
from tests.worlds.exposition import Look, Page, Shown
from tests.worlds.kinds import World

OVERLAP = 120.0
"""Seconds by which a range reaches back before the one before it ended."""
_ZERO_REACH = 100.0
"""Seconds back in which an upstream stores a zero at a created timestamp."""

Key = tuple[Page, str, str]


class Names:
    """The series of a world, made once, with the wants that select each."""

    def __init__(self, world: World, *, upstream: bool) -> None:
        self._wants = [want for want in world.sli.wants() if isinstance(want, Selector)]
        self._upstream = upstream
        self._known: dict[Key, tuple[Series, list[Want]]] = {}

    def of(self, page: Page, one: Shown) -> tuple[Series, list[Want]]:
        """A sample's series and the wants it answers."""
        key = (page, one.instance, one.series)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._make(page, one)
        return found

    def target(self, page: Page, instance: str = "") -> str:
        """The name of a page's process, or of one that it passes on."""
        if self._upstream:
            return f'job="app",instance="{instance or page.url}"'
        url = f"http://{page.url}/metrics"
        return f'{url} instance="{instance}"' if instance else url

    def _make(self, page: Page, one: Shown) -> tuple[Series, list[Want]]:
        written = parse_selector(one.series)
        labels = {m.label: m.value for m in written.matchers}
        labels |= {"job": "app", "instance": page.url}
        if one.instance:
            labels["instance" if page.relay else "pod"] = one.instance
        inside = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
        passed_on = one.instance if page.relay else ""
        series = Series(
            f"{written.name}{{{inside}}}",
            self.target(page, passed_on),
            labels,
            page=self.target(page) if passed_on and not self._upstream else "",
        )
        wants: list[Want] = [
            want for want in self._wants if want.name == written.name and want.matches(labels)
        ]
        return series, wants


def scraped(world: World) -> list[Batch]:
    """A batch for each look that brought something: a page, or nobody who listened."""
    names = Names(world, upstream=False)
    out: list[Batch] = []
    for look in world.looks:
        target = names.target(look.page)
        batch = Batch("app", look.at, own_clock=True)
        batch.readings = {want: [] for want in world.sli.wants()}
        if look.outcome == "failed":
            continue
        if look.outcome == "refused":
            batch.targets[target] = Target(down=True)
        else:
            starts = [] if look.start is None else [(look.at, look.start)]
            batch.targets[target] = Target(starts=starts)
            for instance, start in look.starts.items():
                found = Target(starts=[(look.at, start)])
                batch.targets[names.target(look.page, instance)] = found
            for one in look.shown:
                series, wants = names.of(look.page, one)
                time = look.at if one.time is None else one.time
                for want in wants:
                    reading = Reading(series, [(time, one.value)], one.created)
                    batch.readings[want].append(reading)
        out.append(batch)
    return out


@dataclass(slots=True)
class _Stored:
    """One series of an upstream: sample times, when each was stored, and values."""

    times: list[float] = field(default_factory=list)
    stored: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Upstream:
    """A Prometheus that has scraped the world's pages."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = Names(world, upstream=True)
        self._series: dict[Key, _Stored] = {}
        self._shown: dict[Key, Shown] = {}
        self._looks: dict[Page, list[tuple[float, float, Look]]] = {}
        for look in world.looks:
            self._store(look)

    def _store(self, look: Look) -> None:
        at, stored = round(look.at, 3), round(look.at + look.late, 3)
        since = self._world.looks[0].at
        self._looks.setdefault(look.page, []).append((at, stored, look))
        for one in look.shown:
            key = (look.page, one.instance, one.series)
            self._shown.setdefault(key, one)
            series = self._series.setdefault(key, _Stored())
            time = at if one.time is None else round(one.time, 3)
            newest = series.times[-1] if series.times else 0.0
            if time <= newest:
                continue
            zero = one.created if self._world.zeros else None
            if zero is not None and max(newest, since, at - _ZERO_REACH) < zero < time:
                self._put(series, round(zero, 3), stored, 0.0)
            self._put(series, time, stored, one.value)

    @staticmethod
    def _put(series: _Stored, time: float, stored: float, value: float) -> None:
        series.times.append(time)
        series.stored.append(stored)
        series.values.append(value)

    def batches(self, ends: Sequence[float], *, history: bool) -> list[Batch]:
        """Ranges that end at these times; `history`: all but the last are chunks of a past that
        was there as a whole."""
        out: list[Batch] = []
        start = 0.0
        for end in ends:
            batch = Batch("app", end, own_clock=False, complete=not history or end == ends[-1])
            batch.readings = {want: [] for want in self._world.sli.wants()}
            now = ends[-1] if history else end
            self._read(batch, start - OVERLAP, end, now)
            self._facts(batch, start - OVERLAP, end, now)
            out.append(batch)
            start = end
        return out

    def _read(self, batch: Batch, start: float, end: float, now: float) -> None:
        for key, stored in self._series.items():
            low, high = bisect_right(stored.times, start), bisect_right(stored.times, end)
            if low == high:
                continue
            samples = [
                (stored.times[k], stored.values[k])
                for k in range(low, high)
                if stored.stored[k] <= now
            ]
            if samples:
                series, wants = self._names.of(key[0], self._shown[key])
                batch.targets.setdefault(series.target, Target())
                for want in wants:
                    batch.readings[want].append(Reading(series, samples))

    def _facts(self, batch: Batch, start: float, end: float, now: float) -> None:
        for page, looks in self._looks.items():
            low = bisect_left(looks, start, key=lambda look: look[0])
            seen = [look for look in looks[low:] if look[0] <= end and look[1] <= now]
            if not seen:
                continue
            starts: dict[str, list[tuple[float, float]]] = {"": []}
            for at, _, look in seen:
                own = {} if look.start is None else {"": look.start}
                for instance, began in (own | look.starts).items():
                    found = starts.setdefault(instance, [])
                    if not found or found[-1][1] != began:
                        found.append((at, began))
            for instance, found in starts.items():
                batch.targets[self._names.target(page, instance)] = Target(starts=found)
            batch.targets[self._names.target(page)] = Target(
                starts=starts[""],
                looks=[at for at, _, look in seen if look.outcome == "page"],
                down=seen[-1][2].outcome != "page",
            )


def polls(world: World, every: float, phase: float = 0.0) -> list[float]:
    """Times of polls, the first one right after the first look and one when all has come.

    A range ends at the time of its poll, so a sample that its page dates ahead is asked for when
    its time has come, and not before: polls go on until then.
    """
    first, last = world.looks[0].at, newest(world)
    out, at = [first + 0.001], first + phase
    while at <= last:
        if at > out[-1]:
            out.append(at)
        at += every
    return [*out, last + OVERLAP - 1.0]


def newest(world: World) -> float:
    """The time of the last look, or of the last sample where pages date theirs ahead."""
    dated = (one.time for look in world.looks for one in look.shown if one.time is not None)
    return max(world.looks[-1].at, max(dated, default=0.0))


# --- the engine -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Outcome:
    """What slod counted: all events, those of the part, and what it said. `steps`: after each
    batch (total, part, what came of it), when they are asked for."""

    total: float = 0.0
    part: float = 0.0
    said: Multiset[str] = field(default_factory=Multiset)
    steps: list[tuple[float, float, Taken | None]] = field(default_factory=list)


def play(
    world: World,
    batches: Sequence[Batch],
    *,
    restarts: Sequence[tuple[int, int]] = (),
    steps: bool = False,
) -> Outcome:
    """Bring batches to an engine. `restarts`: (after which batch slod kept a whole dump, before
    which batch it started anew from that and from what was logged since)."""
    out = Outcome()
    engine = _engine(world)
    dumps, starts = {a for a, _ in restarts}, {b for _, b in restarts}
    dumped, logs = packed(engine.dump("slo")), []
    for k, batch in enumerate(batches):
        if k in starts:
            engine = _engine(world)
            why = engine.restore("slo", dumped, logs)
            assert why is None, why
        taken = engine.ingest(batch).get("slo")
        if getattr(taken, "bucket_missing", False):
            # The daemon asks the source then, which looks at the first page that has any.
            engine.bounds("slo", _bounds(world))
        out.said += _said(engine, taken)
        log = engine.drain().get("slo", [])
        if restarts:
            logs.append(packed(log))
        if k in dumps:
            dumped, logs = packed(engine.dump("slo")), []
        if k % _TICKS == 0:
            engine.tick(batch.at)
        if steps:
            out.steps.append((*counted(world, engine), taken))
    out.total, out.part = counted(world, engine)
    return out


_TICKS = 16
"""Batches between two ticks."""


def _bounds(world: World) -> list[float]:
    for look in world.looks:
        texts = {one.series.partition('le="')[2].partition('"')[0] for one in look.shown}
        if found := sorted({float(text) for text in texts if text}):
            return found
    return []


def _said(engine: Engine, taken: Taken | None) -> Multiset[str]:
    out: Multiset[str] = Multiset()
    readings = getattr(taken, "readings", None) or {}
    for (kind, evidence), count in readings.items():
        if kind in ("unknown", "refused"):
            out[f"{kind}: {evidence}"] += count
    if (fault := engine.accounts["slo"].fault) is not None:
        out[fault] += 1
    return out


def _engine(world: World) -> Engine:
    one = make_slo("slo", world.sli, interval=world.interval, period="30d")
    return Engine([one], (), show)


def counted(world: World, engine: Engine) -> tuple[float, float]:
    """All events, and those of the part."""
    found = engine.status(world.looks[-1].at).slos
    good, bad = sum(s.good_total for s in found), sum(s.bad_total for s in found)
    return good + bad, good if world.wants_good else bad


# --- a reader to compare with ---------------------------------------------------------------------


def naive(world: World) -> tuple[float, float]:
    """As `increase()` counts, without its extrapolation: falls are resets, first values nothing."""
    last: dict[Key, float] = {}
    totals = [0.0, 0.0]
    for look in world.looks:
        for one in look.shown:
            key = (look.page, one.instance, one.series)
            gained = 0.0
            if key in last:
                gained = one.value - last[key] if one.value >= last[key] else one.value
            last[key] = one.value
            for k, counts in enumerate(world.role(one.series)):
                totals[k] += gained * counts
    return totals[0], totals[1]
