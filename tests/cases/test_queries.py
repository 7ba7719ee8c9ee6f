"""Indicators by query: units, windows, servers that hold back, and queries that are wrong."""

from __future__ import annotations

import re
from itertools import pairwise
from math import nan
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.config.duration import parse_duration
from tests.cases.stage import Stage, T
from tests.cases.upstream import Flavour, Upstream, series

PROM = """
[source.prom]
type = "prometheus"
url = "http://prom:9090"
interval = "{interval:.0f}s"
{source}
"""
SLO = """
[slo.{name}]
objective = 99
window = "1d"
sli = {sli}
"""
PACE, FAILED = 10.0, 1.0
"""Requests a second, and those that failed."""
BEFORE = 130
"""Seconds before its first poll from which slod may count: a range reaches back a little."""


def shop(
    stage: Stage, scrape: float, end: float, flavour: Flavour | None = None, past: float = 300
) -> Upstream:
    """A Prometheus that scrapes a shop every `scrape` seconds, from `past` seconds before."""
    upstream = Upstream(stage.clock.now, flavour)
    stage.network.hosts["prom:9090"] = upstream
    own = {"job": "shop", "instance": "a:1"}
    first = T - past
    for index in range(int((end + past) / scrape)):
        at = first + index * scrape + 0.3
        seconds = index * scrape
        values = {
            "req_total": 90_000 + PACE * seconds,
            "err_total": 700 + FAILED * seconds,
            "up": 1.0,
            "req_level": 5000 + PACE * seconds,
            "batch_size": PACE * scrape,
            "shop:errors:rate1m": FAILED,
            "shop:requests:rate1m": PACE,
            "shop:errors": 100 * FAILED / PACE,
            "shop:error_share": FAILED / PACE,
        }
        for name, value in values.items():
            upstream.write(series(name, **own), at, value, at + 0.2)
    return upstream


def pair(bad: str, total: str, more: str = "") -> str:
    """An SLI of two queries, `W` the window."""
    window = "[{{.window}}]"
    bad, total = bad.replace("[W]", window), total.replace("[W]", window)
    return f"{{ bad_query = '{bad}', total_query = '{total}'{more} }}"


INCREASES = pair("sum(increase(err_total[W]))", "sum(increase(req_total[W]))")
RATES = pair("sum(rate(err_total[W]))", "sum(rate(req_total[W]))")


async def run(stage: Stage, seconds: float, interval: float, *, restarts: bool = False) -> None:
    """Let time go on."""
    for step in range(round(seconds / interval)):
        await stage.advance(interval)
        if restarts and step % 7 == 3:
            await stage.restart()


# --- the unit of a query --------------------------------------------------------------------------

UNITS = {
    "increases": INCREASES,
    "rates": RATES,
    "an-increase-and-a-rate": pair("sum(increase(err_total[W]))", "sum(rate(req_total[W]))"),
    "a-blank-before-the-bracket": pair(
        "sum(increase (err_total[W]))", "sum(increase\t(req_total[W]))"
    ),
    "count-over-time": pair("sum(increase(err_total[W]))", "sum(count_over_time(up[W])) * 50"),
    "sum-over-time": pair("sum(increase(err_total[W]))", "sum(sum_over_time(batch_size[W]))"),
    "delta": pair("sum(increase(err_total[W]))", "sum(delta(req_level[W]))"),
    "an-increase-by-seconds": pair("sum(rate(err_total[W]))", "sum(increase(req_total[5m])) / 300"),
    "a-rate-with-increase-in-a-label": pair(
        'sum(rate(err_total{job!="increase("}[W]))', 'sum(rate(req_total{job!="increase("}[W]))'
    ),
    "a-rate-of-a-part": pair(
        "sum(rate(err_total[W])) * 60 / 60", "sum by (job) (irate(req_total[W]))"
    ),
}  # fmt: skip


@pytest.mark.parametrize("sli", UNITS.values(), ids=UNITS)
async def test_events_and_events_per_second_are_told_apart_or_asked_for(
    stage: Stage, sli: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop(stage, 5, 300)
    config = PROM.format(interval=10, source="") + SLO.format(name="case", sli=sli)
    stage.write(config)
    if _asked_for_unit(stage.file, capsys):
        return
    await stage.start()
    await run(stage, 290, 10)
    good, bad = (await stage.metrics()).events()
    assert bad / (good + bad) == pytest.approx(0.1, rel=0.02)
    assert good + bad == pytest.approx(290 * PACE, rel=0.08)


def _asked_for_unit(file: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether `slod check` asks for the unit of a query."""
    main(["check", "-c", str(file)])
    found = [line for line in capsys.readouterr().err.splitlines() if "slo.case.sli" in line]
    return any('unit = "events"' in line for line in found)


RECORDED = pair("sum(shop:errors:rate1m)", "sum(shop:requests:rate1m)")


def test_check_asks_for_the_unit_of_a_recorded_series(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "slod.toml"
    plain = pair("sum(shop:errors)", "sum(shop:requests)")
    file.write_text(PROM.format(interval=10, source="") + SLO.format(name="case", sli=plain))
    assert _asked_for_unit(file, capsys)
    told = pair("sum(shop:errors)", "sum(shop:requests)", ', unit = "rate"')
    file.write_text(PROM.format(interval=10, source="") + SLO.format(name="case", sli=told))
    assert main(["check", "-c", str(file)]) == 0
    assert "unit" not in capsys.readouterr().err.replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("sli", "events"),
    [
        (RECORDED.replace(" }", ', unit = "rate" }'), 290 * PACE),
        (
            "{ error_ratio_query = 'avg(shop:error_share)', unit = \"ratio\" }",
            290.0,
        ),
        (
            pair(
                "sum(shop:errors:rate1m) * 10",
                "sum(shop:requests:rate1m) * 10",
                ', unit = "events"',
            ),
            290 * PACE,
        ),
    ],
    ids=["rate", "ratio", "events"],
)  # fmt: skip
async def test_a_unit_that_is_told_is_taken(stage: Stage, sli: str, events: float) -> None:
    shop(stage, 5, 300)
    await stage.start(PROM.format(interval=10, source="") + SLO.format(name="case", sli=sli))
    await run(stage, 290, 10)
    good, bad = (await stage.metrics()).events()
    assert bad / (good + bad) == pytest.approx(0.1, rel=0.02)
    assert good + bad == pytest.approx(events, rel=0.08)


@pytest.mark.parametrize("expr", ["avg(shop:errors)", "100 * avg(shop:error_share)", "1.5"])
async def test_an_error_ratio_over_1_is_refused(stage: Stage, expr: str) -> None:
    shop(stage, 5, 300)
    sli = f"{{ error_ratio_query = '{expr}' }}"
    await stage.start(PROM.format(interval=10, source="") + SLO.format(name="case", sli=sli))
    await run(stage, 150, 10)
    metrics = await stage.metrics()
    assert metrics.events() == (0, 0)
    error = metrics.get("slod_slo_errors", slo="case") == 1
    assert error or metrics.sum("slod_samples_refused_total") > 0
    assert (await stage.slo())["unknown"]


# --- the window of a query ------------------------------------------------------------------------


def windows(upstream: Upstream) -> list[tuple[float, float]]:
    """(start, end) of every window that was asked for, ascending."""
    out = []
    for request in upstream.asked:
        found = re.search(r"req_total\[(\w+)\]", request.form.get("query", ""))
        if not found or not request.form["query"].startswith("sum("):
            continue
        length = float(parse_duration(found[1]))
        if request.path.endswith("query_range"):
            start, end, step = (float(request.form[k]) for k in ("start", "end", "step"))
            out += [(start + k * step, length) for k in range(int((end - start) / step + 1.001))]
        else:
            out.append((float(request.form["time"]), length))
    return [(end - length, end) for end, length in sorted(set(out))]


@pytest.mark.parametrize(("scrape", "interval"), [(15, 15), (5, 5), (60, 15), (30, 10), (2, 15)])
@pytest.mark.parametrize(
    ("sli", "restarts"),
    [(INCREASES, False), (RATES, False), (INCREASES, True)],
    ids=["increases", "rates", "restarts"],
)
async def test_a_window_holds_two_scrapes_and_no_event_counts_twice(
    stage: Stage, scrape: float, interval: float, sli: str, restarts: bool
) -> None:
    seconds = max(180, 8 * scrape)
    upstream = shop(stage, scrape, seconds + 50)
    await stage.start(PROM.format(interval=interval, source="") + SLO.format(name="case", sli=sli))
    await run(stage, seconds, interval, restarts=restarts)
    good, bad = (await stage.metrics()).events()
    slack = max(3 * scrape, 3 * interval) * PACE
    assert good + bad == pytest.approx(seconds * PACE, abs=slack)
    assert bad == pytest.approx((good + bad) / 10, rel=0.01)
    found = windows(upstream)
    assert all(end - start >= 2 * scrape for start, end in found)
    # Windows follow each other without overlapping; they may touch.
    assert all(before[1] <= after[0] + 1e-3 for before, after in pairwise(found))


async def test_the_history_of_a_query_is_filled_up_once(stage: Stage) -> None:
    shop(stage, 15, 700, past=1500)
    config = PROM.format(interval=15, source='backfill = "20m"\nchunk = "7m"')
    await stage.start(config + SLO.format(name="case", sli=INCREASES))
    await run(stage, 300, 15)
    await stage.restart()
    await run(stage, 300, 15)
    good, bad = (await stage.metrics()).events()
    assert good + bad == pytest.approx(1800 * PACE, rel=0.05)
    assert bad == pytest.approx((good + bad) / 10, rel=0.01)


# --- servers that hold back their newest samples --------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "takes", "restarts"),
    [(5, False, False), (15, False, True), (40, False, False), (15, True, False), (5, True, True)],
)
async def test_what_a_server_holds_back_is_counted_when_it_gives_it(
    stage: Stage, interval: float, takes: bool, restarts: bool
) -> None:
    flavour = Flavour(shows_stale_markers=True, holds_back=30.0, takes_offset=takes)
    shop(stage, 5, 280, flavour)
    slos = SLO.format(name="case", sli=INCREASES) + SLO.format(
        name="exact", sli="{ bad = 'err_total', total = 'req_total' }"
    )
    await stage.start(PROM.format(interval=interval, source="") + slos)
    await run(stage, 240, interval, restarts=restarts)
    metrics = await stage.metrics()
    exact, found = metrics.events("exact"), metrics.events()
    assert 240 - 12 <= exact[1] <= 240 + BEFORE
    assert 240 - 30 - 2 * interval - 10 <= found[1] <= 240 + BEFORE
    assert found[0] == pytest.approx(9 * found[1], rel=0.02)


# --- queries that are wrong -----------------------------------------------------------------------

SOUND = SLO.format(name="case", sli="{ bad = 'err_total', total = 'req_total' }")
WRONG = {
    "a-bracket-is-missing": "sum(rate(err_total[W])",
    "no-such-function": "sum(reta(err_total[W]))",
    "words": "errors per second please",
    "a-range-as-a-number": "sum(err_total[W])",
    "a-label-without-quotes": "sum(rate(err_total{job=shop}[W]))",
    "a-text": '"err_total"',
}


@pytest.mark.parametrize("expr", WRONG.values(), ids=WRONG)
def test_check_finds_a_query_that_cannot_be_parsed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], expr: str
) -> None:
    file = tmp_path / "slod.toml"
    sli = pair(expr, "sum(rate(req_total[W]))")
    file.write_text(PROM.format(interval=5, source="") + SOUND + SLO.format(name="wrong", sli=sli))
    status = main(["check", "-c", str(file)])
    assert "slo.wrong.sli.bad_query" in capsys.readouterr().err
    # A function that slod does not know may be one of the server's own.
    assert status == 2 or "reta(" in expr


@pytest.mark.parametrize("expr", WRONG.values(), ids=WRONG)
async def test_a_query_that_cannot_be_parsed_is_an_error_of_its_slo_alone(
    stage: Stage, expr: str
) -> None:
    shop(stage, 5, 200)
    sli = pair(expr, "sum(rate(req_total[W]))")
    await stage.start(
        PROM.format(interval=5, source="") + SOUND + SLO.format(name="wrong", sli=sli)
    )
    await run(stage, 60, 5)
    await _only_wrong_fails(stage)


async def _only_wrong_fails(stage: Stage) -> None:
    metrics = await stage.metrics()
    assert metrics.get("slod_slo_errors", slo="wrong") == 1
    assert metrics.get("slod_slo_errors", slo="case") == 0
    assert metrics.select("slod_source_up") == [1]
    assert 54 <= metrics.events()[1] <= 60 + BEFORE
    assert (await stage.slo())["unknown"] is None
    assert (await stage.slo("wrong"))["unknown"]
    assert [line for line in stage.warned() if "slo=wrong" in line or "slo.wrong" in line]


async def test_a_query_that_the_server_cannot_evaluate_is_an_error_of_its_slo_alone(
    stage: Stage,
) -> None:
    upstream = shop(stage, 5, 200)
    for at in range(-300, 200, 5):
        for shard in ("1", "2"):
            own = {"job": "shop", "instance": "a:1", "shard": shard}
            upstream.write(series("part_total", **own), T + at, float(at + 300))
    # Each of two series has two partners.
    expr = "sum(rate(part_total[W]) * on (job) rate(part_total[W]))"
    sli = pair(expr, "sum(rate(req_total[W]))")
    await stage.start(
        PROM.format(interval=5, source="") + SOUND + SLO.format(name="wrong", sli=sli)
    )
    await run(stage, 60, 5)
    await _only_wrong_fails(stage)


async def test_a_query_is_mended_by_a_reload(stage: Stage) -> None:
    shop(stage, 5, 300)
    head = PROM.format(interval=5, source="") + SOUND
    wrong = pair(WRONG["no-such-function"], "sum(rate(req_total[W]))")
    await stage.start(head + SLO.format(name="wrong", sli=wrong))
    await run(stage, 60, 5)
    stage.write(head + SLO.format(name="wrong", sli=RATES))
    assert await stage.daemon.reload() is None
    await run(stage, 60, 5)
    metrics = await stage.metrics()
    assert metrics.get("slod_slo_errors", slo="wrong") == 0
    assert 44 <= metrics.events("wrong")[1] <= 60 + BEFORE


async def test_a_value_that_is_no_number_is_no_event(stage: Stage) -> None:
    upstream = shop(stage, 5, 300)
    for at in range(-300, 300, 5):
        share = nan if 60 <= at < 120 else 0.25
        upstream.write(series("share", job="shop", instance="a:1"), T + at, share)
    sli = "{ error_ratio_query = 'avg(share)' }"
    await stage.start(PROM.format(interval=10, source="") + SLO.format(name="case", sli=sli))
    await run(stage, 240, 10)
    good, bad = (await stage.metrics()).events()
    assert bad / (good + bad) == pytest.approx(0.25)
