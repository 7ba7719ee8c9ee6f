"""Whether one share of bad events is larger than another by more than chance.

Sources: the two-proportion z-test with pooled variance, Fleiss, Levin and Paik, "Statistical
Methods for Rates and Proportions", 3rd edition, 3.1; Fisher's exact test, there 3.3, where fewer
than `FEW` events are bad in all, since the normal distribution is no good then.
"""

from __future__ import annotations

from math import erfc, exp, lgamma, sqrt

from exporter.core.ledger import Counts

FEW = 40


def larger(after: Counts, before: Counts) -> float:
    """The chance (p, one-sided) of a difference at least as large as this one if both shares were
    the same; 1 where there is nothing to compare."""
    total, bad = after.total + before.total, after.bad + before.bad
    if after.total <= 0 or before.total <= 0 or bad <= 0:
        return 1.0
    if bad < FEW:
        return _exact(round(after.bad), round(after.total), round(bad), round(total))
    pooled = bad / total
    error = sqrt(pooled * (1 - pooled) * (1 / after.total + 1 / before.total))
    if error == 0:
        return 1.0
    z = (after.bad / after.total - before.bad / before.total) / error
    return 0.5 * erfc(z / sqrt(2))


def _exact(hits: int, drawn: int, bad: int, total: int) -> float:
    """At least so many of `bad` among `drawn` of `total` (the hypergeometric distribution)."""
    least = max(hits, drawn + bad - total)
    whole = _choose(total, drawn)
    terms = (
        _choose(bad, k) + _choose(total - bad, drawn - k) - whole
        for k in range(least, min(bad, drawn) + 1)
    )
    return min(1.0, sum(map(exp, terms)))


def _choose(of: int, some: int) -> float:
    """The logarithm of the binomial coefficient."""
    return lgamma(of + 1) - lgamma(some + 1) - lgamma(of - some + 1)
