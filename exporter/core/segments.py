"""Cuts counts over time into segments of constant error ratio.

Sources: Scargle, Norris, Jackson and Chiang, "Studies in Astronomical Time Series Analysis. VI.
Bayesian Block Representations" (2013), here with the likelihood of binomial counts; Killick,
Fearnhead and Eckley, "Optimal detection of changepoints with a linear computational cost" (2012)
for the pruning.

The cuts maximize the sum of the segments' log-likelihoods less a penalty for each. Pruning by the
theorem alone keeps every cell of an even history a candidate, and the work grows with the square of
its length. So a candidate must also have earned a part of its penalty by the time it is `_PATIENCE`
cells old. A cut that is worth its penalty has.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import inf, log

_PATIENCE = 48
"""Cells after which a candidate must have earned its part. At five minutes: four hours. Fewer would
lose burns that are slow and long."""
_EARNED = 0.15
"""The part of the penalty that it must have earned by then; more would move edges of slow burns."""
_EVERY = 8
"""Cells between two prunings; a pruning costs as much as a look at all candidates."""
_TINY = 1e-9
"""Events; fewer are a rounding of differences."""


def segments(bad: Sequence[float], total: Sequence[float], penalty: float) -> list[int]:
    """Indexes of the cells at which segments begin; the first is 0.

    Args:
        bad: bad events by cell.
        total: all events by cell, never fewer.
        penalty: log-likelihood that a further segment must bring.
    """
    bads, totals = accumulate(bad), accumulate(total)
    best, last = [-penalty], [0]
    # Of each candidate: its cell, the best value up to there, bad and good events up to there.
    candidates = [(0, -penalty, 0.0, 0.0)]
    for end, (some, every) in enumerate(zip(bads, totals, strict=True), 1):
        fine = every - some
        top, chosen, values = -inf, 0, []
        for index, value, before, fine_before in candidates:
            b, g = some - before, fine - fine_before
            # A segment without bad or without good events is sure, and loses nothing.
            if b > _TINY and g > _TINY:
                value += b * log(b) + g * log(g) - (b + g) * log(b + g)
            values.append(value)
            if value > top:
                top, chosen = value, index
        best.append(top - penalty)
        last.append(chosen)
        if end % _EVERY == 0:
            least, old = top - penalty, end - _PATIENCE
            earned = least + _EARNED * penalty
            candidates = [
                one
                for one, value in zip(candidates, values, strict=True)
                if value >= (least if one[0] > old else earned)
            ]
        candidates.append((end, best[end], some, fine))
    begins = [len(last) - 1]
    while begins[-1] > 0:
        begins.append(last[begins[-1]])
    return begins[:0:-1]
