"""Two hours of made-up series with slod's own names: counters with resets and gaps, gauges with
infinities and with what is not a number, a histogram.

Samples lie at every quarter of a minute and 7 s, so that with moments at 5 s past one of those no
window begins exactly on a sample: whether that one is inside differs by release of Prometheus.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

from exporter.core.selector import NAME
from tests.promql.kit import Series

START = 1_709_204_400.0
"""11:00 of a 29th of February."""
SPACING, COUNT = 15.0, 480
END = START + SPACING * COUNT
BOUNDS = ("0.001", "0.005", "0.01", "0.05", "0.1", "+Inf")
SLOS = {"checkout": "shop", "search": "shop", "login": "identity"}

Wave = Callable[[int], float | None]
"""A series' value at each sample; None where there is none."""


def made() -> list[Series]:
    """All of them, always the same."""
    return [Series({NAME: name, **labels}, *_samples(wave)) for name, labels, wave in _all_series()]


def _samples(wave: Wave) -> tuple[list[float], list[float]]:
    found = [(START + SPACING * k + 7, v) for k in range(COUNT) if (v := wave(k)) is not None]
    return [at for at, _ in found], [v for _, v in found]


def _all_series() -> Iterator[tuple[str, dict[str, str], Wave]]:
    yield from _events()
    yield from _gauges()
    yield from _about_itself()
    yield from _ticks()


def _events() -> Iterator[tuple[str, dict[str, str], Wave]]:
    for k, (slo, service) in enumerate(SLOS.items()):
        for result, pace in (("good", 40 + 10 * k), ("bad", 2 + k)):
            # Far from 0: how far `rate` looks back before a small first value differs by release.
            wave = _counter(pace * 100, pace, resets=_RESETS.get((slo, result), ()))
            own = {"slo": slo, "service": service, "result": result}
            yield "slo_events_total", own, _cut(wave, _MISSING.get((slo, result), ()))


_RESETS = {("checkout", "good"): (130, 290, 293), ("search", "bad"): (200,)}
_MISSING = {
    # A gap shorter than the lookback and a longer one; one is born late, one ends.
    ("search", "good"): ((100, 106), (240, 275)),
    ("login", "bad"): ((0, 160),),
    ("login", "good"): ((430, COUNT),),
}


def _gauges() -> Iterator[tuple[str, dict[str, str], Wave]]:
    for k, (slo, service) in enumerate(SLOS.items()):
        own = {"slo": slo, "service": service}
        yield "slo_objective_ratio", own, _constant((0.999, 0.99, 0.95)[k])
        yield "slo_window_seconds", own, _constant(2_592_000.0)
        yield "slo_error_budget_remaining_ratio", own, _swing(0.3 - 0.2 * k, 0.6, 61 + 9 * k)
        exhaustion = _swing(5e4, 9e4, 83 + k)
        yield "slo_error_budget_exhaustion_seconds", own, _infinite_below_zero(exhaustion)
        yield "slo_gate_open", own, _constant(float(k != 1))
        for j, window in enumerate(("5m", "1h", "6h")):
            burn = _swing(1.2 + j, 1.5 * (k + 1), 31 + 7 * j + 3 * k)
            labels = {**own, "window": window}
            yield "slo_burn_rate", labels, _no_number(burn) if (slo, j) == ("login", 0) else burn
            yield "slo_sli_ratio", labels, _swing(0.98 - 0.01 * k, 0.02, 53 + 5 * j)
            yield "slo_coverage_ratio", labels, _constant(1.0)
        for severity, long, short in (("page", "1h", "5m"), ("ticket", "3d", "6h")):
            rule = {"severity": severity, "long_window": long, "short_window": short}
            yield "slo_alert_firing", {**own, **rule}, _phases(40 + 11 * k, severity == "page")
        for state in ("ok", "frozen"):
            policy = {**own, "state": state}
            yield "slo_budget_policy_state", policy, _phases(150 + 20 * k, state == "ok")


def _about_itself() -> Iterator[tuple[str, dict[str, str], Wave]]:
    for k, target in enumerate(("10.0.0.1:9090", "10.0.0.2:9090", "db.example:9187")):
        up = _phases(70 + 30 * k, True)
        yield "slod_source_up", {"source": f"prom{k % 2}", "target": target}, up
        samples = _counter(90_000.0, 900.0, resets=(250,) if k == 1 else ())
        yield "slod_samples_total", {"source": f"prom{k}"}, samples
    yield "slod_build_info", {"version": "1.2.3", "python": "3.11"}, _constant(1.0)
    yield "slod_ledger_bytes", {}, _swing(4e6, 1e5, 240)
    yield "slod_config_last_reload_successful", {}, _phases(200, True)


def _ticks() -> Iterator[tuple[str, dict[str, str], Wave]]:
    name = "slod_tick_duration_seconds"
    for k, bound in enumerate(BOUNDS):
        yield f"{name}_bucket", {"le": bound}, _counter(300.0 * (k + 1), 3.0 * (k + 1))
    yield f"{name}_count", {}, _counter(1800.0, 18.0)
    yield f"{name}_sum", {}, _counter(7.25, 0.07, whole=False)


# --- shapes -------------------------------------------------------------------------------------


def _constant(value: float) -> Wave:
    return lambda _: value


def _counter(
    first: float, pace: float, *, resets: tuple[int, ...] = (), whole: bool = True
) -> Wave:
    # The same draws for every bucket of a histogram, so that none overtakes the next one.
    draw, value, values = random.Random(7), first, []
    for k in range(COUNT):
        if k in resets:
            value = 0.0
        values.append(value)
        value += math.floor(pace * draw.uniform(0.2, 1.8)) if whole else pace * draw.random()
    return values.__getitem__


def _swing(middle: float, height: float, period: float) -> Wave:
    return lambda k: middle + height * math.sin(2 * math.pi * k / period) + k / 7919


def _phases(length: int, first: bool) -> Wave:
    return lambda k: float((k // length % 2 == 0) == first)


def _cut(wave: Wave, missing: tuple[tuple[int, int], ...]) -> Wave:
    return lambda k: None if any(low <= k < high for low, high in missing) else wave(k)


def _no_number(wave: Wave) -> Wave:
    return lambda k: math.nan if k % 50 > 44 else wave(k)


def _infinite_below_zero(wave: Wave) -> Wave:
    def capped(k: int) -> float | None:
        value = wave(k)
        return math.inf if value is not None and value < 0 else value

    return capped
