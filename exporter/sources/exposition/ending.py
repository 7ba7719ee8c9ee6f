"""Pages that were cut: told from whole ones where the transport cannot tell.

An answer with neither a Content-Length nor chunks ends with its connection, and aiohttp takes a
connection that breaks for one that was closed. OpenMetrics has an end mark, text and protobuf have
none. Such a page would say 123 of 12345, or lack the families behind the cut, which then would be
new at the next poll.
"""

from __future__ import annotations

from exporter.errors import SourceError
from exporter.sources.exposition.lines import parse_key

_IN_A_ROW = 3
"""Polls that are refused at most, one less than this: an exporter whose pages really became shorter
is read again, and three breaks in a row are no accident."""


class OpenPages:
    """The pages of one target whose ends are not known, compared with each other."""

    def __init__(self) -> None:
        self._units = 0
        self._last: bytes | None = None
        self._suspect: bytes | None = None
        self._refused = 0

    def check(self, units: int, last: bytes, *, ended: bool) -> None:
        """Raise `SourceError` (`truncated`) for a page that seems to be cut.

        Args:
            units: its number of lines, or of families in protobuf.
            last: the beginning of the last one, up to its value.
            ended: whether that one is whole.
        """
        same = last in (self._last, self._suspect)
        whole = same or (ended and units >= self._units)
        if not whole and self._refused < _IN_A_ROW - 1:
            self._refused += 1
            self._suspect = last
            raise SourceError(
                "truncated",
                "the connection was closed without a Content-Length, and the page "
                + ("ends earlier than the last one" if ended else "does not end in a line feed"),
            )
        self._units, self._last, self._suspect, self._refused = units, last, None, 0


def last_line(body: bytes) -> bytes:
    """The beginning of a text page's last line, up to its value; whole where it is no sample."""
    end = len(body.rstrip())
    line = body[body.rfind(b"\n", 0, end) + 1 : end]
    key = parse_key(line)
    return line[: key.length] if key else line
