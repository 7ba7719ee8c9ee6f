"""A progress bar on a terminal; on anything else it is silent."""

from __future__ import annotations

import shutil
from typing import TextIO

from exporter.printable import printable

_WIDTH = 30


class Bar:
    """One line that is drawn over and over on `stream`, and is gone after `close`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._wide = stream.isatty()
        self._drawn = ""

    def show(self, share: float, text: str) -> None:
        """Draw it at a share from 0 to 1, with a few words beside it."""
        if not self._wide:
            return
        share = min(1.0, max(0.0, share))
        full = round(share * _WIDTH)
        line = f"{'█' * full}{'░' * (_WIDTH - full)} {share:4.0%} {printable(text)}"
        line = line[: shutil.get_terminal_size().columns - 1]
        if line != self._drawn:
            # Back to the beginning, where a log line in between goes over it.
            self._stream.write("\r\x1b[K" + line + "\r")
            self._stream.flush()
            self._drawn = line

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._drawn = ""
