"""Each benchmark at a tiny size: it still runs against the product, and its rows make sense."""

from __future__ import annotations

import pytest

from bench import (
    detection,
    exposition,
    forecast,
    growth,
    history,
    ledger,
    look,
    matchers,
    parse,
    restart,
    sidecar,
    targets,
    tick,
)
from bench.measure import Row


@pytest.fixture(autouse=True)
def two_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short month."""
    monkeypatch.setattr(history, "DAYS", 2.0)


def positive(rows: list[Row], count: int) -> None:
    assert len(rows) == count
    assert all(row.ours > 0 for row in rows)
    assert all(row.ratio is not None for row in rows if row.goal or row.theirs)


def test_a_tick_is_measured() -> None:
    positive(tick.run(sizes=(2,), samples=20, peer=False), 2)


def test_reading_a_page_is_measured() -> None:
    positive(parse.run(series=5, times=1, peer_times=1), 4)


def test_matching_a_value_is_measured() -> None:
    positive(matchers.run(values=50, times=1), 3)


def test_writing_the_page_is_measured() -> None:
    positive(exposition.run(samples=200, times=1), 4)


def test_the_ledger_is_compared_with_a_recount() -> None:
    rows = ledger.run(days=1.5, rates=(1.0,))
    assert len(rows) == 4
    assert all(row.met for row in rows)


def test_a_sidecar_is_measured() -> None:
    positive(sidecar.run(slos=2, interval=0.2, seconds=0.5, peer=False), 2)


def test_the_way_from_a_fault_to_the_webhook_is_measured() -> None:
    rows = detection.run((0.2,), targets=2, long=20.0, short=2.0, peer=False, settle=0.5)
    positive(rows, 1)


def test_a_restart_is_measured_by_the_right_page() -> None:
    positive(restart.run(slos=3, times=1, saves=2), 1)


def test_a_round_of_targets_is_measured() -> None:
    positive(targets.run(targets=3, interval=0.1, rounds=1), 1)


def test_growth_is_measured() -> None:
    found = growth.run(slos=(2,), pages=(1,), evaluations=10, scrapes=4)
    assert {name: len(points) for name, points in found.items()} == dict.fromkeys(growth.PANELS, 1)


def test_the_forecast_is_compared_with_what_came() -> None:
    rows = forecast.run(seeds=1, regimes=forecast.REGIMES[:1])
    assert len(rows) == 4
    assert all(0 <= row.ours < 1 for row in rows)


def test_what_people_wait_for_is_measured() -> None:
    positive(look.run(many=9, slos=2, times=1, peer=False), 3)
