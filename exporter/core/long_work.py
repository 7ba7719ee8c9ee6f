"""Work in steps, of which the long ones may be done elsewhere.

A generator yields what takes long as a function without arguments. Whoever drives it calls that,
here or in a thread, and lets the generator go on; an exception is thrown into it, as if the work
had been done in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[Callable[[], None], None, T]


def at_once(steps: Steps[T]) -> T:
    """Do all of it here and now; the result of the generator."""
    try:
        work = next(steps)
        while True:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - raised where the step was yielded
                work = steps.throw(error)
            else:
                work = next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
