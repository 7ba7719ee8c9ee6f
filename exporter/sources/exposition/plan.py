"""How the block of a family looked on the last page: learnt the careful way, line by line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.core.amounts import MOST_TEXT
from exporter.core.sample import Series
from exporter.core.selector import Selector
from exporter.errors import SourceError
from exporter.sources.exposition.catalogue import Catalogue, Known, origin
from exporter.sources.exposition.lines import name_of, parse_key, parse_rest
from exporter.sources.exposition.page import too_many

_OTHER = re.compile(rb'(?:[a-zA-Z_:][a-zA-Z0-9_:]*+|\{[ \t]*+"(?:[^"\\\n]++|\\.)*+")[ \t{},]')
_SPARE = 1024
"""Lines that are gone and still remembered; series come and go, and most come back."""


@dataclass(slots=True)
class Plan:
    """How a block looked.

    `begins`: of each line all before its value, or what says that nobody wants it. `length`: theirs
    together. `bare`: the lines of series, or of their creation, that have no labels. `created`:
    those of creation times. `places`, `series`, `slots`: the lines of the wanted series, who they
    are, and the index of their creation time or -1. `takers`: the selectors, and which of the
    wanted each takes. `regular`: nothing was refused.
    """

    begins: list[bytes] = field(default_factory=list)
    length: int = 0
    bare: list[int] = field(default_factory=list)
    created: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    takers: dict[Selector, list[int]] = field(default_factory=dict)
    regular: bool = True

    def rests(self, lines: Sequence[bytes]) -> list[bytes]:
        """What each line has after its beginning."""
        return list(map(bytes.removeprefix, lines, self.begins))

    def fitting(self, block: bytes) -> list[bytes] | None:
        """The same for a block of which only the values may have changed; None for others."""
        lines = block.split(b"\n")
        if len(lines) != len(self.begins):
            return None
        rests = self.rests(lines)
        # A line that begins otherwise has lost nothing, and what is left is too long. To join is
        # the fastest way to add lengths up.
        if self.length + len(b"\n".join(rests)) != len(block):
            return None
        # `name ` begins `name {a="b"} 1` too.
        if any(rests[i].lstrip(b" \t").startswith(b"{") for i in self.bare):
            return None
        return rests


class _Entry(NamedTuple):
    """What the beginning of a line tells: whose sample it is, or whose creation, or neither."""

    begin: bytes
    known: Known | None = None
    created_of: str | None = None


_COMMENT = _Entry(b"#")


class Planner:
    """Makes the plans of one family; remembers each line's beginning, so that it reads it once."""

    def __init__(self, names: frozenset[str], created: str, catalogue: Catalogue) -> None:
        self._names = names
        self._created = created
        self._catalogue = catalogue
        self._entries: dict[bytes, _Entry] = {}
        self._new: list[bytes] = []

    def forget(self) -> None:
        """Read every line anew."""
        self._entries.clear()

    def plan(self, lines: Sequence[bytes], max_series: int, refuse: Callable[[str], None]) -> Plan:
        """Read every line up to its value; `SourceError` when too many are wanted or new."""
        self._new.clear()
        met = self._catalogue.new
        used: dict[bytes, _Entry] = {}
        try:
            return self._plan(lines, max_series, refuse, used)
        except SourceError:
            # What was refused is not kept either, or it would be there at the next page.
            for begin in self._new:
                del self._entries[begin]
                used.pop(begin, None)
            self._catalogue.new = met
            raise
        finally:
            if len(self._entries) > 2 * len(used) + _SPARE:
                self._entries = used

    def _plan(
        self,
        lines: Sequence[bytes],
        max_series: int,
        refuse: Callable[[str], None],
        used: dict[bytes, _Entry],
    ) -> Plan:
        plan = Plan()
        created: dict[str, int] = {}
        found: dict[Known, int] = {}
        for i, line in enumerate(lines):
            long = len(line) > MOST_TEXT
            entry = None if long else self._entry(line)
            if entry is None:
                plan.regular = False
                plan.begins.append(b"")
                # What is too long to be kept is not remembered here either.
                if name_of(line) in self._names:
                    refuse("too_long" if long else "malformed")
                continue
            begin, known, created_of = entry
            plan.begins.append(begin)
            if created_of is not None:
                used[begin] = entry
                created.setdefault(created_of, len(plan.created))
                plan.created.append(i)
            elif known is not None:
                used[begin] = entry
                _place(plan, found, known, lines, i, refuse)
                if len(found) > max_series:
                    raise too_many(max_series)
        plan.length = sum(map(len, plan.begins))
        plan.bare = [i for i, b in enumerate(plan.begins) if b in used and b"{" not in b]
        for k, (known, i) in enumerate(found.items()):
            plan.places.append(i)
            plan.series.append(known.series)
            plan.slots.append(created.get(known.origin, -1))
            for want in known.wanted_by:
                plan.takers.setdefault(want, []).append(k)
        return plan

    def _entry(self, line: bytes) -> _Entry | None:
        """What the line's beginning tells; None when there is no telling."""
        if line.startswith(b"#"):
            # Another TYPE is no page that only has other values.
            return _Entry(line) if line[1:].lstrip(b" \t").startswith(b"TYPE") else _COMMENT
        length = line.rfind(b" ") + 1
        entry = self._entries.get(line[:length])
        if entry is not None and not line.startswith(b"{", length):
            return entry
        name = name_of(line)
        if name is None or (name not in self._names and name != self._created):
            other = _OTHER.match(line)
            return _Entry(other[0]) if other else None
        key = parse_key(line)
        if key is None:
            return None
        begin = line[: key.length]
        entry = self._entries.get(begin)
        if entry is None:
            if name in self._names:
                entry = _Entry(begin, known=self._catalogue.known(name, key.labels))
            else:
                entry = _Entry(begin, created_of=origin(key.labels))
            self._entries[begin] = entry
            self._new.append(begin)
        return entry


def _place(
    plan: Plan,
    found: dict[Known, int],
    known: Known,
    lines: Sequence[bytes],
    i: int,
    refuse: Callable[[str], None],
) -> None:
    if known not in found:
        if known.wanted_by:
            found[known] = i
        return
    # Twice on a page: the first one that can be read counts.
    plan.regular = False
    pair = (found[known], i)
    readable = [parse_rest(lines[j][len(plan.begins[j]) :]) is not None for j in pair]
    refuse("duplicate_on_page" if all(readable) else "malformed")
    if not readable[0]:
        found[known] = i
