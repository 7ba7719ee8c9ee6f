"""Histograms: bounds by number, layouts that differ, forms that change, and what is none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

import pytest

from exporter.app.live import look as check_live
from exporter.config.load import load
from exporter.core.sample import NativeHistogram
from tests import wire
from tests.cases.pages import (
    OPENMETRICS,
    PROTOBUF,
    START,
    TEXT,
    Page,
    render,
)
from tests.cases.players import (
    EVERYWHERE,
    LIVE,
    SCRAPE,
    Look,
    Situation,
    Theatre,
    Way,
    judge,
    play_ids,
    plays,
)
from tests.cases.situations import looks
from tests.cases.stage import Request, Stage, T, answer, settle
from tests.cases.upstream import Upstream, series

TYPES = {"d_seconds": "histogram"}
_TEXTS = (TEXT, OPENMETRICS)


def page(bounds: Mapping[str, float], labels: str = "", name: str = "d_seconds") -> Page:
    """A classic histogram: cumulative counts by the bound as it is spelled, `+Inf` the last."""
    more = f",{labels}" if labels else ""
    out = {f'{name}_bucket{{le="{le}"{more}}}': count for le, count in bounds.items()}
    whole = f"{{{labels}}}" if labels else ""
    return {**out, f"{name}_sum{whole}": 3.5, f"{name}_count{whole}": bounds["+Inf"]}


# --- however a bound is spelled -------------------------------------------------------------------

SPELLED = (
    ("00.500", "500ms"),
    ("0.500000", "500ms"),
    ("5e-1", "500ms"),
    ("5.0E-01", "0.5"),
    (".5", "500ms"),
    ("0.10000000000000001", "100ms"),
    ("1.048576e+06", "1048576"),
    ("1048576.000", "1048576"),
    ("2.5E7", "25e6"),
    ("0.00000025", "2.5e-7"),
    ("1000000000000000000000", "1e21"),
    ("-2.50", "-2.5"),
)


def _toml(threshold: str) -> str:
    return threshold if threshold[-1].isdigit() else f'"{threshold}"'


def _spelled(le: str, threshold: str, index: int) -> Situation:
    def one(look: int) -> Look:
        low = 0.5 * (900 + 90 * look)
        return page(
            {"-1e3": low, le: 900 + 90 * look, "1e30": 990 + 99 * look, "+Inf": 1000 + 100 * look}
        )

    name = f"le-{index}-{le}"
    sli = f"{{ histogram = 'd_seconds', threshold = {_toml(threshold)} }}"
    return Situation(
        name, le, {"web": looks(4, one)}, 270, 30, sli, types=TYPES,
        formats=_TEXTS if index < 3 else (_TEXTS[index % 2],), restarts=index < 3,
        ways=EVERYWHERE if index < 3 else frozenset({SCRAPE, LIVE}),
    )  # fmt: skip


BOUNDS = tuple(_spelled(le, threshold, index) for index, (le, threshold) in enumerate(SPELLED))

_HALF = "{ histogram = 'd_seconds', threshold = \"500ms\" }"


def _two_spellings(index: int) -> tuple[Look, Look]:
    counts = (80 + 8 * index, 100 + 10 * index)
    return (
        page({"0.5": counts[0], "+Inf": counts[1]}),
        page({"0.500": counts[0], "+Inf": counts[1]}),
    )


def _other_bounds(index: int) -> Look:
    count = 300 + 60 * index
    return page({"0.1": count, "0.4": count, "0.6": count, "+Inf": count})


def _own_bounds(index: int) -> Look:
    count = 700 + 40 * index
    return page({"0.1": count / 2, "0.50": count - 10 - index, "+Inf": count})


def _upgraded(index: int) -> Look:
    if index < 3:
        return {**page({"0.5": 90 + 9 * index, "+Inf": 100 + 10 * index}), START: -900}
    count = 10 * (index - 2)
    return {**page({"0.4": count, "0.6": count, "+Inf": count}), START: 40}


def _downgraded(index: int) -> Look:
    if index < 3:
        return {**page({"0.4": 10 * index, "0.6": 10 * index, "+Inf": 10 * index}), START: -900}
    return {**page({"0.5": 9 * (index - 2), "+Inf": 10 * (index - 2)}), START: 40}


def _routes(index: int) -> Look:
    slow = 500 + 20 * index
    return {
        **page({"0.5": 90 + 9 * index, "+Inf": 100 + 10 * index}, 'route="/buy"'),
        **page({"5": slow, "+Inf": slow}, 'route="/report"'),
    }


def _codes(index: int) -> Look:
    return {
        **page({"0.5000": 90 + 9 * index, "+Inf": 100 + 10 * index}, 'code="200"'),
        **page({"0.5000": 5 + index, "+Inf": 5 + index}, 'code="500"'),
    }


LAYOUTS = (
    Situation(
        "spelled-differently-by-targets", "two versions of a client spell the same bound",
        {
            "a": looks(5, lambda index: _two_spellings(index)[0]),
            "b": looks(5, lambda index: _two_spellings(index)[1]),
        },
        64, 16, _HALF, formats=_TEXTS, types=TYPES,
    ),
    Situation(
        "a-pod-has-other-bounds", "one of two pods has no bucket at the threshold",
        {"a": looks(5, _own_bounds), "b": looks(5, _other_bounds)}, 156, 4, _HALF,
        formats=_TEXTS, types=TYPES, told=True,
    ),
    Situation(
        "the-first-pod-has-other-bounds", "as before, in the other order",
        {"a": looks(5, _other_bounds), "b": looks(5, _own_bounds)}, 156, 4, _HALF,
        formats=_TEXTS, types=TYPES, told=True,
    ),
    Situation(
        "an-upgrade-changes-bounds", "the new version of the only pod has no bucket there",
        {"a": looks(7, _upgraded)}, 18, 2, _HALF, formats=_TEXTS, types=TYPES, told=True,
    ),
    Situation(
        "an-upgrade-brings-the-bound", "the old version had no bucket there",
        {"a": looks(7, _downgraded)}, 36, 4, _HALF, formats=_TEXTS, types=TYPES,
    ),
    Situation(
        "a-route-has-other-bounds", "one route of a target has buckets of its own",
        {"a": looks(5, _routes)}, 36, 4, _HALF, formats=_TEXTS, types=TYPES, told=True,
    ),
    Situation(
        "good-if-with-another-spelling", "a condition on labels beside the threshold",
        {"a": looks(5, _codes)}, 36, 4 + 4,
        "{ histogram = 'd_seconds', threshold = \"500ms\", good_if = 'code!~\"5..\"' }",
        formats=_TEXTS, types=TYPES,
    ),
)  # fmt: skip
COUNTED = (*BOUNDS, *LAYOUTS)


THEATRE = Theatre(COUNTED)


@pytest.mark.parametrize(("situation", "way"), plays(COUNTED), ids=play_ids(COUNTED))
async def test_buckets_are_found_by_number_and_without_one_nothing_is_bad(
    stage: Stage, situation: Situation, way: Way
) -> None:
    judge(await THEATRE.outcome(stage, situation, way), situation, way)


async def test_the_message_has_bounds_as_they_have_to_be_written(stage: Stage) -> None:
    bounds = {"0.1": 1.0, "0.2": 1.0, "0.30000000000000004": 1.0, "1.048576e+06": 1.0, "+Inf": 1.0}
    stage.network.hosts["web:80"] = lambda request: answer(render(page(bounds), TEXT, TYPES), TEXT)
    await stage.start(PAGE.format(sli="{ histogram = 'd_seconds', threshold = 0.3 }"))
    await stage.advance(30)
    (fault,) = [line for line in stage.warned("bucket", "bound") if "0.1" in line]
    assert "0.30000000000000004" in fault
    assert "1048576" in fault and "1.04858e+06" not in fault


# --- what is no histogram -------------------------------------------------------------------------

PAGE = """
[source.x]
type = "scrape"
targets = ["http://web:80/metrics"]
interval = "10s"
[slo.case]
objective = 99
sli = {sli}
"""
PROM = """
[source.x]
type = "prometheus"
url = "http://prom:9090"
interval = "10s"
[slo.case]
objective = 99
sli = {sli}
"""

NO_HISTOGRAM = {
    "summary": (
        'lat{{quantile="0.5"}} {wave}\nlat{{quantile="0.99"}} {wave}\nlat_sum {n}\nlat_count {n}\n',
        "summary",
    ),
    "summary-without-quantiles": ("lat_sum {n}\nlat_count {n}\n", "summary"),
    "summary-of-nan": ('lat{{quantile="0.9"}} NaN\nlat_sum {n}\nlat_count {n}\n', "summary"),
    "gauge": ("lat {wave}\n", "gauge"),
    "untyped-number": ("lat {n}\n", ""),
    "no-buckets": ("lat_sum {n}\nlat_count {n}\nlat_max {wave}\n", "histogram"),
    "vmrange": (
        'lat_bucket{{vmrange="4.642e-02...5.275e-02"}} {n}\nlat_sum {n}\nlat_count {n}\n',
        "",
    ),
    "only-infinity": ('lat_bucket{{le="+Inf"}} {n}\nlat_sum {n}\nlat_count {n}\n', "histogram"),
}
_LAT = "{ histogram = 'lat', threshold = \"250ms\" }"


def _text(lines: str, kind: str, look: int) -> str:
    head = f"# TYPE lat {kind}\n" if kind else ""
    return head + lines.format(n=40 + 10 * look, wave=(5, 9, 3, 12, 8, 30)[look % 6])


@pytest.mark.parametrize(("lines", "kind"), NO_HISTOGRAM.values(), ids=NO_HISTOGRAM)
async def test_a_page_without_a_histogram_is_an_error_that_says_so(
    stage: Stage, lines: str, kind: str
) -> None:
    def serve(request: Request) -> object:
        return answer(_text(lines, kind, round((stage.now - T) / 10)), TEXT)

    stage.network.hosts["web:80"] = serve  # type: ignore[assignment]
    await stage.start(PAGE.format(sli=_LAT))
    for _ in range(8):
        await stage.advance(10)
    await told(stage)
    found = [w for w in await live_check(stage) if "bucket" in w or "histogram" in w]
    assert len(found) == 1 and "slo.case.sli" in found[0]
    await stage.restart()
    await stage.advance(70)
    await told(stage)


async def told(stage: Stage) -> None:
    """The SLO has an error and no numbers."""
    metrics = await stage.metrics()
    assert metrics.get("slod_slo_errors", slo="case") == 1
    assert metrics.events() == (0, 0)
    shown = await stage.slo()
    assert all(w["sli"] is None for w in shown["windows"])
    assert shown["unknown"]
    assert stage.warned("bucket", "histogram")


async def live_check(stage: Stage) -> list[str]:
    """What `slod check --live` finds, without the file's name."""
    looking = asyncio.create_task(check_live(load(stage.file), stage.clock))
    await settle()
    while not looking.done():
        # It may wait for a second page.
        await stage.advance(1)
    found = await looking
    return [str(finding).partition("slod.toml:")[2] for finding in found]


@pytest.mark.parametrize("name", ["summary", "summary-without-quantiles", "gauge", "no-buckets"])
async def test_a_prometheus_without_a_histogram_is_an_error_that_says_so(
    stage: Stage, name: str
) -> None:
    upstream = Upstream(stage.clock.now)
    stage.network.hosts["prom:9090"] = upstream
    own = {"job": "app", "instance": "a:1"}
    for index in range(20):
        at = T - 4 + 10 * index
        upstream.write(series("up", **own), at, 1.0)
        if name == "summary":
            upstream.write(series("lat", quantile="0.5", **own), at, float(index % 4))
        if name == "gauge":
            upstream.write(series("lat", **own), at, float(index % 4))
        else:
            upstream.write(series("lat_count", **own), at, 40.0 + 10 * index)
            upstream.write(series("lat_sum", **own), at, 7.0 * index)
    await stage.start(PROM.format(sli=_LAT))
    for _ in range(12):
        await stage.advance(10)
    await told(stage)


@pytest.mark.parametrize("kind", ["scrape", "prometheus"])
async def test_check_says_that_a_gauge_is_no_counter(
    stage: Stage, kind: str, tmp_path: Path
) -> None:
    def serve(request: Request) -> object:
        text = "# TYPE sessions gauge\nsessions 7\n# TYPE asked_total counter\nasked_total 500\n"
        return answer(text, TEXT)

    upstream = Upstream(stage.clock.now)
    upstream.types = {"sessions": "gauge", "asked_total": "counter"}
    for index in range(200):
        own = {"job": "app", "instance": "a:1"}
        at = T - 2 - 60 * index
        upstream.write(series("sessions", **own), at, float(index * 7 % 11))
        upstream.write(series("asked_total", **own), at, 90_000.0 - 100 * index)
        upstream.write(series("up", **own), at, 1.0)
    stage.network.hosts["web:80"] = serve  # type: ignore[assignment]
    stage.network.hosts["prom:9090"] = upstream
    config = PAGE if kind == "scrape" else PROM
    stage.write(config.format(sli="{ bad = 'sessions', total = 'asked_total' }"))
    found = [line for line in await live_check(stage) if "gauge" in line]
    assert len(found) == 1
    assert "slo.case.sli.bad" in found[0] and "sessions" in found[0]


# --- native histograms and those with custom bounds -----------------------------------------------

Buckets = Sequence[tuple[float, float, float]]


async def _native(stage: Stage, threshold: str, shape: Buckets) -> tuple[float, float, bool]:
    """Good and bad of 100 observations in these shares of buckets, and whether it is an error."""
    upstream = Upstream(stage.clock.now)
    stage.network.hosts["prom:9090"] = upstream
    own = {"job": "app", "instance": "a:1"}
    for index in range(12):
        at, times = T - 4 + 10 * index, 3 + index
        buckets = tuple((low, high, n * times) for low, high, n in shape)
        count = sum(n for _, _, n in buckets)
        upstream.write(series("up", **own), at, 1.0)
        upstream.write(series("cu_seconds", **own), at, NativeHistogram(count, buckets))
    await stage.start(PROM.format(sli=f"{{ histogram = 'cu_seconds', threshold = {threshold} }}"))
    for _ in range(5):
        await stage.advance(10)
    metrics = await stage.metrics()
    good, bad = metrics.events()
    return good / 5, bad / 5, metrics.get("slod_slo_errors", slo="case") == 1


CUSTOM: Buckets = ((-inf, 0.1, 80), (0.1, 0.5, 15), (0.5, inf, 5))
CUSTOM_CASES = {
    "in-the-first-bucket": ("0.05", CUSTOM, 40.0),
    "in-the-second-bucket": ("0.3", CUSTOM, 87.5),
    "at-a-bound": ("0.5", CUSTOM, 95.0),
    "a-single-bucket": ("0.25", ((-inf, 1.0, 100.0),), 25.0),
    "at-the-first-bound": ("0.1", CUSTOM, 80.0),
}


@pytest.mark.parametrize(("threshold", "shape", "good"), CUSTOM_CASES.values(), ids=CUSTOM_CASES)
async def test_custom_bounds_interpolate_or_are_refused(
    stage: Stage, threshold: str, shape: Buckets, good: float
) -> None:
    found = await _native(stage, threshold, shape)
    if found[:2] != (0, 0) or not found[2]:
        assert found[0] == pytest.approx(good)
        assert found[1] == pytest.approx(100 - good)


async def test_over_the_last_bound_nothing_is_known(stage: Stage) -> None:
    good, bad, error = await _native(stage, "0.7", CUSTOM)
    # 5 of 100 may be on either side: they are unknown or all of it is refused, never all bad.
    if not (error and good == bad == 0):
        assert good == pytest.approx(95)
        assert bad <= 5


async def test_exponential_buckets_interpolate_on_their_scale(stage: Stage) -> None:
    shape = ((-0.001, 0.001, 10.0), (0.25, 0.5, 40.0), (0.5, 1.0, 40.0), (1.0, 2.0, 10.0))
    good, bad, _ = await _native(stage, f"{0.5 * 2**0.5:.17g}", shape)
    assert good == pytest.approx(70)
    assert bad == pytest.approx(30)


# --- one form and then the other ------------------------------------------------------------------


def _forms(look: int, *, classic: bool, native: bool) -> bytes:
    fast, whole = 90_000 + 9 * look, 100_000 + 10 * look
    body = wire.whole(1, whole) + wire.double(2, 7.5)
    if classic:
        body += wire.message(3, wire.whole(1, fast), wire.double(2, 0.5))
        body += wire.message(3, wire.whole(1, whole), wire.double(2, inf))
    if native:
        # Schema 0: the bucket of index -1 is (0.25, 0.5], that of 0 is (0.5, 1].
        body += wire.signed(5, 0) + wire.double(6, 1e-128) + wire.whole(7, 0)
        body += wire.message(12, wire.signed(1, -1), wire.whole(2, 2))
        body += wire.signed(13, fast) + wire.signed(13, whole - fast - fast)
    return wire.family("d_seconds", 4, wire.label("code", "200") + wire.message(7, body))


CHANGES = {
    "classic-to-native": lambda k: {"classic": k < 4, "native": k >= 4},
    "native-to-classic": lambda k: {"classic": k >= 4, "native": k < 4},
    "with-both-between": lambda k: {"classic": k < 6, "native": k >= 3},
    "to-and-fro": lambda k: {"classic": k // 3 % 2 == 0, "native": k // 3 % 2 == 1},
    "both-and-then-native": lambda k: {"classic": k < 5, "native": True},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
async def test_the_other_form_of_a_histogram_is_not_counted_from_zero(
    stage: Stage, change: object, restarts: bool
) -> None:
    def serve(request: Request) -> object:
        look = round((stage.now - T) / 10)
        return answer(_forms(look, **change(look)), PROTOBUF)  # type: ignore[operator]

    stage.network.hosts["web:80"] = serve  # type: ignore[assignment]
    await stage.start(PAGE.format(sli=_HALF))
    for look in range(1, 10):
        await stage.advance(10)
        if restarts and look % 2:
            await stage.restart()
    assert (await stage.metrics()).events() == (9 * 9, 9)
