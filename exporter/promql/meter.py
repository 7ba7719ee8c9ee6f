"""Bytes and time of one query, counted while its columns are made.

Python says what an object takes only once it is there. So each kind of object has a price, taken
before the object is made; `tests/promql/test_meter.py` compares the prices with tracemalloc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

PLACE = 8
"""Bytes of a reference in a list, or of a number in an array."""
VALUE = 32
"""Bytes of a number of its own with its place in a list."""
ROW = 160
"""Bytes of one series while the values of one moment are sorted."""
_SERIES = 200
"""Bytes of a series besides its labels and values: a tuple, and a list without items."""
_SCARCE = 184
"""Bytes of a dictionary of up to five labels; CPython doubles them with the number of labels."""
TEXT = 64
"""Bytes of a text besides its characters."""
_PAIR = 72
"""Bytes of a label in a key by which series are found."""

T = TypeVar("T")
Check = Callable[[], None]
Reserve = Callable[[int, int], None]
"""Takes so many bytes more (or gives them back) for a query that would then hold so many in all;
raises `TooMuch` or `Busy`."""


def labels_bytes(labels: Mapping[str, str]) -> int:
    """Bytes of a new dictionary of these labels, whose texts exist already."""
    many = len(labels)
    return _SCARCE if many <= 5 else 45 * many + _SCARCE


def key_bytes(labels: Mapping[str, str]) -> int:
    """Bytes of a sorted key of these labels, and of its place in a dictionary."""
    return _SERIES + _PAIR * len(labels)


def series_bytes(labels: Mapping[str, str]) -> int:
    """Bytes of a series with labels of its own, without its values."""
    return _SERIES + labels_bytes(labels)


class Meter:
    """Account of one query.

    Args:
        reserve: takes bytes of the budget that all queries share; without it all is granted.
        check: raises where the query has taken too long, or is no longer wanted.
    """

    def __init__(self, reserve: Reserve | None = None, check: Check = lambda: None) -> None:
        self.check = check
        self.held = 0
        self.peak = 0
        """Most bytes that were held at a time."""
        self._kept = 0
        self._reserve = reserve
        self._closed = False

    def take(self, size: int) -> None:
        """Count so many bytes that are about to be used. Raises what `reserve` and `check` do."""
        self.check()
        self._move(size)

    def values(self, many: int) -> None:
        """Count a list of so many numbers that is about to be made."""
        self.take(VALUE * many)

    def series(self, labels: Mapping[str, str], many: int = 0) -> None:
        """Count a series of so many numbers that is about to be made."""
        self.take(series_bytes(labels) + VALUE * many)

    def text(self, size: int) -> None:
        """Count a text of so many characters that is about to be made, until the query's end."""
        self.take(TEXT + size)
        self._kept += TEXT + size

    @property
    def mark(self) -> int:
        """Bytes held, to `settle` by."""
        return self.held - self._kept

    def settle(self, mark: int, size: int) -> None:
        """Count what was taken since a `mark` as this size, since the rest is freed."""
        self._move(mark + size + self._kept - self.held)

    @contextmanager
    def scratch(self, size: int) -> Iterator[None]:
        """Count so many bytes for as long as the block runs."""
        self.take(size)
        try:
            yield
        finally:
            self._move(-size)

    def close(self) -> None:
        """Give everything back."""
        self._move(-self.held)
        self._closed = True

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """The same items, with a look at the time before each."""
        for item in items:
            self.check()
            yield item

    def _move(self, size: int) -> None:
        if self._closed:
            # A generator that was left half-way ends its blocks when Python collects it.
            return
        if self._reserve is not None and size:
            self._reserve(size, self.held + size)
        self.held += size
        self.peak = max(self.peak, self.held)
