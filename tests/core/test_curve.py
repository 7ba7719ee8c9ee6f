"""Curves and ledgers against a naive recount that keeps everything."""

from __future__ import annotations

import math
import random
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.curve import HEAD, Curve
from exporter.core.ledger import Ledger
from exporter.core.packed import Points, pack, records, unpack
from exporter.core.thinning import EXACT, Tolerance

BEGIN = 1_700_000_000.0


class Naive:
    """Every amount that was ever added, spread evenly over its time."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, float]] = []

    def add(self, start: float, end: float, amount: float) -> None:
        self.rows.append((start, end, amount))

    def at(self, when: float) -> float:
        return sum(
            n * min(1.0, max(0.0, (when - start) / (end - start))) for start, end, n in self.rows
        )


ramps = st.lists(
    st.tuples(
        st.integers(0, 2000).map(lambda n: n / 2),  # start, seconds after the beginning
        st.integers(1, 200).map(lambda n: n / 2),  # length
        st.integers(0, 50).map(float),
    ),
    min_size=1,
    max_size=60,
)


@given(ramps)
def test_any_order_of_samples_reads_as_the_naive_recount_at_any_moment(
    rows: list[tuple[float, float, float]],
) -> None:
    curve, naive = Curve(), Naive()
    for start, length, amount in rows:
        begin = BEGIN + start
        curve.add(begin, begin + length, amount)
        naive.add(begin, begin + length, amount)
    assert curve.total == sum(amount for _, _, amount in rows)
    for when in range(-10, 1110, 7):
        # Counts inside a block are kept to thousandths.
        assert curve.at(BEGIN + when) == pytest.approx(naive.at(BEGIN + when), abs=2e-3)


@given(ramps, st.integers(1, 20))
def test_with_a_grain_a_reading_is_off_by_no_more_than_two_grains_in_time(
    rows: list[tuple[float, float, float]], grain: int
) -> None:
    curve, naive = Curve(grain=float(grain)), Naive()
    clock = 0.0
    for start, length, amount in rows:
        clock += start % 13
        curve.add(BEGIN + clock, BEGIN + clock + length, amount)
        naive.add(BEGIN + clock, BEGIN + clock + length, amount)
        clock += length
    slack = 2 * grain + 0.01
    for when in range(0, math.ceil(clock), 11):
        low, high = naive.at(BEGIN + when - slack), naive.at(BEGIN + when + slack)
        assert low - 2e-3 <= curve.at(BEGIN + when) <= high + 2e-3


@given(ramps, st.integers(1, 200))
def test_whatever_comes_first_all_of_it_lies_after_the_first_point(
    rows: list[tuple[float, float, float]], grain: int
) -> None:
    curve = Curve(grain=float(grain))
    for start, length, amount in rows:
        curve.add(BEGIN + start, BEGIN + start + length, amount)
    if len(curve):
        assert curve.at(curve.first) == pytest.approx(0.0, abs=2e-3)
        assert curve.first >= BEGIN + min(start for start, _, amount in rows if amount) - 0.01


def test_what_comes_late_from_before_the_oldest_block_is_in_the_windows_that_hold_it() -> None:
    curve = Curve(grain=5.0)
    for i in range(100):
        curve.add(BEGIN + 20 * i, BEGIN + 20 * i + 10, 1.0 + i % 2)
    assert curve.blocks
    curve.add(BEGIN - 1000, BEGIN - 900, 7.0)
    assert curve.between(BEGIN - 1000, BEGIN - 900) == 7.0
    assert curve.between(BEGIN - 1000, BEGIN + 2000) == curve.total == 157.0


def history(seed: int, samples: int, rate: float) -> list[int]:
    """Events per sample: quiet noise, bursts and silences."""
    rng = random.Random(seed)
    out, burst = [], 0
    for _ in range(samples):
        if burst == 0 and rng.random() < 0.01:
            burst = rng.choice((5, 50, -80))
        level = rate * 30 if burst > 0 else 0.0 if burst < 0 else rate
        burst -= (burst > 0) - (burst < 0)
        out.append(min(int(rng.expovariate(1.0) * level + rng.random()), 10_000))
    return out


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", [0.05, 2.0, 300.0])
def test_after_thinning_a_reading_is_off_by_at_most_eps_of_what_came_after(
    seed: int, rate: float
) -> None:
    eps = 0.01
    curve = Curve(Tolerance(eps))
    counts = history(seed, 6000, rate)
    exact = [0, *accumulate(counts)]
    for i, amount in enumerate(counts):
        curve.add(BEGIN + 10 * i, BEGIN + 10 * i + 10, float(amount))
        if i % 500 == 499:
            for k in range(0, i + 2, 3):
                after = exact[i + 1] - exact[k]
                # Blocks keep times to 10 ms, a thousandth of a sample.
                rounding = 0.002 * max(counts[max(0, k - 1) : k + 2])
                assert abs(curve.at(BEGIN + 10 * k) - exact[k]) <= eps * after + rounding + 1e-6
    assert curve.total == exact[-1]
    assert len(curve) < 6000 / 2


def test_past_its_most_points_the_tolerance_gives_way_and_the_total_stays() -> None:
    curve = Curve(EXACT, max_points=300)
    rng = random.Random(1)
    total = 0
    for i in range(5000):
        amount = rng.randrange(1, 100)
        total += amount
        curve.add(BEGIN + 10 * i, BEGIN + 10 * i + 10, float(amount))
    assert curve.total == total
    assert len(curve) <= 300 + 160 + 2 * HEAD
    assert curve.nbytes < 10_000


def test_a_sparse_error_costs_one_record_not_two_points() -> None:
    points = Points([], [], [])
    for i in range(1, 51):
        points.times.extend([BEGIN + 100 * i, BEGIN + 100 * i + 10])
        points.counts.extend([float(i - 1), float(i)])
        points.errors.extend([0.0, 0.0])
    block = pack(BEGIN, 0.0, points, 10.0)
    assert records(block) == 50
    again = unpack(BEGIN, 0.0, block, 10.0)
    assert again.counts == points.counts
    assert again.times == pytest.approx(points.times, abs=0.011)


@given(
    st.lists(
        st.tuples(
            st.floats(0.002, 1e6), st.floats(0, 1e12), st.one_of(st.just(0.0), st.floats(1e-6, 1e9))
        ),
        min_size=1,
        max_size=80,
    ),
    st.booleans(),
)
def test_packed_points_come_back_with_no_smaller_error_bound(
    steps: list[tuple[float, float, float]], whole: bool
) -> None:
    times = [BEGIN + t for t in accumulate(step for step, _, _ in steps)]
    counts = [float(round(c)) if whole else c for c in accumulate(c for _, c, _ in steps)]
    points = Points(times, counts, [e for _, _, e in steps])
    again = unpack(BEGIN, 0.0, pack(BEGIN, 0.0, points, 10.0), 10.0)
    if len(again.times) == len(times):
        assert again.times == pytest.approx(times, abs=0.101)
        assert again.counts == pytest.approx(counts, rel=1e-9, abs=0.001)
        assert all(new >= old for new, old in zip(again.errors, points.errors, strict=True))


def test_forgetting_keeps_counts_and_every_reading_that_is_left() -> None:
    curve, whole = (Curve(Tolerance(0.001), horizon=h) for h in (10_000.0, math.inf))
    for i in range(5000):
        for one in (curve, whole):
            one.add(BEGIN + 10 * i, BEGIN + 10 * i + 10, float(i % 7))
    assert len(curve) < len(whole)
    assert curve.total == whole.total
    for back in range(0, 10_000, 97):
        when = BEGIN + 50_000 - back
        assert curve.at(when) == pytest.approx(whole.at(when), rel=0.001)
    assert curve.at(BEGIN) == curve.at(curve.first) > 0


def test_shifting_moves_every_reading_along() -> None:
    curve = Curve()
    for i in range(300):
        curve.add(BEGIN + 10 * i, BEGIN + 10 * i + 10, float(i % 7))
    before = [curve.at(BEGIN + 13 * i) for i in range(200)]
    curve.shift(-5000.0)
    assert [curve.at(BEGIN - 5000 + 13 * i) for i in range(200)] == pytest.approx(before, abs=1e-3)


def test_an_empty_curve_reads_zero() -> None:
    curve = Curve()
    curve.add(BEGIN, BEGIN + 1, 0.0)
    assert (curve.at(BEGIN), curve.total, len(curve)) == (0.0, 0.0, 0)
    assert curve.first == math.inf
    assert curve.last == -math.inf
    assert curve.edge().at(BEGIN) == 0.0


def test_a_target_that_returns_after_the_head_was_sealed_still_counts_where_it_belongs() -> None:
    curve, naive = Curve(Tolerance(0.001)), Naive()
    for i in range(1000):
        row = (BEGIN + 10 * i, BEGIN + 10 * i + 10, float(i % 5))
        curve.add(*row)
        naive.add(*row)
    late = (BEGIN + 1000, BEGIN + 9000, 800.0)
    curve.add(*late)
    naive.add(*late)
    for when in range(0, 10_000, 97):
        after = naive.at(BEGIN + 1e6) - naive.at(BEGIN + when)
        assert curve.at(BEGIN + when) == pytest.approx(
            naive.at(BEGIN + when), abs=0.002 * after + 0.05
        )


@pytest.mark.parametrize("phase", [31, 20])
@pytest.mark.parametrize("tolerance", [Tolerance(0.05), Tolerance(0.05, steady=1e4)])
def test_a_straggler_among_thinned_points_keeps_the_bound_where_the_head_is_still_short(
    tolerance: Tolerance, phase: int
) -> None:
    # The first time the head may be sealed all but its last points.
    curve, naive = Curve(tolerance, phase=phase), Naive()
    for i in range(HEAD - phase):
        for one in (curve, naive):
            one.add(BEGIN + 10 * i, BEGIN + 10 * i + 10, 100.0 + i % 3)
    assert len(curve.times) < HEAD // 2
    for late in ((BEGIN + 3, BEGIN + 5, 1.0), (BEGIN + 33, BEGIN + 207, 50.0)):
        for one in (curve, naive):
            one.add(*late)
    for when in range(0, 340, 3):
        after = naive.at(BEGIN + 1e6) - naive.at(BEGIN + when)
        assert curve.at(BEGIN + when) == pytest.approx(
            naive.at(BEGIN + when), abs=0.05 * after + 0.1
        )


@pytest.mark.parametrize("tolerance", [EXACT, Tolerance(0.05, steady=1e4)])
def test_a_straggler_may_bring_all_points_back_into_the_head(tolerance: Tolerance) -> None:
    curve, naive = Curve(tolerance, phase=20), Naive()
    # One target's long rise, and another's in pieces: points on one line, of which the block that
    # they go to needs no more than the ends.
    pieces = [(BEGIN + 10 * i, BEGIN + 10 * i + 10, 1.0) for i in range(42)]
    for row in ((BEGIN, BEGIN + 640, 64.0), *pieces):
        curve.add(*row)
        naive.add(*row)
    assert curve.blocks
    straggler = (BEGIN + 3, BEGIN + 5, 1.0)
    curve.add(*straggler)
    naive.add(*straggler)
    assert not curve.blocks
    for when in range(0, 650, 3):
        assert curve.at(BEGIN + when) == pytest.approx(naive.at(BEGIN + when), abs=0.01)


def test_two_targets_that_take_turns_read_as_the_sum_of_both() -> None:
    curve, naive = Curve(grain=1.0), Naive()
    for i in range(400):
        for offset, amount in ((0.0, 3.0), (4.0, float(i % 5))):
            row = (BEGIN + 10 * i + offset, BEGIN + 10 * i + 10 + offset, amount)
            curve.add(*row)
            naive.add(*row)
    for when in range(0, 4100, 13):
        assert curve.at(BEGIN + when) == pytest.approx(naive.at(BEGIN + when), abs=0.01)


def test_changes_within_a_grain_share_the_newest_point() -> None:
    curve = Curve(grain=5.0)
    curve.add(BEGIN, BEGIN + 1, 1.0)
    curve.add(BEGIN + 0.5, BEGIN + 2, 2.0)
    assert (len(curve), curve.last, curve.total) == (2, BEGIN + 2, 3.0)


@pytest.mark.parametrize(
    "broken",
    [
        (1.0, b"12345678", b"12345678", b"", b"", "no list"),
        (1.0, b"12345678", b"12345678", b"", b"", b"", b"", "no bytes"),
        (1.0, b"12345678", b"", b"", b"", b"", b"", b""),
        (1.0, b"1234", b"1234", b"", b"", b"", b"", b""),
        (1.0, "text", b"", b"", b"", b"", b"", b""),
        (1, b"", b"", b"", b"", b"", b"", b""),
        (1.0, b"", b"", b"", b"", b"", b"1234", b"HB"),
        (1.0, b"", b"", b"", b"", b"", b"", b"HB"),
        (1.0, b"", b"", b"", b""),
    ],
)
def test_what_is_no_dump_is_refused(broken: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match=r"curve|bytes"):
        Curve().load(broken)


def test_a_dump_reads_as_the_curve_it_was_made_from() -> None:
    curve, again = Curve(Tolerance(0.01)), Curve(Tolerance(0.01))
    for i in range(1500):
        curve.add(BEGIN + 10 * i, BEGIN + 10 * i + 10, float(i % 11))
    again.load(curve.dump())
    assert [again.at(BEGIN + 7 * i) for i in range(2200)] == [
        curve.at(BEGIN + 7 * i) for i in range(2200)
    ]
    assert len(again) == len(curve)
    total, time, count, starts, bases, _, ends, packed = curve.dump()
    assert isinstance(ends, bytes)
    assert isinstance(packed, bytes)
    edges = [0, *memoryview(ends).cast("I")]
    blocks = [packed[low:high] for low, high in pairwise(edges)]
    again.load((total, time, count, starts, bases, blocks))
    assert [again.at(BEGIN + 7 * i) for i in range(2200)] == [
        curve.at(BEGIN + 7 * i) for i in range(2200)
    ], "as the first format had it"


# --- the promise ------------------------------------------------------------------------------

WINDOWS = [300.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0, 259_200.0]
PERIOD = 30 * 86_400.0
OBJECTIVE = 0.999


@pytest.mark.long
@pytest.mark.parametrize("rate", [0.01, 1.0, 100.0])
def test_budget_and_burn_rates_keep_their_bounds_in_24_kib_while_outages_come_and_leave(
    rate: float,
) -> None:
    step, samples = 60.0, 45 * 1440
    rng = random.Random(int(rate * 100))
    ledger = Ledger(PERIOD, step)
    bads, totals = [0], [0]
    outage, ratio = 0, 0.0
    worst = 0
    for i in range(1, samples + 1):
        if outage == 0 and rng.random() < step / (5 * 86_400):
            outage, ratio = rng.choice((10, 60, 240)), rng.choice((0.05, 0.4, 1.0))
        mean = rate * step * (1 + 0.5 * math.sin(i * step / 86_400 * 2 * math.pi))
        total = (
            max(0, round(rng.gauss(mean, math.sqrt(mean)))) if mean > 20 else _poisson(rng, mean)
        )
        share = ratio if outage else 0.001
        bad = min(total, _poisson(rng, total * share)) if share < 1 else total
        outage = max(0, outage - 1)
        now = BEGIN + i * step
        ledger.add(now - step, now, float(total - bad), float(bad))
        bads.append(bads[-1] + bad)
        totals.append(totals[-1] + total)
        if i % 1000 == 0:
            worst = max(worst, ledger.nbytes)
        if i % 37 == 0 or (outage and i % 5 == 0):
            for seconds in (*WINDOWS, PERIOD):
                _within_bounds(ledger, seconds, now, i, int(seconds / step), bads, totals)
    assert worst < 24 * 1024


def _within_bounds(
    ledger: Ledger,
    seconds: float,
    now: float,
    i: int,
    back: int,
    bads: list[int],
    totals: list[int],
) -> None:
    edge = max(0, i - back)
    bad, total = bads[i] - bads[edge], totals[i] - totals[edge]
    found = ledger.window(seconds, now).burn_rate(OBJECTIVE)
    if total == 0:
        assert found is None or found == pytest.approx(0.0, abs=0.1)
        return
    exact = bad / total / (1 - OBJECTIVE)
    assert found is not None
    if seconds == PERIOD:
        assert abs(found - exact) <= 0.001 * exact + 1e-9
    else:
        assert abs(found - exact) <= max(0.01 * exact, 0.1)


def _poisson(rng: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, n, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        n += 1
        product *= rng.random()
    return n


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=5, max_size=200))
def test_a_moving_window_reads_as_the_counts_over_the_same_time(
    rows: list[tuple[int, int]],
) -> None:
    ledger = Ledger(3600.0, 10.0)
    for i, (good, bad) in enumerate(rows):
        now = BEGIN + 10 * i + 10
        ledger.add(now - 10, now, float(good), float(bad))
        ledger.cover(now - 10, now)
        for seconds in (25.0, 100.0, 900.0):
            assert ledger.window(seconds, now) == ledger.counts(now - seconds, now)
    assert ledger.all == (sum(g for g, _ in rows), sum(b for _, b in rows))
    assert ledger.coverage(BEGIN, BEGIN + 10 * len(rows)) == pytest.approx(1.0)
    assert ledger.coverage(BEGIN, BEGIN) == 0.0


def test_a_sum_of_fractions_that_falls_by_its_last_bit_is_packed_as_flat() -> None:
    points = Points([BEGIN + 10, BEGIN + 20], [0.50050001, 0.50049999], [0.0, 0.0])
    again = unpack(BEGIN, 0.0, pack(BEGIN, 0.0, points, 10.0), 10.0)
    assert again.counts == [0.501, 0.501]
