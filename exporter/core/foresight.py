"""What an SLO instance makes of its forecast: an interval for now, and an alert."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from exporter.core import words
from exporter.core.alert import Alert
from exporter.core.burn import Condition
from exporter.core.forecast import Forecast
from exporter.core.slo import SLO
from exporter.core.words import Show

FORECAST = "ErrorBudgetForecast"
GOOD_FOR = 6 * 3600.0
"""How long a forecast is good for, in seconds."""
_EASES = 1.25
"""The alert ends when the budget lasts so many times as long as its limit."""


class Foresight:
    """`made`: the newest forecast."""

    def __init__(
        self, slo: SLO, labels: Mapping[str, str], alerts: dict[str, Alert], made: Forecast | None
    ) -> None:
        self.made = made
        self._slo = slo
        self._alerts = alerts
        self._labels = {
            **labels,
            "alertname": FORECAST,
            "slo": slo.name,
            "service": slo.service,
            "severity": "ticket",
        }

    @property
    def keys(self) -> set[str]:
        """Of its alert, where one is wanted."""
        return {FORECAST} if self._slo.forecast_within is not None else set()

    def interval(
        self, now: float, rate: float | None, *, burns: bool
    ) -> tuple[float | None, float | None, float | None]:
        """Seconds until the budget is gone: lower, middle and upper.

        `rate`: by the burn rate of now. An outage goes on until somebody ends it, so while an alert
        `burns` that is the middle; and it is all there is without a forecast.
        """
        made = self._current(now)
        if made is None or rate is None or rate == 0.0:
            return None, rate, None
        lower, middle, upper = (max(0.0, s - (now - made.at)) for s in made[1:4])
        if burns:
            middle = rate
        return min(lower, middle), middle, max(upper, middle)

    def looms(self, now: float) -> bool:
        """Whether the alert may begin."""
        return self._judge(now) is Condition.ABOVE

    def follow(
        self, title: str, left: float | None, now: float, silent: float | None, show: Show
    ) -> None:
        """Step the alert; `silent` as in `words.hold`."""
        if self._slo.forecast_within is None:
            return
        condition = self._judge(now)
        alert = self._alerts.get(FORECAST)
        if alert is None or not alert.firing:
            if condition is not Condition.ABOVE:
                return
            # As slow as can be: while a page fires there is more urgent news.
            alert = self._alerts[FORECAST] = Alert(self._labels, {}, inf)
        if alert.step(condition, now) and not alert.firing:
            words.ended(alert, now)
        made = self._current(now)
        if alert.needs_words(now):
            if made is not None:
                alert.annotations = words.forecast(title, self._slo, made, left, show)
            note = "" if made is not None else words.NO_FORECAST
            words.hold(alert, note, silent if note else None, left, show)
            alert.worded = now

    def _current(self, now: float) -> Forecast | None:
        made = self.made
        return made if made is not None and 0 <= now - made.at <= GOOD_FOR else None

    def _judge(self, now: float) -> Condition:
        within, made = self._slo.forecast_within, self._current(now)
        if within is None or made is None:
            return Condition.UNKNOWN
        alert = self._alerts.get(FORECAST)
        limit = within * (_EASES if alert is not None and alert.firing else 1.0)
        return Condition.ABOVE if made.middle <= limit else Condition.BELOW
