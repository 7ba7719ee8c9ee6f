from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.duration import approximate, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("300ms", 0.3),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("30d", 30 * 86400),
        ("4w", 28 * 86400),
        ("1y", 365 * 86400),
        ("1y2w3d4h5m6s7ms", 31536000 + 1209600 + 259200 + 14400 + 300 + 6.007),
        ("90m", 5400),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_a_prometheus_duration_becomes_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "1.5h", "30m1h", "1h1h", "1 h", "-1h", "5M", "1h ", "h", "٣s", "1µs"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 500ms"):
        parse_duration(text)


def test_a_duration_that_prometheus_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="292 years"):
        parse_duration("300y")


@given(st.integers(min_value=0, max_value=290 * 365 * 86_400_000))
def test_what_is_formatted_reads_back_as_the_same(millis: int) -> None:
    assert parse_duration(format_duration(millis / 1000)) == millis / 1000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "500ms"), (5400, "1h30m"), (30 * 86400, "30d"), (28 * 86400, "4w")],
)
def test_the_shortest_spelling_is_chosen(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250ms"),
        (51.84, "52s"),
        (518.4, "8m38s"),
        (3599.9, "1h"),
        (180_000, "2d2h"),
        (86_400, "1d"),
        (40 * 86_400, "40d"),
    ],
)
def test_people_are_shown_two_units(seconds: float, text: str) -> None:
    assert approximate(seconds) == text
