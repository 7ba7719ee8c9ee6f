from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from exporter import log
from exporter.config.settings import Log

# As every module has it: made at import, before anything is configured.
logger = structlog.get_logger()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError("gone")


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_time_and_level() -> None:
    stream = io.StringIO()
    log.configure(Log(), stream)
    logger.info("scrape.failed", target="http://a", text="one\ntwo ü")
    (event,) = events(stream)
    assert datetime.fromisoformat(event.pop("ts")).tzinfo == UTC
    assert event == {
        "event": "scrape.failed",
        "level": "info",
        "target": "http://a",
        "text": "one\ntwo ü",
    }


def test_the_level_can_be_changed_by_configuring_again() -> None:
    stream = io.StringIO()
    log.configure(Log(level="warning"), stream)
    logger.info("no")
    log.configure(Log(level="debug"), stream)
    logger.debug("yes")
    assert [e["event"] for e in events(stream)] == ["yes"]


def test_the_standard_librarys_loggers_take_the_same_way() -> None:
    stream = io.StringIO()
    log.configure(Log(), stream)
    logging.getLogger("asyncio").error("Task %s was 100%% destroyed", "x")
    logging.getLogger("aiohttp.access").debug("no")
    (event,) = events(stream)
    assert event["event"] == "Task x was 100% destroyed"
    assert (event["logger"], event["level"]) == ("asyncio", "error")


@pytest.mark.parametrize("via_stdlib", [False, True])
def test_an_exception_is_one_error_and_a_traceback_only_for_debugging(via_stdlib: bool) -> None:
    for level, traceback in (("info", False), ("debug", True)):
        stream = io.StringIO()
        log.configure(Log(level=level), stream)  # type: ignore[arg-type]
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            if via_stdlib:
                logging.getLogger("x").exception("http.failed")
            else:
                logger.exception("http.failed")
        (event,) = events(stream)
        assert event["error"] == "ValueError: first second"
        assert ("exception" in event) is traceback


def test_an_exception_object_is_as_good_and_none_is_no_error() -> None:
    stream = io.StringIO()
    log.configure(Log(), stream)
    logger.error("a", exc_info=KeyError())
    logger.error("b", exc_info=True)  # noqa: LOG014 - what a careless caller does
    assert [e.get("error") for e in events(stream)] == ["KeyError", None]


def test_a_terminal_gets_colours_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for stream, format_, coloured in (
        (Terminal(), "auto", True),
        (io.StringIO(), "console", False),
    ):
        log.configure(Log(format=format_), stream)  # type: ignore[arg-type]
        logger.info("tick.slow", seconds=1.5)
        assert "tick.slow" in stream.getvalue()
        assert ("\x1b[" in stream.getvalue()) is coloured


def test_no_colour_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    log.configure(Log(), stream)
    logger.info("tick.slow", seconds=1.5)
    assert "seconds=1.5" in stream.getvalue() and "\x1b[" not in stream.getvalue()


def test_a_stream_that_broke_does_not_break_the_caller() -> None:
    stream = io.StringIO()
    log.configure(Log(format="json"), stream)
    stream.close()
    logger.info("a")
    log.configure(Log(format="json"), Broken())
    logger.info("a")
    logging.getLogger("x").error("b")
