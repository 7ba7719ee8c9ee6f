"""A metric's protobuf message but for its numbers: from page to page nothing else changes.

A number has a place in the message. As long as all bytes between the numbers are the same, and each
number is as many bytes long, it is at the same place, and nothing else has to be read. One
comparison of the whole message, as an integer under a mask, tells both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from exporter.sources.exposition.wire import (
    FIXED64,
    VARINT,
    Span,
    double_at,
    spans,
    varint,
)

_VALUE = 1
"""The field of a counter, gauge or untyped metric's body."""
_TIME = 6
"""A field of a metric."""
_COUNT, _SUM, _BUCKET, _CREATED = 1, 2, 3, 15
"""Fields of a histogram, and below of a bucket; those of native ones and exemplars are left out."""
_CUMULATIVE, _UPPER = 1, 2
_NUMBERS = [(_COUNT, VARINT), (_SUM, FIXED64)]
_BUCKET_NUMBERS = {_CUMULATIVE: VARINT, _UPPER: FIXED64}

Places = list[tuple[str, Span]]
"""The numbers of a message in the order of its samples: what a sample's name has behind that of the
family, and where its number stands."""


class Frame:
    """What stands around the numbers of a message, and the places of those that are wanted."""

    __slots__ = ("_expected", "_mask", "_size", "_wanted")

    def __init__(self, message: bytes, places: Places, wanted: Sequence[Span]) -> None:
        mask = bytearray(b"\xff" * len(message))
        for _, number in places:
            for place in range(number.start, number.stop):
                # Of a varint the bits stay that say where it ends.
                mask[place] = 0x80 if number.wire == VARINT else 0
        self._size = len(message)
        self._mask = int.from_bytes(mask, "little")
        self._expected = int.from_bytes(message, "little") & self._mask
        self._wanted = [(span.start, span.wire == FIXED64) for span in wanted]

    def fits(self, message: bytes) -> bool:
        """Whether a message has nothing but other numbers at the same places."""
        return (
            len(message) == self._size
            and int.from_bytes(message, "little") & self._mask == self._expected
        )

    def values(self, message: bytes) -> Iterator[float]:
        """The wanted numbers of a message that fits."""
        for place, is_double in self._wanted:
            yield double_at(message, place) if is_double else float(varint(message, place)[0])


def number_places(message: bytes, field: int) -> Places | None:
    """The place of the only number of a metric whose body is this field; None if irregular."""
    body = _body(message, field)
    numbers = [span for span in spans(message, body) if span.field == _VALUE] if body else []
    regular = len(numbers) == 1 and numbers[0].wire == FIXED64
    return [("", numbers[0])] if regular else None


def histogram_places(message: bytes, field: int) -> Places | None:
    """The places of a classic histogram's numbers; None if it has others or is irregular."""
    body = _body(message, field)
    parts = list(spans(message, body)) if body else []
    if [(p.field, p.wire) for p in parts if p.field not in (_BUCKET, _CREATED)] != _NUMBERS:
        return None
    count, total = (part for part in parts if part.field in (_COUNT, _SUM))
    places = [("_count", count), ("_sum", total)]
    upper = 0.0
    for part in parts:
        if part.field == _BUCKET:
            inside = {span.field: span for span in spans(message, part)}
            if {span.field: span.wire for span in inside.values()} != _BUCKET_NUMBERS:
                return None
            places.append(("_bucket", inside[_CUMULATIVE]))
            upper = double_at(message, inside[_UPPER].start)
    # The last bucket may be left out: it has all observations.
    return places if upper == inf else [*places, ("_bucket", count)]


def _body(message: bytes, field: int) -> Span | None:
    """The only body of a metric that has no timestamp, which would be another number."""
    parts = [span for span in spans(message) if span.field in (field, _TIME)]
    return parts[0] if len(parts) == 1 and parts[0].field == field else None
