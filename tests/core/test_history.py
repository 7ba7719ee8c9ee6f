"""History tells of a moment what the status told then."""

from __future__ import annotations

import math
import random

import pytest

from exporter.core.curve import Curve
from exporter.core.exclusion import Exclusion
from exporter.core.history import History, burn_rates
from exporter.core.instance import Instance
from exporter.core.ledger import Ledger
from exporter.core.slo import Calendar
from exporter.core.status import SLOStatus
from exporter.core.thinning import Tolerance
from tests.core.builders import T, Traffic, engine, slo, status, workbook

DAY = 86_400.0


def history(of: Traffic) -> History:
    (instance,) = of.engine.accounts["slo"].memory.instances.values()
    return History(instance)


def told(found: SLOStatus) -> list[float | None]:
    """What a status says, in the order of `read`."""
    return [
        found.good_total,
        found.bad_total,
        *(w.burn(found.slo.objective) for w in found.windows),
        *(w.coverage for w in found.windows),
        found.age,
    ]


def read(of: Traffic, moments: list[float]) -> list[list[float | None]]:
    """The same, of many moments at once."""
    past, one = history(of), of.engine.accounts["slo"].slo
    good, bad = past.events(moments)
    windows = [past.window(w.seconds, moments) for w in one.windows] + [past.period(moments)]
    columns: list[list[float | None]] = [good, bad]
    columns += [burn_rates(w, one.objective) for w in windows]
    columns += [list(past.coverage(w.seconds, moments)) for w in one.windows]
    columns.append(list(past.coverage(None, moments)))
    columns.append(past.age(moments))
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("period", ["2h", Calendar("day", "UTC")])
def test_what_was_told_at_each_moment_is_read_again_later(period: str | Calendar) -> None:
    # From before midnight until after it, so that a new day begins meanwhile.
    of = Traffic(engine(slo(rules=workbook(), period=period)))
    rng = random.Random(1)
    then: list[list[float | None]] = []
    moments = []
    for _ in range(60):
        of.run(600, rng.randrange(20, 50), rng.randrange(3))
        then.append(told(status(of.engine, of.now)))
        moments.append(of.now)
    found = read(of, moments)
    for was, now in zip(then, found, strict=True):
        # Of what is long past, a reading may be wrong by a share of all that came after it.
        assert now == pytest.approx(was, rel=0.3, abs=1e-9)
    for was, now in zip(then[-10:], found[-10:], strict=True):
        assert now == pytest.approx(was, rel=1e-9)


def test_before_anything_is_known_there_is_no_counter() -> None:
    of = Traffic(engine())
    of.run(100, 9, 1)
    good, bad = history(of).events([T - 50, T, T + 50, T + 100])
    assert (good, bad) == ([None, 0.0, 45.0, 90.0], [None, 0.0, 5.0, 10.0])
    assert history(of).first == T
    assert history(of).age([T - 50, T, T + 100]) == [None, 0, 100]


def test_where_nothing_was_ever_counted_there_is_nothing() -> None:
    empty = History(Instance(slo(), {}, 10.0))
    assert empty.first == math.inf
    assert empty.events([T]) == ([None], [None])
    assert empty.age([T]) == [None]
    assert empty.window(60.0, [T]) == ([0.0], [0.0])
    assert empty.coverage(60.0, [T]) == [0.0]
    assert empty.coverage(0.0, [T]) == [0.0]
    assert empty.period([]) == ([], [])
    assert burn_rates(([0.0], [0.0]), 0.99) == [None]


def test_a_window_of_now_ends_at_the_newest_sample_as_it_does_in_the_status() -> None:
    of = Traffic(engine(slo(rules=workbook(), period="2h")))
    of.run(600, 9, 1)
    later = of.now + 25
    assert read(of, [later])[0] == pytest.approx(told(status(of.engine, later)))


def test_what_a_ledger_has_forgotten_is_not_known_and_never_good() -> None:
    """Events without a break for eight days, of which a daily period needs two: the curve of bad
    events has many points and forgets first."""
    of = Traffic(engine(slo(objective=0.99, period="1d", interval=180.0)), 180.0)
    for k in range(8 * 24):
        of.run(3600, 990 + k % 3, 10 + k % 5)
    past, ledger = history(of), of.engine.accounts["slo"].memory.instance(()).ledger
    back = [of.now - (8 - d / 4) * DAY for d in range(1, 33)]
    assert of.now - 4 * DAY < past.first <= of.now - 2 * DAY
    read_back = zip(
        back, *past.events(back), past.coverage(None, back), past.age(back), strict=True
    )
    for when, good, bad, coverage, age in read_back:
        known = when >= past.first
        assert (good is not None, bad is not None, age is not None) == (known,) * 3
        # Of a period that begins before it, only what is known is said to be.
        assert coverage == pytest.approx(min(1, max(0, (when - past.first) / DAY)), abs=1e-3)
        assert known or burn_rates(past.window(3600.0, [when]), 0.99) == [None]
    for burn in burn_rates(past.period([w for w in back if w > past.first + 600]), 0.99):
        assert burn == pytest.approx(1.2, rel=0.05)
    assert ledger.counts(of.now - 8 * DAY, of.now - 7 * DAY).total == 0
    assert ledger.unadjusted(of.now - 8 * DAY, of.now - 7 * DAY).total == 0
    whole = ledger.counts(of.now - 8 * DAY, of.now)
    assert whole.burn_rate(0.99) == pytest.approx(1.2, rel=0.01)
    assert ledger.coverage(of.now - 8 * DAY, of.now) == pytest.approx(
        (of.now - past.first) / (8 * DAY), rel=1e-3
    )


def test_what_is_excluded_is_left_out_of_windows_and_not_of_the_counter() -> None:
    of = Traffic(engine(slo(period="2h")))
    of.run(600, 9, 1)
    of.engine.exclude([Exclusion("x", (), ((T + 100, T + 200),))])
    moments = [T + 50, T + 150, T + 300, T + 600]
    bad, total = history(of).period(moments)
    assert bad == pytest.approx([5, 10, 20, 50])
    assert total == pytest.approx([50, 100, 200, 500])
    assert history(of).events(moments)[1] == pytest.approx([5, 15, 30, 60])
    assert history(of).window(100, moments)[0] == pytest.approx([5, 5, 10, 10])
    assert history(of).excluded(moments) == [0, 50, 100, 100]


def test_a_second_reading_further_back_unpacks_what_it_needs() -> None:
    of = Traffic(engine(slo(period="2h")))
    for k in range(100):
        of.run(60, 9 + k % 7, k % 3)
    past = history(of)
    near, far = past.window(60, [of.now]), past.window(5000, [of.now])
    assert (near, far) == (
        history(of).window(60, [of.now]),
        history(of).window(5000, [of.now]),
    )
    assert far[1][0] > near[1][0]


def test_a_month_ago_there_was_a_budget_too_of_the_month_before() -> None:
    rng = random.Random(5)
    ledger, bads, totals = Ledger(30 * DAY, 600.0), [0.0], [0.0]
    for k in range(100 * 144):
        bad = float(rng.randrange(3) if rng.random() < 0.95 else rng.randrange(60))
        ledger.add(T + k * 600, T + (k + 1) * 600, 600 - bad, bad)
        bads.append(bads[-1] + bad)
        totals.append(totals[-1] + 600)
    one = slo(period="30d")
    instance = Instance(one, {}, 600.0)
    instance.ledger, instance.seen = ledger, T + 100 * DAY
    ends = [100 * 144 - 144 * k for k in range(29, -1, -1)]
    bad, total = History(instance).period([T + 600 * k for k in ends])
    for k, found, of in zip(ends, bad, total, strict=True):
        assert found == pytest.approx(bads[k] - bads[k - 30 * 144], rel=0.01)
        assert of == pytest.approx(totals[k] - totals[k - 30 * 144], rel=0.01)
    assert ledger.first < T + 41 * DAY


def test_points_older_than_the_reach_are_thinned_more() -> None:
    rng = random.Random(2)
    near, far = (
        Curve(Tolerance(0.002), horizon=4000.0, reach=reach) for reach in (1000.0, math.inf)
    )
    for k in range(12_000):
        amount = float(rng.randrange(9))
        for curve in (near, far):
            curve.add(T + k, T + k + 1, amount)
    assert len(near) < 0.9 * len(far)
    assert near.at(T + 9000) == pytest.approx(far.at(T + 9000), rel=0.01)


def test_a_window_stands_on_what_is_left_when_older_points_are_dropped() -> None:
    rng = random.Random(4)
    curve = Curve(horizon=2000.0)
    edge = curve.edge()
    for k in range(6000):
        curve.add(T + k, T + k + 1, float(rng.randrange(9)))
        if k >= 900:
            assert edge.at(T + k - 900) == curve.at(T + k - 900)
    assert T + 3000 < curve.first < T + 4000
