"""Incidents that nobody reported are found in the ledger."""

from __future__ import annotations

from itertools import pairwise

import pytest

from exporter.core.incidents import incidents
from exporter.core.ledger import Ledger
from tests.core.builders import T

HOUR = 3600.0


def ledger(*outages: tuple[float, float], interval: float = 10.0) -> Ledger:
    """Two hundred events a minute over a day, of which half fail in an outage (minutes since T)."""
    made = Ledger(30 * 24 * HOUR, interval)
    cuts = sorted({0.0, 1440.0, *(edge for span in outages for edge in span)})
    for begin, until in pairwise(cuts):
        bad = 0.5 if any(a <= begin < b for a, b in outages) else 0.0
        steps = round((until - begin) * 60 / interval)
        for k in range(steps):
            at, each = T + begin * 60 + k * interval, 200 * interval / 60
            made.add(at, at + interval, each * (1 - bad), each * bad)
    return made


def found(of: Ledger, interval: float = 10.0, objective: float = 0.99) -> list[list[float]]:
    """Minutes since T, and bad events."""
    stretches = incidents(of, objective, T, T + 24 * HOUR, interval)
    return [[(s.start - T) / 60, (s.end - T) / 60, s.bad] for s in stretches]


def test_an_outage_is_an_incident_with_sharp_edges() -> None:
    [one] = found(ledger((63, 81.5)))
    assert one == pytest.approx([63, 81.5, 1850], abs=0.4)


def test_less_than_an_hour_apart_is_one() -> None:
    assert len(found(ledger((60, 70), (120, 130)))) == 1
    assert len(found(ledger((60, 70), (140, 150)))) == 2


def test_errors_that_the_objective_allows_are_none() -> None:
    assert found(ledger((60, 70)), objective=0.4) == []
    assert found(ledger()) == []


def test_slow_samples_have_long_steps() -> None:
    [one] = found(ledger((80, 100), interval=1200.0), 1200.0)
    assert one[:2] == pytest.approx([80, 160])


def test_what_is_excluded_is_no_incident() -> None:
    of = ledger((60, 70), (300, 310))
    of.exclude(((T + 55 * 60, T + 75 * 60),))
    [one] = found(of)
    assert one[0] == pytest.approx(300, abs=0.2)


def test_no_time_has_no_incident() -> None:
    assert incidents(ledger((60, 70)), 0.99, T, T, 10.0) == []
