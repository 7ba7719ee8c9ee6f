"""The plot of the demo: a first hour in seconds, a quiet moment, an incident, and so on.

An error budget needs a past to be spent from. The service makes one: in its first seconds it
counts what an hour of traffic would have counted.
"""

from __future__ import annotations

from exporter.demo.traffic import Fault

RATE = 20.0
"""Requests a second."""
PAST = 3600.0
"""Seconds of traffic counted in fast motion at the start."""
PAST_WITHIN = 10.0
"""... within so many seconds."""
QUIET = 20.0
"""From the start to the first incident, in seconds."""
INCIDENT = 180.0
"""The length of an incident, in seconds."""
PAUSE = 120.0
"""Between two incidents, in seconds."""
FAULT = Fault(errors=0.06, slow=0.2)
"""Spends the availability budget of that hour (0.1%) in about a minute."""


def requests(start: float, end: float) -> float:
    """How many requests arrive between two moments, in seconds since the start."""
    past = max(0.0, min(end, PAST_WITHIN) - min(start, PAST_WITHIN))
    return RATE * (end - start) + RATE * PAST * past / PAST_WITHIN


def fault_at(elapsed: float) -> Fault:
    """What goes wrong so many seconds after the start, unless someone turned the switch."""
    since = elapsed - QUIET
    if since < 0:
        return Fault()
    return FAULT if since % (INCIDENT + PAUSE) < INCIDENT else Fault()
