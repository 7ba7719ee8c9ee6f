"""Over a restart slod shows of a moment what it showed before: what no ledger knows of the SLOs
(gates, forecasts, what a policy wants by when) is kept in the state file as long as in memory.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exporter.errors import StateError
from exporter.series.recorded import Look, Recorded
from exporter.store.database import Store
from exporter.store.documents import Change, Documents
from exporter.store.save import Key

_LINES, _LOOK = "lines", "look"
_encode = msgspec.msgpack.Encoder().encode
_lines_of = msgspec.msgpack.Decoder(list[str]).decode
_look_of = msgspec.msgpack.Decoder(tuple[str, list[float]]).decode
_UNREADABLE = (msgspec.MsgspecError, RecursionError, TypeError, ValueError)


class Remembering:
    """The looks of a `Recorded` that are in a store: one document each, and one of the lines that
    looks share."""

    def __init__(self, recorded: Recorded, store: Store) -> None:
        self._recorded = recorded
        self._table = Documents(store, "shown")
        self._kept: dict[float, str] = {}
        """By the time of a look, the document that has its lines."""
        self._stale: list[Key] = []
        self._places: Mapping[str, int] = {}
        self._lines: list[str] = []
        self._name = ""

    async def load(self, now: float) -> None:
        """Remember what was shown up to now before slod was started; what cannot be read goes."""
        documents = await self._table.load()
        lines: dict[str, list[str]] = {}
        looks: dict[float, tuple[str, list[float]]] = {}
        for (origin, name), body in documents.items():
            try:
                if origin == _LINES:
                    lines[name] = _lines_of(body or b"")
                else:
                    looks[float(name)] = _look_of(body or b"")
            except _UNREADABLE:
                self._stale.append((origin, name))
        for at, (name, values) in sorted(looks.items()):
            if at <= now and len(lines.get(name, ())) == len(values):
                self._recorded.add(at, zip(lines[name], values, strict=True))
                self._kept[at] = name
            else:
                self._stale.append((_LOOK, repr(at)))
        self._stale += ((_LINES, name) for name in lines.keys() - {*self._kept.values()})

    async def keep(self) -> None:
        """Write down the newest look, and drop what is remembered no more. Where nothing can be
        saved it is not kept: the next one is."""
        look, oldest = self._recorded.last, self._recorded.first
        if look is None:
            return
        if look.places is not self._places:
            self._places = look.places
            lines = [line for line in look.places if line.startswith("slo_")]
            if lines != self._lines:
                self._lines, self._name = lines, ""
        change, kept, name = self._change(look, oldest)
        try:
            await self._table.write(change)
        except StateError:
            return
        self._kept, self._name, self._stale = kept, name, []

    def _change(self, look: Look, oldest: float) -> tuple[Change, dict[float, str], str]:
        """What is to be written, which looks are kept then, and which document has the lines."""
        change = Change(drop=list(self._stale))
        kept = {at: name for at, name in self._kept.items() if oldest <= at < look.at}
        name = self._name
        if not name:
            name = repr(look.at)
            change.put[_LINES, name] = _encode(self._lines)
        values = [look.values[look.places[line]] for line in self._lines]
        change.put[_LOOK, repr(look.at)] = _encode((name, values))
        kept[look.at] = name
        change.drop += ((_LOOK, repr(at)) for at in self._kept.keys() - kept.keys())
        unused = {*self._kept.values()} - {*kept.values()}
        change.drop += ((_LINES, old) for old in unused)
        return change, kept, name
