"""Protobuf's wire format, written by hand: fields, messages and metric families for pages."""

from __future__ import annotations

import struct


def varint(value: int) -> bytes:
    """A whole number from 0 on, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zigzag(value: int) -> int:
    """A signed number as the unsigned one that stands for it."""
    return (value << 1) ^ (value >> 63)


def whole(field: int, value: int) -> bytes:
    """A field that holds a whole number."""
    return varint(field << 3) + varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def signed(field: int, value: int) -> bytes:
    """A field that holds a signed number."""
    return whole(field, zigzag(value))


def double(field: int, value: float) -> bytes:
    """A field that holds a double."""
    return varint(field << 3 | 1) + struct.pack("<d", value)


def message(field: int, *parts: bytes) -> bytes:
    """A field that holds a message, or bytes."""
    inside = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(inside)) + inside


def label(name: str, value: str) -> bytes:
    """A label of a metric."""
    return message(1, message(1, name.encode()), message(2, value.encode()))


def family(name: str, kind: int, *metrics: bytes) -> bytes:
    """A MetricFamily with its length before it."""
    inside = message(1, name.encode()) + whole(3, kind)
    inside += b"".join(message(4, metric) for metric in metrics)
    return varint(len(inside)) + inside
