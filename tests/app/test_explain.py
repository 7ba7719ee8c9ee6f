"""Explaining asks the source again; here it is a server that holds samples as Prometheus does."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.app import compare
from exporter.app import explain as app_explain
from exporter.app.explain import Explainer
from exporter.config.settings import PrometheusSource, ScrapeSource
from exporter.core.explained import PeersSaid
from exporter.core.query_sli import QuerySLI
from exporter.core.selector import NAME, Matcher, Query, parse_matchers, parse_selector
from exporter.core.slo import SLI, GaugeSLI
from exporter.errors import NotFound
from tests.app.test_daemon import SLO, PageServer, get, page, ready, running, until, write
from tests.core.builders import AVAILABILITY, T, engine, feed, histogram, rule, slo
from tests.sources.kit import serving
from tests.support import ManualClock

__all__ = ["page"]

Stored = dict[str, list[tuple[float, float]]]
END = T + 7200


class Upstream:
    """Answers range selectors; `stored` by series as written on a page."""

    def __init__(self, stored: Stored) -> None:
        self.series = [(parse_selector(text), samples) for text, samples in stored.items()]
        self.status = 200
        self.hang = False

    async def __call__(self, request: web.Request) -> web.Response:
        if self.hang:
            await asyncio.sleep(30)
        form = await request.post()
        found = re.fullmatch(r"(.*)\[(.*)\]", str(form["query"]))
        if found is None:  # how many series of what there are
            data = {"resultType": "vector", "result": []}
            return web.json_response({"status": "success", "data": data}, status=self.status)
        name, _, inside = found[1].partition("{")
        want = [*parse_matchers(inside.removesuffix("}"))]
        want += [Matcher(NAME, "=", name)] if name else []
        end = float(str(form["time"]))
        units = {"d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
        reach = sum(float(n) * units[u] for n, u in re.findall(r"(\d+)(ms|[dhms])", found[2]))
        result = []
        for series, samples in self.series:
            labels = {m.label: m.value for m in series.matchers} | {"job": "j", "instance": "i"}
            labels[NAME] = series.name
            values = [(t, str(v)) for t, v in samples if end - reach < t <= end]
            if values and all(m.matches(labels.get(m.label, "")) for m in want):
                result.append({"metric": labels, "values": values})
        data = {"resultType": "matrix", "result": result}
        answer = {"status": "success", "data": data, "error": "on purpose"}
        return web.json_response(answer, status=self.status)


def line(start: float, per: float, first: float = 0.0) -> list[tuple[float, float]]:
    """A sample every 14 seconds until the end, from `start` seconds after T on."""
    n = int((END - T - start) / 14)
    return [(END - 14 * i, first + per * (n - i)) for i in range(n, -1, -1)]


STORED: Stored = {
    'http_requests_total{code="200",route="/a"}': line(0, 10),
    'http_requests_total{code="500",route="/a"}': line(6000, 1, first=20),
    'http_requests_total{code="200",route="/b"}': line(0, 2),
    "up": line(0, 0, first=1),
}


@contextlib.asynccontextmanager
async def explaining(
    sli: SLI = AVAILABILITY, stored: Stored = STORED, **more: Any
) -> AsyncIterator[tuple[Explainer, Upstream]]:
    of = engine(slo(sli=sli, rules=(rule("page", "1h", "5m", 10),), objective=0.9, **more))
    if not isinstance(sli, QuerySLI):
        feed(of, END, {"up": 1.0, 'http_requests_total{route="/a"}': 1.0})
    upstream = Upstream(stored)
    async with serving(upstream) as url:
        sources = {"app": PrometheusSource(name="app", url=url)}
        yield Explainer(of, lambda: sources, ManualClock(END)), upstream


async def peers(explainer: Explainer, window: float | None = None) -> PeersSaid:
    said = (await explainer.explain("slo", {}, window))[0].peers
    assert said is not None
    return said


async def test_the_same_samples_are_counted_by_slod_by_increase_and_by_sloth() -> None:
    async with explaining() as (explainer, _):
        said = await peers(explainer)
    assert (said.window, said.start, said.end, said.note) == ("1h", END - 3600, END, "")
    found = {count.by: count for count in said.counts}
    assert found["slod"].bad == 20 + 85
    assert found["increase"].bad == pytest.approx(85.5, abs=0.6)
    assert found["sloth"].error_ratio is not None
    assert found["slod"].burn_rate == pytest.approx((found["slod"].error_ratio or 0) * 10)
    words = " ".join(said.differences)
    assert "1 series began inside the window" in words
    assert "20.0 bad events and 20.0 total events" in words
    assert "slod's own ledger has 0.0 bad of 0.0 events here" in words
    assert said.samples > 700


async def test_a_window_may_be_asked_for_or_left_out() -> None:
    async with explaining() as (explainer, _):
        said = await peers(explainer, 600.0)
        assert (said.window, {c.by: c.bad for c in said.counts}["slod"]) == (
            "10m",
            pytest.approx(600 / 14),
        )
        said = await peers(explainer, 8 * 3600.0)
        assert {c.by: c.bad for c in said.counts}["slod"] == 20 + 85
        (none,) = await explainer.explain("slo", {}, 0.0)
    assert none.peers is None


async def test_unasked_no_more_is_compared_than_is_quickly_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with explaining() as (explainer, _):
        monkeypatch.setattr(app_explain, "MOST_UNASKED", 60)
        assert (await peers(explainer)).window == "5m"
        assert (await peers(explainer, 3600.0)).window == "1h"


async def test_each_group_is_compared_by_itself() -> None:
    async with explaining(group_by=("route",)) as (explainer, _):
        (one,) = await explainer.explain("slo", {"route": "/a"}, 3600.0)
        assert await explainer.explain("slo", {"route": "/b"}, 3600.0) == []
        assert explainer.names() == ["slo"]
        with pytest.raises(NotFound):
            await explainer.explain("other", {}, None)
    assert one.peers is not None
    assert one.peers.counts[0].total == pytest.approx(105 + 2571, abs=1)


async def test_a_histogram_is_compared_by_its_bucket_and_count() -> None:
    stored = {
        'latency_bucket{le="0.5"}': line(0, 9),
        "latency_count": line(0, 10),
        "up": line(0, 0, first=1),
    }
    async with explaining(histogram(), stored) as (explainer, _):
        said = await peers(explainer)
    ratios = {count.by: count.error_ratio for count in said.counts}
    assert ratios == {by: pytest.approx(0.1) for by in ("slod", "increase", "sloth")}


async def test_nothing_stored_is_nothing_to_say() -> None:
    async with explaining(stored={}) as (explainer, _):
        said = await peers(explainer)
    assert [c.error_ratio for c in said.counts] == [None]
    assert "increase() says nothing" in said.differences[0]


@pytest.mark.parametrize(
    ("sli", "note"),
    [
        (GaugeSLI(parse_selector("up"), ">=", 1.0), "a gauge has no increases to compare"),
        (QuerySLI(error_ratio=Query("x")), "a query is computed by the server"),
    ],
)
async def test_forms_without_counters_have_no_peers(sli: SLI, note: str) -> None:
    async with explaining(sli) as (explainer, _):
        assert (await peers(explainer)).note.startswith(note)


async def test_a_server_that_fails_or_has_too_much_is_said_and_all_else_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with explaining() as (explainer, upstream):
        monkeypatch.setattr(compare, "MOST_SAMPLES", 100)
        assert "has over 100 samples for it; a shorter window" in (await peers(explainer)).note
        upstream.status = 500
        said = await peers(explainer)
        assert re.match(r"source app http://.*: answered 500: on purpose", said.note)
        assert said.counts == ()
        upstream.hang = True
        monkeypatch.setattr(compare, "MOST_SECONDS", 0.05)
        assert "took over 0.05s" in (await peers(explainer)).note


async def test_one_comparison_runs_at_a_time() -> None:
    async with explaining() as (explainer, _):
        both = await asyncio.gather(peers(explainer), peers(explainer))
        assert [said.note for said in both] == [
            "",
            "another comparison is under way; ask again in a moment",
        ]
        assert (await peers(explainer)).note == ""


async def test_without_rules_the_last_hour_is_compared_and_pages_have_no_past() -> None:
    of = engine()
    sources = {"app": ScrapeSource(name="app", targets=("http://127.0.0.1:1/metrics",))}
    said = await peers(Explainer(of, lambda: sources, ManualClock()))
    assert (said.window, said.note) == (
        "1h",
        "source app is scraped: its raw samples are not kept",
    )


async def test_the_daemon_explains_an_slo_of_its_configuration(
    tmp_path: Path, page: PageServer
) -> None:
    async with running(write(tmp_path, page, SLO.format(objective=99))) as daemon:
        await until(ready(daemon))
        status, text = await get(daemon, "/api/slo/v1/slos/shop/explain")
        assert status == 200
        assert "its raw samples are not kept" in text
