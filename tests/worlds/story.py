"""The story of one world, for people: looks, samples, truth, what slod counted and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exporter.core.sample import Batch
from tests.worlds.doors import Upstream, play, polls, scraped
from tests.worlds.exposition import Look
from tests.worlds.kinds import World, world
from tests.worlds.table import POLL
from tests.worlds.truth import Interval, Reader
from tests.worlds.world import BEGIN

_USUAL = ("", "goes on", "difference")


def story(kind: str, number: int, *, upstream: bool, everything: bool) -> Iterator[str]:
    """Lines about a world; `everything`: also looks at which nothing went wrong or was unusual."""
    one = world(kind, number)
    yield f"{one.name}: {one.sli}"
    yield f"an interval of {one.interval:g}s, {len(one.pages)} pages, {len(one.looks)} looks"
    yield from _happened(one)
    if upstream:
        batches = Upstream(one).batches(polls(one, max(one.interval, POLL)), history=False)
    else:
        batches = scraped(one)
    reader = Reader(one.role, histogram=one.schema.histogram, upstream=upstream, zeros=one.zeros)
    got = play(one, batches, steps=True)
    pending, off = list(one.looks), (0.0, 0.0)
    last: dict[Any, float] = {}
    for batch, (total, part, taken) in zip(batches, got.steps, strict=True):
        late = 1.0 if upstream else 0.0
        looks = [look for look in pending if look.at + late * look.late <= batch.at]
        pending = [look for look in pending if look not in looks]
        notes: list[str] = []
        for look in looks:
            reader.read(look)
            notes += reader.notes
        truth = reader.truth
        now = (truth.total.off(total), truth.part.off(part))
        wrong = any(abs(a - b) > 0.5 for a, b in zip(now, off, strict=True))
        unusual = _readings(taken) or notes or any(look.outcome != "page" for look in looks)
        if everything or wrong or unusual:
            yield from _look(batch, looks, last)
            yield f"    truth {_numbers(truth.total)} part {_numbers(truth.part)}; " + (
                f"slod {total:g} part {part:g}" + (f"  <<< off by {now}" if wrong else "")
            )
            yield from (f"    open: {note}" for note in dict.fromkeys(notes))
            yield from (f"    reading: {text}" for text in _readings(taken))
        for look in looks:
            for shown in look.shown:
                last[look.page, shown.instance, shown.series] = shown.value
        off = now
    truth = reader.truth
    yield f"open: {dict(truth.open)}; events in doubt: {truth.doubt}"
    yield f"truth {_numbers(truth.total)} part {_numbers(truth.part)}"
    yield f"slod  {got.total:g} part {got.part:g}; said: {dict(got.said)}"


def _happened(one: World) -> Iterator[str]:
    found = sorted((when, text) for page in one.pages for when, text in page.told)
    yield from (f"  {when - BEGIN:9.2f}s {text}" for when, text in found)


def _look(batch: Batch, looks: list[Look], last: dict[Any, float]) -> Iterator[str]:
    yield f"{batch.at - BEGIN:9.2f}s batch"
    for look in looks:
        start = "" if look.start is None else f", start {look.start - BEGIN:.2f}s"
        yield f"  {look.at - BEGIN:9.2f}s {look.page.url} {look.outcome}{start}"
        for one in look.shown:
            before = last.get((look.page, one.instance, one.series))
            was = "" if before is None else f" (was {before:g})"
            began = ", ".join(f"{life.began - BEGIN:.2f}s" for life, _ in one.lives)
            yield f"      {one.instance} {one.series} {one.value:g}{was} began {began}"


def _readings(taken: Any) -> list[str]:
    """Readings that are neither usual nor baselines."""
    found = getattr(taken, "readings", None) or {}
    return [
        f"{count} x {kind}: {evidence}"
        for (kind, evidence), count in found.items()
        if kind != "increase" or evidence not in _USUAL
    ]


def _numbers(interval: Interval) -> str:
    low, high = interval.low, interval.high
    return f"{low:g}" if high - low < 0.5 else f"{low:g}..{high:g}"
