"""The supervisor: every part of the daemon runs under it and fails alone.

A part is a source, a receiver, a room (tick, saving, reviews ...), a request or an SLO. An
exception that nobody foresaw is the failure of its part: counted, logged with its traceback once
for each kind of error until the part works again, and retried after a pause. Of a part that is
many (the targets of a source), each detail fails and is retried by itself. Expected errors
(`SlodError`) are handled where they occur and never get here.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from math import inf
from types import TracebackType
from typing import Any, Self

import structlog

from exporter.clock import Clock
from exporter.core.apart import one_line

log = structlog.get_logger()

FIRST_PAUSE = 1.0
"""Seconds before the first retry; each further failure in a row doubles the pause."""
LONGEST_PAUSE = 60.0
"""Upper bound of the pause, in seconds; work that ran for so long starts again from the first."""
AGAIN_AND_AGAIN = 3
"""Failures in a row after which a vital part makes the daemon unhealthy: with the pauses between
them some seconds, so one bad moment restarts nothing."""
VITAL = ("tick", "beat", "saving", "supervisor")
"""Parts without which no other works. Never a source, receiver, target or SLO: an orchestrator
would restart slod for its peers' faults."""
LOGGED_EVERY = 3600.0
"""Seconds after which a failure that goes on is logged with its traceback again."""
_MOST_DETAILS = 1_000
_MOST_KINDS = 16
"""Bounds of what is remembered of each part's failures: its details, and kinds of error. Beyond
them a failure is counted; `pausing` does not know it, and its traceback is not logged."""
_MOST_TEXT = 8_000
"""Characters of a logged traceback; the innermost frames are kept."""

Work = Callable[[], Coroutine[Any, Any, None]]
_Kind = tuple[str, str]
"""Type of an exception, and where it was raised."""


class _Trouble:
    """One detail of a part that fails: failures in a row, and the end of its pause."""

    __slots__ = ("in_row", "until")

    def __init__(self) -> None:
        self.in_row = 0
        self.until = 0.0


class _Failing:
    """A part that fails: the details that do not work, and when each kind of error was logged.

    The kinds are of the whole part: a fault that a hundred targets meet is logged once.
    """

    __slots__ = ("details", "kinds")

    def __init__(self) -> None:
        self.details: dict[str, _Trouble] = {}
        self.kinds: dict[_Kind, float] = {}


def _uncounted(part: str) -> None:
    del part


class Supervisor:
    """Contains, counts, logs and retries. `count` is called with the part of each failure."""

    def __init__(self, clock: Clock, count: Callable[[str], None] = _uncounted) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        """Tasks of `start` that have not ended."""
        self._clock = clock
        self._count = count
        self._failing: dict[str, _Failing] = {}
        self._resting: set[asyncio.Task[Any] | None] = set()

    def start(self, part: str, work: Work, detail: str = "") -> asyncio.Task[None]:
        """Run `work()` in a task until it returns or the task is cancelled.

        Args:
            part: value of the label `part` of `slod_failures_total`.
            work: makes the coroutine; called again after each failure and its pause.
            detail: tells parts of one label value apart (the targets of a source).
        """
        task = asyncio.create_task(self._keep(part, work, detail), name=f"{part} {detail}".strip())
        self.tasks.add(task)
        task.add_done_callback(lambda task: self._ended(task, part, detail))
        return task

    def part(self, part: str, detail: str = "") -> Part:
        """A context whose unforeseen exception ends here, as the failure of `part`."""
        return Part(self, part, detail)

    def pausing(self, part: str, detail: str = "") -> bool:
        """Whether the pause after the part's last failure is not over."""
        trouble = self._trouble(part, detail)
        return trouble is not None and self._clock.monotonic() < trouble.until

    def rests(self, task: asyncio.Task[None]) -> bool:
        """Whether the work of a task of `start` failed, and its pause is not over."""
        return task in self._resting

    def failed(self, part: str, error: BaseException, detail: str = "") -> float:
        """Count and log a failure; returns the pause before the next try, in seconds.

        Never raises: a failure that cannot be logged is counted all the same.
        """
        try:
            trouble = self._note(part, detail)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(trouble.in_row - 1, 10))
            trouble.until = self._clock.monotonic() + pause
            self._count(part)
            self._log(part, detail, error)
        except Exception:  # noqa: BLE001 - nothing contains the supervisor's own faults
            self._note("supervisor", "")
            return LONGEST_PAUSE
        return pause

    def works(self, part: str, detail: str = "") -> None:
        """This detail of the part did its work. Once all of them do, the part's next failure is
        logged with its traceback again."""
        failing = self._failing.get(part)
        if failing is not None:
            failing.details.pop(detail, None)
            if not failing.details:
                del self._failing[part]

    def unhealthy(self) -> list[str]:
        """Vital parts that fail again and again, each as a phrase."""
        found = []
        for part in VITAL:
            trouble = self._trouble(part, "")
            if trouble is not None and trouble.in_row >= AGAIN_AND_AGAIN:
                found.append(f"{part} failed {trouble.in_row} times in a row")
        return found

    async def _keep(self, part: str, work: Work, detail: str) -> None:
        while True:
            begun = self._clock.monotonic()
            try:
                await work()
            except asyncio.CancelledError as error:
                if _cancelled():
                    raise
                # Somebody else's cancellation got out of a future: no reason to end.
                pause = self._restarts(part, detail, begun, error)
            except Exception as error:  # noqa: BLE001 - this is where it is to end
                pause = self._restarts(part, detail, begun, error)
                if _cancelled():
                    # It failed while it tidied up: it was to end, and does.
                    return
            else:
                self.works(part, detail)
                return
            task = asyncio.current_task()
            self._resting.add(task)
            try:
                await self._rest(pause)
            finally:
                self._resting.discard(task)

    def _restarts(self, part: str, detail: str, begun: float, error: BaseException) -> float:
        if self._clock.monotonic() - begun >= LONGEST_PAUSE:
            self.works(part, detail)
        return self.failed(part, error, detail)

    async def _rest(self, pause: float) -> None:
        try:
            await self._clock.sleep(pause)
        except Exception as error:  # noqa: BLE001 - whoever is retried must be retried
            self.failed("supervisor", error)
            await asyncio.sleep(FIRST_PAUSE)
        else:
            self.works("supervisor")

    def _ended(self, task: asyncio.Task[None], part: str, detail: str) -> None:
        self.tasks.discard(task)
        if detail:
            self.works(part, detail)
        else:  # the part itself, so none of its details is there any more
            self._failing.pop(part, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed("supervisor", error)

    def _trouble(self, part: str, detail: str) -> _Trouble | None:
        failing = self._failing.get(part)
        return None if failing is None else failing.details.get(detail)

    def _note(self, part: str, detail: str) -> _Trouble:
        """One more failure in a row."""
        details = self._failing.setdefault(part, _Failing()).details
        trouble = details.get(detail, _Trouble())
        trouble.in_row += 1
        if len(details) < _MOST_DETAILS:
            details[detail] = trouble
        return trouble

    def _log(self, part: str, detail: str, error: BaseException) -> None:
        facts = {"part": part, **({"of": detail} if detail else {}), "error": one_line(error)}
        kind, now = (type(error).__name__, _place(error)), self._clock.monotonic()
        kinds = self._failing[part].kinds
        lately = now - kinds.get(kind, -inf) < LOGGED_EVERY
        if lately or (kind not in kinds and len(kinds) >= _MOST_KINDS):
            log.debug("part.failed_again", **facts)
            return
        kinds[kind] = now
        text = "".join(traceback.format_exception(error)).rstrip()
        log.error("part.failed", exception=text[-_MOST_TEXT:], **facts)


class Part:
    """A context manager: an exception inside is the failure of its part and goes no further.

    `failed` tells afterwards which it was. The cancellation of the task itself passes.
    """

    __slots__ = ("_detail", "_part", "_supervisor", "failed")

    def __init__(self, supervisor: Supervisor, part: str, detail: str) -> None:
        self.failed = False
        self._supervisor = supervisor
        self._part = part
        self._detail = detail

    def __enter__(self) -> Self:
        """Begin the work."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Contain the exception, if one came."""
        if error is None:
            self._supervisor.works(self._part, self._detail)
            return False
        foreign = isinstance(error, asyncio.CancelledError) and not _cancelled()
        if not (foreign or isinstance(error, Exception)):
            return False
        self.failed = True
        self._supervisor.failed(self._part, error, self._detail)
        return True


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _place(error: BaseException) -> str:
    """File and line where the exception was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
