"""Names that are too long to be kept are refused before they are remembered, and said.

The state file is judged by the same bound when it is loaded, so a longer one would be written by
one run and refused by the next.
"""

from __future__ import annotations

import pytest

from exporter.core.amounts import MOST_TEXT
from exporter.core.sample import Target
from exporter.core.selector import parse_selector
from exporter.core.slo import GaugeSLI
from exporter.core.state_check import check_operations
from tests.core.builders import ERROR, OK, T, batch, counted, engine, feed, packed, slo

LONG = "x" * (MOST_TEXT + 1)
ODD = f'http_requests_total{{code="200",path="{LONG}"}}'


def test_a_series_with_a_name_that_cannot_be_kept_is_refused_and_the_others_count() -> None:
    of = engine()
    feed(of, T, {OK: 0.0, ERROR: 0.0, ODD: 0.0})
    taken = of.ingest(batch(of, T + 10, {"a": {OK: 7.0, ERROR: 2.0, ODD: 100.0}}))["slo"]
    assert counted(of) == (7, 2)
    assert taken.refused == {"too_long": 1}
    assert taken.readings["refused", "too_long"] == 1
    check_operations(packed(of.drain())["slo"])


def test_one_of_a_gauge_too() -> None:
    of = engine(slo(sli=GaugeSLI(parse_selector("queue"), ">=", 1.0)))
    series = {"queue": 1.0, f'queue{{name="{LONG}"}}': 0.0}
    taken = of.ingest(batch(of, T, {"a": series}))["slo"]
    assert taken.refused == {"too_long": 1}
    check_operations(packed(of.drain())["slo"])


def test_a_process_with_such_a_name_is_not_remembered() -> None:
    of = engine()
    one = batch(of, T, {"a": {OK: 0.0, ERROR: 0.0}, LONG: {OK: 0.0}})
    one.targets["t" + LONG] = Target(looks=[T])
    of.ingest(one)
    assert list(of.accounts["slo"].memory.targets) == ["a"]
    check_operations(packed(of.drain())["slo"])


def test_a_group_whose_label_comes_from_the_target_and_is_too_long_has_no_place() -> None:
    of = engine(slo(group_by=("zone",)))
    one = batch(of, T, {"a": {OK: 1.0}, "b": {ERROR: 1.0}})
    for readings in one.readings.values():
        for reading in readings:
            zone = LONG if reading.series.target == "a" else "eu"
            reading.series.labels["zone"] = zone  # type: ignore[index]
    taken = of.ingest(one)["slo"]
    assert taken.refused == {"too_long": 1}
    assert [i.group for i in of.accounts["slo"].memory.instances.values()] == [{"zone": "eu"}]
    check_operations(packed(of.drain())["slo"])


@pytest.mark.parametrize("length", [MOST_TEXT - 100, MOST_TEXT])
def test_up_to_the_bound_a_name_is_kept(length: int) -> None:
    head = 'http_requests_total{code="200",path="'
    of = engine()
    name = f'{head}{"x" * (length - len(head) - 2)}"}}'
    feed(of, T, {name: 0.0, ERROR: 0.0})
    feed(of, T + 10, {name: 5.0, ERROR: 0.0})
    assert counted(of) == (5, 0)
    check_operations(packed(of.drain())["slo"])
