"""When a target is scraped."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources import beats
from tests.support import phase


@given(st.floats(0, 1), st.floats(0.1, 3600), st.floats(0, 1e7))
def test_the_next_beat_is_on_the_grid_and_an_interval_away_at_most(
    share: float, interval: float, now: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beats, "phase", lambda target: share)
        mine = beats.Beats("t", interval)
    beat = mine.after(now)
    assert interval * 0.0099 < beat - now < interval * 1.0101
    assert mine.after(beat) - beat == pytest.approx(interval, abs=1e-6)
    # A timer that was early by a little has had this beat.
    assert mine.after(beat - interval / 200) == pytest.approx(mine.after(beat), abs=1e-6)


def test_many_targets_are_spread_over_the_interval() -> None:
    tenths = Counter(
        int(phase(f"http://10.0.{n // 250}.{n % 250}:80/metrics") * 10) for n in range(1000)
    )
    assert sorted(tenths) == list(range(10))
    assert all(60 < many < 140 for many in tenths.values())
