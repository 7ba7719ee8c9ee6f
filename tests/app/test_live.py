"""`slod check --live` against servers that answer what the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.app.live import look
from exporter.config.findings import Finding
from exporter.config.load import Config, parse
from tests.sources.kit import serving
from tests.support import ManualClock

NOW = 1_700_000_000.0
DAY = 86_400.0
STEP = 2.0


class History:
    """A Prometheus with one sample a minute; each series counts so many events in one."""

    def __init__(self, rates: Mapping[str, float], reach: float = 40 * DAY) -> None:
        self._rates = rates
        self._reach = reach

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        query, end = str(form["query"]), float(str(form.get("time", NOW)))
        kind = "vector" if query.startswith("count by (le)") else "matrix"
        data = {"resultType": kind, "result": self.series(query, end)}
        return web.json_response({"status": "success", "data": data})

    def series(self, query: str, end: float) -> list[dict[str, Any]]:
        """What a query gives at a moment."""
        if query.startswith("count by (le)"):
            return [{"metric": {"le": le}, "value": [NOW, "1"]} for le in ("0.1", "0.5", "+Inf")]
        if not query.endswith("]"):
            return []  # Nothing is known of the targets.
        result: list[dict[str, Any]] = []
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
        return result


def _seconds(text: str) -> float:
    from exporter.config.duration import parse_duration

    return float(parse_duration(text))


def config(source: str, sli: str, more: str = "") -> Config:
    text = CONFIG.format(source=source, sli=sli, objective=99.0) + more
    return parse(text, "config.toml")


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
        return await looked(parse(text, "config.toml"))


async def looked(config: Config) -> list[str]:
    """The findings that are no notes."""
    return [str(finding) for finding in await every(config) if finding.level != "note"]


async def every(config: Config) -> list[Finding]:
    """The findings on a clock that passes as soon as nobody does anything but wait for it."""
    clock = ManualClock(NOW)
    task = asyncio.create_task(look(config, clock))
    while not task.done():
        await asyncio.sleep(0.001)
        if clock.wakes_within(STEP):
            await clock.advance(STEP)
    return await task


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


# --- what targets' pages show ---------------------------------------------------------------------


def pages(*texts: str) -> Any:
    """A target whose pages are these, one after the other; the last one stays."""
    rest = list(texts)

    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text=rest.pop(0) if len(rest) > 1 else rest[0])

    return page


GAUGE = "# TYPE sessions gauge\nsessions {}\n# TYPE req counter\nreq 100\n"
SUMMARY = '# TYPE h summary\nh{quantile="0.9"} 3\nh_count 5\nh_sum 9\n'
BARE = "# TYPE h histogram\nh_count 5\nh_sum 9\n"
RANGES = 'h_bucket{vmrange="4.6e-02...5.2e-02"} 5\nh_count 5\nh_sum 9\n'
BUCKETS = '# TYPE h histogram\nh_bucket{le="1.048576e+06"} 3\nh_bucket{le="+Inf"} 5\nh_count 5\n'
LATENCY = "{ histogram = 'h', threshold = 0.5 }"


async def test_a_gauge_that_is_used_as_a_counter_is_named_with_its_page() -> None:
    sli = "{ bad = 'sessions', total = 'req' }"
    [only] = await found(pages(GAUGE.format(3)), sli, kind="scrape")
    assert "slo.x.sli.bad: sessions is a gauge on http://127.0.0.1:" in only


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (SUMMARY, "h is a summary on http://"),
        (BARE, "h has no buckets on http://"),
        (RANGES, "h has buckets by vmrange on http://"),
        ("# TYPE h gauge\nh 5\n", "h is a gauge on http://"),
    ],
)
async def test_what_is_no_histogram_is_the_one_finding(page: str, text: str) -> None:
    [only] = await found(pages(page), LATENCY, kind="scrape")
    assert f"slo.x.sli.histogram: {text}" in only


async def test_bounds_are_written_as_they_can_be_copied() -> None:
    [only] = await found(pages(BUCKETS), LATENCY, kind="scrape")
    assert only.endswith("threshold: 0.5 is no bucket bound of h; there are 1048576")
    same = LATENCY.replace("0.5", "1048576")
    assert await found(pages(BUCKETS), same, kind="scrape") == []


async def test_targets_without_the_bucket_are_counted() -> None:
    other = BUCKETS.replace("1.048576e+06", "0.5")
    async with serving(pages(BUCKETS)) as one, serving(pages(other)) as two:
        urls = [f"{one}/metrics", f"{two}/metrics"]
        source = f'type = "scrape"\ntargets = {json.dumps(urls)}'
        [only] = await looked(config(source, LATENCY))
    assert f"0.5 is no bucket bound of h on 1 of 2 targets ({urls[0]}), whose" in only


async def test_targets_of_another_kind_are_counted_and_the_others_judged_all_the_same() -> None:
    async with (
        serving(pages(SUMMARY)) as one,
        serving(pages(SUMMARY)) as two,
        serving(pages(BUCKETS)) as three,
    ):
        urls = [f"{url}/metrics" for url in (one, two, three)]
        source = f'type = "scrape"\ntargets = {json.dumps(urls)}'
        kind, bound = sorted(await looked(config(source, LATENCY)))
    assert "histogram: h is a summary on http://" in kind and " and 1 more: it has" in kind
    assert "threshold: 0.5 is no bucket bound of h; there are 1048576" in bound


async def test_a_counter_that_falls_from_one_page_to_the_next_is_named() -> None:
    start = "process_start_time_seconds 1600000000\n"
    both = pages(f'req{{code="200"}} 100000\n{start}', f'req{{code="200"}} 60000\n{start}')
    lines = await found(both, kind="scrape")
    assert len(lines) == 1 and "slo.x.sli.total: http://127.0.0.1:" in lines[0]
    assert 'req{code="200"} fell on the targets\' pages while the process went on' in lines[0]


async def test_a_counter_of_a_process_that_began_anew_may_fall() -> None:
    both = pages(
        "req 100000\nprocess_start_time_seconds 1600000000\n",
        f"req 3\nprocess_start_time_seconds {NOW:.0f}\n",
    )
    assert await found(both, kind="scrape") == []


async def test_a_page_that_fails_once_is_judged_by_the_other() -> None:
    async def page(request: web.Request, first: list[bool] = [True]) -> web.StreamResponse:  # noqa: B006
        status = 200 if first and first.pop() else 500
        return web.Response(status=status, text="req 5\n")

    assert await found(page, kind="scrape") == []


# --- what an upstream's history shows -------------------------------------------------------------


class Falling(History):
    """A sum over workers that loses half of itself, so often a day."""

    def __init__(self, times: int, started: float | None) -> None:
        super().__init__({"req 200": 60})
        self._times = times
        self._start = started

    def series(self, query: str, end: float) -> list[dict[str, Any]]:
        """What a query gives at a moment."""
        if query.startswith("{") and self._start is not None:
            labels = {"__name__": "process_start_time_seconds", "job": "j", "instance": "i"}
            values = [[t, str(self._start)] for t in (end - 120, end - 60)]
            return [{"metric": labels, "values": values}]
        result = super().series(query, end)
        for row in result:
            row["values"] = [[t, self._value(t)] for t, _ in row["values"]]
        return result

    def _value(self, time: float) -> str:
        """Up by 60 a minute, and down by half of what there was at each loss."""
        lost = sum(time >= NOW - DAY * (i + 0.5) / self._times for i in range(self._times))
        return f"{(1e6 + time - NOW) / 2**lost:.0f}"


@pytest.mark.parametrize(
    ("times", "started", "said"),
    [
        (6, None, 'total: j/i req{code="200",'),
        (1, NOW - 30 * DAY, 'total: j/i req{code="200",'),
        # A restart, for all that is known.
        (1, None, ""),
    ],
)
async def test_a_counter_that_falls_again_and_again_or_in_a_known_process_is_named(
    times: int, started: float | None, said: str
) -> None:
    lines = [line for line in await found(Falling(times, started)) if " while the process " in line]
    assert [f"fell {times} times in the last day" in line for line in lines] == [True] * bool(said)
    assert all(said in line for line in lines)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{"type": "gauge", "help": "", "unit": ""}], "req is a gauge: each of its falls"),
        ([{"type": "gauge"}, {"type": "counter"}], ""),
        ([{"type": "counter"}], ""),
        ([], ""),
        (None, ""),
    ],
)
async def test_an_upstream_knows_the_types_of_metrics(entries: Any, said: str) -> None:
    history = History({"req 200": 600, "req 500": 1})

    async def server(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/metadata"):
            return await history(request)
        if entries is None:
            return web.Response(status=404, text="not here")
        name = request.query["metric"]
        return web.json_response({"status": "success", "data": {name: entries} if entries else {}})

    lines = await found(server)
    assert [said in line for line in lines] == [True] * (2 if said else 0)


async def test_one_query_that_is_refused_hides_no_other_slo() -> None:
    sound = History({"other 200": 1})

    async def server(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if "on (nothing)" in str(form["query"]):
            error = {"status": "error", "errorType": "bad_data", "error": "many-to-many matching"}
            return web.json_response(error, status=400)
        return await sound(request)

    bad = "{ error_ratio_query = 'sum(rate(a[5m])) / on (nothing) rate(b[5m])' }"
    async with serving(server) as url:
        source = f'type = "prometheus"\nurl = "{url}"\ninterval = "1m"'
        broken = "{ error_ratio_query = 'sum(' }"
        text = f"[slo.b]\nobjective = 99\nsli = {bad}\n[slo.c]\nobjective = 99\nsli = {broken}\n"
        lines = await looked(config(source, RATIO, text))
        [alone] = await looked(config(source, bad))
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines] == [
        "slo.x.sli.total",
        "slo.b.sli",
    ]
    assert "cannot be answered: " in lines[1] and "many-to-many" in lines[1]
    assert "slo.x.sli: cannot be answered" in alone


@pytest.mark.parametrize(
    ("sli", "level", "said"),
    [
        (RATIO, "note", 'sli.bad: req{code=~"5.."} matches nothing'),
        ("{ bad = 'failed', total = 'req' }", "note", "sli.bad: failed matches nothing"),
        ("{ bad = 'failed', good = 'req' }", "note", "sli.bad: failed matches nothing"),
        ("{ bad = 'req', total = 'all' }", "error", "sli.total: all matches nothing"),
        ("{ good = 'fine', total = 'req' }", "error", "sli.good: fine matches nothing"),
        ("{ histogram = 'r', threshold = 0.5 }", "error", "sli.histogram: r_count matches nothing"),
        ("{ histogram = 'h', threshold = 0.5 }", "error", "threshold: 0.5 is no bucket bound of h"),
    ],
)
async def test_what_counts_nothing_is_an_error_and_a_service_without_errors_is_none(
    sli: str, level: str, said: str
) -> None:
    page = pages('req{code="200"} 5\n' + BUCKETS)
    async with serving(page) as url:
        found = await every(config(f'type = "scrape"\ntargets = ["{url}/metrics"]', sli))
    assert [one.level for one in found if said in str(one)] == [level]
    assert {one.level for one in found} <= {level, "warning"}


async def test_a_label_to_group_by_that_no_series_has_is_an_error_with_those_there_are() -> None:
    async with serving(pages('req{code="200",path="/"} 5\nreq{code="500",path="/"} 0\n')) as url:
        source = f'type = "scrape"\ntargets = ["{url}/metrics"]'
        for label, said in (("route", "there is code, instance, path"), ("paths", "'path'?")):
            [one] = await every(config(source, RATIO + f'\ngroup_by = ["code", "{label}"]'))
            assert (one.level, one.key) == ("error", "slo.x.group_by[1]")
            assert f"no series of this SLO has the label {label!r}; " in str(one)
            assert said in str(one)


async def test_receivers_that_do_not_answer_are_named_and_others_hear_no_alert() -> None:
    heard: list[str] = []

    async def hook(request: web.Request) -> web.StreamResponse:
        heard.append(request.method)
        return web.Response(status=405)

    async with serving(hook) as url, serving(pages(BUCKETS)) as target:
        receivers = f"""
[receiver.there]
type = "webhook"
url = "{url}/token"
[receiver.half]
type = "alertmanager"
url = ["{url}", "http://127.0.0.1:1"]
[receiver.gone]
type = "webhook"
url = "http://127.0.0.1:1/token"
[receiver.mail]
type = "email"
host = "127.0.0.1"
port = 1
from = "a@b"
to = ["c@d"]
[receiver.chat]
type = "slack"
url_file = "/nowhere/url"
[receiver.made]
type = "http"
url = "http://127.0.0.1:1/{{{{ labels.slo }}}}"
body = "x"
"""
        source = f'type = "scrape"\ntargets = ["{target}/metrics"]'
        same = LATENCY.replace("0.5", "1048576")
        found = await every(config(source, same, receivers))
    assert {(one.level, one.key) for one in found} == {
        ("warning", f"receiver.{name}") for name in ("half", "gone", "mail", "chat")
    }
    assert all("does not answer: " in one.message and "token" not in str(one) for one in found)
    assert set(heard) == {"HEAD"}


def test_check_shows_them_beside_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from exporter.cli import main

    path = tmp_path / "config.toml"
    source = 'type = "prometheus"\nurl = "http://127.0.0.1:1"'
    path.write_text(CONFIG.format(source=source, sli=RATIO, objective=99))
    assert main(["check", "-c", str(path), "--live", "--strict"]) == 1
    assert "source.s: cannot be asked: " in capsys.readouterr().err
