"""How sure an error ratio is, given how many events it rests on.

Source: Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial", 1934: the exact interval, which covers the true ratio at least as often as it says. It
takes events to fail independently of each other; those of an outage do not, so the truth is less
sure still.
"""

from __future__ import annotations

from exporter.core.burn import chance_of_at_least
from exporter.core.ledger import Counts

FEWEST = 10.0
"""With fewer bad events an interval is too wide to be of use."""
CONFIDENCE = 0.95


def interval(counts: Counts, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """The lowest and highest error ratio that agree with what was counted; None with too few bad
    events (or good ones) to say."""
    bad, total = counts.bad, counts.total
    if bad < FEWEST or counts.good < FEWEST:
        return None
    tail = (1 - confidence) / 2
    middle = bad / total
    low = _solve(bad, total, tail, 0.0, middle)
    high = _solve(bad + 1, total, 1 - tail, middle, 1.0)
    return low, high


def _solve(bad: float, total: float, chance: float, low: float, high: float) -> float:
    """The ratio at which so many bad events or more come with this chance; it rises with it."""
    for _ in range(40):
        middle = (low + high) / 2
        if chance_of_at_least(bad, total, middle) < chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2
