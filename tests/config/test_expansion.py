"""Spans that are kept and extended are those that following anew would give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.exclusions import Planned
from exporter.config.expansion import Expansion
from tests.config.test_exclusions import config

DAY = 86_400.0
T = 1_767_225_600.0  # 2026-01-01
RULES = (
    "FREQ=DAILY",
    "FREQ=DAILY;BYHOUR=1,2,3",
    "FREQ=WEEKLY;BYDAY=SA,SU;COUNT=9",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=YEARLY",
    "FREQ=DAILY;UNTIL=20260220",
    "",
)


def plan(rule: str, duration: str = "90m") -> Planned:
    lines = [f'rrule = "{rule}"'] if rule else []
    more = [f'duration = "{duration}"', 'timezone = "Europe/Berlin"', 'start = "2026-01-05 02:30"']
    [one] = config('slos = "shop"', 'reason = "r"', *lines, *more).exclusions
    return one


@given(
    st.sampled_from(RULES),
    st.sampled_from(["90m", "30h"]),
    st.lists(st.tuples(st.floats(-40, 400), st.floats(0, 60)), max_size=8),
)
def test_whatever_is_asked_in_whatever_order(
    rule: str, duration: str, asked: list[tuple[float, float]]
) -> None:
    one = plan(rule, duration)
    kept = Expansion(one)
    for begin, length in asked:
        start, end = T + begin * DAY, T + (begin + length) * DAY
        assert kept.spans(start, end) == Expansion(one).spans(start, end)
        assert kept.following(start) == Expansion(one).following(start)


def test_too_many_stay_too_many_until_time_goes_on() -> None:
    minutes = ",".join(map(str, range(60)))
    kept = Expansion(plan(f"FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6;BYMINUTE={minutes}", "10s"))
    for _ in range(2):
        with pytest.raises(ValueError, match="more than 10000 times"):
            kept.spans(T, T + 60 * DAY)
    assert len(kept.spans(T + 50 * DAY, T + 60 * DAY)) == 10 * 420
    with pytest.raises(ValueError, match="more than 50000 times from its start"):
        kept.spans(T + 150 * DAY, T + 151 * DAY)
    with pytest.raises(ValueError, match="more than 50000 times from its start"):
        kept.following(T + 150 * DAY)
