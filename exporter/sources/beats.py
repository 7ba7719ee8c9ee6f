"""When a target is scraped: on a grid of its interval, with a phase of its own, as in Prometheus.
Many targets are spread over the interval, and a target asks at the same beats after a restart.
"""

from __future__ import annotations

from hashlib import blake2b


def phase(target: str) -> float:
    """Where a target's beats are within the interval, as a share of it."""
    return int.from_bytes(blake2b(target.encode(), digest_size=4).digest()) / 2**32


class Beats:
    """The beats of one target; `interval` in seconds, times on a clock that never steps back."""

    def __init__(self, target: str, interval: float) -> None:
        self._interval = interval
        self._phase = phase(target)

    def after(self, now: float) -> float:
        """The next one. Those that were missed while a scrape took long are not made up for: the
        next page has all there was to know. A timer may have been a little early, so one that is
        hardly later than now has been."""
        beat = (now // self._interval + self._phase) * self._interval
        while beat <= now + self._interval / 100:
            beat += self._interval
        return beat
