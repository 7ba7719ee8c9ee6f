from __future__ import annotations

import pytest

from exporter.demo import schedule


def test_an_hour_of_traffic_comes_first_then_twenty_requests_a_second() -> None:
    steps = [(t / 4, (t + 1) / 4) for t in range(400)]
    total = sum(schedule.requests(start, end) for start, end in steps)
    assert total == pytest.approx(20 * 3600 + 20 * 100)
    assert schedule.requests(50, 51) == pytest.approx(20)


@pytest.mark.parametrize(
    ("elapsed", "active"),
    [(0, False), (19.9, False), (20, True), (199.9, True), (200, False), (319, False), (320, True)],
)
def test_incidents_begin_after_a_quiet_moment_and_come_back(elapsed: float, active: bool) -> None:
    assert schedule.fault_at(elapsed).active is active


def test_the_incident_spends_the_budget_of_the_hour_in_a_minute_or_two() -> None:
    budget = 0.001 * schedule.RATE * schedule.PAST
    assert 45 < budget / (schedule.RATE * schedule.FAULT.errors) < 120
