"""Prometheus text 0.0.4 and OpenMetrics 1.0: the samples of one family of wanted metrics.

Theory of operation: a page of 49,000 lines is one bytes object, and two plain searches find the
block that all lines of a family lie in. From page to page nearly always nothing but the values
change. So the first page is read the careful way and leaves a plan: how every line of the block
begins, and which of them are wanted. A page whose lines all begin as planned has only its values
left to read; any other one is learnt anew. A beginning holds all of a line up to its value, so
two series, or two metrics of which one name begins the other, are never taken for each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

from exporter.core.sample import Reading, Value
from exporter.sources.exposition.catalogue import Catalogue
from exporter.sources.exposition.lines import Clock, parse_rest, plain_numbers, plausible, written
from exporter.sources.exposition.page import Page, too_many
from exporter.sources.exposition.plan import Plan, Planner
from exporter.sources.exposition.types import text_types

_SUFFIXES = ("_total", "_bucket", "_count", "_sum")
_UNTIDY = re.compile(rb"\n[ \t\r\n]")
_BLANK = re.compile(rb"\n[ \t\r\n]+")
_FOREIGN = 1024
"""So many foreign lines between a family's own are worth a search of their own."""
_NEAR = 4096
"""By so many bytes a family's lines may grow from page to page and be found at once."""
_reading = partial(tuple.__new__, Reading)
"""A `Reading` of a tuple, three times as fast as by its constructor."""


def families(catalogue: Catalogue) -> list[Family]:
    """The wanted metrics, those of one histogram or counter together."""
    found: dict[str, list[str]] = {}
    for name in catalogue.wants:
        base = next((name.removesuffix(s) for s in _SUFFIXES if name.endswith(s)), "") or name
        found.setdefault(base, []).append(name)
    return [Family(base, names, catalogue) for base, names in found.items()]


class Family:
    """Metrics that differ in their suffix only, with their `_created` lines."""

    def __init__(self, base: str, names: Iterable[str], catalogue: Catalogue) -> None:
        self.base = base
        self.names = frozenset(names)
        created = base + "_created"
        # All their names begin with it; the longer, the faster found.
        stem = base + "_" if all(n.startswith(base + "_") for n in self.names) else base
        self._needle = written(stem)
        self._own = re.compile(rb"\n(" + re.escape(self._needle) + rb"[^\n]*+)")
        self._planner = Planner(self.names, created, catalogue)
        self._plan: Plan | None = None
        self._types: dict[str, str] = {}
        self._length = 0
        self._mixed = False

    def forget(self) -> None:
        """Learn everything anew from the next page."""
        self._planner.forget()
        self._plan = None

    def read(self, page: Page, body: bytes, clock: Clock, max_series: int) -> None:
        """Put the wanted samples of a page into `page`; `SourceError` when they are too many."""
        begin, end = self._span(body)
        block = body[begin:end].rstrip(b" \t\r\n")
        plan = self._plan
        rests = plan.fitting(block) if plan and not self._mixed else None
        if plan is None or rests is None:
            block = self._tidied(block)
            rests = plan.fitting(block) if plan else None
        if plan is None or rests is None:
            lines = block.split(b"\n") if block else []
            plan = self._planner.plan(lines, max_series, page.refuse)
            # What is refused is to be counted on each page: such a page is learnt each time.
            self._plan = plan if plan.regular else None
            rests = plan.rests(lines)
            self._types = text_types(self.base, self.names, body, begin, end)
        page.types.update(self._types)
        if page.samples + len(plan.places) > max_series:
            raise too_many(max_series)
        _take(page, plan, rests, clock)

    def _span(self, body: bytes) -> tuple[int, int]:
        """Where the lines are from the first to the last one that names the family."""
        first = last = body.rfind(self._needle)
        if last < 0:
            return 0, 0
        # CPython searches bytes more than twice as fast backwards. So the first one is looked for
        # near where it should be, and that none is before it is seen backwards too.
        reach = self._length + _NEAR
        while (before := body.rfind(self._needle, 0, first)) >= 0:
            first = body.find(self._needle, max(0, before - reach))
            reach *= 4
        begin = body.rfind(b"\n", 0, first) + 1
        end = body.find(b"\n", last)
        self._length = last - first
        return begin, end if end >= 0 else len(body)

    def _tidied(self, block: bytes) -> bytes:
        """Without blanks before a line, empty lines, and foreign lines where they are many."""
        if block[:1].isspace() or _UNTIDY.search(block):
            block = _BLANK.sub(b"\n", b"\n" + block)[1:]
        # A name like `up` also begins others; to pick its lines out then costs less than to read
        # everything between. A name in quotes, {"up"}, does not begin a line and stays as it is.
        own = block.count(b"\n" + self._needle)
        self._mixed = 4 * own + _FOREIGN < block.count(b"\n") and b'"' + self._needle not in block
        return b"\n".join(self._own.findall(b"\n" + block)) if self._mixed else block


def _take(page: Page, plan: Plan, rests: Sequence[bytes], clock: Clock) -> None:
    """The readings of the wanted series."""
    since = _created_times([rests[i] for i in plan.created])
    since.append(None)  # index -1: of a series without
    wanted = [rests[i] for i in plan.places]
    values = plain_numbers(wanted)
    if values is not None:
        samples: list[list[tuple[float, Value]]] = [[(clock.at, value)] for value in values]
    else:
        samples = [_samples(rest, clock) for rest in wanted]
    refused = samples.count([])
    for _ in range(refused):
        page.refuse("malformed")
    page.samples += len(samples) - refused
    begun = [since[k] for k in plan.slots]
    readings = list(map(_reading, zip(plan.series, samples, begun, strict=True)))
    for want, places in plan.takers.items():
        taken = readings[:] if len(places) == len(readings) else [readings[k] for k in places]
        page.readings[want] = [r for r in taken if r.samples] if refused else taken


def _samples(rest: bytes, clock: Clock) -> list[tuple[float, Value]]:
    """The sample of a line in any form it may have; none when it cannot be read."""
    parsed = parse_rest(rest)
    if parsed is None:
        return []
    value, stamp = parsed
    return [(clock.time(stamp), value)]


def _created_times(rests: Sequence[bytes]) -> list[float | None]:
    # `jobs_created` may as well be a gauge beside the counter `jobs_total`, of which a rise would
    # look like a restart: only what can be a time in this century is one.
    values: Sequence[float | None] | None = plain_numbers(rests)
    if values is None:
        values = [parsed and parsed[0] for parsed in map(parse_rest, rests)]
    return [None if v is None else plausible(v) for v in values]
