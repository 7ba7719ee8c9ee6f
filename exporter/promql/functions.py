"""Functions of each sample by itself: mathematics, rounding, dates.

Source: Prometheus documentation, "Functions".
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from exporter.promql.arithmetic import divide
from exporter.promql.over_time import OVER_TIME

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _safe(of: Callable[[float], float]) -> Callable[[float], float]:
    """What is not defined is not a number, what is too large is infinite: nothing raises."""

    def computed(value: float) -> float:
        try:
            return of(value)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return computed


def _log(of: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -math.inf if value == 0 else _safe(of)(value)


def _whole(of: Callable[[float], int]) -> Callable[[float], float]:
    """Infinities stay what they are, and so does the sign of a zero."""
    return lambda value: math.copysign(of(value), value) if math.isfinite(value) else value


def _sign(value: float) -> float:
    return value if value == 0 or math.isnan(value) else math.copysign(1.0, value)


def _atanh(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) == 1 else math.atanh(value)


def _odd(of: Callable[[float], float]) -> Callable[[float], float]:
    """For what overflows in both directions."""
    return lambda value: math.copysign(_safe(of)(abs(value)), value)


MATHEMATICS: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "exp": _safe(math.exp),
    "sqrt": _safe(math.sqrt),
    "ln": _log(math.log),
    "log2": _log(math.log2),
    "log10": _log(math.log10),
    "sgn": _sign,
    "deg": math.degrees,
    "rad": math.radians,
    "sin": _safe(math.sin),
    "cos": _safe(math.cos),
    "tan": _safe(math.tan),
    "asin": _safe(math.asin),
    "acos": _safe(math.acos),
    "atan": math.atan,
    "sinh": _odd(math.sinh),
    "cosh": _safe(math.cosh),
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": _safe(math.acosh),
    "atanh": _safe(_atanh),
}


def _date(of: Callable[[datetime], int]) -> Callable[[float], float]:
    def computed(value: float) -> float:
        try:
            return float(of(_EPOCH + timedelta(seconds=int(value))))
        except (OverflowError, ValueError):
            return math.nan

    return computed


DATES: dict[str, Callable[[float], float]] = {
    "minute": _date(lambda at: at.minute),
    "hour": _date(lambda at: at.hour),
    "day_of_week": _date(lambda at: at.isoweekday() % 7),
    "day_of_month": _date(lambda at: at.day),
    "day_of_year": _date(lambda at: at.timetuple().tm_yday),
    "days_in_month": _date(lambda at: monthrange(at.year, at.month)[1]),
    "month": _date(lambda at: at.month),
    "year": _date(lambda at: at.year),
}
"""Of unix seconds, in UTC; what is after the second does not count, before 1970 neither."""


def rounded(value: float, nearest: float) -> float:
    """To the nearest multiple; halves go up."""
    # Inverted, as Prometheus does, so that 0.1 does not bring errors of its own.
    inverse = divide(1.0, nearest)
    scaled = value * inverse + 0.5
    return divide(math.floor(scaled) if math.isfinite(scaled) else scaled, inverse)


def clamped(value: float, low: float, high: float) -> float:
    """Not below `low`, not above `high`; not a number where one of them is not.

    As in Go: what is infinite already is the least or the most, whatever it is compared with.
    """
    below = -math.inf if -math.inf in (high, value) else _either(min, high, value)
    return math.inf if math.inf in (low, below) else _either(max, low, below)


def _either(of: Callable[[float, float], float], a: float, b: float) -> float:
    return math.nan if math.isnan(a) or math.isnan(b) else of(a, b)


SUPPORTED = (
    frozenset(MATHEMATICS)
    | frozenset(DATES)
    | frozenset(OVER_TIME)
    | frozenset({"absent", "absent_over_time", "clamp", "clamp_max", "clamp_min", "delta"})
    | frozenset({"histogram_quantile", "increase", "label_join", "label_replace", "pi"})
    | frozenset({"predict_linear", "quantile_over_time", "rate", "round", "scalar", "sort"})
    | frozenset({"sort_desc", "time", "timestamp", "vector"})
)
