"""Packed bodies (`Content-Encoding`), inflated in small steps: a reader may stop at its limit, and
nothing holds the loop for long.

Source: RFC 9110, 8.4.1 (encodings); RFC 1952, 2.2 (gzip bodies may stand one after the other).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

from exporter.headers import field

STEP = 256 * 1024
"""Bytes of one step at most; it takes one or two milliseconds."""
_SLICE = 16 * 1024
_GZIP = ("gzip", "x-gzip")
_GZIP_WINDOW, _ZLIB_WINDOW, _RAW_WINDOW = 31, 15, -15


class BadEncoding(ValueError):
    """The body is not in the encoding that it is said to be in."""


class Inflater:
    """Inflates one body; what has no encoding goes through as it is.

    Raises:
        BadEncoding: nothing here can read it.
    """

    def __init__(self, encoding: str) -> None:
        self._name = encoding.strip().lower()
        if self._name not in ("", "identity", "deflate", *_GZIP):
            raise BadEncoding("the body's Content-Encoding must be gzip, deflate or none")
        self.is_plain = self._name in ("", "identity")
        self._inflater = None if self._name == "deflate" else zlib.decompressobj(_GZIP_WINDOW)
        self._head = b""
        self._is_empty = True

    def pieces(self, part: bytes) -> Iterator[bytes]:
        """Yield what a part of the body is, unpacked, in pieces of `STEP` bytes at most.

        Raises:
            BadEncoding: it is no such packed body.
        """
        if self.is_plain:
            yield part
            return
        self._is_empty &= not part
        if self._inflater is None:
            self._head += part
            if len(self._head) < 2:
                return
            part, self._inflater = self._head, zlib.decompressobj(_window(self._head))
        try:
            # In slices, since each member's end copies what stands after it.
            for start in range(0, len(part), _SLICE):
                yield from self._of_slice(part[start : start + _SLICE])
        except zlib.error as error:
            raise BadEncoding(f"the body is not {self._name}: {error}") from None

    def end(self) -> None:
        """The body is over; one of no bytes is empty, in any encoding.

        Raises:
            BadEncoding: too soon.
        """
        if not (self.is_plain or self._is_empty) and (
            self._inflater is None or not self._inflater.eof
        ):
            raise BadEncoding(f"the body is not {self._name}: it ends too soon")

    def _of_slice(self, part: bytes) -> Iterator[bytes]:
        full = False
        while part or full:
            assert self._inflater is not None  # there is a head
            if part and self._inflater.eof:
                if self._name not in _GZIP:
                    raise BadEncoding(f"the body goes on after its {self._name}")
                self._inflater = zlib.decompressobj(_GZIP_WINDOW)
            piece = self._inflater.decompress(part, STEP)
            if piece:
                yield piece
            # A step may end with all taken in and not all given out.
            full = len(piece) == STEP
            part = self._inflater.unconsumed_tail or self._inflater.unused_data


def encoding_of(headers: Mapping[str, str]) -> str:
    """Return the encoding of a body by its head."""
    return field(headers, "Content-Encoding")


def _window(head: bytes) -> int:
    """Zlib's format by the standard (RFC 9110, 8.4.1.2), and without its head by old software."""
    zlib_head = head[0] & 0x0F == 8 and int.from_bytes(head[:2]) % 31 == 0
    return _ZLIB_WINDOW if zlib_head else _RAW_WINDOW
