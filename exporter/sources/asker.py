"""One question: all that a lane wants up to a moment, and the facts that it takes to count it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import NamedTuple

import structlog

from exporter.clock import Clock
from exporter.config.settings import PrometheusSource as Settings
from exporter.core.sample import Batch, Reading, Target
from exporter.core.selector import Query, Selector, Want
from exporter.errors import SourceError
from exporter.http import redact
from exporter.sources.base import Poll
from exporter.sources.facts import Facts
from exporter.sources.lane import Due, Lane
from exporter.sources.lateness import OVERLAP, Lateness
from exporter.sources.narrowing import Selection, halves, selection, text
from exporter.sources.processes import Processes
from exporter.sources.promapi import Row
from exporter.sources.promclient import PromClient
from exporter.sources.refusals import TooMuch

log = structlog.get_logger()


_SHORT = 900.0
"""Seconds of a range that is not made shorter any more where it is too much, but asked for in
parts of its series: a month in chunks of seconds would never be there."""


class _Answer(NamedTuple):
    """What a want brought: its rows since `start`; `width` of a query's windows, in seconds."""

    rows: Sequence[Row]
    start: float
    width: float | None = None


class Asker:
    """Asks one server for lanes of one source."""

    def __init__(self, settings: Settings, server: PromClient, clock: Clock) -> None:
        self._name = settings.name
        self._shown = redact(settings.url)
        self._interval = float(settings.interval)
        self._server = server
        self._clock = clock
        self._facts = Facts()
        self._factless = False
        self._processes = Processes(settings.target_labels)
        self._lateness = Lateness()
        self._walkers = asyncio.Semaphore(max(1, settings.concurrency // 2))

    async def ask(self, lane: Lane, end: float, *, live: bool, last: bool) -> Poll:
        """All a lane wants up to `end`, for those of its SLOs that get it; `TooMuch` when the
        server would not.

        Args:
            lane: what is wanted and since when; its cursors move.
            end: the poll's time, in unix seconds.
            live: it is polled again and again, so it reaches back for what was late.
            last: no further chunk follows at once.
        """
        begun = self._clock.monotonic()
        wants = lane.wants()
        found = await asyncio.gather(
            *(self._answer(lane, want, due, end, live) for want, due in wants.items()),
            return_exceptions=True,
        )
        answers: dict[Want, _Answer] = {}
        errors: dict[Want, SourceError] = {}
        for want, answer in zip(wants, found, strict=True):
            if isinstance(answer, SourceError):
                errors[want] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                answers[want] = answer
        targets: dict[str, Target] = {}
        if (too_much := _too_much(errors)) is None:
            try:
                targets = await self._targets(answers, end, live)
            except TooMuch as error:
                too_much = error
            except SourceError as error:
                # What the counters mean is not known without: the next poll bridges it.
                errors |= {want: error for want in answers if isinstance(want, Selector)}
        if too_much is not None:
            raise too_much
        return self._deliver(lane, end, begun, answers, errors, targets, live=live, last=last)

    def _deliver(
        self,
        lane: Lane,
        end: float,
        begun: float,
        answers: Mapping[Want, _Answer],
        errors: dict[Want, SourceError],
        targets: dict[str, Target],
        *,
        live: bool,
        last: bool,
    ) -> Poll:
        readings: dict[Want, list[Reading]] = {}
        for want, answer in answers.items():
            if want not in errors:
                try:
                    found = self._server.readings(answer.rows, self._processes.target_of)
                    readings[want] = found
                except SourceError as unreadable:
                    errors[want] = unreadable
        slos = lane.answered(errors)
        faults: dict[str, str] = {}
        for want, error in errors.items():
            if error.reason == "bad_query":
                faults |= dict.fromkeys(lane.wanting(want), f"{want}: {error}")
        others = (error for error in errors.values() if error.reason != "bad_query")
        poll = self.failed(begun, next(others, None))
        poll.faults = faults
        if not slos and errors:
            return poll
        batch = poll.batch = Batch(
            self._name,
            end,
            own_clock=False,
            readings=readings,
            targets=targets,
            failed=frozenset(errors),
            complete=last,
            slos=frozenset(slos),
        )
        for want in readings:
            answer = answers[want]
            batch.asked[want] = answer.start
            if answer.width is not None:
                batch.widths[want] = answer.width
            elif live:
                self._lateness.note(want, answer.rows, end)
        lane.moved(slos, end)
        samples = sum(len(r.samples) for some in readings.values() for r in some)
        # A start time comes with each look.
        lane.got(samples + sum(2 * len(target.looks) for target in targets.values()))
        return poll

    def failed(self, begun: float, error: SourceError | None) -> Poll:
        """A poll that brought nothing but an error, if that; `begun` on the monotonic clock."""
        if error is not None:
            error = type(error)(error.reason, f"{self._shown}: {error}")
        return Poll(self._name, self._shown, self._clock.monotonic() - begun, error=error)

    async def _answer(self, lane: Lane, want: Want, due: Due, end: float, live: bool) -> _Answer:
        if isinstance(want, Query):
            async with self._pace(live):
                width = await self._server.width(want, end)
                newest = self._server.last_step(end, width)
                late = self._lateness.reach(want, end) if live else 0.0
                first = lane.first_step(want, due, late, newest, width)
                rows = await self._server.steps(want, first, newest, width)
                return _Answer(rows, first, width)
        start = due.cursor - OVERLAP
        if live:
            start = self._lateness.start(want, due.cursor, end, fresh=due.fresh)
        async with self._pace(live):
            rows = await self._raw(selection(want), start, end, str(want))
            if live:
                further = self._lateness.further(want, rows, start, end)
                if further is not None:
                    start = further
                    rows = await self._raw(selection(want), start, end, str(want))
        return _Answer(rows, start)

    async def _targets(
        self, answers: Mapping[Want, _Answer], end: float, live: bool
    ) -> dict[str, Target]:
        """What is to be known of the processes that these samples are of, over the same time."""
        counters = {w: answer for w, answer in answers.items() if isinstance(w, Selector)}
        if not counters:
            return {}
        start = min(answer.start for answer in counters.values()) - self._interval

        async def samples(matchers: Selection) -> list[Row]:
            async with self._pace(live):
                return await self._raw(matchers, start, end)

        async def count(matchers: Selection) -> list[Row]:
            async with self._pace(live):
                return await self._server.count(text(matchers), end)

        try:
            facts = await self._facts.ask(
                (row for answer in counters.values() for row in answer.rows),
                self._clock.monotonic(),
                samples,
                count,
                all_jobs=live,
            )
        except SourceError as error:
            if error.reason != "bad_query":
                raise
            # A server that refuses to be asked for two metrics at once will always do so.
            if not self._factless:
                self._factless = True
                log.warning("source.facts_refused", source=self._name, error=str(error))
            return {}
        names = {want.name for want in counters}
        try:
            return self._processes.learn(facts, self._clock.now(), names)
        except ValueError as error:
            raise SourceError("malformed", f"answered with unreadable samples: {error}") from None

    async def _raw(
        self, matchers: Selection, start: float, end: float, selector: str = ""
    ) -> list[Row]:
        """All raw samples of a range; of what is too much in a short one, in halves."""
        selector = selector or text(matchers)
        try:
            return await self._server.raw(selector, start, end)
        except TooMuch as too_much:
            if end - start > _SHORT:
                raise
            try:
                series = await self._server.series(selector, start, end)
            except SourceError:
                raise too_much from None
            parts = halves(matchers, series)
            if not parts:
                raise
        return [row for part in parts for row in await self._raw(part, start, end)]

    def _pace(self, live: bool) -> AbstractAsyncContextManager[object]:
        """Lanes share half of the connections; the live one waits for none of them."""
        return nullcontext() if live else self._walkers


def _too_much(errors: Mapping[Want, SourceError]) -> TooMuch | None:
    return next((e for e in errors.values() if isinstance(e, TooMuch)), None)
