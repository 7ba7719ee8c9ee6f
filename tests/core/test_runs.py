"""A day's samples at one go are counted as in many batches, to the last bit."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.core import intake
from exporter.core.account import Account
from exporter.core.sample import Batch, Reading, Series, Target, Value
from exporter.core.selector import parse_selector
from exporter.core.slo import SLI, CounterSLI
from tests.core.builders import AVAILABILITY, T, histogram, resets, slo

STEP = 30.0
GOOD_AND_TOTAL = CounterSLI(good=parse_selector("good"), total=parse_selector("total"))
GOOD_AND_BAD = CounterSLI(good=parse_selector("good"), bad=parse_selector("bad"))
FORMS = (AVAILABILITY, GOOD_AND_TOTAL, GOOD_AND_BAD, histogram())

Samples = list[tuple[float, Value]]

PIECE = st.tuples(
    st.integers(1, 50),
    st.sampled_from([0.0, 1.0, 0.125, 700.0]),
    st.sampled_from(["go on", "go on", "reset", "silence", "nan", "negative", "infinite"]),
)
"""So many samples, each with so many events more; what happens before. These are added up without
rounding, so the order does not matter."""
SERIES = st.lists(PIECE, min_size=1, max_size=6)
TARGET = st.tuples(
    st.sampled_from([0.0, 0.0, 7.0]), st.lists(SERIES, min_size=2, max_size=4), st.booleans()
)
"""Its phase, its series, and whether the first of them is born after the others."""


Shape = tuple[float, list[list[tuple[int, float, str]]], bool]


def samples(phase: float, pieces: Sequence[tuple[int, float, str]]) -> Samples:
    now, value = T + phase, 5.0
    out: Samples = [(now, value)]
    for count, events, how in pieces:
        if how == "reset":
            value = 0.0
        for i in range(count):
            now += STEP
            value += events
            odd = {"nan": nan, "negative": -1.0, "infinite": inf}.get(how)
            if how != "silence":
                out.append((now, value if odd is None or i else odd))
    return out


def one_batch(sli: SLI, targets: Sequence[Shape]) -> Batch:
    wants = sli.wants()[:2]
    readings: dict[Any, list[Reading]] = {want: [] for want in wants}
    for name, (phase, series, late) in zip("abc", targets, strict=False):
        for i, pieces in enumerate(series):
            found = samples(phase, pieces)
            labels = {"instance": name, "code": f"50{i}"}
            if late and i == 0:
                found = found[3:]
            readings[wants[i % 2]].append(Reading(Series(f"s{i}", name, labels), found))
    every = [s[-1][0] for some in readings.values() for _, s, _ in some if s]
    names = {name: Target() for name, _ in zip("abc", targets, strict=False)}
    return Batch("app", max(every), False, readings, names)


def fed(sli: SLI, batch: Batch, length: float) -> tuple[Any, ...]:
    """All that an account knows, and the facts, after batches of so many seconds each."""
    account = Account(slo(sli=sli, interval=STEP))
    begin, end = -inf, T + 10.0
    readings: Counter[tuple[str, str]] = Counter()
    taken = 0
    refused: dict[str, int] = {}
    while begin < batch.at:
        end = min(end, batch.at)
        part = {
            want: [r._replace(samples=[s for s in r.samples if begin < s[0] <= end]) for r in some]
            for want, some in batch.readings.items()
        }
        found = account.take(replace(batch, at=end, readings=part))
        readings += found.readings
        taken += found.samples
        for reason, count in found.refused.items():
            refused[reason] = refused.get(reason, 0) + count
        # The first batch is short, as a source's is.
        begin, end = end, end + length
    dump = account.memory.dump()
    instances = [(group, debt, seen) for group, debt, seen, _, _ in dump["instances"]]
    counts = [
        i.ledger.counts(T, T + 600.0 * k)
        for i in account.memory.instances.values()
        for k in range(1, 200)
    ]
    covered = [
        i.ledger.coverage(T, T + 600.0 * k)
        for i in account.memory.instances.values()
        for k in range(1, 10)
    ]
    lines = account.memory.tally.seen()[0] if account.memory.tally else []
    # A sum of differences, and a difference of sums: rounded.
    told = [(s.key, s.target, round(s.increase, 6), s.line.resets) for s in lines]
    return dump["targets"], instances, counts, covered, readings, taken, refused, sorted(told)


LATE = (0.0, [[(40, 1.0, "go on")], [(40, 9.0, "go on")]], True)
SURPLUS = (0.0, [[(40, 9.0, "go on")], [(40, 1.0, "go on")]], False)
PLAIN = [(phase, [[(40, 1.0, "go on")], [(40, 9.0, "go on")]], False) for phase in (0.0, 7.0)]
RESET = (0.0, [[(40, 1.0, "go on"), (40, 2.0, "reset")], [(80, 9.0, "go on")]], False)
APART = (0.0, [[(40, 1.0, "go on"), (20, 1.0, "silence"), (40, 1.0, "go on")]] * 2, False)
BOTH = (0.0, [[(40, 9.0, "go on")], [(40, 1.0, "go on")], [(40, 1.0, "negative")]], False)
ODD = (0.0, [[(40, 1.0, "negative")], [(40, 9.0, "go on")]], False)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(FORMS),
    st.lists(TARGET, min_size=1, max_size=3),
    st.sampled_from([600.0, 1800.0, 86_400.0]),
)
@example(AVAILABILITY, [LATE], 86_400.0)
@example(AVAILABILITY, [SURPLUS], 86_400.0)
@example(AVAILABILITY, [ODD], 86_400.0)
@example(AVAILABILITY, [BOTH], 86_400.0)
@example(AVAILABILITY, [RESET], 86_400.0)
@example(AVAILABILITY, [RESET], 600.0)
@example(AVAILABILITY, [APART], 86_400.0)
@example(GOOD_AND_BAD, PLAIN, 86_400.0)
def test_columns_of_increases_are_booked_as_one_by_one(
    sli: SLI, targets: list[Shape], length: float
) -> None:
    batch = one_batch(sli, targets)
    columns = fed(sli, batch, length)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "LONG", sys.maxsize)
        assert fed(sli, batch, length) == columns


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(FORMS[:3]),
    st.lists(TARGET, min_size=1, max_size=1),
    st.sampled_from([600.0, 1800.0, 86_400.0]),
)
def test_a_few_large_batches_count_as_many_small_ones(
    sli: SLI, targets: list[Shape], length: float
) -> None:
    batch = one_batch(sli, targets)
    assert fed(sli, batch, length) == fed(sli, batch, STEP)


def test_a_counter_created_anew_before_a_long_reading_was_reset_though_it_is_higher() -> None:
    account = Account(slo(sli=GOOD_AND_BAD, interval=STEP))
    want = GOOD_AND_BAD.wants()[0]
    series = Series("s", "a", {})
    taken = 0
    for begin, created in ((T, T - 900), (T + 40 * STEP, T + 39.5 * STEP)):
        found: Samples = [(begin + STEP * k, 1000.0 + k + begin - T) for k in range(40)]
        readings: dict[Any, list[Reading]] = {want: [Reading(series, found, created)]}
        batch = Batch("app", found[-1][0], False, readings, {"a": Target()})
        taken += resets(account.take(batch))
    assert taken == 1
    (instance,) = account.memory.instances.values()
    # All of the second counter's first value counts.
    assert instance.ledger.all.good == 39 + 1000 + 40 * STEP + 39


def test_a_long_reading_that_overlaps_the_one_before_counts_what_is_new() -> None:
    account = Account(slo(sli=GOOD_AND_BAD, interval=STEP))
    want = GOOD_AND_BAD.wants()[0]
    series = Series("s", "a", {})
    found: Samples = [(T + STEP * k, 7.0 * k) for k in range(60)]
    for low, high in ((0, 40), (20, 60)):
        readings: dict[Any, list[Reading]] = {want: [Reading(series, found[low:high])]}
        account.take(Batch("app", found[high - 1][0], False, readings, {"a": Target()}))
    (instance,) = account.memory.instances.values()
    assert instance.ledger.all.good == 59 * 7
