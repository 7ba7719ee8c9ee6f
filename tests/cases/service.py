"""A service of ten events a second that slod reads: one page with a counter of all and of bad."""

from __future__ import annotations

from tests.cases.pages import TEXT, render
from tests.cases.stage import Request, Stage, answer

SOURCE = """
[source.x]
type = "scrape"
targets = ["http://app:80/metrics"]
interval = "10s"
"""
QUICK = """
[alert_policy.quick]
rules = [{ severity = "page", burn_rate = 10, long = "10m", short = "1m" }]
"""
_TOTAL, _BAD = 5000.0, 7.0


class Service:
    """At `app:80` of a stage, read every so many seconds. `total`, `bad`: its counters."""

    def __init__(self, stage: Stage, every: int = 10) -> None:
        self.stage, self.every = stage, every
        self.total, self.bad = _TOTAL, _BAD
        stage.network.hosts["app:80"] = self._page

    def _page(self, request: Request) -> object:  # type: ignore[override]
        return answer(render({"all_total": self.total, "bad_total": self.bad}, TEXT))

    async def run(self, seconds: float, share: float = 0.0) -> None:
        """So long, with this share of bad events."""
        events = 10 * self.every
        for _ in range(round(seconds / self.every)):
            self.total += events
            self.bad += round(events * share)
            await self.stage.advance(self.every)

    @property
    def truth(self) -> tuple[float, float]:
        """Good and bad events since the first page."""
        bad = self.bad - _BAD
        return self.total - _TOTAL - bad, bad
