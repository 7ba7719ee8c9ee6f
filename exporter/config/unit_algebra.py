"""Arithmetic of units: what a sum, a product, a quotient of two expressions counts.

What a combination has no unit for is open, with the reason in one clause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isclose, nan

from exporter.config.duration import approximate

EVENTS, RATE, RATIO = "events", "rate", "ratio"
NUMBER, METRIC, OPEN = "number", "metric", ""

WINDOW = 653_659
"""Seconds that stand for the placeholder while a query is read: a length that nobody writes."""
_MINUTE = 60
_LIKE_A_COUNTER = ("_total", "_bucket", "_count", "_sum")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the values of an expression are.

    `reach`: seconds of the range that events or a rate are of. `sure`: by functions, not by a name.
    `name`: of a metric as it stands. `number`: its value, or else the factor that the query
    multiplies by. `why` it is open, as a clause.
    """

    unit: str
    reach: float = 0.0
    sure: bool = True
    name: str = ""
    number: float = 1.0
    why: str = ""

    @property
    def is_percent(self) -> bool:
        """Whether it is a ratio times 100."""
        return self.unit == RATIO and isclose(self.number, 100.0)

    @property
    def is_counter(self) -> bool:
        """Whether it is a metric that is named as counters are."""
        return self.unit == METRIC and self.name.endswith(_LIKE_A_COUNTER)

    @property
    def over(self) -> float:
        """The range in seconds; 0 for the window that the placeholder stands for."""
        return 0.0 if self.reach == WINDOW else self.reach


def open_because(why: str) -> Meaning:
    """What an expression counts cannot be told, and why."""
    return Meaning(OPEN, why=why)


def _either(left: Meaning, right: Meaning) -> Meaning:
    if right.unit == NUMBER or _alike(left, right):
        return left
    return open_because("the two sides of `or` differ")


def _alike(left: Meaning, right: Meaning) -> bool:
    return left.unit == right.unit and (left.unit != EVENTS or left.reach == right.reach)


def _added(left: Meaning, right: Meaning) -> Meaning:
    for one, other in ((left, right), (right, left)):
        if one.unit == NUMBER == other.unit:
            return Meaning(NUMBER, number=left.number + right.number)
        # `1 - ratio`, also of a gauge that is one; `+ 0`.
        if one.unit == NUMBER and (one.number == 0 or other.unit in (RATIO, METRIC)):
            return other
    for one in (left, right):
        if one.unit == OPEN:
            return one
    if left.unit == right.unit == EVENTS and left.reach != right.reach:
        return open_because(f"events of {_shown(left)} and of {_shown(right)} are added up")
    if left.unit == right.unit:
        named = left if left.is_counter else right
        return replace(named, sure=left.sure and right.sure)
    return open_because("what is added up is not of one unit")


def _multiplied(left: Meaning, right: Meaning) -> Meaning:
    sides = ((left, right), (right, left))
    for one, other in sides:
        if one.unit == NUMBER:
            return _scaled(other, one.number)
    for one, other in sides:
        if one.unit == OPEN:
            return one
        # An info metric, whose value is 1, brings labels.
        if one.unit == RATIO or (one.unit == METRIC and one.name.endswith("_info")):
            sure = left.sure and right.sure
            return replace(other, sure=sure, number=left.number * right.number)
    return open_because("two things that are counted are multiplied")


def _scaled(of: Meaning, number: float) -> Meaning:
    if of.unit == RATE and (number == WINDOW or (of.reach and isclose(number, of.reach))):
        return replace(of, unit=EVENTS, reach=number)
    if of.unit == RATE and number >= _MINUTE and number % _MINUTE == 0:
        return open_because(f"a rate times {number:g} may be the events of so many seconds")
    if of.unit == EVENTS and of.reach and isclose(number * of.reach, 1.0):
        return replace(of, unit=RATE)
    return replace(of, number=of.number * number)


def _divided(left: Meaning, right: Meaning) -> Meaning:
    if right.unit == NUMBER:
        return _shared(left, right.number)
    for one in (left, right):
        if one.unit == OPEN or one.is_counter:
            return one
    if left.unit == right.unit == EVENTS and left.reach != right.reach:
        return open_because(f"events of {_shown(left)} are divided by those of {_shown(right)}")
    if left.unit == right.unit:
        sure = left.sure and right.sure and left.unit in (EVENTS, RATE)
        return Meaning(RATIO, sure=sure, number=_quotient(left.number, right.number))
    return open_because("what is divided is not of one unit")


def _shared(of: Meaning, number: float) -> Meaning:
    if of.unit == EVENTS and of.reach and isclose(number, of.reach):
        return replace(of, unit=RATE)
    if of.unit == EVENTS and number != 1:
        return open_because(f"events of {_shown(of)} are divided by {number:g}")
    return replace(of, number=_quotient(of.number, number))


def _quotient(number: float, by: float) -> float:
    return number / by if by else nan


def _shown(of: Meaning) -> str:
    return "{{.window}}" if of.reach == WINDOW else approximate(of.reach)


OPERATORS: dict[str, Callable[[Meaning, Meaning], Meaning]] = {
    "+": _added,
    "-": _added,
    "*": _multiplied,
    "/": _divided,
    "or": _either,
}
