"""Logging: facts as keys and values, one line an event, JSON or for a terminal.

The standard library's loggers (asyncio, aiohttp, warnings) go through the same pipe. An exception
is one `error` text; its traceback only at debug level. Whoever logs a URL redacts it.
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

_TAKEN = frozenset(
    {"event", "level", "ts", "self", "exc_info", "stack_info", "error", "exception"}
    | {"receiver", "reason", "attempts"}
)
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
            renderer,
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
                event["exception"] = "".join(traceback.format_exception(error)).rstrip()
        return event


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
