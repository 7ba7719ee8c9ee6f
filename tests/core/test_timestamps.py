"""Any number can be shown as a date."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.timestamps import in_utc, rfc3339


@given(st.floats())
def test_whatever_the_number_is_there_is_a_date(seconds: float) -> None:
    assert (
        datetime(1, 1, 1, tzinfo=UTC)
        <= in_utc(seconds)
        <= datetime(10_000 - 1, 12, 31, 23, 59, 59, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1_700_000_000.999, "2023-11-14T22:13:20Z"),
        (float("nan"), "0001-01-01T00:00:00Z"),
        (float("-inf"), "0001-01-01T00:00:00Z"),
        (1.7e12, "9999-12-31T23:59:59Z"),
    ],
)
def test_dates_are_written_to_the_second(seconds: float, text: str) -> None:
    assert rfc3339(seconds) == text
