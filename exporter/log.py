"""Logging: facts as keys and values, one line an event, JSON or for a terminal.

The standard library's loggers (asyncio, aiohttp, warnings) go through the same pipe. An exception
is one `error` text; its traceback only at debug level. No field shows a secret of an address, or
steers a console.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from exporter.config.settings import Log
from exporter.printable import printable, printable_json
from exporter.redaction import readable

_TAKEN = frozenset(
    {"event", "level", "ts", "self", "exc_info", "stack_info", "error", "exception"}
    | {"receiver", "reason", "attempts"}
)
_LONGEST_CHAIN = 20
"""Exceptions that are looked at behind one another; a chain can be a ring."""
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(settings: Log, stream: TextIO) -> None:
    """Send all events to `stream` from now on; may be called again after a reload."""
    level = _LEVELS[settings.level]
    terminal = stream.isatty()
    console = settings.format == "console" or (settings.format == "auto" and terminal)
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if console:
        colors = terminal and not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="ts")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            _OneError(with_traceback=level <= logging.DEBUG),
            _Shown(console=console),
            renderer,
            *(() if console else (_escaped,)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=_Patient(stream)),  # type: ignore[arg-type]
        # Loggers are made at import, before this; a cached one would keep the old settings.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(level)
    logging.captureWarnings(True)


def labelled(labels: Mapping[str, str]) -> dict[str, str]:
    """An alert's labels as fields of a log line; one whose name the line needs for itself gets
    another."""
    return {f"label_{k}" if k in _TAKEN else k: v for k, v in labels.items()}


class _OneError:
    """Turns `exc_info` into a text of one line, and a traceback where it is wanted."""

    def __init__(self, *, with_traceback: bool) -> None:
        self._with_traceback = with_traceback

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        error = _exception(event.pop("exc_info", None))
        if error is not None:
            text = " ".join(str(error).split())
            name = type(error).__name__
            event.setdefault("error", f"{name}: {text}" if text else name)
            if self._with_traceback:
                event["exception"] = _traceback(error)
        return event


def _traceback(error: BaseException) -> str:
    """Return the traceback with each message on one line, so that none can forge a line."""
    text = "".join(traceback.format_exception(error)).rstrip()
    one: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if one is None:
            break
        message = str(one)
        if "\n" in message:
            text = text.replace(message, " ".join(message.split()))
        one = one.__cause__ or one.__context__
    return text


class _Shown:
    """Takes secrets out of every field, and for a console what would steer it: values come from
    peers, and whoever logs one need not think of that."""

    def __init__(self, *, console: bool) -> None:
        self._console = console

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {self._text(key): self._value(key, value) for key, value in event.items()}

    def _value(self, key: str, value: object) -> object:
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, Mapping):
            return {self._text(str(k)): self._value("", v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value("", one) for one in value]
        return self._text(value if isinstance(value, str) else repr(value), key == "exception")

    def _text(self, text: str, lines: bool = False) -> str:
        text = readable(text)
        return printable(text, keep="\n" if lines else "") if self._console else text


def _escaped(_logger: WrappedLogger, _method: str, line: str) -> str:
    return printable_json(line)


def _exception(info: object) -> BaseException | None:
    if isinstance(info, tuple):
        info = info[1]
    elif info and not isinstance(info, BaseException):
        info = sys.exc_info()[1]
    return info if isinstance(info, BaseException) else None


class _Bridge(logging.Handler):
    """Hands the standard library's records to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record's message as the event, with the name of its logger."""
        try:
            fields: dict[str, object] = {"logger": record.name}
            if record.exc_info:
                fields["exc_info"] = record.exc_info
            level = max(10, min(record.levelno // 10 * 10, 50))
            structlog.get_logger().log(level, record.getMessage(), **fields)
        except Exception:  # noqa: BLE001 - a log call must not break whoever made it
            self.handleError(record)


class _Patient:
    """A stream whose failure (disk full, pipe closed) does not take the daemon with it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write or lose the line."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            return

    def flush(self) -> None:
        """Flush or lose what is left."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return
