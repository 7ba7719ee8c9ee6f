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
from typing import NamedTuple

from exporter.core.sample import Reading
from exporter.sources.exposition.catalogue import Catalogue
from exporter.sources.exposition.lines import parse_rest
from exporter.sources.exposition.page import Page, too_many
from exporter.sources.exposition.plan import Plan, Planner

_SUFFIXES = ("_total", "_bucket", "_count", "_sum")
_UNTIDY = re.compile(rb"\n[ \t\r\n]")
_BLANK = re.compile(rb"\n[ \t\r\n]+")
_EARLIEST, _LATEST = 1e9, 1e10
_MIXED = 1024
"""So many foreign lines between a family's own are worth a search of their own."""


class Clock(NamedTuple):
    """The time of a page's samples: `at`, or with `honor` what the lines say, in so many units
    `per_second`."""

    at: float
    per_second: float
    honor: bool


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
        self._names = frozenset(names)
        escaped = base.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        self._needle = escaped.encode("utf-8", "surrogateescape")
        self._own = re.compile(rb"\n(" + re.escape(self._needle) + rb"[^\n]*+)")
        self._planner = Planner(self._names, base + "_created", catalogue)
        self._plan: Plan | None = None

    def forget(self) -> None:
        """Learn everything anew from the next page."""
        self._planner.forget()
        self._plan = None

    def read(self, page: Page, body: bytes, clock: Clock, max_series: int) -> None:
        """Put the wanted samples of a page into `page`; `SourceError` when they are too many."""
        lines = self._lines(body)
        plan = self._plan
        if plan is None or not plan.fits(lines):
            plan = self._planner.plan(lines, max_series, page.refuse)
            # What is refused is to be counted on each page: such a page is learnt each time.
            self._plan = plan if plan.regular else None
        if page.samples + len(plan.wanted) > max_series:
            raise too_many(max_series)
        self._take(page, plan, lines, clock)

    def _lines(self, body: bytes) -> list[bytes]:
        """All lines between the first and the last one that names the family, these included."""
        first = body.find(self._needle)
        if first < 0:
            return []
        begin = body.rfind(b"\n", 0, first) + 1
        end = body.find(b"\n", body.rfind(self._needle))
        block = body[begin : end if end >= 0 else len(body)].rstrip()
        if block[:1].isspace() or _UNTIDY.search(block):
            block = _BLANK.sub(b"\n", b"\n" + block)[1:]
        if self._is_mixed(block):
            return self._own.findall(b"\n" + block)
        return block.split(b"\n") if block else []

    def _is_mixed(self, block: bytes) -> bool:
        # A name like `up` also begins others; to pick its lines out then costs less than to read
        # everything between. A name in quotes, {"up"}, does not begin a line and stays as it is.
        own = block.count(b"\n" + self._needle)
        return 4 * own + _MIXED < block.count(b"\n") and b'"' + self._needle not in block

    def _take(self, page: Page, plan: Plan, lines: Sequence[bytes], clock: Clock) -> None:
        since = [_created_time(lines[i][n:]) for i, n in plan.created]
        since.append(None)  # index -1: of a series without
        at, per_second, honor = clock
        rests = [lines[i][n:] for i, n, _, _ in plan.wanted]
        readings: list[Reading | None] = []
        if (values := _plain_numbers(rests)) is not None:
            readings += [
                Reading(series, [(at, value)], since[slot])
                for (_, _, series, slot), value in zip(plan.wanted, values, strict=True)
            ]
        else:
            for (_, _, series, slot), rest in zip(plan.wanted, rests, strict=True):
                parsed = parse_rest(rest)
                if parsed is None:
                    page.refuse("malformed")
                    readings.append(None)
                    continue
                value, stamp = parsed
                time = at if stamp is None or not honor else stamp / per_second
                readings.append(Reading(series, [(time, value)], since[slot]))
        page.samples += len(readings) - readings.count(None)
        for want, places in plan.takers.items():
            taken = readings if len(places) == len(readings) else [readings[k] for k in places]
            page.readings[want] = [r for r in taken if r is not None]


def _plain_numbers(rests: Sequence[bytes]) -> list[float] | None:
    """The values, where no line has anything else; None where one has, or is malformed."""
    # Python reads 1_000, the formats do not.
    if b"_" in b"".join(rests):
        return None
    try:
        return list(map(float, rests))
    except ValueError:
        return None


def _created_time(rest: bytes) -> float | None:
    # `jobs_created` may as well be a gauge beside the counter `jobs_total`, of which a rise would
    # look like a restart: only what can be a time in this century is one.
    parsed = parse_rest(rest)
    return parsed[0] if parsed and _EARLIEST <= parsed[0] <= _LATEST else None
