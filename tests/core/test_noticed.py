"""How incidents were noticed, and which alerts were worth it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from exporter.core.incidents import Stretch
from exporter.core.noticed import belongs, middle, noticed, precision, share, within

INCIDENT = Stretch(100, 200, 50, 100)


@dataclass(frozen=True)
class Alert:
    start: float
    end: float | None
    severity: str = "page"
    spent: float = 0.5
    incident: int | None = 0


def test_an_alert_belongs_to_the_incident_that_brought_most_of_what_it_saw() -> None:
    stretches = [Stretch(0, 10, 5, 9), INCIDENT, Stretch(300, 310, 7, 9)]
    assert belongs(stretches, 5, 250) == 1
    assert belongs(stretches, 200, 320) == 2
    assert belongs(stretches, 210, 250) is None


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ([Alert(130, 260), Alert(120, 220)], (20, 60)),
        ([Alert(130, 150)], (30, 0)),
        ([Alert(130, None), Alert(120, 220)], (20, None)),
        ([Alert(50, 220, incident=None)], (0, 20)),
        ([Alert(50, None, incident=3)], (0, None)),
        ([Alert(50, 90, incident=3), Alert(120, 220, "ticket")], (None, None)),
        ([], (None, None)),
    ],
)
def test_detection_and_reset_are_those_of_pages(
    alerts: list[Alert], said: tuple[float | None, float | None]
) -> None:
    assert noticed(INCIDENT, 0, alerts) == said


def test_a_page_is_worth_it_that_spent_a_hundredth_of_the_budget() -> None:
    alerts = [Alert(0, 1), Alert(0, 1, spent=0.01), Alert(0, 1, spent=0.009)]
    assert precision([*alerts, Alert(0, 1, "ticket", 0)]) == pytest.approx(2 / 3)
    assert precision([Alert(0, 1, "ticket")]) is None
    assert share([]) is None


def test_a_median_is_of_what_is_known() -> None:
    assert middle([None, 3, 1, 5]) == 3
    assert middle([None]) is None


def test_half_of_the_incidents_were_paged_within_a_time_the_others_included() -> None:
    assert within([30, 10, 20]) == 20
    assert within([30, 10]) == 10
    # One that pages for the worst alone is not the fastest.
    assert within([5, None, None, 40]) == 40
    assert within([5, None, None]) is None
    assert within([]) is None
