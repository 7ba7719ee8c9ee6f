"""What slod must have counted and told: naive, beside it, and judged by order and wide bounds.

**Counts.** A target that does not lie remembers each (good, bad) that its pages ever had. Whatever
slod says at any moment must be one of these, less what was there before slod met it: a sample that
is lost, counted twice or in part gives a pair that no page had. At the end it must be the last one.

**Alerts.** While a target burns, its alert must be told within `TOLD_WITHIN` seconds that are free
of faults; once it is calm again, the end of the alert within `ENDED_WITHIN`. An alert without an
outage must not be. A power cut may take the last saves, and with them that an alert began or ended.
"""

from __future__ import annotations

from tests.torture.verdict import Calm, Verdict

INTERVAL = 1.0
"""Seconds between two scrapes."""
LONG, SHORT = 15.0, 5.0
"""Windows of the rule, in seconds."""
_SLACK = 15.0
"""Seconds that a machine with two busy cores may be late with everything."""
TOLD_WITHIN = 2 * INTERVAL + 3.0 + _SLACK
"""Two intervals after the second page of an outage, when the burn rate is over the rule's."""
ENDED_WITHIN = 2 * INTERVAL + SHORT + _SLACK
_ECHO = 60.0
"""Seconds after an outage in which an alert may still be about it."""

Pair = tuple[float, float]


class Counts:
    """Truth about the events of one SLO. `slo`: its name."""

    def __init__(self, slo: str, verdict: Verdict) -> None:
        self.slo = slo
        self.newest: Pair = (0.0, 0.0)
        self._verdict = verdict
        self._pages: dict[Pair, int] = {(0.0, 0.0): 0}

    def page(self, good: float, bad: float) -> None:
        """A page goes out with this many events since slod met the target."""
        self.newest = (good, bad)
        self._pages.setdefault(self.newest, len(self._pages))

    @property
    def pages(self) -> list[Pair]:
        """All pages so far."""
        return list(self._pages)

    def says(self, good: float, bad: float) -> bool:
        """This is what slod counted, at some moment; whether it can be."""
        self._verdict.seen["counts"] += 1
        if (good, bad) not in self._pages:
            near = min(self._pages, key=lambda p: abs(p[0] - good) + abs(p[1] - bad))
            pages, begin = self.pages, max(0, self._pages[near] - 2)
            self._verdict.wrong(
                "counts",
                f"{self.slo}: {good:.10g} good and {bad:.10g} bad events are on no page; of its "
                f"{len(pages)} pages {begin} and the next are {pages[begin : begin + 6]}",
            )
            return False
        return True

    def agrees(self, good: float, bad: float) -> bool:
        """Whether slod has counted all there is."""
        return (good, bad) == self.newest

    def behind(self, good: float, bad: float) -> int:
        """How many pages there were after this one."""
        return len(self._pages) - 1 - self._pages.get((good, bad), 0)


class Alerts:
    """Truth about the burn rate alert of one SLO. `calm`: what takes time of it alone."""

    def __init__(self, slo: str, verdict: Verdict) -> None:
        self.slo = slo
        self.calm = Calm()
        self.burning = False
        self.told: float | None = None
        """What the stopwatch showed when the alert was last told to fire, and has not ended."""
        self.outages = 0
        self._verdict = verdict
        self._since = 0.0
        self._stale = False
        self._late = False
        self._keys: set[str] = set()

    def burns(self, burning: bool) -> None:
        """An outage begins or ends."""
        self.burning, self._since, self._late = burning, self.calm.elapsed, False
        self._verdict.trace(f"{self.slo} {'burns' if burning else 'is well'}")
        self.outages += burning
        if burning:
            self.told = None

    def power_cut(self) -> None:
        """The last saves may be gone: what was told may be told again, or not be known any more."""
        self._stale = True
        if self.burning:
            self._since = self.calm.elapsed

    def hears(self, status: str, key: str) -> None:
        """A receiver that does not lie was told."""
        if key in self._keys:
            return
        self._keys.add(key)
        self._verdict.trace(f"{self.slo} told {status}")
        if status == "resolved":
            self.told = None
            return
        self._verdict.seen["alerts told"] += 1
        old = not self.burning and self.calm.elapsed - self._since > _ECHO
        if self.outages == 0 or old:
            self._verdict.wrong("false alert", f"{self.slo}: told to fire without an outage")
        self.told, self._stale = self.calm.elapsed, False

    @property
    def settled(self) -> bool:
        """Whether what had to be told of the outage, or of its end, was told; or it is too late."""
        if self.burning:
            return self.told is not None or self._late
        return self.told is None or self._late or self._stale

    def move(self, seconds: float, now: float, others: Calm) -> None:
        """Time goes by; `others`: what takes time of all SLOs."""
        if others.calm(now):
            self.calm.move(seconds, now)
        within = TOLD_WITHIN if self.burning else ENDED_WITHIN
        if not self.settled and self.calm.elapsed - self._since > within:
            self._late = True
            what = "its alert" if self.burning else "the end of its alert"
            self._verdict.wrong(
                "alert", f"{self.slo}: {what} was not told within {within:g} s without faults"
            )

    @property
    def quiet_for(self) -> float:
        """Seconds without faults since the outage began or ended."""
        return self.calm.elapsed - self._since
