"""Made-up requests to a shop's checkout, counted as a real service would count them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds in seconds; the demo's latency objective uses 0.5."""

_ROUTES = ("/cart", "/checkout", "/pay")
_HEALTHY_ERRORS = 0.0002
_HEALTHY_SLOW = 0.001


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: the shares (0 to 1) of requests that fail, and of those that are slow."""

    errors: float = 0.0
    slow: float = 0.0

    @property
    def active(self) -> bool:
        """Whether anything goes wrong at all."""
        return self.errors > 0 or self.slow > 0


class Traffic:
    """Counts simulated requests in a registry of its own.

    `started` is the process's start in unix seconds. The same `rng` gives the same traffic.
    """

    def __init__(self, started: float, rng: random.Random) -> None:
        self.registry = CollectorRegistry()
        self.fault = Fault()
        self._rng = rng
        self._owed = 0.0
        self._requests = Counter(
            "http_requests_total", "Requests.", ["code", "route"], registry=self.registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time to answer.",
            ["code"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        # Known codes begin at zero, as good instrumentation does: a late-born series is a trap.
        for code in ("200", "500"):
            self._seconds.labels(code)
            for route in _ROUTES:
                self._requests.labels(code, route)
        Gauge("process_start_time_seconds", "Start of the process.", registry=self.registry).set(
            started
        )

    def handle(self, requests: float) -> None:
        """Count so many requests; a fraction is kept until it makes a whole one."""
        whole = math.floor(self._owed + requests)
        self._owed += requests - whole
        for _ in range(whole):
            self._one()

    def _one(self) -> None:
        rng = self._rng
        failed = rng.random() < max(self.fault.errors, _HEALTHY_ERRORS)
        slow = rng.random() < max(self.fault.slow, _HEALTHY_SLOW)
        code = "500" if failed else "200"
        self._requests.labels(code, rng.choice(_ROUTES)).inc()
        # Around 60 ms, and under 500 ms for all but one in a million; slow ones are above it.
        seconds = rng.uniform(0.6, 2.0) if slow else rng.lognormvariate(-2.8, 0.45)
        self._seconds.labels(code).observe(seconds)
