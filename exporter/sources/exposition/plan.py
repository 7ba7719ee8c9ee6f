"""How the block of a family looked on the last page: learnt the careful way, line by line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.core.sample import Series
from exporter.core.selector import Selector
from exporter.sources.exposition.catalogue import Catalogue, Known, origin
from exporter.sources.exposition.lines import name_of, parse_key, parse_rest
from exporter.sources.exposition.page import too_many

_OTHER = re.compile(rb'(?:[a-zA-Z_:][a-zA-Z0-9_:]*+|\{[ \t]*+"(?:[^"\\\n]++|\\.)*+")[ \t{},]')
_SPARE = 1024
"""Lines that are gone and still remembered; series come and go, and most come back."""


@dataclass(slots=True)
class Plan:
    """How a block looked.

    `begins`: of each line all before its value, or what says that nobody wants it. `bare`: the
    series without labels, as (line, where the value begins). `created`: the creation times,
    likewise. `wanted`: the wanted series, with the index of their creation time or -1. `takers`:
    the selectors, and which of `wanted` each takes. `regular`: nothing was refused.
    """

    begins: list[bytes] = field(default_factory=list)
    bare: list[tuple[int, int]] = field(default_factory=list)
    created: list[tuple[int, int]] = field(default_factory=list)
    wanted: list[tuple[int, int, Series, int]] = field(default_factory=list)
    takers: dict[Selector, list[int]] = field(default_factory=dict)
    regular: bool = True

    def fits(self, lines: Sequence[bytes]) -> bool:
        """Whether these are the same lines but for their values."""
        return (
            len(lines) == len(self.begins)
            and all(map(bytes.startswith, lines, self.begins))
            # `name ` begins `name {a="b"} 1` too.
            and not any(lines[i][n:].lstrip(b" \t").startswith(b"{") for i, n in self.bare)
        )


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

    def forget(self) -> None:
        """Read every line anew."""
        self._entries.clear()

    def plan(self, lines: Sequence[bytes], max_series: int, refuse: Callable[[str], None]) -> Plan:
        """Read every line up to its value; `SourceError` when too many are wanted."""
        plan = Plan()
        created: dict[str, int] = {}
        found: dict[Known, tuple[int, int]] = {}
        used: dict[bytes, _Entry] = {}
        try:
            for i, line in enumerate(lines):
                entry = self._entry(line)
                if entry is None:
                    plan.regular = False
                    if name_of(line) in self._names:
                        refuse("malformed")
                    continue
                begin, known, created_of = entry
                plan.begins.append(begin)
                if created_of is not None:
                    used[begin] = entry
                    created.setdefault(created_of, len(plan.created))
                    plan.created.append((i, len(begin)))
                elif known is not None:
                    used[begin] = entry
                    self._place(plan, found, known, lines, (i, len(begin)), refuse)
                    if len(found) > max_series:
                        raise too_many(max_series)
        finally:
            if len(self._entries) > 2 * len(used) + _SPARE:
                self._entries = used
        for k, (known, (i, n)) in enumerate(found.items()):
            plan.wanted.append((i, n, known.series, created.get(known.origin, -1)))
            for want in known.wanted_by:
                plan.takers.setdefault(want, []).append(k)
        return plan

    def _place(
        self,
        plan: Plan,
        found: dict[Known, tuple[int, int]],
        known: Known,
        lines: Sequence[bytes],
        place: tuple[int, int],
        refuse: Callable[[str], None],
    ) -> None:
        if b"{" not in lines[place[0]][: place[1]]:
            plan.bare.append(place)
        if known not in found:
            if known.wanted_by:
                found[known] = place
            return
        # Twice on a page: the first one that can be read counts.
        plan.regular = False
        readable = [parse_rest(lines[i][n:]) is not None for i, n in (found[known], place)]
        refuse("duplicate_on_page" if all(readable) else "malformed")
        if not readable[0]:
            found[known] = place

    def _entry(self, line: bytes) -> _Entry | None:
        """What the line's beginning tells; None when there is no telling."""
        if line.startswith(b"#"):
            return _COMMENT
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
        return entry
