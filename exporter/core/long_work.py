"""Work in steps, of which the long ones may be done elsewhere.

A generator yields what may take long. Whoever drives it does that, here or in a thread, and lets
the generator go on; an exception is thrown into it, as if the work had been done in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Step(NamedTuple):
    """What is to be done next, and with how many series, which tells how long it takes."""

    work: Callable[[], None]
    series: int


Steps = Generator[Step, None, T]


def at_once(steps: Steps[T]) -> T:
    """Do all of it here and now; the result of the generator."""
    try:
        step = next(steps)
        while True:
            try:
                step.work()
            except Exception as error:  # noqa: BLE001 - raised where the step was yielded
                step = steps.throw(error)
            else:
                step = next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
