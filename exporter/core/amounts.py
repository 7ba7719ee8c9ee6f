"""Bounds of every number that counts: nothing beyond them enters a ledger or the state file.

| bound | of | beyond it |
| --- | --- | --- |
| `MOST_VALUE` | counters, counts of histograms, queries | the sample is refused: `too_large` |
| `MOST_EVENTS` | the events of one interval of one ledger | the interval is refused: `too_large` |
| `MOST_TOTAL` | sums of years of such intervals | a row of the state file goes to quarantine |
| `MOST_TEXT` | names of series, processes and groups | the sample is refused: `too_long` |

Each is so far below the largest double (1.8e308) that no sum, square or rate of accepted numbers
overflows.
"""

from __future__ import annotations

from math import inf

MOST_VALUE = 2.0**64
"""Largest value of a sample: a counter of 64 bits holds no more."""
MOST_EVENTS = 2.0**84
"""Largest number of events in one interval: a million series that all gain `MOST_VALUE`."""
MOST_TOTAL = 2.0**120
"""Largest sum of a ledger: `MOST_EVENTS` each second for two thousand years."""
MOST_TEXT = 65_536
"""Longest text that is remembered, in characters: the name of a series holds all its labels."""
LAST_TIME = 253_402_300_799.0
"""Last second of the year 9999, in unix seconds; no calendar knows a later one."""


def refusal(value: float) -> str:
    """Return the reason why a counter cannot have this value; empty if it can."""
    # The comparison is false for NaN too.
    if 0.0 <= value <= MOST_VALUE:
        return ""
    if value < 0.0 and value != -inf:
        return "negative"
    return "too_large" if MOST_VALUE < value < inf else "not_a_number"


def are_events(start: float, end: float, good: float, bad: float) -> bool:
    """Check that a ledger can take these events of the time from `start` to `end`."""
    return (
        0.0 <= good <= MOST_EVENTS and 0.0 <= bad <= MOST_EVENTS and is_time(start) and is_time(end)
    )


def is_time(seconds: float) -> bool:
    """Check that unix seconds lie between -`LAST_TIME` and `LAST_TIME`; NaN does not."""
    return -LAST_TIME <= seconds <= LAST_TIME
