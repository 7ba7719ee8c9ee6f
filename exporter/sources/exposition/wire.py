"""The protobuf wire format, as much of it as metric families need.

Source: protobuf's "Encoding" specification. Every fault of the bytes is a `Malformed`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types: how a field is written."""
_LONGEST = 10
_double = struct.Struct("<d").unpack_from

Raw = int | float | bytes
"""A field's value: a varint, a double, or the bytes of a string, a message or packed numbers."""


class Span(NamedTuple):
    """A field of a message: its wire type, and from where to where its value stands."""

    field: int
    wire: int
    start: int
    stop: int


class Malformed(ValueError):
    """The bytes are not the message they should be."""


class Truncated(Malformed):
    """They end too early to be."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """(the number at `at`, where it ends)."""
    value = shift = 0
    for byte in data[at : at + _LONGEST]:
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise Malformed("a number does not end")


def fields(message: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[int, Raw]]:
    """(field number, value) of each field of a message, or of the part from `at` to `end`."""
    stop = len(message) if end is None else end
    while at < stop:
        key, at = varint(message, at)
        wire = key & 7
        if wire == BYTES:
            length, at = varint(message, at)
            if at + length > stop:
                raise Truncated("a field is longer than its message")
            yield key >> 3, message[at : at + length]
            at += length
        elif wire == VARINT:
            value, at = varint(message, at)
            yield key >> 3, value
        elif wire in (FIXED64, _FIXED32):
            length = 8 if wire == FIXED64 else 4
            if at + length > stop:
                raise Truncated("a field is longer than its message")
            if wire == FIXED64:
                yield key >> 3, _double(message, at)[0]
            at += length
        else:
            raise Malformed(f"wire type {wire} is not known")
    if at > stop:
        raise Truncated("a field is longer than its message")


def spans(message: bytes, within: Span | None = None) -> Iterator[Span]:
    """The fields of a message that `fields` has read, or of one inside it, and where they are."""
    at, stop = (0, len(message)) if within is None else (within.start, within.stop)
    while at < stop:
        key, at = varint(message, at)
        wire = key & 7
        length = 8 if wire == FIXED64 else 4
        if wire == BYTES:
            length, at = varint(message, at)
        elif wire == VARINT:
            length = varint(message, at)[1] - at
        if at + length > stop:
            raise Truncated("a field is longer than its message")
        yield Span(key >> 3, wire, at, at + length)
        at += length


def raw(value: Raw) -> bytes:
    """The bytes of a string or message."""
    if not isinstance(value, bytes):
        raise Malformed("a string or message was expected")
    return value


def text(value: Raw) -> str:
    """A string."""
    try:
        return raw(value).decode()
    except UnicodeDecodeError:
        raise Malformed("a string is not UTF-8") from None


def integer(value: Raw) -> int:
    """An unsigned number."""
    if not isinstance(value, int):
        raise Malformed("a whole number was expected")
    return value


def double(value: Raw) -> float:
    """A double."""
    if not isinstance(value, float):
        raise Malformed("a double was expected")
    return value


def double_at(message: bytes, place: int) -> float:
    """The double whose eight bytes begin at a place."""
    value: float = _double(message, place)[0]
    return value


def signed(value: Raw) -> int:
    """An int64."""
    number = integer(value)
    return number - (1 << 64) if number >= 1 << 63 else number


def zigzag(value: int) -> int:
    """A sint64."""
    return (value >> 1) ^ -(value & 1)


def varints(values: list[Raw]) -> Iterator[int]:
    """A repeated whole number, packed or not."""
    for value in values:
        if isinstance(value, bytes):
            at = 0
            while at < len(value):
                one, at = varint(value, at)
                yield one
        else:
            yield integer(value)


def doubles(values: list[Raw]) -> Iterator[float]:
    """A repeated double, packed or not."""
    for value in values:
        if isinstance(value, bytes):
            if len(value) % 8:
                raise Malformed("packed doubles do not end with a double")
            yield from (v for (v,) in struct.iter_unpack("<d", value))
        else:
            yield double(value)
