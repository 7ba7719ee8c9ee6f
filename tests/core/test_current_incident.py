"""The incident at hand, as a budget policy asks for it at every tick."""

from __future__ import annotations

import pytest

from exporter.core.current_incident import APART, CurrentIncident, Incidents
from exporter.core.ledger import Ledger
from tests.core.builders import T, slo

MINUTE, DAY = 60.0, 86_400.0
OF = slo(objective=0.999, interval=MINUTE)


class Minutes:
    """A thousand events a minute, of which a share fails."""

    def __init__(self, share: float = 0.0, days: float = 1.0) -> None:
        self.ledger = Ledger(30 * DAY, MINUTE)
        self.now = T
        self.run(days * 1440, share)
        self.all = Incidents(OF, self.ledger)
        self.current = CurrentIncident(OF, self.ledger, self.all)

    def run(self, minutes: float, share: float = 0.0) -> None:
        for _ in range(round(minutes)):
            bad = 1000 * share
            self.ledger.add(self.now, self.now + MINUTE, 1000 - bad, bad)
            self.now += MINUTE

    def spent(self) -> float | None:
        return self.current.spent(self.now)


def test_it_grows_with_every_event_and_stays_at_hand_for_an_hour() -> None:
    of = Minutes()
    assert of.spent() == 0.0
    of.run(10, 0.5)
    assert of.spent() == pytest.approx(5000 / 43_200, rel=1e-3)
    # Nobody looks for it again before five minutes are over, and it counts on.
    of.run(1, 0.5)
    assert of.spent() == pytest.approx(5500 / 43_200, rel=1e-3)
    [known] = of.all.known()
    assert known.spent == pytest.approx(of.spent())
    of.run(30)
    assert of.spent() == known.spent
    of.now += APART - 31 * MINUTE
    assert of.spent() == known.spent
    of.now += MINUTE
    assert of.spent() == 0.0


def test_one_that_is_under_a_hundredth_of_the_budget_is_none_yet() -> None:
    of = Minutes()
    of.run(5, 0.05)
    assert of.spent() == 0.0
    of.run(5, 0.05)
    assert of.spent() == pytest.approx(500 / 43_200, rel=1e-2)


def test_of_two_at_hand_it_is_the_one_that_spent_more() -> None:
    of = Minutes()
    of.run(10, 0.5)
    of.run(10)
    of.run(10, 0.1)
    of.run(10)
    assert of.spent() == pytest.approx(5000 / 43_200, rel=1e-2)


def test_one_that_began_days_ago_is_found_where_it_began() -> None:
    of = Minutes()
    of.run(2 * 1440, 0.01)
    assert of.spent() == pytest.approx(28_800 / 43_200, rel=1e-3)


def test_of_all_history_is_not_looked_at_where_the_last_day_is_calm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = Minutes()
    of.run(10, 0.5)
    of.run(2 * 1440)
    monkeypatch.setattr(of.all, "known", lambda: pytest.fail("nobody needs to know"))
    assert of.spent() == 0.0


def test_without_events_nothing_is_known() -> None:
    ledger = Ledger(30 * DAY, MINUTE)
    assert CurrentIncident(OF, ledger, Incidents(OF, ledger)).spent(T) is None
    assert Incidents(OF, ledger).known() == []


def test_all_of_them_are_looked_for_again_when_something_came() -> None:
    of = Minutes()
    of.run(10, 0.5)
    of.run(1)
    first = of.all.known()
    assert of.all.known() is first
    of.run(1)
    assert of.all.known() is not first
    assert of.all.known() == first
