"""The error budget: what is left, what follows from it, when it will be gone.

Source: Workbook, chapter 2 and appendix B, "Example Error Budget Policy".
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, inf

from exporter.core.ledger import Counts
from exporter.core.slo import BudgetStep

OK = "ok"


def remaining(counts: Counts, objective: float) -> float | None:
    """`1 - burn_rate(period)`: 1 untouched, 0 spent, negative when overspent; None unknown."""
    burn = counts.burn_rate(objective)
    return None if burn is None else 1 - burn


def of_whole_period(left: float | None, age: float, length: float) -> float | None:
    """What is left of the whole period's budget at the pace seen: `1 - burn_rate * age / length`.

    `left`: see `remaining`. `age`: for how many of the period's `length` seconds there could be
    data. In the first minutes the two differ much: five errors may be all that the few events so
    far allow, and a thousandth of what the month does.
    """
    return None if left is None else 1 - (1 - left) * min(1.0, age / length)


def shown(share: float) -> str:
    """A share for people, rounded down: what is overspent never looks like just spent."""
    return f"{floor(share * 1000 + 1e-6) / 10:.1f}%"


def remaining_events(counts: Counts, objective: float) -> float | None:
    """Bad events that are left at the traffic the period has seen; negative when overspent."""
    if counts.total <= 0:
        return None
    return (1 - objective) * counts.total - counts.bad


def exhaustion(left: float | None, burn: float | None, period: float) -> float | None:
    """Seconds until the budget is spent if it burns on at this rate: `left * period / burn`.

    Infinite when nothing burns, 0 when it is spent already. From a full budget at 14.4 on 30d that
    is 50 hours.
    """
    if left is not None and left <= 0:
        return 0.0
    if left is None or burn is None:
        return None
    return left * period / burn if burn > 0 else inf


def current_step(
    steps: Sequence[BudgetStep], left: float | None, before: BudgetStep | None, hysteresis: float
) -> BudgetStep | None:
    """The lowest step that the remaining budget is below; None when it is below none.

    `before` is the step there was: it is left for a better one only once `hysteresis` more than its
    limit remains, so that nothing flaps at the edge. Without events it stays.
    """
    if left is None:
        return before
    found: BudgetStep | None = None
    for step in steps:
        if step.below is not None and left < step.below:
            if found is None or found.below is None or step.below < found.below:
                found = step
    if before is None or before.below is None or left >= before.below + hysteresis:
        return found
    worse = found is not None and found.below is not None and found.below < before.below
    return found if worse else before
