"""`slod status` on a terminal: drawn once, or again and again in its place."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from exporter.cli.remote import Refused, Unreachable
from exporter.cli.status import complain, exit_code, look, nothing, read
from exporter.cli.status_cells import BAD, NONE, unix
from exporter.cli.status_table import lines, summary
from exporter.config.moments import rfc3339
from exporter.errors import SlodError
from exporter.printable import printable
from exporter.redaction import redact
from exporter.web.slos_api_said import SLOSaid

_WIDE = 1000
"""Columns of what is no terminal: nobody reads it through a slit."""
_PROMPT = 3.0
"""Seconds in which a daemon that is well answers."""


def show(args: argparse.Namespace) -> int:
    """Print the table once; returns the exit status."""
    picture = Picture(args)
    code = picture.look()
    if picture.trouble is not None:
        return complain(picture.trouble)
    _console().print(picture)
    if code == 2:
        complain(nothing(args))
    return code


def watch(args: argparse.Namespace) -> int:
    """Show it until somebody has seen enough; returns the exit status of the last look."""
    with _signals():
        if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            return _live(args)
        return every(args.interval, lambda: show(args))


def every(seconds: float, work: Callable[[], int]) -> int:
    """Do it again and again until Ctrl-C; returns what it returned last."""
    code = 0
    try:
        while True:
            code = work()
            sys.stdout.flush()
            time.sleep(seconds)
    except KeyboardInterrupt:
        return code


class Picture:
    """What is on the screen: the last numbers, and what is in the way of newer ones."""

    def __init__(self, args: argparse.Namespace, *, watched: bool = False) -> None:
        self.trouble: SlodError | None = None
        self.late = False
        """Whether an answer should have come by now."""
        self._args = args
        self._watched = watched
        self._now: str | None = None
        self._slos: list[SLOSaid] = []
        self._since = 0.0

    def look(self) -> int:
        """Ask the daemon; the exit status."""
        try:
            self._now, self._slos = read(self._args, look(self._args))
        except (Unreachable, Refused) as error:
            if self.trouble is None:
                self._since = time.time()
            self.trouble = error
            return 2 if isinstance(error, Refused) else 3
        self.trouble = None
        return exit_code(self._args, self._slos)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As wide and, where it is watched, as high as there is room for."""
        width, height = options.max_width, options.max_height if self._watched else None
        head = list(self._head())
        for line in head:
            yield _fit(line, width)
        if self._now is None:
            return
        room = sys.maxsize if height is None else height - len(head)
        for line in lines(self._slos, unix(self._now), width, room, ascii_only=options.ascii_only):
            yield _fit(line, width)

    def _head(self) -> Iterator[Text]:
        line = Text().append("slod ", style="bold").append(printable(redact(self._args.url)))
        if self._now is not None:
            line.append(f"  {rfc3339(int(unix(self._now)))}")
        if self._watched:
            line.append("  (q: quit)", style=NONE)
        yield line
        if self.trouble is not None:
            yield Text(f"no fresh numbers since {rfc3339(round(self._since))}", style=BAD)
            yield Text(printable(str(self.trouble)), style=BAD)
        elif self.late:
            yield Text("no answer yet", style=BAD)
        elif self._now is None:
            yield Text("asking", style=NONE)
        if self._now is not None:
            yield summary(self._slos)
            yield Text()


def _live(args: argparse.Namespace) -> int:
    picture = Picture(args, watched=True)
    code = 0
    with (
        _keys() as pressed,
        Live(
            picture, console=_console(), screen=True, auto_refresh=False, redirect_stderr=False
        ) as live,
    ):
        draw = _Draw(live.refresh)
        signal.signal(signal.SIGWINCH, lambda _number, _frame: draw())
        try:
            draw()
            while True:
                found, begun = _look(picture), time.monotonic()
                while not found.done():
                    if pressed(0.05):
                        return code
                    if not picture.late and time.monotonic() - begun > _PROMPT:
                        picture.late = True
                        draw()
                picture.late = False
                code = found.result()
                draw()
                if pressed(args.interval):
                    return code
        except KeyboardInterrupt:
            return code
        finally:
            signal.signal(signal.SIGWINCH, signal.SIG_DFL)


def _look(picture: Picture) -> Future[int]:
    """One look, in a thread: a daemon that hangs must not keep whoever wants to leave."""
    found: Future[int] = Future()

    def look() -> None:
        try:
            found.set_result(picture.look())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            found.set_exception(error)

    threading.Thread(target=look, daemon=True).start()
    return found


class _Draw:
    """Draws; when it is called while it does (by a signal), it draws once more thereafter."""

    def __init__(self, refresh: Callable[[], None]) -> None:
        self._refresh = refresh
        self._drawing = self._again = False

    def __call__(self) -> None:
        self._again = True
        if self._drawing:
            return
        self._drawing = True
        try:
            while self._again:
                self._again = False
                self._refresh()
        finally:
            self._drawing = False


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Keys are read as they are pressed and not shown; gives what waits so many seconds for a q."""
    if not sys.stdin.isatty():
        yield _wait
        return
    import termios
    import tty

    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)
    try:
        tty.setcbreak(keys)
        yield lambda seconds: _pressed(keys, seconds)
    finally:
        termios.tcsetattr(keys, termios.TCSAFLUSH, before)


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _pressed(keys: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([keys], [], [], left)[0]:
            read_ = os.read(keys, 64)
            # Nothing: the terminal is gone.
            if not read_ or b"q" in read_:
                return True
    return False


@contextmanager
def _signals() -> Iterator[None]:
    """Whoever ends it, the terminal is left as it was."""

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _console() -> Console:
    # A name in another alphabet must not end it where the terminal knows only ASCII.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDE
    return Console(width=wide, highlight=False, markup=False, emoji=False)


def _fit(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    line.no_wrap = True
    return line
