"""The operators on two numbers, as Go computes them: nothing raises, all is IEEE 754."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

Operator = Callable[[float, float], float]


def divide(a: float, b: float) -> float:
    """`a / b`; infinite, or not a number, where `b` is 0."""
    if b:
        return a / b
    if a == 0 or math.isnan(a) or math.isnan(b):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def modulo(a: float, b: float) -> float:
    """What is left of `a` after whole times `b`, with the sign of `a`."""
    if b == 0 or math.isinf(a) or math.isnan(a) or math.isnan(b):
        return math.nan
    return math.fmod(a, b)


def power(a: float, b: float) -> float:
    """`a` to the power of `b`."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and math.fmod(b, 2) else math.inf
    except ValueError:
        # 0 to a negative power is infinite; a root of a negative number is none.
        if a == 0:
            odd = b.is_integer() and math.fmod(b, 2)
            return math.copysign(math.inf, a) if odd else math.inf
        return math.nan


ARITHMETIC: dict[str, Operator] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "%": modulo,
    "^": power,
    "atan2": math.atan2,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
SETS = frozenset({"and", "or", "unless"})
