"""Room for what is made of what peers send: Python objects take many times the bytes that came.

Where a cgroup has a limit, each purpose gets a part of what is left of it, so that a peer costs
its own data and never the daemon's life. What an object takes is priced before it is made.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable

from exporter.memory_limit import memory_left

SERIES_BYTES = 2560
"""Bytes that one wanted series takes in all: its labels, its key, how its line begins, and what
the core remembers of it. Measured with some 60 bytes of labels and two SLOs."""
_LARGE_PAGE = 1024 * 1024
_LARGE_ANSWER = 64 * 1024
"""Bytes from which on there has to be room; smaller ones are not worth a look at the cgroup."""
_REMEMBERED = 25 * 3600.0
"""Seconds for which a series counts as new: the core forgets one after a day of silence. One that
lasts is in what the cgroup has in use by then."""


class NoRoom(Exception):
    """There is no memory left for it; the text says for how much there is."""


class Room:
    """Bytes for one purpose, for all that ask for it together.

    Args:
        most: bytes where no cgroup has a limit; None for as many as wanted.
        parts: one of so many parts of what the cgroup leaves.
        left: see `memory_limit.memory_left`.
    """

    def __init__(
        self, most: int | None, parts: int, left: Callable[[], int | None] = memory_left
    ) -> None:
        self.held = 0
        self._most = most
        self._parts = parts
        self._left = left

    @property
    def free(self) -> int | None:
        """Bytes that may be taken now; None for as many as wanted."""
        left = self._left()
        bounds = [] if self._most is None else [self._most]
        if left is not None:
            # What is held already is not left any more, and yet its own.
            bounds.append(max(0, left + self.held) // self._parts)
        return max(0, min(bounds) - self.held) if bounds else None


class AnswerRoom(Room):
    """Room for decoded answers, each held for as long as the object that stands for it lives."""

    def check(self, body: bytes) -> int:
        """Return the price of a JSON text; `NoRoom` where it is more than half of what is free, so
        that several large ones leave something to the small ones."""
        price = json_price(body)
        if len(body) >= _LARGE_ANSWER and (free := self.free) is not None and price > free // 2:
            raise NoRoom(f"its {len(body)} bytes would take {price}, and {free} are free")
        return price

    def hold(self, price: int, owner: object) -> None:
        """Count these bytes until the owner is gone."""
        self.held += price
        weakref.finalize(owner, self._give, price).atexit = False

    def _give(self, price: int) -> None:
        self.held -= price


class SeriesRoom(Room):
    """Room for series that were not met before, of all pages and answers."""

    def __init__(self, left: Callable[[], int | None] = memory_left) -> None:
        super().__init__(None, 2, left)
        self._hours: deque[tuple[float, int]] = deque()

    def most(self, now: float) -> int | None:
        """Number of series that may be new now (unix seconds); None for as many as there are."""
        while self._hours and abs(now - self._hours[0][0]) > _REMEMBERED:
            self.held -= self._hours.popleft()[1] * SERIES_BYTES
        free = self.free
        return None if free is None else free // SERIES_BYTES

    def add(self, count: int, now: float) -> None:
        """So many series were met for the first time."""
        if count:
            self._hours.append((now, count))
            self.held += count * SERIES_BYTES


def json_price(body: bytes) -> int:
    """Return a bound of the bytes that a JSON text becomes, decoded and made into samples."""
    # By what each kind of object takes in CPython, and twice that for a pair of time and text,
    # which becomes another one of two numbers.
    texts, lists, objects = body.count(b'"') // 2, body.count(b"["), body.count(b"{")
    return len(body) + 60 * texts + 100 * lists + 300 * objects + 40 * body.count(b",")


def require_reading(body: bytes, left: Callable[[], int | None] = memory_left) -> None:
    """Raise `NoRoom` where to read a page would take more than half of the memory that is left.

    Lines are copied several times on the way, each as an object of its own.
    """
    if len(body) < _LARGE_PAGE or (free := left()) is None:
        return
    price = 5 * len(body) + 160 * body.count(b"\n")
    if price > free // 2:
        raise NoRoom(
            f"a page of {len(body)} bytes takes some {price} bytes to read, and the cgroup has "
            f"{free} left"
        )


ANSWERS = AnswerRoom(512 * 1024 * 1024, 4)
"""All answers of Prometheus' HTTP API that are decoded at the moment."""
SERIES = SeriesRoom()
"""All series of this process."""
