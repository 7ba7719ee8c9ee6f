"""`slod check --live` against servers that answer what the test says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.app.live import look
from exporter.config.load import parse
from tests.sources.kit import serving
from tests.support import ManualClock

NOW = 1_700_000_000.0
DAY = 86_400.0


class History:
    """A Prometheus with one sample a minute; each series counts so many events in one."""

    def __init__(self, rates: Mapping[str, float], reach: float = 40 * DAY) -> None:
        self._rates = rates
        self._reach = reach

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        query, end = str(form["query"]), float(str(form.get("time", NOW)))
        result: list[dict[str, Any]] = []
        if query.startswith("count by (le)"):
            result = [{"metric": {"le": le}, "value": [NOW, "1"]} for le in ("0.1", "0.5", "+Inf")]
            data = {"resultType": "vector", "result": result}
            return web.json_response({"status": "success", "data": data})
        if not query.endswith("]"):
            # Nothing is known of the targets.
            return web.json_response(
                {"status": "success", "data": {"resultType": "vector", "result": []}}
            )
        selector, _, span = query.rpartition("[")
        seconds = _seconds(span.rstrip("]"))
        first = max(end - seconds, NOW - self._reach)
        times = [60.0 * i for i in range(int(first // 60) + 1, int(end // 60) + 1)]
        for series, rate in self._rates.items():
            name, _, code = series.partition(" ")
            labels = {"__name__": name, "job": "j", "instance": "i"}
            if name == selector.partition("{")[0] and code and times:
                if "5.." in selector and not code.startswith("5"):
                    continue
                values = [[t, f"{(t - NOW + 50 * DAY) / 60 * rate:.0f}"] for t in times]
                result.append({"metric": {**labels, "code": code}, "values": values})
        data = {"resultType": "matrix", "result": result}
        return web.Response(
            body=json.dumps({"status": "success", "data": data}), content_type="application/json"
        )


def _seconds(text: str) -> float:
    from exporter.config.duration import parse_duration

    return float(parse_duration(text))


CONFIG = """
[source.s]
{source}
[slo.x]
objective = {objective}
sli = {sli}
"""
RATIO = "{ bad = 'req{code=~\"5..\"}', total = 'req' }"


async def found(
    answer: Any, sli: str = RATIO, objective: float = 99.0, kind: str = "prometheus"
) -> list[str]:
    async with serving(answer) as url:
        source = f'type = "prometheus"\nurl = "{url}"\ninterval = "1m"'
        if kind == "scrape":
            source = f'type = "scrape"\ntargets = ["{url}/metrics"]'
        text = CONFIG.format(source=source, sli=sli, objective=objective)
        config = parse(text, "config.toml")
        return [str(finding) for finding in await look(config, ManualClock(NOW))]


async def test_a_source_that_has_what_is_asked_for_gives_no_finding() -> None:
    assert await found(History({"req 200": 600, "req 500": 1})) == []


async def test_a_selector_that_matches_nothing_is_named_but_errors_may_be_yet_to_come() -> None:
    [only] = await found(History({"other 200": 600}))
    assert only == "config.toml:8: slo.x.sli.total: req matches nothing in the last day"
    everything = await found(History({}), "{ good = 'a', total = 'b' }")
    assert [line.partition("sli.")[2] for line in everything] == [
        "good: a matches nothing in the last day",
        "total: b matches nothing in the last day",
    ]
    assert await found(History({"req 200": 600})) == []


async def test_a_part_that_is_more_than_the_whole_is_no_part_of_it() -> None:
    [only] = await found(
        History({"good 200": 600, "all 200": 300}), "{ good = 'good', total = 'all' }"
    )
    assert "sli.good: counts more than total in the last day" in only


async def test_alerts_that_would_have_fired_all_day_are_told() -> None:
    lines = await found(History({"req 200": 600, "req 500": 300}))
    assert any("its page alerts would have fired for " in line for line in lines)


async def test_a_retention_that_is_shorter_than_the_period_is_told_with_its_length() -> None:
    [only] = await found(History({"req 200": 600, "req 500": 1}, reach=10 * DAY))
    assert "source.s: its samples of slo x reach back " in only
    days = float(only.partition("reach back ")[2].partition("d")[0])
    assert days == pytest.approx(10, abs=1)


async def test_a_threshold_that_is_no_bucket_lists_those_there_are() -> None:
    sli = "{ histogram = 'h', threshold = \"300ms\" }"
    lines = await found(History({"h_count 200": 600}), sli)
    assert "threshold: 0.3 is no bucket bound of h; there are 0.1, 0.5" in lines[0]


async def test_a_source_that_is_not_there_is_a_finding() -> None:
    async def down(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500, text="no")

    [only] = await found(down)
    assert "source.s: cannot be asked: " in only
    [only] = await found(down, kind="scrape")
    assert "source.s: cannot be asked: " in only


async def test_pages_of_targets_are_looked_at_too() -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text='good 9\nreq{code="200"} 3\n')

    assert await found(page, kind="scrape") == []
    [only] = await found(page, "{ good = 'none', total = 'req' }", kind="scrape")
    assert "sli.good: none matches nothing on the targets' pages" in only
    [only] = await found(page, "{ good = 'good', total = 'req' }", kind="scrape")
    assert "sli.good: counts more than total on the targets' pages" in only


def test_check_shows_them_beside_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from exporter.cli import main

    path = tmp_path / "config.toml"
    source = 'type = "prometheus"\nurl = "http://127.0.0.1:1"'
    path.write_text(CONFIG.format(source=source, sli=RATIO, objective=99))
    assert main(["check", "-c", str(path), "--live", "--strict"]) == 1
    assert "source.s: cannot be asked: " in capsys.readouterr().err
