"""A stand-in for Prometheus that holds series and answers range selectors from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from exporter.config.duration import parse_duration
from exporter.core.selector import NAME, Matcher, parse_matchers
from tests.sources.test_prometheus import matrix
from tests.support import ManualClock

_RANGE = re.compile(r"(?P<name>[a-z_]*)(?:\{(?P<inside>.*)\})?\[(?P<range>[0-9a-z]+)\]", re.DOTALL)
_COUNT = re.compile(r"count by \(__name__, job\) \(\{(?P<inside>.*)\}\)", re.DOTALL)

Sample = tuple[float, Any]


class Upstream:
    """`late`: seconds after its time in which a sample is there. `steps`: answers a range query
    from its expression and the step's time, None for no answer. `refuses`: the answer in place of
    any, where it returns one."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.series: list[tuple[dict[str, str], list[Sample], float]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.steps: Callable[[str, float], float | None] = lambda expr, time: None
        self.refuses: Callable[[str, dict[str, str]], Any] = lambda path, form: None

    def add(
        self, name: str, samples: Sequence[Sample], late: float = 0.0, **labels: str
    ) -> list[Sample]:
        """One more series; its samples may be added to."""
        kept = list(samples)
        self.series.append(({NAME: name, **labels}, kept, late))
        return kept

    @property
    def queries(self) -> list[str]:
        return [form["query"] for _, form in self.asked if "query" in form]

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        form = {k: str(v) for k, v in (await request.post()).items()}
        self.asked.append((request.path, form))
        refused = self.refuses(request.path, form)
        if refused is not None:
            return refused if isinstance(refused, web.Response) else web.json_response(refused)
        return web.json_response(self.answer(request.path, form))

    def answer(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        """What it would answer if it did not refuse."""
        if path.endswith("series"):
            name, _, inside = form["match[]"].removesuffix("}").partition("{")
            matchers = list(parse_matchers(inside))
            matchers += [Matcher(NAME, "=", name)] if name else []
            found = [labels for labels, _ in self._matching(matchers)]
            return {"status": "success", "data": found}
        if path.endswith("query_range"):
            return matrix(({}, self._steps(form)))
        if count := _COUNT.fullmatch(form["query"]):
            sizes: dict[tuple[str, str], int] = {}
            for labels, _ in self._matching(parse_matchers(count["inside"])):
                key = (labels[NAME], labels.get("job", ""))
                sizes[key] = sizes.get(key, 0) + 1
            rows = [
                {"metric": {NAME: name, "job": job}, "value": [0, str(many)]}
                for (name, job), many in sizes.items()
            ]
            return {"status": "success", "data": {"resultType": "vector", "result": rows}}
        asked = _RANGE.fullmatch(form["query"])
        assert asked is not None, form["query"]
        matchers = list(parse_matchers(asked["inside"] or ""))
        matchers += [Matcher(NAME, "=", asked["name"])] if asked["name"] else []
        end = float(form["time"])
        start = end - parse_duration(asked["range"])
        rows = [
            (labels, [[t, str(v)] for t, v in samples if start < t <= end])
            for labels, samples in self._matching(matchers)
        ]
        return matrix(*((labels, samples) for labels, samples in rows if samples))

    def _steps(self, form: dict[str, str]) -> list[list[Any]]:
        step, time, out = float(form["step"]), float(form["start"]), []
        while time <= float(form["end"]):
            if (value := self.steps(form["query"], time)) is not None:
                out.append([time, str(value)])
            time += step
        return out

    def _matching(self, matchers: Sequence[Matcher]) -> list[tuple[dict[str, str], list[Sample]]]:
        now = self.clock.now()
        return [
            (labels, [sample for sample in samples if sample[0] + late <= now])
            for labels, samples, late in self.series
            if all(m.matches(labels.get(m.label, "")) for m in matchers)
        ]
