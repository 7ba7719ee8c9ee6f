"""A Prometheus in this process: it keeps samples and answers its HTTP API as the real ones do.

Samples become visible when they have arrived, by the clock of the test. Range selectors give raw
samples; any other expression is evaluated. A `Flavour` says whose manners it has: stale markers,
what is held back, how parts that are missing are told, and what is too much for one answer.
"""

from __future__ import annotations

import json
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import isnan, nan
from operator import itemgetter
from typing import Any

from exporter.core.sample import NativeHistogram
from exporter.core.selector import NAME, Matcher
from exporter.http import Response
from exporter.promql.columns import LOOKBACK, InstantColumn, Need, RangeColumn
from exporter.promql.errors import BadData, QueryError
from exporter.promql.nodes import Select
from exporter.promql.parse import parse
from exporter.promql.query import Matrix, Query, Scalar, Vector
from tests.cases.pages import number
from tests.cases.stage import Request, answer

STALE = nan
"""Value of a stale marker."""
Value = float | NativeHistogram


@dataclass
class Flavour:
    """Manners of a server.

    `shows_stale_markers`: raw ranges have them as NaN. `holds_back`: seconds before now that
    `query_range` leaves out, unless the request says `latency_offset` and `takes_offset` holds.
    `twice`: each raw sample comes two times. `most_samples`, `longest`: limits of one answer.
    `partial`: how missing parts are told, `isPartial` of VictoriaMetrics or Thanos' `warnings`.
    """

    shows_stale_markers: bool = False
    holds_back: float = 0.0
    takes_offset: bool = False
    twice: bool = False
    most_samples: int | None = None
    longest: float | None = None
    partial: str = "isPartial"


_TIME = itemgetter(0)


@dataclass
class Strand:
    """One series. `shown`: (time, value) of the samples that have arrived, ascending; `coming`:
    (arrival, order, time, value) of the others, as a heap. Times in unix seconds."""

    labels: dict[str, str]
    shown: list[tuple[float, Value]] = field(default_factory=list)
    coming: list[tuple[float, int, float, Value]] = field(default_factory=list)

    def visible(self, now: float) -> list[tuple[float, Value]]:
        """What has arrived by now."""
        while self.coming and self.coming[0][0] <= now:
            _, _, time, value = heappop(self.coming)
            if self.shown and self.shown[-1][0] > time:
                insort(self.shown, (time, value), key=_TIME)
            else:
                self.shown.append((time, value))
        return self.shown


class _Refused(Exception):
    def __init__(self, status: int, kind: str, text: str) -> None:
        super().__init__(text)
        self.status, self.kind = status, kind


class Upstream:
    """Answers `/api/v1/...`. `hidden`: the series of a part that is down. `asked`: all requests."""

    def __init__(self, now: Callable[[], float], flavour: Flavour | None = None) -> None:
        self.flavour = flavour or Flavour()
        self.hidden: Callable[[Mapping[str, str]], bool] | None = None
        self.types: dict[str, str] = {}
        self.asked: list[Request] = []
        self._now = now
        self._order = 0
        self._strands: dict[tuple[tuple[str, str], ...], Strand] = {}

    def write(
        self, labels: Mapping[str, str], time: float, value: Value, arrived: float | None = None
    ) -> None:
        """Store a sample, which is there from `arrived` on, half a second after its time unless
        told."""
        key = tuple(sorted(labels.items()))
        strand = self._strands.setdefault(key, Strand(dict(labels)))
        at = time + 0.5 if arrived is None else arrived
        self._order += 1
        heappush(strand.coming, (at, self._order, time, value))

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        self.asked.append(request)
        path = request.path.rpartition("/api/v1/")[2]
        try:
            found = self._answer(path, request.form)
        except BadData as error:
            return _error(400, "bad_data", f'invalid parameter "query": {error}')
        except QueryError as error:
            return _error(422, "execution", str(error))
        except _Refused as error:
            return _error(error.status, error.kind, str(error))
        if found is None:
            return answer("404 page not found", status=404)
        return answer(json.dumps({"status": "success", **found}), "application/json")

    def _answer(self, path: str, form: Mapping[str, str]) -> dict[str, Any] | None:
        if path == "query":
            return self._query(form)
        if path == "query_range":
            return self._query_range(form)
        if path == "metadata":
            types = self.types.items()
            return {"data": {n: [{"type": t, "help": "", "unit": ""}] for n, t in types}}
        if path in ("labels", "series") or path.startswith("label/"):
            return {"data": self._names(path, form)}
        if path == "status/buildinfo":
            return {"data": {"version": "2.55.0"}}
        return None

    # --- queries --------------------------------------------------------------------------------

    def _query(self, form: Mapping[str, str]) -> dict[str, Any]:
        text, at = form["query"], float(form.get("time") or self._now())
        node = parse(text)
        if isinstance(node, Select) and node.range > 0:
            return self._raw(form, node, at - node.offset)
        more = self._parts(form)
        at -= self._held_back(form) if at > self._now() - self._held_back(form) else 0.0
        return {"data": _data(self._evaluate(Query(text, at, at))), **more}

    def _query_range(self, form: Mapping[str, str]) -> dict[str, Any]:
        start, end, step = (float(form[k]) for k in ("start", "end", "step"))
        more = self._parts(form)
        newest = self._now() - self._held_back(form)
        if end > newest:
            end = start + (newest - start) // step * step
        if end < start:
            return {"data": {"resultType": "matrix", "result": []}, **more}
        return {"data": _data(self._evaluate(Query(form["query"], start, end, step))), **more}

    def _held_back(self, form: Mapping[str, str]) -> float:
        offset = form.get("latency_offset")
        if offset is not None and self.flavour.takes_offset:
            return float(offset.removesuffix("ms")) / 1000 if "ms" in offset else float(offset[:-1])
        return self.flavour.holds_back

    def _parts(self, form: Mapping[str, str]) -> dict[str, Any]:
        """What an answer says of parts that are missing; a refusal where that is asked for."""
        if self.hidden is None:
            return {}
        if self.flavour.partial == "isPartial":
            if form.get("deny_partial_response") in ("1", "true"):
                text = "cannot fetch query results from vmstorage nodes: connection refused"
                raise _Refused(503, "503", text)
            return {"isPartial": True}
        text = "receive series from Addr: store-1:10901: rpc error: code = Unavailable"
        if form.get("partial_response") in ("0", "false"):
            raise _Refused(422, "execution", text)
        return {"warnings": [text]}

    def _raw(self, form: Mapping[str, str], node: Select, end: float) -> dict[str, Any]:
        flavour = self.flavour
        if flavour.longest is not None and node.range > flavour.longest:
            limit = f"limit: {flavour.longest:.0f}s"
            raise _Refused(400, "bad_data", f"the query time range exceeds the limit ({limit})")
        if self.hidden is not None and flavour.partial == "isPartial":
            raise _Refused(503, "503", "cannot fetch query results from vmstorage nodes")
        more = self._parts(form)
        result = [self._row(s, end - node.range, end) for s in self._select(node.matchers)]
        result = [row for row in result if len(row) > 1]
        count = sum(len(row.get("values", ())) for row in result)
        if flavour.most_samples is not None and count > flavour.most_samples:
            # Its sentence has none of the words that other servers use, and repeats the query.
            raise _Refused(
                422,
                "422",
                f"error when executing query={form['query']!r}: cannot select more than "
                f"-search.maxSamplesPerQuery={flavour.most_samples} samples; possible solutions: "
                "increase the -search.maxSamplesPerQuery; reduce time range for the query",
            )
        return {"data": {"resultType": "matrix", "result": result}, **more}

    def _row(self, strand: Strand, start: float, end: float) -> dict[str, Any]:
        flavour, row = self.flavour, dict[str, Any](metric=strand.labels)
        shown = strand.visible(self._now())
        low, high = (bisect_right(shown, at, key=_TIME) for at in (start, end))
        for time, value in shown[low:high]:
            if isinstance(value, NativeHistogram):
                row.setdefault("histograms", []).append([time, _histogram(value)])
            elif not isnan(value) or flavour.shows_stale_markers:
                at = round(time, 3)
                row.setdefault("values", []).extend([[at, number(value)]] * (1 + flavour.twice))
        return row

    def _select(self, matchers: Iterable[Matcher]) -> list[Strand]:
        conditions = list(matchers)
        return [
            strand
            for strand in self._strands.values()
            if all(m.matches(strand.labels.get(m.label, "")) for m in conditions)
            and (self.hidden is None or not self.hidden(strand.labels))
        ]

    def _evaluate(self, query: Query) -> Any:
        return query.answer([self._columns(need) for need in query.needs])

    def _columns(self, need: Need) -> list[InstantColumn] | list[RangeColumn]:
        found = [(s.labels, self._plain(s)) for s in self._select(need.matchers)]
        if need.range:
            alive = [(own, [s for s in some if not isnan(s[1])]) for own, some in found]
            return [RangeColumn(o, [t for t, _ in s], [v for _, v in s]) for o, s in alive]
        return [_instant(own, samples, need.moments) for own, samples in found]

    def _plain(self, strand: Strand) -> list[tuple[float, float]]:
        return [
            (t, v) for t, v in strand.visible(self._now()) if not isinstance(v, NativeHistogram)
        ]

    def _names(self, path: str, form: Mapping[str, str]) -> list[Any]:
        chosen = list(self._strands.values())
        if "match[]" in form:
            node = parse(form["match[]"])
            assert isinstance(node, Select)
            chosen = self._select(node.matchers)
        chosen = [strand for strand in chosen if strand.visible(self._now())]
        if path == "series":
            return [strand.labels for strand in chosen]
        if path == "labels":
            return sorted({name for strand in chosen for name in strand.labels})
        name = path.split("/")[1]
        return sorted({strand.labels[name] for strand in chosen if name in strand.labels})


def _instant(
    labels: Mapping[str, str], samples: Sequence[tuple[float, float]], moments: Sequence[float]
) -> InstantColumn:
    times = [time for time, _ in samples]
    values: list[float | None] = []
    own: list[float | None] = []
    for moment in moments:
        index = bisect_right(times, moment) - 1
        fresh = index >= 0 and moment - times[index] < LOOKBACK and not isnan(samples[index][1])
        values.append(samples[index][1] if fresh else None)
        own.append(times[index] if fresh else None)
    return InstantColumn(labels, values, own)


def _data(found: Any) -> dict[str, Any]:
    if isinstance(found, Vector):
        result: list[Any] = [
            {"metric": dict(own), "value": [found.at, number(value)]} for own, value in found.series
        ]
        return {"resultType": "vector", "result": result}
    if isinstance(found, Matrix):
        result = [
            {"metric": dict(own), "values": [[t, number(v)] for t, v in zip(times, values)]}  # noqa: B905
            for own, times, values in found.series
        ]
        return {"resultType": "matrix", "result": result}
    assert isinstance(found, Scalar)
    return {"resultType": "scalar", "result": [found.at, number(found.value)]}


def _histogram(value: NativeHistogram) -> dict[str, Any]:
    # Boundaries 0: open left; 3: closed on both sides. Nobody here looks at them.
    buckets = [[0, number(low), number(high), number(n)] for low, high, n in value.buckets]
    return {"count": number(value.count), "sum": "1", "buckets": buckets}


def _error(status: int, kind: str, text: str) -> Response:
    body = json.dumps({"status": "error", "errorType": kind, "error": text})
    return answer(body, "application/json", status)


def series(name: str, **labels: str) -> dict[str, str]:
    """The labels of a series, its name among them."""
    return {NAME: name, **labels}
