"""Rows of the state file, each judged by itself: types, ranges and checksum.

SQLite keeps any type in any column and tells a damaged tree, not a damaged value. A row that is not
what was written is handed back as `BadRow`; the other rows count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.printable import excerpt
from exporter.store.schema import checksum

MOST_SEQ = 1 << 53
"""Largest number of a save: beyond it there would be no next one."""
_LATEST = 253_402_300_799.0
"""Last second of the year 9999."""
_LONGEST_KEY = 65_536

Check = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that cannot be used, and why in one line; `key` names it to people.

    `column` and `value` find it; one without is copied to the quarantine and stays where it is.
    """

    table: str
    key: str
    reason: str
    body: Any
    column: str = ""
    value: str | int = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in the order they are read, each with its check; `body` and `crc` come beside them.
    `signed`: the columns that the checksum is over, with the body."""

    name: str
    columns: Sequence[tuple[str, Check]]
    signed: Sequence[str]
    order: str = "rowid"
    where: str = ""


def _text(value: Any) -> bool:
    # A lone surrogate stands for a byte that is no UTF-8, see `contents.connect`.
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_KEY
        and not any("\ud800" <= c <= "\udfff" for c in value)
    )


def _perhaps_text(value: Any) -> bool:
    return value == "" or _text(value)


def _seq(value: Any) -> bool:
    return isinstance(value, int) and 0 < value < MOST_SEQ


def _few(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 31


def _time(value: Any) -> bool:
    return isinstance(value, float | int) and -_LATEST <= value <= _LATEST


SNAPSHOT = Table("snapshot", (("slo", _text), ("seq", _seq)), ("slo", "seq"))
JOURNAL = Table("journal", (("seq", _seq),), ("seq",), order="seq")
OUTBOX = Table(
    "outbox",
    (("id", _text), ("endpoint", _text), ("attempts", _few), ("due", _time), ("place", _seq)),
    ("id", "endpoint"),
    order="place",
)
DOCUMENT = Table(
    "document",
    (("kind", _text), ("origin", _perhaps_text), ("id", _perhaps_text)),
    ("kind", "origin", "id"),
)
SAID = Table("said", (("seq", _seq), ("at", _time)), ("seq",))
REMOVED = Table(
    "removed", (("slo", _text), ("identity", _text), ("at", _time)), ("slo", "identity")
)
ALL = (SNAPSHOT, JOURNAL, OUTBOX, DOCUMENT, SAID, REMOVED)


def read(db: sqlite3.Connection, table: Table, bad: list[BadRow]) -> Iterator[tuple[Any, ...]]:
    """Yield the sound rows, their body last; add the others to `bad`."""
    names = [name for name, _ in table.columns]
    query = f"SELECT rowid, {', '.join(names)}, body, crc FROM {table.name} ORDER BY {table.order}"  # noqa: S608 (names of ours)
    for rowid, *values, body, crc in db.execute(query):
        row = dict(zip(names, values, strict=True))
        wrong = [name for name, check in table.columns if not check(row[name])]
        if not isinstance(body, bytes):
            wrong.append("body")
        reason = f"{' and '.join(wrong)}: NULL, of another type, or out of range" if wrong else ""
        # Rows of schema 1 have no checksum.
        if not reason and crc is not None:
            if crc != checksum(body, *(row[name] for name in table.signed)):
                reason = "it is not what was written (its checksum differs)"
        if reason:
            key = "/".join(str(row[name]) for name in table.signed)
            bad.append(BadRow(table.name, excerpt(key), reason, body, "rowid", rowid))
        else:
            yield (*values, body)
