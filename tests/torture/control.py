"""What the run changes in a slod while it runs, by files that both of them have open.

`Control` is made by the run and opened by the launcher inside of slod: the offset of the wall
clock, how the disk fails, and what names resolve to.
"""

from __future__ import annotations

import json
import mmap
import struct
from pathlib import Path
from typing import Any

_SIZE = 16
_OFFSET = struct.Struct("<d")
_DISK = struct.Struct("<i")
_DISK_AT = 8


class Control:
    """`folder`: where the files are, the same for both."""

    def __init__(self, folder: Path, *, make: bool = False) -> None:
        self.names = folder / "names.json"
        file = folder / "control"
        if make:
            file.write_bytes(bytes(_SIZE))
            self.resolve({})
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), _SIZE)

    @property
    def offset(self) -> float:
        """Seconds that slod's wall clock is ahead of the machine's."""
        value: float = _OFFSET.unpack_from(self._map, 0)[0]
        return value

    @offset.setter
    def offset(self, seconds: float) -> None:
        _OFFSET.pack_into(self._map, 0, seconds)

    @property
    def disk(self) -> int:
        """The error of SQLite with which writes to the state file fail; 0 while they do not."""
        code: int = _DISK.unpack_from(self._map, _DISK_AT)[0]
        return code

    @disk.setter
    def disk(self, code: int) -> None:
        _DISK.pack_into(self._map, _DISK_AT, code)

    def resolve(self, names: dict[str, dict[str, Any]]) -> None:
        """Say what names resolve to: `addresses`, seconds of `delay`; a name without is unknown."""
        temporary = self.names.with_suffix(".tmp")
        temporary.write_text(json.dumps(names))
        temporary.replace(self.names)

    def resolved(self, name: str) -> dict[str, Any]:
        """What a name resolves to now."""
        found: dict[str, Any] = json.loads(self.names.read_text()).get(name, {})
        return found
