"""How well the forecast of the budget's end is calibrated, and what it costs.

Simulated months of a service with a daily and a weekly pattern, in several regimes: from a rare
incident to one nearly every day, and errors all the time that nearly use up the budget. Every few
days the forecast is asked when the budget will be gone, and then the simulation tells. An end that
does not come within a period counts as later than any other.

Of an 80% interval a tenth should come sooner than its lower end, and a tenth later than its upper
one. Mostly the upper end is "not within the period", and nothing is later than that: so less than
a fifth is outside, and the lower end is the one that says something. The regimes differ: where the
budget is mostly exhausted, a moment at which it is not is a lucky one, and the end comes sooner
than the month before lets expect. So the worst regime stands beside all of them.

The peer is the usual formula, what is left over the burn rate of the last hour; having no interval,
it is given one: from half of what it says to twice that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from random import Random
from statistics import median
from typing import NamedTuple

from bench.measure import Row
from exporter.core import policy
from exporter.core.forecast import HOUR, Forecast, forecast, past
from exporter.core.ledger import Ledger
from exporter.core.selector import parse_selector
from exporter.core.slo import DAY, SLO, CounterSLI, Window

DAYS = 30
OBJECTIVE = 0.999
_ASK = 3
_MONTHS = 4
_PEER = "left / burn rate of the last hour, x/÷ 2"


class Regime(NamedTuple):
    """Incidents a day, the usual share of failing events in one, and the share outside of them."""

    incidents: float
    severity: float
    noise: float


REGIMES = (
    Regime(0.05, 0.08, 0.0003),
    Regime(0.1, 0.05, 0.0004),
    Regime(0.2, 0.03, 0.0003),
    Regime(0.8, 0.008, 0.0004),
    Regime(0.02, 0.05, 0.0008),
)


class Asked(NamedTuple):
    """What was forecast, what the formula said, and what came, in seconds; `inf` for never."""

    forecast: Forecast
    formula: float
    truth: float
    cost: float


def run(seeds: int = 6, regimes: Sequence[Regime] = REGIMES) -> list[Row]:
    """Shares of moments outside of what was foretold, and seconds of processor time."""
    each = [[one for seed in range(seeds) for one in _simulate(r, seed)] for r in regimes]
    asked = [one for some in each for one in some]
    sooner = _sooner(asked)
    later = _share([a.truth > a.forecast.upper for a in asked])
    formula = _share([not a.formula / 2 <= a.truth <= a.formula * 2 for a in asked])
    named = f"the budget's end, {len(asked)} forecasts in simulated months"
    rows = [
        Row(
            f"{named}: the end came sooner than the lower bound", sooner, "share", 0.1, scales=False
        ),
        Row(f"{named}: it came later than the upper bound", later, "share", 0.1, scales=False),
        Row(
            f"{named}: outside of its 80% interval",
            *(sooner + later, "share", 0.2, _PEER, formula),
            scales=False,
        ),
        Row("a forecast of 30 days: processor time", median(a.cost for a in asked), "s", 0.02),
    ]
    if len(each) > 1:
        worst = f"{named}: sooner than the lower bound, in the worst of {len(each)} regimes"
        rows.append(Row(worst, max(map(_sooner, each)), "share", 0.1, scales=False))
    return rows


def _sooner(asked: Sequence[Asked]) -> float:
    return _share([a.truth < a.forecast.lower for a in asked])


def _simulate(regime: Regime, seed: int) -> Iterator[Asked]:
    random = Random(seed)
    hours = list(_traffic(regime, random))
    total, bad = [0.0], [0.0]
    for of, failed in hours:
        total.append(total[-1] + of)
        bad.append(bad[-1] + failed)
    span = DAYS * 24
    sli = CounterSLI(bad=parse_selector("b"), total=parse_selector("a"))
    slo = SLO("s", "s", OBJECTIVE, Window("30d", DAYS * DAY), "p", sli, HOUR)
    ledger = Ledger(DAYS * DAY, HOUR)

    def left(hour: int) -> float:
        some = total[hour] - total[hour - span]
        return 1 - (bad[hour] - bad[hour - span]) / some / (1 - OBJECTIVE)

    for hour, (of, failed) in enumerate(hours):
        ledger.add(hour * HOUR, (hour + 1) * HOUR, of - failed, failed)
        ledger.cover(hour * HOUR, (hour + 1) * HOUR)
        now = hour + 1
        if now < span or now > len(hours) - span or now % (24 * _ASK) or left(now) < 0:
            continue
        begun = time.process_time()
        found = past(slo, ledger, now * HOUR)
        assert found is not None  # a month is there
        made = forecast(found, OBJECTIVE, random.random)
        cost = time.process_time() - begun
        ends = (k - now for k in range(now + 1, now + span + 1) if left(k) < 0)
        truth = next(ends, math.inf) * HOUR
        burn = failed / of / (1 - OBJECTIVE)
        formula = policy.exhaustion(left(now), burn, DAYS * DAY) or 0.0
        yield Asked(made, formula if formula < DAYS * DAY else math.inf, truth, cost)


def _traffic(regime: Regime, random: Random) -> Iterator[tuple[float, float]]:
    """All and bad events of each hour."""
    lasts, share = 0.0, 0.0
    for hour in range(_MONTHS * DAYS * 24):
        # Unix time began on a Thursday.
        weekend = (hour // 24 + 3) % 7 >= 5
        events = 1000.0 * (1 + 0.6 * math.sin((hour % 24 - 8) / 12 * math.pi))
        events = round(events * (0.5 if weekend else 1.0))
        if lasts <= 0 and random.random() < regime.incidents / 24:
            lasts = max(1.0, random.expovariate(1 / 3))
            share = min(1.0, random.expovariate(1 / regime.severity))
        failing = regime.noise + share * min(1.0, max(0.0, lasts))
        lasts -= 1
        spread = math.sqrt(events * failing * max(0.0, 1 - failing))
        yield events, float(min(events, max(0, round(random.gauss(events * failing, spread)))))


def _share(of: Sequence[bool]) -> float:
    return sum(of) / max(1, len(of))
