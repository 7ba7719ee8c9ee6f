"""What slod did to its state file, read from the launcher's record while it grows.

Says which saves a power cut cannot take any more, and what a disk may hold after one.
"""

from __future__ import annotations

import io
import pickle
import random
import struct
from pathlib import Path

from tests.store.recorder import Event, Files, disk_after_power_cut

NAME = "s.db"
KEPT = (NAME, f"{NAME}-wal")
_FRAME = 24
_COMMIT = struct.Struct(">I")


class Journal:
    """`record`: the launcher's file. `saves`: transactions written; `safe`: those of them that were
    synced, so that no power cut takes them."""

    def __init__(self, record: Path) -> None:
        self.saves = self.safe = 0
        self._record = record
        self._events: list[Event] = []
        self._read = 0

    def begin(self, state: Path) -> None:
        """A slod starts on these files, of which everything is on the disk."""
        self._record.write_bytes(b"")
        self._read, self._events = 0, []
        self.safe = self.saves
        for name in KEPT:
            if (state / name).exists():
                self._events.append(Event("write", name, 0, (state / name).read_bytes()))
                self._events.append(Event("sync", name))

    def read(self) -> None:
        """Read on."""
        with self._record.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        stream = io.BytesIO(data)
        while (at := stream.tell()) < len(data):
            try:
                event = Event(*pickle.load(stream))
            except (EOFError, pickle.UnpicklingError):  # half of it is written yet
                self._read += at
                return
            self._take(event)
        self._read += len(data)

    def _take(self, event: Event) -> None:
        self._events.append(event)
        if not event.name.endswith("-wal"):
            return
        if event.what == "sync":
            self.safe = self.saves
        elif event.what == "write" and len(event.data) == _FRAME:
            # The head of a frame; the last one of a transaction has the size of the database.
            self.saves += _COMMIT.unpack_from(event.data, 4)[0] != 0

    def cut(self, rng: random.Random) -> Files:
        """Files that a disk may hold when the power fails now."""
        self.read()
        self.saves = self.safe
        return disk_after_power_cut(self._events, rng)
